"""Pixels: checked where they are given, made into bytes later."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Final

from agnez.errors import BadValueError
from agnez.media import arrays

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_PIXELS: Final = 64_000_000
"""Pixels that one picture may have, and all pictures of one call together."""

CHANNELS: Final = (1, 3, 4)
_OVERSHOOT = 0.1  # what resizing with a sharp filter leaves beyond 0 and 1; it is cut off
_PIL_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # what PNG can say; other modes become RGB


def is_pil(value: object) -> bool:
    """Tell whether a value is a picture of PIL, by its way of saying what it is."""
    return hasattr(value, "tobytes") and hasattr(value, "getbands")


def checked(value: Any, shape: tuple[int, ...]) -> bool:
    """Check an array of one picture's `shape`, without looking at a device, and tell whether its channels come first.

    Raises:
        BadValueError: no picture can be made of it.
    """
    framework = arrays.framework_of(value)
    first = _channels_first(shape, usual=framework == "torch")
    check_size(*(shape[1:] if first else shape[:2]))
    _check_dtype(arrays.dtype_of(value))
    return first


def _channels_first(shape: tuple[int, ...], *, usual: bool) -> bool:
    """Tell whether the channels come before height and width; where both readings fit, `usual` decides."""
    last = len(shape) == 2 or (len(shape) == 3 and shape[2] in CHANNELS)
    first = len(shape) == 3 and shape[0] in CHANNELS
    if not last and not first:
        raise BadValueError(
            f"an array of shape {shape} is no picture: give (height, width) or (height, width, channels) with 1, 3 or "
            "4 channels, one picture at a time (agnez.Images takes many)"
        )
    return first and (usual or not last)


def check_size(height: int, width: int) -> None:
    """Refuse a picture without pixels, or with too many.

    Raises:
        BadValueError: it is one.
    """
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


def levels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the numbers of pixels as bytes.

    Raises:
        BadValueError: floats are far beyond 0 to 1.
    """
    import numpy as np

    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    check_range(array)
    found: NDArray[np.uint8] = np.rint(np.nan_to_num(array.astype(np.float32)).clip(0, 1) * 255).astype(np.uint8)
    return found


def check_range(array: NDArray[Any]) -> None:
    """Refuse floats far beyond 0 to 1.

    Raises:
        BadValueError: there are some.
    """
    if array.dtype in ("uint8", "bool"):
        return
    low, high = extent(array)
    if low < -_OVERSHOOT or high > 1 + _OVERSHOOT:
        raise BadValueError(
            f"this picture's floats reach from {low:.3g} to {high:.3g}: scale them to 0 to 1, or give uint8 (0 to 255)"
        )


def extent(array: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the greatest number that is no NaN."""
    there = array == array
    return float(array.min(initial=math.inf, where=there)), float(array.max(initial=-math.inf, where=there))


def upright(pixels: NDArray[np.uint8], first: bool) -> NDArray[np.uint8]:
    """Return one picture as (height, width) or (height, width, 3 or 4)."""
    if first:
        pixels = pixels.transpose(1, 2, 0)
    return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an upright picture as a PNG."""
    from PIL import Image as Pillow  # it comes with matplotlib; 30 ms that only pictures need

    return _saved(Pillow.fromarray(pixels))


def png_of_pil(image: Any) -> bytes:
    """Return a picture of PIL as a PNG.

    Raises:
        BadValueError: PNG knows nothing like its mode.
    """
    try:
        return _saved(image if image.mode in _PIL_MODES else image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise BadValueError(f"a PIL image of mode {image.mode!r} makes no PNG ({error}): convert it to RGB") from error


def _saved(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)  # level 6 takes half as long again for 8 % less of a photograph
    return file.getvalue()
