"""A run, read from all the files that its processes write as if it were one."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np

from agnez.errors import BadValueError, NotFoundError, StoreError
from agnez.record import RunInfo, Series, Summary
from agnez.store import axis as axes
from agnez.store import cursor as cursors
from agnez.store import recent
from agnez.store.decimation import averaged
from agnez.store.ranks import AGGREGATES, Aggregate, aggregate
from agnez.store.runfile import RunFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agnez.record import FloatArray, IntArray
    from agnez.store.folder import Store

Rank: TypeAlias = "int | Aggregate"
"""A rank of a run, or what becomes of all of them."""

_OWN = ""  # the name, in cursors, of the file that a rank's first process writes


@dataclass(frozen=True, slots=True)
class Page:
    """Hold the points past one cursor, and the cursor up to which they go."""

    cursor: str
    series: Sequence[Series]
    decimated: bool

    def thinned(self, most: int) -> Page:
        """Return the page with at most `most` points of each series, along the step."""
        if all(len(each) <= most for each in self.series):
            return self
        return Page(self.cursor, [axes.thin(each, each.steps, most) for each in self.series], decimated=True)


@dataclass(frozen=True, slots=True)
class Wish:
    """Say what is wanted of a series.

    `x` is an axis: "step", "time" (seconds since 1970), "relative" (seconds since the run began), or a metric; where
    None, points are placed on the axis that `define_metric` declared. `first` and `last` bound the range on the axis
    that was asked for, both included; on the step where none was. `most` is how many points to return at most: the true
    extremes of each stretch of that axis. `branch` is a segment of a run that was resumed; None is the main line.
    """

    x: str | None = None
    branch: int | None = None
    most: int | None = None
    first: float | None = None
    last: float | None = None
    means: int | None = None


@dataclass(frozen=True, slots=True)
class _AxisRead:
    """Hold how far the points of an axis were read: up to the call `until`; the last was `value`, at `call`."""

    until: int
    call: int
    value: float


class RunReader:
    """Read a run. Files are opened when they are first needed; a reader that stays looks for new ones at times.

    Raises:
        NotFoundError: there is no such run.
        StoreError: its file is damaged.
    """

    def __init__(self, store: Store, id: str) -> None:
        self.id = id
        self._store = store
        self._opened = ExitStack()
        self._files: dict[int, dict[str, RunFile]] = {}
        self._axes_read: dict[tuple[str, str], _AxisRead] = {}
        self.own: RunFile = self._opened.enter_context(store.open_run(id))
        """The run's own file, which has its facts, cells and findings."""
        try:
            self._facts = _facts(self.own)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all files. Closing twice does no harm."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self) -> RunInfo:
        """Return the facts of the run, with the summary of each series of rank 0.

        Raises:
            StoreError: some are missing.
        """
        return replace(_facts(self.own), summary=self.summaries())

    def summaries(self) -> Mapping[str, Summary]:
        """Return the summary of each series of rank 0."""
        files = list(self.files(0).values())
        found = files[0].summaries()
        if len(files) == 1:
            return found
        merged = dict(found)
        for file in files[1:]:
            for metric, summary in file.summaries().items():
                merged[metric] = _merged(merged[metric], summary) if metric in merged else summary
        return merged

    def ranks(self) -> list[int]:
        """Return the ranks that have written something."""
        return self._store.ranks(self.id)

    def metrics(self, rank: int = 0) -> list[str]:
        """Return the names of a rank's metrics in the order of their first points."""
        return list(dict.fromkeys(name for file in self.files(rank).values() for name in file.metrics()))

    def branches(self) -> list[int]:
        """Return the segments that a later one branched off: what they left behind is off the main line."""
        segments = self.own.segments()
        return [each.number for each in segments if any(later.branches for later in segments[each.number + 1 :])]

    def files(self, rank: int, *, look: bool = False) -> dict[str, RunFile]:
        """Return the files of a rank by their names in cursors, its own first; `look` again for new ones, and axes."""
        known = self._files.setdefault(rank, {})
        if known and not look:
            return known
        if look:
            self._facts = _facts(self.own)
        if rank == 0:
            known[_OWN] = self.own
        for path in self._store.files(self.id, rank):
            name = path.stem.partition(".")[2]
            if name not in known:
                known[name] = self._opened.enter_context(RunFile(path))
        if not known:
            raise NotFoundError(f"run {self.id} has no rank {rank}; it has {_listed(self.ranks())}")
        return known

    def keep_recent(self, wanted: bool) -> None:
        """Have what this process writes to the run's own file kept for `page`, or not."""
        path = self._store.run_path(self.id)
        if wanted:
            recent.keep(path)
        else:
            recent.drop(path)

    # --- past a cursor ------------------------------------------------------------------------------------------------

    def cursor(self) -> str:
        """Return the cursor of who has read all."""
        return cursors.write({name: file.cursor() for name, file in self.files(0).items()})

    def page(
        self, metrics: Iterable[str] | None = None, *, after: str = cursors.START, most: int | None = None
    ) -> Page:
        """Return the points of rank 0 past a cursor, of `metrics` or of all, at most `most` of each.

        Metrics for which an axis was declared have their places on it.

        Raises:
            BadValueError: `after` is no cursor.
        """
        wanted = None if metrics is None else dict.fromkeys(metrics)
        begun, places = cursors.read(after), dict[str, int]()
        parts, decimated = dict[str, list[Series]](), False
        for name, file in self.files(0).items():
            since = begun.get(name, 0)
            at_hand = file.at_hand(since, wanted) if most is None else None
            places[name], found, thinned = (*at_hand, False) if at_hand else file.series(wanted, after=since, most=most)
            decimated = decimated or thinned
            for each in self._placed_past(found, name, since):
                parts.setdefault(each.metric, []).append(each)
        page = Page(cursors.write(places), [_in_time(each) for each in parts.values()], decimated)
        return page if most is None else page.thinned(most)

    def _placed_past(self, found: Sequence[Series], name: str, since: int) -> Iterator[Series]:
        """Place points past a call on the axes that were declared, of which no more is read than is new."""
        file, declared = self.files(0)[name], self._facts.axes
        metrics = file.metrics() if declared else []
        known: dict[str, tuple[IntArray, FloatArray]] = {}
        for each in found:
            axis = axes.declared(each.metric, declared)
            if axis is None:
                yield each
            elif axis not in metrics:
                yield replace(each, x=self._places(each, axis, file, 0, Wish()), axis=axis)
            else:
                if axis not in known:
                    known[axis] = self._axis_past(axis, name, since)
                yield replace(each, x=axes.as_of(each.calls, *known[axis]), axis=axis)

    def _axis_past(self, axis: str, name: str, since: int) -> tuple[IntArray, FloatArray]:
        """Return calls and values of an axis: what stood at the call `since`, and all that came after it."""
        read = self._axes_read.get((name, axis))
        if read is None or read.until > since:
            read = _AxisRead(0, 0, math.nan)
        until, found, _ = self.files(0)[name].series([axis], after=read.until)
        calls = np.concatenate([[read.call], *(each.calls for each in found)])
        values = np.concatenate([[read.value], *(each.values for each in found)])
        self._axes_read[name, axis] = _AxisRead(until, int(calls[-1]), float(values[-1]))
        return calls, values

    # --- series -------------------------------------------------------------------------------------------------------

    def series(self, metric: str, *, rank: Rank = 0, wish: Wish = Wish()) -> Series:
        """Return a series.

        Raises:
            NotFoundError: there is no such metric, axis, rank or branch.
            BadValueError: the range ends before it begins.
        """
        _check_range(wish.first, wish.last)
        if isinstance(rank, str):
            return self._aggregate(metric, _aggregate(rank), wish)
        holders = self._holders(metric, rank)
        if len(holders) == 1 and wish.x in (None, axes.STEP, axes.TIME, axes.RELATIVE):
            return self._placed(_delegated(holders[0], metric, wish, self._began(wish)), holders[0], rank, wish)
        return _narrowed(self._whole(metric, rank, wish), wish)

    def means(self, metric: str, *, rank: Rank = 0, wish: Wish) -> Series:
        """Return about `means` means of a series, as `RunFile.means` does, for what smooths it.

        Raises:
            NotFoundError: there is no such metric, axis, rank or branch.
            BadValueError: the range ends before it begins, or the axis is a metric.
        """
        _check_range(wish.first, wish.last)
        most = wish.means or 1
        holders = self._holders(metric, rank) if isinstance(rank, int) else []
        if len(holders) == 1 and wish.branch is None and wish.x in (None, axes.STEP, axes.TIME, axes.RELATIVE):
            axis, first, last = _in_file(wish, self._began(wish))
            return holders[0].means(metric, most=most, x=axis, first=first, last=last)
        if wish.x not in (None, axes.STEP, axes.TIME, axes.RELATIVE):
            raise BadValueError(f"means stand on step, time or relative, not on {wish.x!r}")
        series = self.series(metric, rank=rank, wish=wish)
        x = series.steps if series.x is None or wish.x is None else series.x
        return averaged(axes.take(series, np.argsort(x, kind="stable")), most)

    def _aggregate(self, metric: str, how: Aggregate, wish: Wish) -> Series:
        parts = [self._whole(metric, rank, wish) for rank in self.ranks() if metric in self.metrics(rank)]
        if not parts:
            raise self._missing(metric, 0)
        return _narrowed(aggregate(parts, how), wish)

    def _whole(self, metric: str, rank: int, wish: Wish) -> Series:
        """Return every point of a rank's series, placed on the axis."""
        files = self._holders(metric, rank)
        read = [self._placed(file.read(metric, branch=wish.branch), file, rank, wish) for file in files]
        return _in_time(read)

    def _holders(self, metric: str, rank: int) -> list[RunFile]:
        holders = [file for file in self.files(rank).values() if metric in file.metrics()]
        if not holders:
            raise self._missing(metric, rank)
        return holders

    def _missing(self, metric: str, rank: int) -> NotFoundError:
        near = difflib.get_close_matches(metric, self.metrics(rank), cutoff=0.5)
        hint = (
            f"did you mean {_listed(near, 'or')}?" if near else f"it has {_listed(self.metrics(rank)[:10]) or 'none'}"
        )
        where = f"run {self.id}" if rank == 0 else f"rank {rank} of run {self.id}"
        return NotFoundError(f"{where} has no metric {metric!r}: {hint}")

    # --- axes ---------------------------------------------------------------------------------------------------------

    def _began(self, wish: Wish) -> float:
        """Return when the run began, in seconds since 1970, where that is needed."""
        return self._facts.created / 1e6 if wish.x == axes.RELATIVE else 0.0

    def _placed(self, series: Series, file: RunFile, rank: int, wish: Wish) -> Series:
        """Return a series of a file with its places on the axis that is asked for, or was declared."""
        axis = wish.x or axes.declared(series.metric, self._facts.axes)
        if axis is None:
            return series
        return replace(series, x=self._places(series, axis, file, rank, wish), axis=axis)

    def _places(self, series: Series, axis: str, file: RunFile, rank: int, wish: Wish) -> FloatArray:
        if axis == axes.STEP:
            return series.steps.astype(np.float64)
        if axis in (axes.TIME, axes.RELATIVE):
            return series.times - self._began(wish)
        if axis in file.metrics():
            other = file.read(axis, branch=wish.branch)
            return axes.as_of(series.calls, other.calls, other.values)
        if axis in self.metrics(rank):  # another process logged it: what stood at the time
            other = _in_time([each.read(axis) for each in self._holders(axis, rank)])
            return axes.as_of(series.times, other.times, other.values)
        if wish.x is not None:
            raise self._missing(axis, rank)
        return np.full(len(series), np.nan)  # declared, and not logged yet

    # --- tables -------------------------------------------------------------------------------------------------------

    def history(self, metrics: Iterable[str] | None = None, *, rank: int = 0) -> dict[str, NDArray[Any]]:
        """Return columns: `step`, `time` (seconds since 1970) and each metric, with a row for each `log` call.

        A metric that a call did not log is NaN there.

        Raises:
            NotFoundError: there is no such metric.
        """
        wanted = self.metrics(rank) if metrics is None else list(metrics)
        for metric in wanted:
            self._holders(metric, rank)
        tables = [_table(file, wanted) for file in self.files(rank).values()]
        tables = [table for table in tables if len(table["step"])] or tables[:1]
        if len(tables) == 1:
            return tables[0]
        joined = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
        order = np.argsort(joined["time"], kind="stable")
        return {name: column[order] for name, column in joined.items()}


