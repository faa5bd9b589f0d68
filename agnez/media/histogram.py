"""Histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agnez.errors import BadValueError
from agnez.media import arrays
from agnez.media.frozen import Frozen, Keep, Media, checked_caption

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BINS: Final = 512


@dataclass(frozen=True, slots=True)
class Numbers:
    """Hold a copy of numbers, on whatever device they are, that will be counted."""

    caption: str
    copy: object
    weight: int
    bins: int

    def kept(self, keep: Keep) -> dict[str, Any]:
        """Return how many numbers lie in each bin, and where the bins begin and end."""
        import numpy as np

        numbers = arrays.numbers(self.copy).ravel()
        if numbers.dtype.kind not in "iub":
            numbers = numbers.astype(np.float64)
        finite = numbers[np.isfinite(numbers)]
        counts, edges = np.histogram(finite, self.bins) if len(finite) else (np.zeros(0, int), np.zeros(0))
        found: dict[str, Any] = {"counts": counts.tolist(), "edges": _rounded(edges)}
        strays = len(numbers) - len(finite)
        return found | ({"non_finite": strays} if strays else {})


@dataclass(frozen=True, slots=True)
class Counted:
    """Hold a histogram that was counted before."""

    caption: str
    counts: list[float]
    edges: list[float]

    @property
    def weight(self) -> int:
        """Return about how many bytes it has."""
        return 16 * len(self.counts)

    def kept(self, keep: Keep) -> dict[str, Any]:
        """Return the counts, and where the bins begin and end."""
        return {"counts": self.counts, "edges": self.edges}


class Histogram(Media):
    """Make a histogram of `values`, for `log` to show in a cell, over the steps.

    `values` are numbers: an array or a tensor of any shape, or a sequence. They are counted in `bins` of one width from
    the least to the greatest; what is not finite is counted apart. `np_histogram` is what `numpy.histogram` returns,
    for what is counted already.

    Raises:
        BadValueError: there are no numbers, or no such bins.

    >>> import numpy as np
    >>> Histogram(np.random.randn(1000), bins=32).kind
    'histogram'
    """

    kind = "histogram"
    __slots__ = ("_freeze", "caption")

    def __init__(
        self, values: object = None, caption: str = "", *, bins: int = 64, np_histogram: Sequence[Any] | None = None
    ) -> None:
        self.caption = checked_caption(caption)
        if (values is None) == (np_histogram is None):
            raise BadValueError("agnez.Histogram takes numbers, or np_histogram=(counts, edges): give one of them")
        if np_histogram is not None:
            counted = _counted(np_histogram, self.caption)
            self._freeze: Callable[[], Frozen] = lambda: counted
            return
        if isinstance(bins, bool) or not isinstance(bins, int) or not 0 < bins <= MOST_BINS:
            raise BadValueError(f"bins={bins!r}: give how many there are, at most {MOST_BINS}")
        self._freeze = _freezer(values, bins, self.caption)

    def frozen(self) -> Frozen:
        """Take the numbers as they are now. No device is waited for, and nothing is counted."""
        return self._freeze()


def _freezer(values: Any, bins: int, caption: str) -> Callable[[], Frozen]:
    if not arrays.is_array(values):
        values = _listed(values)
    dtype = arrays.dtype_of(values)
    if not any(word in dtype for word in ("float", "int", "bool")):
        raise BadValueError(f"a histogram of {dtype} cannot be counted: give numbers")
    weight = arrays.weight_of(values)
    if not weight:
        raise BadValueError("a histogram of no numbers shows nothing: give at least one")
    return lambda: Numbers(caption, arrays.copied(values), weight, bins)


def _listed(values: Any) -> NDArray[Any]:
    import numpy as np

    try:
        if isinstance(values, str | bytes):
            raise TypeError(values)
        return np.asarray([float(each) for each in values])
    except (TypeError, ValueError) as error:
        raise BadValueError(f"no histogram can be made of a {type(values).__name__}: give numbers") from error


def _counted(given: Sequence[Any], caption: str) -> Counted:
    import numpy as np

    try:
        counts, edges = (np.asarray(each, dtype=np.float64) for each in given)
    except (TypeError, ValueError) as error:
        raise BadValueError("np_histogram= is what numpy.histogram returns: (counts, edges)") from error
    if counts.ndim != 1 or edges.shape != (len(counts) + 1,) or not 0 < len(counts) <= MOST_BINS:
        raise BadValueError(
            f"np_histogram= has {counts.size} counts and {edges.size} edges: give at most {MOST_BINS} counts, and one "
            "edge more"
        )
    if not (np.isfinite(counts).all() and np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        raise BadValueError("the edges of a histogram rise, and all its numbers are finite")
    return Counted(caption, _rounded(counts), _rounded(edges))


def _rounded(numbers: NDArray[Any]) -> list[float]:
    """Return numbers in as many digits as a picture needs."""
    return [float(f"{each:.7g}") for each in numbers.tolist()]
