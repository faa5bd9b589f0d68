"""Moving pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agnez.errors import BadValueError
from agnez.media import arrays, files, pixels
from agnez.media.frozen import Frozen, Keep, Media, checked_caption

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_FRAMES: Final = 2000
"""Frames that are made into one film."""

FASTEST: Final = 50
"""Frames a second of a GIF: browsers slow faster ones down."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Hold a copy of frames, on whatever device they are: one array, or one for each frame."""

    caption: str
    copies: tuple[object, ...]
    weight: int
    first: bool
    fps: float

    def kept(self, keep: Keep) -> dict[str, Any]:
        """Make a GIF of them and keep it; return its address and length.

        Raises:
            BadValueError: their values make no pictures.
        """
        frames = [pixels.upright(each, self.first) for each in pixels.levels(self._stacked())]
        return {"src": keep(_gif(frames, self.fps), "gif"), "frames": len(frames), "fps": self.fps}

    def _stacked(self) -> NDArray[Any]:
        import numpy as np

        read = [arrays.numbers(each) for each in self.copies]
        return read[0] if read[0].ndim == 4 or (len(read) == 1 and read[0].ndim == 3) else np.stack(read)


class Video(Media):
    """Make a film of `value`, for `log` to show in a cell.

    `value` is an array or a tensor of frames, of shape (frames, height, width) or (frames, height, width, channels), or
    channels first, of what `Image` takes; or a sequence of arrays of one shape. A GIF is made of them, with `fps`
    frames a second. It may be the path of an MP4, WebM or GIF too, which is read at once, or the bytes of one.

    Raises:
        BadValueError: no film can be made of it.

    >>> import numpy as np
    >>> Video(np.zeros((8, 16, 16), dtype=np.uint8), fps=4, caption="an episode").kind
    'video'
    """

    kind = "video"
    __slots__ = ("_freeze", "caption")

    def __init__(self, value: object, caption: str = "", *, fps: float = 8) -> None:
        self.caption = checked_caption(caption)
        if isinstance(fps, bool) or not isinstance(fps, int | float) or not 0 < fps <= FASTEST:
            raise BadValueError(f"fps={fps!r}: give how many frames a second are shown, at most {FASTEST}")
        self._freeze = _freezer(value, self.caption, float(fps))

    def frozen(self) -> Frozen:
        """Take the frames as they are now. No device is waited for, and nothing is encoded."""
        return self._freeze()


def _freezer(value: object, caption: str, fps: float) -> Callable[[], Frozen]:
    if files.is_file(value):
        film = files.Played(files.read(value, "video", files.FILMS, caption))
        return lambda: film
    if arrays.is_array(value):
        shape = arrays.shape_of(value)
        return _from_frames([value], shape, caption, fps)
    if isinstance(value, Sequence) and value and all(arrays.is_array(each) for each in value):
        shapes = {arrays.shape_of(each) for each in value}
        if len(shapes) > 1:
            raise BadValueError(f"the frames of a video have one size; these have {len(shapes)}: cut or scale them")
        return _from_frames(list(value), (len(value), *shapes.pop()), caption, fps)
    raise BadValueError(
        f"no video can be made of a {type(value).__name__}: give an array of shape (frames, height, width) or (frames, "
        "height, width, channels), a list of pictures, or the path of an MP4, WebM or GIF"
    )


def _from_frames(parts: list[Any], shape: tuple[int, ...], caption: str, fps: float) -> Callable[[], Frozen]:
    if len(shape) not in (3, 4):
        raise BadValueError(
            f"an array of shape {shape} is no video: give (frames, height, width) or (frames, height, width, channels)"
        )
    if not 0 < shape[0] <= MOST_FRAMES:
        raise BadValueError(f"{shape[0]} frames: give at least one, and at most {MOST_FRAMES}; a longer film as a file")
    first = pixels.checked(parts[0], shape[1:])
    height, width = shape[2:4] if first else shape[1:3]
    if shape[0] * height * width > pixels.MOST_PIXELS:
        raise BadValueError(
            f"{shape[0]} frames of {height} × {width} pixels are more than the {pixels.MOST_PIXELS // 1_000_000} "
            "million pixels that are made into a GIF: give fewer or smaller ones, or the path of an MP4"
        )
    if arrays.framework_of(parts[0]) == "numpy":
        for part in parts:
            pixels.check_range(part)
    weight = sum(arrays.weight_of(part) for part in parts)
    return lambda: Frames(caption, tuple(arrays.copied(part) for part in parts), weight, first, fps)


def _gif(frames: list[NDArray[np.uint8]], fps: float) -> bytes:
    from PIL import Image as Pillow

    pictures = [Pillow.fromarray(each[:, :, :3] if each.ndim == 3 else each) for each in frames]
    file = io.BytesIO()
    # GIF counts in hundredths of a second.
    pictures[0].save(
        file, "GIF", save_all=True, append_images=pictures[1:], duration=round(100 / fps) * 10, loop=0, optimize=False
    )
    return file.getvalue()