def _facts(file: RunFile) -> RunInfo:
    try:
        return file.facts()
    except KeyError as error:
        raise StoreError(f"the file of this run lacks its {error}: try `agnez doctor`") from error


def _check_range(first: float | None, last: float | None) -> None:
    if not all(bound is None or math.isfinite(bound) for bound in (first, last)):
        raise BadValueError(f"a range from {first} to {last} cannot be: leave a bound out where there is none")
    if first is not None and last is not None and first > last:
        raise BadValueError(f"the range ends at {last:g}, before it begins at {first:g}")


def _aggregate(how: str) -> Aggregate:
    if how not in AGGREGATES:
        raise BadValueError(f"rank={how!r} is none: give a number, or one of {_listed(AGGREGATES, 'or')}")
    return how


def _delegated(file: RunFile, metric: str, wish: Wish, began: float) -> Series:
    """Return a series that one file holds, narrowed by that file itself, which need not look at every point."""
    axis, first, last = _in_file(wish, began)
    by_step = axis == "step"
    if wish.most is not None and wish.branch is None:
        return file.view(metric, most=wish.most, x=axis, first=first, last=last)
    if by_step:
        series = file.read(
            metric, first=_whole_step(first, math.ceil), last=_whole_step(last, math.floor), branch=wish.branch
        )
    else:
        series = file.read(metric, branch=wish.branch)
        mask = axes.within(series.times, first, last)
        series = series if mask is None else axes.take(series, mask)
    return series if wish.most is None else axes.thin(series, series.steps if by_step else series.times, wish.most)


