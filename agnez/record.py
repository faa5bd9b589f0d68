"""What Agnez keeps, as frozen values: points, summaries, runs, findings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float64]
    IntArray: TypeAlias = NDArray[np.int64]

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


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Hold points as columns of one length, in the order they were logged.

    `metrics` are places in `names`; `calls` count the `log` calls that the points came with: they begin with 0 in each
    batch, never fall, and the points of one call, each of another metric, share theirs. `times` are microseconds since
    1970 (UTC). `width` is how many points each call has where that is known to be all `names` in their order; else 0.
    """

    names: tuple[str, ...]
    metrics: IntArray
    calls: IntArray
    steps: IntArray
    values: FloatArray
    times: IntArray
    width: int = 0

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(cls, points: Iterable[Point]) -> Batch:
        """Return points as a batch, each from a call of its own.

        >>> Batch.of([Point("loss", 0, 0.5, 0), Point("loss", 1, 0.25, 9)]).steps.tolist()
        [0, 1]
        """
        import numpy as np  # 60 ms that `import agnez` must not take

        rows = list(points)
        places: dict[str, int] = {}
        return cls(
            metrics=np.array([places.setdefault(row.metric, len(places)) for row in rows], dtype=np.int64),
            calls=np.arange(len(rows), dtype=np.int64),
            steps=np.array([row.step for row in rows], dtype=np.int64),
            values=np.array([row.value for row in rows], dtype=np.float64),
            times=np.array([row.time for row in rows], dtype=np.int64),
            names=tuple(places),
        )


class Summary(NamedTuple):
    """Sum up a series: its last point, its extremes with their steps, its count and mean.

    Extremes and the mean are of finite values. It is a tuple because lists hold tens of thousands of them.
    """

    last: float = math.nan
    last_step: int = 0
    min: float = math.nan
    min_step: int = 0
    max: float = math.nan
    max_step: int = 0
    count: int = 0  # type: ignore[assignment]  # a tuple's method of that name is of no use here
    non_finite: int = 0
    mean: float = math.nan

    def extended(self, points: Iterable[tuple[int, float]]) -> Summary:
        """Return the summary of the series with more points, each a step and a value, in the order they came.

        >>> Summary().extended([(0, 2.0), (1, math.nan), (2, 1.5)]).min_step
        2
        """
        last, last_step, non_finite = self.last, self.last_step, self.non_finite
        low, low_step, high, high_step = self.min, self.min_step, self.max, self.max_step
        count, total = self.count, self.mean * (self.count - non_finite) if self.count > non_finite else 0.0
        for last_step, last in points:
            count += 1
            if not math.isfinite(last):
                non_finite += 1
                continue
            total += last
            if not last >= low:  # also true while low is NaN: nothing finite was seen yet
                low, low_step = last, last_step
            if not last <= high:
                high, high_step = last, last_step
        mean = total / (count - non_finite) if count > non_finite else math.nan
        return Summary(last, last_step, low, low_step, high, high_step, count, non_finite, mean)


@dataclass(frozen=True, slots=True)
class Progress:
    """Say how far a run is: `epoch` counts the finished ones, `step` the steps; None where it is not known."""

    epoch: int | None = None
    epochs: int | None = None
    step: int | None = None
    steps_per_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Hold the facts of a run. Times are microseconds since 1970 (UTC).

    `axes` maps patterns of metrics (`val/*`) to the metric that is their x axis. `forked_from` is the run, and the step
    of it, that this one began with. `dropped` counts entries that could not be kept. `machine` tells what a later look
    needs to know why a process died: which boot of the machine it was, for one.
    """

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
    axes: Mapping[str, str] = field(default_factory=dict)
    archived: bool = False
    forked_from: tuple[str, int] | None = None
    dropped: int = 0
    machine: Mapping[str, Json] = field(default_factory=dict)
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
class Medium:
    """Hold what one `log` call brought under a name, beside numbers: a picture, a sound, a table.

    `kind` is the type of the cell that shows it, and `value` what that cell holds: the files that it names are among
    the run's media. `time` is microseconds since 1970 (UTC).
    """

    name: str
    kind: str
    step: int
    time: int
    value: Json
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Hold a metric's points as columns of one length, in the order they were logged.

    `times` are seconds since 1970; `calls` number the `log` calls of the file they rest in, from 1 on: of two metrics'
    points with the same call, both were given to the same `log`. `x` are the places on another axis than these, where
    `axis` names one: a metric, or "relative", seconds since the run began.
    """

    metric: str
    steps: IntArray
    values: FloatArray
    times: FloatArray
    calls: IntArray
    x: FloatArray | None = None
    axis: str | None = None

    def __len__(self) -> int:
        return len(self.steps)
