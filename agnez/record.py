"""What Agnez keeps, as frozen values: points, summaries, runs, findings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value that JSON can say."""

CellRecord: TypeAlias = dict[str, Json]
"""A tile of a dashboard, as the `values` service speaks of it."""

State = Literal["running", "finished", "interrupted", "failed", "crashed"]


@dataclass(frozen=True, slots=True)
class Point:
    """Hold one number of a series: `step` counts from 0, `time` is microseconds since 1970 (UTC)."""

    metric: str
    step: int
    value: float
    time: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Sum up a series: its last point, its extremes with their steps, its count. Extremes are of finite values."""

    last: float = math.nan
    last_step: int = 0
    min: float = math.nan
    min_step: int = 0
    max: float = math.nan
    max_step: int = 0
    count: int = 0
    non_finite: int = 0

    def extended(self, points: Iterable[tuple[int, float]]) -> Summary:
        """Return the summary of the series with more points, each a step and a value, in the order they came.

        >>> Summary().extended([(0, 2.0), (1, math.nan), (2, 1.5)]).min_step
        2
        """
        last, last_step, count, non_finite = self.last, self.last_step, self.count, self.non_finite
        low, low_step, high, high_step = self.min, self.min_step, self.max, self.max_step
        for last_step, last in points:
            count += 1
            if not math.isfinite(last):
                non_finite += 1
                continue
            if not last >= low:  # also true while low is NaN: nothing finite was seen yet
                low, low_step = last, last_step
            if not last <= high:
                high, high_step = last, last_step
        return Summary(last, last_step, low, low_step, high, high_step, count, non_finite)


@dataclass(frozen=True, slots=True)
class Progress:
    """Say how far a run is: `epoch` counts the finished ones, `step` the steps; None where it is not known."""

    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps_per_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Hold the facts of a run. Times are microseconds since 1970 (UTC)."""

    id: str
    project: str
    name: str
    created: int
    config: Mapping[str, Json] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    notes: str = ""
    state: State = "running"
    reason: str | None = None
    ended: int | None = None
    heartbeat: int | None = None
    progress: Progress = Progress()
    problems: tuple[str, ...] = ()
    host: str = ""
    pid: int = 0
    summary: Mapping[str, Summary] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one sentence of the diagnosis with its evidence: the metric and the range of steps it speaks of."""

    run: str
    kind: str
    severity: Literal["info", "warning", "error"]
    sentence: str
    advice: str
    metric: str
    first_step: int
    last_step: int


@dataclass(frozen=True, slots=True)
class Series:
    """Hold a metric's points as columns of float64, in the order of their `seq`; `times` are seconds since 1970."""

    metric: str
    steps: FloatArray
    values: FloatArray
    times: FloatArray

    def __len__(self) -> int:
        return len(self.steps)
