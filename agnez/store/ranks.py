"""One series of several: what the ranks of a run measured at the same step, as their mean, minimum or maximum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from agnez.record import Series
from agnez.store.axis import take

if TYPE_CHECKING:
    from agnez.record import FloatArray

Aggregate: TypeAlias = Literal["mean", "min", "max"]
AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
_REDUCED: Mapping[Aggregate, Any] = {"mean": np.add, "min": np.minimum, "max": np.maximum}


def aggregate(parts: Sequence[Series], how: Aggregate) -> Series:
    """Return a series with one point for each step that any part has, in the order of steps.

    Of a part that has a step several times the last counts. A NaN among the values at a step is seen in the result. The
    time is that of the latest, the place on another axis the mean. Its calls just count.
    """
    last = [_last_of_each_step(part) for part in parts]
    steps = np.concatenate([part.steps for part in last])
    order = np.argsort(steps, kind="stable")
    steps = steps[order]
    starts = np.flatnonzero(np.diff(steps, prepend=steps[0] - 1)) if len(steps) else np.empty(0, dtype=np.intp)
    counts = np.diff(np.append(starts, len(steps)))

    def reduced(function: Any, columns: Sequence[FloatArray]) -> FloatArray:
        column = np.concatenate(columns)[order]
        found: FloatArray = function.reduceat(column, starts) if len(starts) else column
        return found

    values = reduced(_REDUCED[how], [part.values for part in last])
    placed = [part.x for part in last if part.x is not None]
    return replace(
        parts[0],
        steps=steps[starts],
        values=values / counts if how == "mean" else values,
        times=reduced(np.maximum, [part.times for part in last]),
        calls=np.arange(1, len(starts) + 1, dtype=np.int64),
        x=reduced(np.add, placed) / counts if len(placed) == len(last) else None,
    )


def _last_of_each_step(series: Series) -> Series:
    _, places = np.unique(series.steps[::-1], return_index=True)
    return take(series, len(series) - 1 - places)
