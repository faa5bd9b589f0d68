"""Pictures that `log` takes: frozen on the training's thread, encoded on another."""

from __future__ import annotations

import io
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from agnez.errors import BadValueError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_PIXELS: Final = 64_000_000
"""Pixels that one image may have."""

_CHANNELS = (1, 3, 4)
_OVERSHOOT = 0.1  # what resizing with a sharp filter leaves beyond 0 and 1; it is cut off
_PIL_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # what PNG can say; other modes become RGB


class Frozen(Protocol):
    """Stand for a picture that nothing will change any more."""

    @property
    def caption(self) -> str:
        """Return what is written under it."""
        ...

    def encoded(self) -> tuple[bytes, str]:
        """Return the bytes of its file, and the file's extension. Any thread may call it.

        Raises:
            BadValueError: its values make no picture.
        """
        ...


class Media(ABC):
    """Stand for a value that is kept as a file."""

    @abstractmethod
    def frozen(self) -> Frozen:
        """Take it as it is now. No device is waited for, and nothing is encoded."""


@dataclass(frozen=True, slots=True)
class _Encoded:
    caption: str
    content: bytes
    extension: str

    def frozen(self) -> _Encoded:
        return self

    def encoded(self) -> tuple[bytes, str]:
        return self.content, self.extension


@dataclass(frozen=True, slots=True)
class _Later:
    """Hold a copy of pixels, on whatever device they are, and what makes a PNG of it."""

    caption: str
    copy: object
    encode: Callable[[Any], bytes]

    def encoded(self) -> tuple[bytes, str]:
        return self.encode(self.copy), "png"


class Image(Media):
    """Make a picture of `value`, for `log` to show in a cell.

    `value` is a NumPy array or a tensor of any framework, of shape (height, width) or (height, width, channels) with 1,
    3 or 4 channels, or channels first; of dtype uint8 (0 to 255), bool, or float (0 to 1; NaN is black). It may be a
    PIL image too, the bytes of a PNG, JPEG, GIF, WebP or SVG, or the path of such a file, which is read at once.
    `caption` is text under the picture.

    Raises:
        BadValueError: no picture can be made of it.

    >>> import numpy as np
    >>> Image(np.zeros((28, 28)), caption="a digit").frozen().encoded()[1]
    'png'
    """

    __slots__ = ("_freeze", "caption")

    def __init__(self, value: object, caption: str = "") -> None:
        if not isinstance(caption, str):
            raise BadValueError(f"caption={caption!r} is a {type(caption).__name__}: give a text")
        self.caption = caption
        self._freeze = _freezer(value, caption)

    def frozen(self) -> Frozen:
        """Take the picture as it is now. No device is waited for, and nothing is encoded."""
        return self._freeze()


def _freezer(value: object, caption: str) -> Callable[[], Frozen]:
    """Check what can be checked without looking at pixels, and return what takes them."""
    if isinstance(value, str | os.PathLike):
        return _from_path(Path(value), caption).frozen
    if isinstance(value, bytes | bytearray | memoryview):
        return _from_bytes(bytes(value), "these bytes are", caption).frozen
    if hasattr(value, "tobytes") and hasattr(value, "getbands"):  # PIL's way of saying what it is
        return _from_pil(value, caption)
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return _from_array(value, caption)
    raise BadValueError(
        f"no picture can be made of a {type(value).__name__}: give an array, a tensor, a PIL image, the bytes of an "
        "image file, or its path"
    )


def _from_path(path: Path, caption: str) -> _Encoded:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        reason = getattr(error, "strerror", None) or error
        raise BadValueError(f"the picture {path} cannot be read ({reason}): check its path") from error
    return _from_bytes(content, f"{path} is", caption)


def _from_bytes(content: bytes, subject: str, caption: str) -> _Encoded:
    extension = _kind(content)
    if extension is None:
        raise BadValueError(f"{subject} no PNG, JPEG, GIF, WebP or SVG: convert it to one of these")
    return _Encoded(caption, content, extension)


