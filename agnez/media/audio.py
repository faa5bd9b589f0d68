"""Sound."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agnez.errors import BadValueError
from agnez.media import arrays, files, pixels
from agnez.media.frozen import Frozen, Keep, Media, checked_caption

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_CHANNELS: Final = 8
MOST_SAMPLES: Final = 100_000_000
"""Numbers of one sound, over all channels: 38 minutes at 44,100 a second."""

_PEAKS = 240  # of the drawing of a sound
_OVERSHOOT = 0.1


@dataclass(frozen=True, slots=True)
class Samples:
    """Hold a copy of samples, on whatever device they are."""

    caption: str
    copy: object
    weight: int
    rate: int

    def kept(self, keep: Keep) -> dict[str, Any]:
        """Make a WAV of them and keep it; return its address, its length in seconds, and its outline.

        Raises:
            BadValueError: the samples are beyond -1 to 1.
        """
        samples = _columns(_sixteen_bits(arrays.numbers(self.copy)))
        src = keep(_wav(samples, self.rate), "wav")
        return {"src": src, "seconds": len(samples) / self.rate, "sample_rate": self.rate, "peaks": _peaks(samples)}


class Audio(Media):
    """Make a sound of `value`, for `log` to play in a cell.

    `value` is an array or a tensor of samples, of shape (samples,), (samples, channels) or (channels, samples); floats
    from -1 to 1, or int16. `sample_rate` is how many there are a second. It may be the path of a WAV, MP3, Ogg or FLAC
    too, which is read at once, or the bytes of one.

    Raises:
        BadValueError: no sound can be made of it.

    >>> import numpy as np
    >>> Audio(np.sin(np.arange(8000) / 3), sample_rate=8000, caption="a tone").kind
    'audio'
    """

    kind = "audio"
    __slots__ = ("_freeze", "caption")

    def __init__(self, value: object, sample_rate: int | None = None, caption: str = "") -> None:
        self.caption = checked_caption(caption)
        self._freeze = _freezer(value, sample_rate, self.caption)

    def frozen(self) -> Frozen:
        """Take the samples as they are now. No device is waited for, and nothing is encoded."""
        return self._freeze()


def _freezer(value: object, rate: int | None, caption: str) -> Callable[[], Frozen]:
    if files.is_file(value):
        recording = files.Played(files.read(value, "sound", files.SOUNDS, caption))
        return lambda: recording
    if not arrays.is_array(value):
        raise BadValueError(
            f"no sound can be made of a {type(value).__name__}: give an array of samples and sample_rate=, or the path "
            "of a WAV, MP3, Ogg or FLAC"
        )
    if rate is None or isinstance(rate, bool) or not hasattr(rate, "__index__") or not 0 < int(rate) <= 768_000:
        raise BadValueError(f"sample_rate={rate!r}: say how many samples there are a second, such as 16_000")
    _check(value)
    return lambda: Samples(caption, arrays.copied(value), arrays.weight_of(value), int(rate))


def _check(value: Any) -> None:
    shape, dtype = arrays.shape_of(value), arrays.dtype_of(value)
    channels = 1 if len(shape) == 1 else min(shape, default=0)
    if len(shape) not in (1, 2) or not 0 < channels <= MOST_CHANNELS or max(shape) < 1:
        raise BadValueError(
            f"an array of shape {shape} is no sound: give (samples,), (samples, channels) or (channels, samples), with "
            f"at most {MOST_CHANNELS} channels"
        )
    if channels * max(shape) > MOST_SAMPLES:
        raise BadValueError(f"{max(shape):,} samples are too many for one cell: log a part of it")
    if dtype != "int16" and "float" not in dtype:
        raise BadValueError(f"a sound of {dtype} is not known: give floats (-1 to 1) or int16")
    if arrays.framework_of(value) == "numpy":  # here it costs no waiting, and the mistake is told at its line
        _check_range(value)


def _check_range(samples: NDArray[Any]) -> None:
    if samples.dtype.kind != "f":
        return
    low, high = pixels.extent(samples)
    if low < -1 - _OVERSHOOT or high > 1 + _OVERSHOOT:
        raise BadValueError(
            f"this sound's floats reach from {low:.3g} to {high:.3g}: scale them to -1 to 1, or give int16"
        )


def _sixteen_bits(samples: NDArray[Any]) -> NDArray[np.int16]:
    import numpy as np

    if samples.dtype == np.int16:
        return samples
    _check_range(samples)
    found: NDArray[np.int16] = np.rint(np.nan_to_num(samples.astype(np.float32)).clip(-1, 1) * 32767).astype("<i2")
    return found


def _columns(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return samples with a column for each channel."""
    if samples.ndim == 1:
        return samples[:, None]
    return samples.T if samples.shape[0] < samples.shape[1] else samples


def _wav(samples: NDArray[np.int16], rate: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(samples.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def _peaks(samples: NDArray[np.int16]) -> list[float]:
    """Return the loudest of each stretch, from 0 to 1."""
    import numpy as np

    loud = np.abs(samples.astype(np.int32)).max(axis=1)
    starts = np.unique(np.linspace(0, len(loud), min(_PEAKS, len(loud)), endpoint=False).astype(np.intp))
    return [round(each / 32768, 3) for each in np.maximum.reduceat(loud, starts).tolist()]
