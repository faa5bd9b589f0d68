"""One picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agnez.errors import BadValueError
from agnez.media import arrays, files, pixels
from agnez.media.files import Encoded
from agnez.media.frozen import Keep, Media, checked_caption


@dataclass(frozen=True, slots=True)
class Picture:
    """Hold a copy of pixels, on whatever device they are, and what makes a PNG of it."""

    caption: str
    copy: object
    weight: int
    encode: Callable[[Any], bytes]

    def encoded(self) -> tuple[bytes, str]:
        """Return the bytes of its file, and the file's extension.

        Raises:
            BadValueError: its values make no picture.
        """
        return self.encode(self.copy), "png"

    def kept(self, keep: Keep) -> str:
        """Keep the picture, and return its address.

        Raises:
            BadValueError: its values make no picture.
        """
        return keep(*self.encoded())


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

    kind = "img"
    __slots__ = ("_freeze", "caption")

    def __init__(self, value: object, caption: str = "") -> None:
        self.caption = checked_caption(caption)
        self._freeze = _freezer(value, self.caption)

    def frozen(self) -> Picture | Encoded:
        """Take the picture as it is now. No device is waited for, and nothing is encoded."""
        return self._freeze()


def _freezer(value: object, caption: str) -> Callable[[], Picture | Encoded]:
    """Check what can be checked without looking at pixels, and return what takes them."""
    if files.is_file(value):
        return files.read(value, "picture", files.IMAGES, caption).frozen
    if pixels.is_pil(value):
        return _from_pil(value, caption)
    if arrays.is_array(value):
        return _from_array(value, caption)
    raise BadValueError(
        f"no picture can be made of a {type(value).__name__}: give an array, a tensor, a PIL image, the bytes of an "
        "image file, or its path"
    )


def _from_pil(image: Any, caption: str) -> Callable[[], Picture]:
    width, height = image.size
    pixels.check_size(height, width)
    return lambda: Picture(caption, image.copy(), width * height * len(image.getbands()), pixels.png_of_pil)


def _from_array(value: Any, caption: str) -> Callable[[], Picture]:
    first = pixels.checked(value, arrays.shape_of(value))
    if arrays.framework_of(value) == "numpy":  # here it costs no waiting, and the mistake is told at its line
        pixels.check_range(value)

    def encode(copy: Any) -> bytes:
        return pixels.png(pixels.upright(pixels.levels(arrays.numbers(copy)), first))

    return lambda: Picture(caption, arrays.copied(value), arrays.weight_of(value), encode)
