"""Fewer points of a series, with no extreme lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agnez.record import Series
from agnez.store.columns import Columns, Places, Records
from agnez.store.digest import digest_each, first_least

if TYPE_CHECKING:
    from agnez.record import FloatArray, IntArray


def decimate(series: Series, most: int) -> Series:
    """Return at most `most` points, in the order of their steps: the lowest, the highest, and the first that is not
    finite of each of many buckets, and the first and the last of all.

    >>> wave = Series("x", np.arange(9), np.array([0, 1, 0, 9, 0, 1, 0, -9, 0.0]), np.arange(9.0), np.arange(9))
    >>> decimate(wave, 6).values.tolist()
    [0.0, 9.0, 1.0, -9.0, 0.0]
    """
    if len(series) <= most:
        return series
    if (series.steps[1:] < series.steps[:-1]).any():
        series = _taken(series, np.argsort(series.steps, kind="stable"))
    return _taken(series, thinned(series.steps, series.values, most))


def thinned(x: NDArray[np.int64] | FloatArray, values: FloatArray, most: int) -> Places:
    """Return the places of at most `most` points (5 or more) that show what all do; `x` does not fall."""
    if len(x) <= most:
        return np.arange(len(x))
    buckets = Buckets.fit(most, x[0], x[-1], len(x), gaps=not np.isfinite(values).all())
    return extremes(values, buckets.of(x, np.arange(len(x))))


@dataclass(frozen=True, slots=True)
class Buckets:
    """Divide `points` points between two places of an axis into `count` buckets.

    No bucket holds more than `2 / count` of the points, nor of the axis: where points lie evenly each has its equal
    part, where they crowd the crowd gets half of the buckets, and the wide rest the other half.
    """

    count: int
    first: float
    last: float
    points: int

    @classmethod
    def fit(cls, most: int, first: float, last: float, points: int, *, gaps: bool) -> Buckets:
        """Return so many that `most` points can show them; `gaps` tells whether any value is not finite."""
        return cls(max(1, (most - 2) // (3 if gaps else 2)), float(first), float(last), points)

    def of(self, x: NDArray[np.int64] | FloatArray, ranks: IntArray) -> IntArray:
        """Return the bucket of each point; `ranks` is how many points come before. Where neither falls, none does."""
        width, half = self.last - self.first, self.count / 2
        places = ranks.astype(np.float64)
        places *= half / self.points
        if width > 0:
            along = x.astype(np.float64)  # microseconds of our time are whole numbers there, too
            along -= self.first
            along *= half / width
            places += along
        np.clip(places, 0, self.count - 1, out=places)
        return places.astype(np.int64)


def extremes(values: FloatArray, buckets: IntArray) -> Places:
    """Return, in rising order, the places of the first point, the last one, and of each bucket's extremes.

    Those are the lowest and the highest of the finite values, and the first value that is not finite.
    """
    starts = np.flatnonzero(np.append(True, buckets[1:] != buckets[:-1]))
    counts = np.diff(np.append(starts, len(buckets)))
    finite = np.isfinite(values)
    whole = bool(finite.all())
    picks = [
        first_least(values if whole else np.where(finite, values, np.inf), starts, counts),
        first_least(-values if whole else np.where(finite, -values, np.inf), starts, counts),
    ]
    if not whole:
        gaps = first_least(finite.astype(np.float64), starts, counts)
        picks.append(gaps[~finite[gaps]])
    kept = np.zeros(len(values), dtype=np.bool_)
    kept[[0, len(values) - 1]] = True
    for each in picks:
        kept[each] = True
    return np.flatnonzero(kept)


MEANS = "means"
"""The axis on which a mean's place is how many finite values it is the mean of."""


def size_of(points: int, most: int) -> int:
    """Return of how many points each of about `most` stretches is."""
    return max(1, -(-points // most))


def averaged(series: Series, most: int) -> Series:
    """Return about `most` means of a series, as `means_of` has them.

    >>> steps = np.arange(5)
    >>> short = averaged(Series("x", steps, np.array([1.0, 3.0, 5.0, np.nan, 2.0]), steps / 1, steps), 3)
    >>> short.steps.tolist(), short.values.tolist(), short.x.tolist()
    ([1, 3, 4], [2.0, 5.0, 2.0], [2.0, 1.0, 1.0])
    """
    times = np.round(series.times * 1e6).astype(np.int64)
    calls = series.calls if len(series.calls) == len(series) else np.zeros(len(series), dtype=np.int64)
    points = Columns(calls, series.steps, times, series.values)
    return means_of(series.metric, digest_each(points, size_of(len(series), most)))


def means_of(metric: str, digests: Records) -> Series:
    """Return the means of stretches, each at the place of its last point."""
    last, finite = digests["last"], digests["count"] - digests["non_finite"]
    means = np.where(finite > 0, digests["mean"], np.nan)
    columns = (last["step"].copy(), means, last["time"] / 1e6, last["call"].copy())
    return Series(metric, *columns, x=finite.astype(np.float64), axis=MEANS)


def _taken(series: Series, places: Places) -> Series:
    columns = ("steps", "values", "times", "calls")
    return replace(series, **{name: getattr(series, name)[places] for name in columns})
