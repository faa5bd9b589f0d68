"""The x axis of a series: the step, the time, or another metric; and fewer points along it, with no extreme lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agnez.record import Series
from agnez.store.digest import first_least

if TYPE_CHECKING:
    from agnez.record import FloatArray

    Mask = NDArray[np.bool_]

STEP, TIME, RELATIVE = "step", "time", "relative"
BUILT_IN = (STEP, TIME, RELATIVE)
"""Axes that every series has; `relative` is the time since the run began."""


def declared(metric: str, axes: Mapping[str, str]) -> str | None:
    """Return the axis that was declared for a metric; of several patterns that fit, the last.

    >>> declared("val/loss", {"*": "batch", "val/*": "epoch"})
    'epoch'
    """
    for pattern, axis in reversed(list(axes.items())):
        if axis != metric and fnmatchcase(metric, pattern):
            return axis
    return None


def as_of(keys: NDArray[Any], places: NDArray[Any], values: FloatArray) -> FloatArray:
    """Return for each key the value that stood at it: that of the last place up to it, NaN before the first.

    >>> as_of(np.array([1, 5, 6]), np.array([2, 5]), np.array([0.5, 0.25])).tolist()
    [nan, 0.25, 0.25]
    """
    known = np.append(np.nan, values)
    found: FloatArray = known[np.searchsorted(places, keys, side="right")]
    return found


def take(series: Series, which: NDArray[Any] | slice) -> Series:
    """Return the points at these places, or where a mask is true."""
    return replace(
        series,
        steps=series.steps[which],
        values=series.values[which],
        times=series.times[which],
        calls=series.calls[which],
        x=None if series.x is None else series.x[which],
    )


def within(x: NDArray[Any], first: float | None, last: float | None) -> Mask | None:
    """Return a mask of the points whose `x` lies between two bounds, both included; None where there is no bound."""
    mask: Mask | None = None
    if first is not None:
        mask = x >= first
    if last is not None:
        mask = x <= last if mask is None else mask & (x <= last)
    return mask


def thin(series: Series, x: NDArray[Any], most: int) -> Series:
    """Return at most `most` points: of each of many stretches of `x` the lowest, the highest, the first non-finite.

    The first and the last point are among them. Points keep their order; those whose `x` is NaN are left out.
    """
    known = np.flatnonzero(np.isfinite(x))
    if len(known) <= most:
        return take(series, known) if len(known) < len(series) else series
    whole = len(known) == len(series)
    values, x = (series.values, x) if whole else (series.values[known], x[known])
    finite = np.isfinite(values)
    buckets = max(1, (most - 2) // (2 if finite.all() else 3))
    bucket = _buckets(np.asarray(x, dtype=np.float64), buckets)
    order = None if (bucket[1:] >= bucket[:-1]).all() else np.argsort(bucket, kind="stable")
    if order is not None:
        bucket, values, finite = bucket[order], values[order], finite[order]
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    counts = np.diff(starts, append=len(bucket))
    picks = [
        first_least(np.where(finite, values, np.inf), starts, counts),
        first_least(np.where(finite, -values, np.inf), starts, counts),
    ]
    if not finite.all():
        picks.append(first_least(finite.astype(np.float64), starts, counts))
    places = np.concatenate(picks) if order is None else order[np.concatenate(picks)]
    places = np.unique(np.append(places, [0, len(known) - 1]))
    return take(series, places if whole else known[places])


def _buckets(x: FloatArray, count: int) -> NDArray[np.int64]:
    """Return for each place the number of its stretch, of `count` stretches of one width."""
    low, high = x.min(), x.max()
    width = (high - low) / count or 1.0
    found: NDArray[np.int64] = np.minimum(((x - low) / width).astype(np.int64), count - 1)
    return found
