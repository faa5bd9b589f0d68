"""Many pictures in one cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agnez.errors import BadValueError
from agnez.media import arrays, pixels
from agnez.media.files import Encoded
from agnez.media.frozen import Frozen, Keep, Media, checked_caption
from agnez.media.image import Image, Picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_IMAGES: Final = 1000
"""Pictures of one call."""

_WIDEST = 4096  # pixels of a sheet: what every browser's decoder likes


@dataclass(frozen=True, slots=True)
class Album:
    """Hold pictures that each are a file."""

    caption: str
    pictures: tuple[Picture | Encoded, ...]

    @property
    def weight(self) -> int:
        """Return the bytes of all."""
        return sum(each.weight for each in self.pictures)

    def kept(self, keep: Keep) -> list[dict[str, str]]:
        """Keep each picture, and return their addresses and captions.

        Raises:
            BadValueError: the values of one make no picture.
        """
        return [{"src": keep(*each.encoded()), "caption": each.caption} for each in self.pictures]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Hold pictures of one size in one array, which become one file: a page that walks the steps loads one a step."""

    caption: str
    copy: object
    weight: int
    first: bool
    normalize: bool

    def kept(self, keep: Keep) -> dict[str, Any]:
        """Keep the sheet, and return how the pictures lie on it.

        Raises:
            BadValueError: the values make no picture.
        """
        array = arrays.numbers(self.copy)
        whole = pixels.levels(_normalized(array) if self.normalize else array)
        tiles = [pixels.upright(each, self.first) for each in whole]
        height, width = tiles[0].shape[:2]
        columns = _columns(len(tiles), height, width)
        src = keep(pixels.png(_laid(tiles, columns)), "png")
        return {"src": src, "count": len(tiles), "columns": columns, "width": width, "height": height}


class Images(Media):
    """Make a grid of pictures, for `log` to show in a cell with a slider over the steps.

    `values` is an array or a tensor of shape (pictures, height, width) or (pictures, height, width, channels), or
    channels first, of what `Image` takes; or a sequence of whatever `Image` takes, or of `Image`, each with its own
    caption. `normalize` stretches the numbers of all pictures together to black and white, for weights and activations.

    Raises:
        BadValueError: no pictures can be made of it.

    >>> import numpy as np
    >>> Images(np.random.randn(16, 7, 7), caption="filters", normalize=True).kind
    'images'
    """

    kind = "images"
    __slots__ = ("_freeze", "caption")

    def __init__(self, values: object, caption: str = "", *, normalize: bool = False) -> None:
        self.caption = checked_caption(caption)
        self._freeze = _freezer(values, self.caption, normalize)

    def frozen(self) -> Frozen:
        """Take the pictures as they are now. No device is waited for, and nothing is encoded."""
        return self._freeze()


def _freezer(values: object, caption: str, normalize: bool) -> Callable[[], Frozen]:
    if arrays.is_array(values):
        return _from_array(values, caption, normalize)
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise BadValueError(
            f"no pictures can be made of a {type(values).__name__}: give a list of what agnez.Image takes, or an array "
            "of shape (pictures, height, width) or (pictures, height, width, channels)"
        )
    if normalize:
        raise BadValueError("normalize=True is for one array of all pictures: stack them first, as numpy.stack does")
    _check_count(len(values))
    pictures = [each if isinstance(each, Image) else Image(each) for each in values]
    return lambda: Album(caption, tuple(each.frozen() for each in pictures))


def _from_array(values: Any, caption: str, normalize: bool) -> Callable[[], Frozen]:
    shape = arrays.shape_of(values)
    if len(shape) not in (3, 4):
        raise BadValueError(
            f"an array of shape {shape} holds no pictures: give (pictures, height, width) or (pictures, height, width, "
            "channels)"
        )
    _check_count(shape[0])
    first = pixels.checked(values, shape[1:])
    height, width = shape[2:4] if first else shape[1:3]
    pixels.check_size(shape[0] * height, width)
    if arrays.framework_of(values) == "numpy" and not normalize:
        pixels.check_range(values)
    return lambda: Sheet(caption, arrays.copied(values), arrays.weight_of(values), first, normalize)


def _check_count(count: int) -> None:
    if not 0 < count <= MOST_IMAGES:
        raise BadValueError(f"{count} pictures: give at least one, and at most {MOST_IMAGES}")


def _normalized(array: NDArray[Any]) -> NDArray[np.float32]:
    import numpy as np

    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    found: NDArray[np.float32] = ((array.astype(np.float32) - low) / ((high - low) or 1.0)).clip(0, 1)
    return found


def _columns(count: int, height: int, width: int) -> int:
    """Return how many pictures lie in a row of a sheet that is about square."""
    square = math.ceil(math.sqrt(count * height / width))
    return max(1, min(count, square, _WIDEST // width or 1))


def _laid(tiles: list[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    import numpy as np

    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    sheet = np.zeros((rows * height, columns * width, *tiles[0].shape[2:]), dtype=np.uint8)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return sheet
