"""Fewer points that look the same."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


def decimate(x: Floats, y: Floats, *, limit: int = 2000) -> tuple[Floats, Floats]:
    """Keep at most `limit` points: of each bucket the minimum, the maximum and the first NaN, in their order."""
    count = len(y)
    if count <= limit:
        return x, y
    buckets = (limit - 2) // (3 if np.isnan(y).any() else 2)
    width = -(-count // buckets)
    keep = np.unique(np.concatenate([[0, count - 1], *_extremes(y, width)]))
    return x[keep], y[keep]


def _extremes(y: Floats, width: int) -> tuple[npt.NDArray[np.intp], ...]:
    """Find the places of each bucket's minimum, maximum and (where there is one) first NaN."""
    padding = -len(y) % width
    gap = np.isnan(y)
    first = np.arange(0, len(y), width)

    def places(values: Floats, fill: float) -> npt.NDArray[np.intp]:
        table = np.pad(np.where(gap, fill, values), (0, padding), constant_values=fill).reshape(-1, width)
        lowest: npt.NDArray[np.intp] = table.argmin(axis=1)
        return first + lowest

    holes = np.pad(gap, (0, padding)).reshape(-1, width)
    hole = (first + holes.argmax(axis=1))[holes.any(axis=1)]
    return places(y, np.inf), places(-y, np.inf), hole