def _in_file(wish: Wish, began: float) -> tuple[Literal["step", "time"], float | None, float | None]:
    """Return a wish's axis and bounds as a file counts them, which knows nothing of when the run began."""
    first, last = (None if bound is None else bound + began for bound in (wish.first, wish.last))
    return "step" if wish.x in (None, axes.STEP) else "time", first, last


def _whole_step(bound: float | None, rounded: Callable[[float], int]) -> int | None:
    return None if bound is None else rounded(bound)


def _narrowed(series: Series, wish: Wish) -> Series:
    """Return what is wanted of a series that was read whole."""
    x = series.steps if wish.x is None or series.x is None else series.x
    mask = axes.within(x, wish.first, wish.last)
    if mask is not None:
        series, x = axes.take(series, mask), x[mask]
    return series if wish.most is None else axes.thin(series, x, wish.most)


def _in_time(parts: Sequence[Series]) -> Series:
    """Return the points of one metric from several files, in the order of their times."""
    if len(parts) == 1:
        return parts[0]
    placed = [part.x for part in parts if part.x is not None]
    whole = replace(
        parts[0],
        steps=np.concatenate([part.steps for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        calls=np.concatenate([part.calls for part in parts]),
        x=np.concatenate(placed) if len(placed) == len(parts) else None,
    )
    return axes.take(whole, np.argsort(whole.times, kind="stable"))


def _table(file: RunFile, metrics: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Return the history of one file."""
    held = set(file.metrics())
    found = [file.read(metric) for metric in metrics if metric in held]
    logged = np.zeros(max((int(each.calls.max(initial=0)) for each in found), default=0) + 1, dtype=np.bool_)
    for each in found:
        logged[each.calls] = True
    rows = np.cumsum(logged) - 1  # by call
    count = int(rows[-1]) + 1
    steps, times = np.zeros(count, dtype=np.int64), np.zeros(count)
    table: dict[str, NDArray[Any]] = {"step": steps, "time": times}
    table |= {column_of(metric): np.full(count, np.nan) for metric in metrics}
    for each in found:
        mine = rows[each.calls]
        steps[mine], times[mine] = each.steps, each.times
        table[column_of(each.metric)][mine] = each.values
    return table


def column_of(metric: str) -> str:
    """Return the name of a metric's column in a history, where `step` and `time` are taken."""
    return f"metric/{metric}" if metric in ("step", "time") else metric


def _merged(one: Summary, other: Summary) -> Summary:
    """Return the summary of a series that two files hold; the one with the later step has the last word."""
    later = other if other.last_step >= one.last_step else one
    low = other if not one.min <= other.min and other.min == other.min else one
    high = other if not one.max >= other.max and other.max == other.max else one
    weights = [(each.mean, each.count - each.non_finite) for each in (one, other) if each.count > each.non_finite]
    total = sum(weight for _, weight in weights)
    return Summary(
        last=later.last,
        last_step=later.last_step,
        min=low.min,
        min_step=low.min_step,
        max=high.max,
        max_step=high.max_step,
        count=one.count + other.count,
        non_finite=one.non_finite + other.non_finite,
        mean=sum(mean * (weight / total) for mean, weight in weights) if total else float("nan"),
    )


def _listed(words: Iterable[object], joint: str = "and") -> str:
    """Return words as a sentence lists them.

    >>> _listed(["a", "b", "c"], "or")
    'a, b or c'
    """
    *most, last = [str(word) for word in words] or [""]
    return f"{', '.join(most)} {joint} {last}" if most else last