def _kind(content: bytes) -> str | None:
    """Recognise an image file by its first bytes."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return "svg" if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!")) and b"<svg" in head) else None


def _from_pil(image: Any, caption: str) -> Callable[[], Frozen]:
    width, height = image.size
    _check_pixels(height, width)
    return lambda: _Later(caption, image.copy(), _encode_pil)


def _encode_pil(image: Any) -> bytes:
    try:
        return _png(image if image.mode in _PIL_MODES else image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise BadValueError(f"a PIL image of mode {image.mode!r} makes no PNG ({error}): convert it to RGB") from error


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)  # level 6 takes half as long again for 8 % less of a photograph
    return file.getvalue()


def _from_array(value: Any, caption: str) -> Callable[[], Frozen]:
    shape = tuple(int(each) for each in value.shape)
    framework = type(value).__module__.partition(".")[0]
    first = _channels_first(shape, usual=framework == "torch")
    _check_pixels(*(shape[1:] if first else shape[:2]))
    _check_dtype(getattr(value.dtype, "name", None) or str(value.dtype).removeprefix("torch."))
    if framework == "numpy":  # here it costs no waiting, and the mistake is told at its line
        _check_range(value)

    def freeze() -> Frozen:
        return _Later(caption, _copied(value, framework), lambda copy: _encode_array(copy, first))

    return freeze


def _channels_first(shape: tuple[int, ...], *, usual: bool) -> bool:
    """Tell whether the channels come before height and width; where both readings fit, `usual` decides."""
    last = len(shape) == 2 or (len(shape) == 3 and shape[2] in _CHANNELS)
    first = len(shape) == 3 and shape[0] in _CHANNELS
    if not last and not first:
        raise BadValueError(
            f"an array of shape {shape} is no picture: give (height, width) or (height, width, channels) with 1, 3 or "
            "4 channels, one picture at a time"
        )
    return first and (usual or not last)


def _check_pixels(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise BadValueError(f"a picture of {height} × {width} pixels shows nothing: give at least one pixel")
    if height * width > MOST_PIXELS:
        raise BadValueError(
            f"a picture of {height} × {width} pixels is more than the {MOST_PIXELS // 1_000_000} million that are "
            "kept: show a part of it, or a smaller copy"
        )


def _check_dtype(dtype: str) -> None:
    if dtype not in ("uint8", "bool") and "float" not in dtype:
        raise BadValueError(f"a picture of {dtype} is not known: give uint8 (0 to 255), bool, or floats (0 to 1)")


def _copied(value: Any, framework: str) -> object:
    """Copy what the user may change in place; a tensor stays on its device, and its device is not waited for."""
    if framework == "keras":
        value = value.value  # a variable; what is inside is the backend's
        framework = type(value).__module__.partition(".")[0]
    if framework == "torch":
        return value.detach().clone()
    if framework == "tensorflow":
        return value.read_value() if hasattr(value, "read_value") else value
    if framework in ("jax", "jaxlib"):  # nothing changes it, but a jitted step may take its buffer over
        return value.copy()
    import numpy as np  # 60 ms that `import agnez` must not take

    return np.array(value)


def _encode_array(copy: Any, first: bool) -> bytes:
    from PIL import Image as Pillow  # it comes with matplotlib; 30 ms that only pictures need

    pixels = _pixels(copy)
    if first:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    return _png(Pillow.fromarray(pixels))


def _pixels(copy: Any) -> NDArray[np.uint8]:
    import numpy as np

    if hasattr(copy, "cpu"):  # torch: NumPy knows no bfloat16, and reads no other memory than the processor's
        copy = copy.cpu().float().numpy() if "float" in str(copy.dtype) else copy.cpu().numpy()
    array: NDArray[Any] = np.asarray(copy)
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    _check_range(array)
    levels: NDArray[np.uint8] = np.rint(np.nan_to_num(array.astype(np.float32)).clip(0, 1) * 255).astype(np.uint8)
    return levels


def _check_range(array: NDArray[Any]) -> None:
    if array.dtype in ("uint8", "bool"):
        return
    low = float(array.min(initial=math.inf, where=array == array))  # where it is no NaN
    high = float(array.max(initial=-math.inf, where=array == array))
    if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
        raise BadValueError(
            f"this picture's floats reach from {low:.3g} to {high:.3g}: scale them to 0 to 1, or give uint8 (0 to 255)"
        )
