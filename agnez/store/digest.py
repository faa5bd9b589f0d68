"""What a stretch of points comes to: a digest of fixed size, made of points or of digests, many at once.

A block has one, so that a view reads digests instead of points; a whole series has one, its summary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agnez.record import Summary
from agnez.store.columns import Columns, Places, Records

if TYPE_CHECKING:
    from agnez.record import FloatArray

POINT = np.dtype([("step", "<i8"), ("time", "<i8"), ("call", "<i8"), ("value", "<f8")])
"""A point, as a digest holds it."""

DIGEST = np.dtype(
    [
        ("count", "<i8"),
        ("non_finite", "<i8"),
        ("mean", "<f8"),
        ("first", POINT),
        ("last", POINT),
        ("low", POINT),
        ("high", POINT),
        ("gap", POINT),
        ("least_step", "<i8"),
        ("greatest_step", "<i8"),
        ("step_rises", "<i8"),
        ("time_rises", "<i8"),
    ]
)
"""A digest. `low`, `high` and `mean` are of finite values, the extremes' values NaN where there is none. `gap` is the
first point that is not finite, if `non_finite` counts any. `step_rises`: no step is below the one before it."""


def digest(points: Columns, starts: Places) -> Records:
    """Return a digest for each stretch of points; `starts` are the places where they begin, none of them empty."""
    ends = np.append(starts[1:], len(points))
    counts = ends - starts
    found = np.zeros(len(starts), dtype=DIGEST)
    finite = np.isfinite(points.values)
    found["count"] = counts
    _put(found["first"], points, starts)
    _put(found["last"], points, ends - 1)
    _put(found["low"], points, first_least(np.where(finite, points.values, np.inf), starts, counts))
    _put(found["high"], points, first_least(np.where(finite, -points.values, np.inf), starts, counts))
    if finite.all():
        found["mean"] = _means(points.values, starts, counts, counts)
    else:
        _digest_gaps(found, points, finite, starts, counts)
    found["least_step"] = np.minimum.reduceat(points.steps, starts)
    found["greatest_step"] = np.maximum.reduceat(points.steps, starts)
    found["step_rises"] = _rises(points.steps, points.steps, starts)
    found["time_rises"] = _rises(points.times, points.times, starts)
    return found


def digest_each(points: Columns, size: int) -> Records:
    """Return a digest of each `size` points that follow each other; the last one may have fewer."""
    starts = np.arange(0, len(points), size)
    return digest(points, starts) if len(starts) else np.zeros(0, dtype=DIGEST)


def merged(digests: Records, starts: Places) -> Records:
    """Return a digest for each stretch of digests, in order; `starts` are the places where the stretches begin."""
    ends = np.append(starts[1:], len(digests)) - 1
    counts = ends + 1 - starts
    found = np.zeros(len(starts), dtype=DIGEST)
    for name in ("count", "non_finite"):
        found[name] = np.add.reduceat(digests[name], starts)
    found["first"], found["last"] = digests["first"][starts], digests["last"][ends]
    found["low"] = digests["low"][first_least(_or_infinite(digests["low"]["value"]), starts, counts)]
    found["high"] = digests["high"][first_least(_or_infinite(-digests["high"]["value"]), starts, counts)]
    if found["non_finite"].any():
        found["gap"] = digests["gap"][first_least(np.where(digests["non_finite"] > 0, 0.0, 1.0), starts, counts)]
    finite = digests["count"] - digests["non_finite"]
    found["mean"] = _means(digests["mean"], starts, found["count"] - found["non_finite"], counts, finite)
    found["least_step"] = np.minimum.reduceat(digests["least_step"], starts)
    found["greatest_step"] = np.maximum.reduceat(digests["greatest_step"], starts)
    for name, rises in (("step", "step_rises"), ("time", "time_rises")):
        inner = np.minimum.reduceat(digests[rises], starts)
        found[rises] = inner & _rises(digests["first"][name], digests["last"][name], starts)
    return found


def extended(digests: Records, places: Places, others: Records) -> Records:
    """Return digests with those at `places` merged with `others`; places past the end, or empty, begin with them."""
    size = max(len(digests), int(places.max(initial=-1)) + 1)
    result = np.zeros(size, dtype=DIGEST)
    result[: len(digests)] = digests
    known = result["count"][places] > 0
    result[places[~known]] = others[~known]
    if known.any():
        pairs = np.empty(2 * int(known.sum()), dtype=DIGEST)
        pairs[0::2], pairs[1::2] = result[places[known]], others[known]
        result[places[known]] = merged(pairs, np.arange(0, len(pairs), 2))
    return result


def summaries(digests: Records) -> list[Summary]:
    """Return digests of whole series as readers get them."""
    finite = digests["count"] > digests["non_finite"]
    columns = (
        digests["last"]["value"],
        digests["last"]["step"],
        digests["low"]["value"],
        digests["low"]["step"],
        digests["high"]["value"],
        digests["high"]["step"],
        digests["count"],
        digests["non_finite"],
        np.where(finite, digests["mean"], np.nan),
    )
    return [Summary(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def first_least(values: FloatArray, starts: Places, counts: NDArray[np.int64]) -> Places:
    """Return the place of the least value of each stretch, the first of equal ones. There is no NaN among them."""
    least = np.minimum.reduceat(values, starts)
    hits = np.flatnonzero(values == np.repeat(least, counts))
    places: Places = hits[np.searchsorted(hits, starts)]
    return places


def _put(target: Records, points: Columns, places: Places) -> None:
    target["step"], target["time"] = points.steps[places], points.times[places]
    target["call"], target["value"] = points.calls[places], points.values[places]


def _digest_gaps(
    found: Records, points: Columns, finite: NDArray[np.bool_], starts: Places, counts: NDArray[np.int64]
) -> None:
    """Complete the digests of points some of which are not finite."""
    found["non_finite"] = np.add.reduceat(~finite, starts, dtype=np.int64)
    _put(found["gap"], points, first_least(finite.astype(np.float64), starts, counts))
    rest = counts - found["non_finite"]
    found["mean"] = _means(np.where(finite, points.values, 0.0), starts, rest, counts)
    for name in ("low", "high"):
        found[name]["value"][rest == 0] = np.nan
    found["gap"][found["non_finite"] == 0] = np.zeros(1, dtype=POINT)


def _means(
    values: FloatArray,
    starts: Places,
    finite: NDArray[np.int64],
    counts: NDArray[np.int64],
    weights: NDArray[np.int64] | None = None,
) -> FloatArray:
    """Return the mean of each stretch, `finite` values in each. Where their sum is too large, each is divided first."""
    divisor = np.maximum(finite, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.add.reduceat(values if weights is None else values * weights, starts)
    means: FloatArray = sums / divisor
    if not np.isfinite(means).all():
        shares = (1.0 if weights is None else weights) / np.repeat(divisor, counts)
        means = np.where(np.isfinite(means), means, np.add.reduceat(values * shares, starts))
    return means


def _or_infinite(values: FloatArray) -> FloatArray:
    return np.where(np.isnan(values), np.inf, values)


def _rises(firsts: NDArray[np.int64], lasts: NDArray[np.int64], starts: Places) -> NDArray[np.int64]:
    """Tell of each stretch whether each of its members begins no lower than the one before it ended."""
    rises = np.ones(len(firsts), dtype=np.int64)
    rises[1:] = firsts[1:] >= lasts[:-1]
    rises[starts] = 1
    whole: NDArray[np.int64] = np.minimum.reduceat(rises, starts)
    return whole
