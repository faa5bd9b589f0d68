"""Fewer points of a series, with no extreme lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from agnez.record import Series


def decimate(series: Series, most: int) -> Series:
    """Return at most `most` points: the lowest and the highest of each bucket of equal count; a NaN goes first.

    The first and the last point are always among them. Points keep their order.

    >>> wave = Series("x", np.arange(9), np.array([0, 1, 0, 9, 0, 1, 0, -9, 0.0]), np.arange(9.0), np.arange(9))
    >>> decimate(wave, 6).values.tolist()
    [0.0, 9.0, 1.0, -9.0, 0.0]
    """
    count = len(series)
    if count <= most:
        return series
    buckets = max(1, (most - 2) // 2)
    edges = np.linspace(0, count, buckets + 1).astype(np.intp)
    lowest = np.where(np.isnan(series.values), -np.inf, series.values)  # a NaN wins the lower place: it must be seen
    highest = np.where(np.isnan(series.values), -np.inf, series.values)
    picks = {0, count - 1}
    for start, end in pairwise(edges):
        picks.add(int(start + np.argmin(lowest[start:end])))
        picks.add(int(start + np.argmax(highest[start:end])))
    keep = np.array(sorted(picks))
    return Series(series.metric, series.steps[keep], series.values[keep], series.times[keep], series.calls[keep])
