"""The run: what a user holds, and logs to."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agnez import names, notice
from agnez.calls import KnownNames, Names, Numbers
from agnez.dashboard import Dashboard, cell_id, chart_key, is_quantity, read_layout
from agnez.diagnosis import Examiner
from agnez.encoder import Encoder, taken_now
from agnez.entries import After, Arranged, CellChange, Entry, Facts, Problem
from agnez.errors import AgnezError, BadValueError, RunFinishedError
from agnez.figures import FigureJob
from agnez.logged import Loggable as Loggable
from agnez.logged import Logged, sort
from agnez.record import CellRecord, Progress, RunInfo, Series, State, Summary
from agnez.recorder import Recorder
from agnez.render import FrozenFigure, Renderer, Result, freeze
from agnez.scalars import Scalar, Tensor
from agnez.scalars import freeze as freeze_scalar
from agnez.store import RunFile, Store
from agnez.store.reader import Rank, RunReader
from agnez.stored import StoredRun
from agnez.subplots import Arrangement, Grid, Place
from agnez.subplots import names as shown_names
from agnez.writer import Board, Writer

if TYPE_CHECKING:
    import pandas
    import polars
    from numpy.typing import NDArray

RendererName = Literal["live", "mpld3"]

FINISH_SECONDS = 60.0
"""How long `finish` waits by default while points are still being written."""

_LEAST_SECONDS = 0.5
_FLUSH_SECONDS = 5.0
_FIGURE_SECONDS = 4.0
_SAFE = 2**63  # integers past it take the longer way: some are past all floats
_nanoseconds = time.time_ns
_STEPS = range(-(2**62), 2**62)  # so that no count from there runs out of 64 bits
_MOST_PLAIN = 1000


class Watcher(Protocol):
    """Stand for what looks into a model: it is asked for its norms, as vectors that rest on the model's device."""

    def gathered(self) -> Iterable[tuple[tuple[str, ...], Tensor]]:
        """Return what was measured since the last `log`: names, and one vector with a norm for each."""
        ...

    def weights(self) -> Iterable[tuple[tuple[str, ...], Tensor]]:
        """Return the norms of the weights as they are now."""
        ...


class Subplots:
    """Arrange the cells of a run's dashboard in a grid, as `plt.subplots` does axes. Get one from `Run.dashboard`."""

    def __init__(self, rows: int, cols: int, arrange: Callable[[Arrangement], None]) -> None:
        self._shape = rows, cols
        self._grid = Grid(rows, cols)
        self._charts: dict[str, tuple[tuple[str, ...], str]] = {}
        self._arrange = arrange

    def subplot(self, place: Place, metrics: str | Sequence[str], *, name: str = "") -> None:
        """Show something at a place, counted from 1 as matplotlib does; a pair is the first and last of several places.

        One name stands for all that is measured of it (`"loss"` for `train/loss` and `val/loss`), or for the picture or
        figure that is logged by it; otherwise it is just the metrics that are named. `name` is the title of a chart.

        Raises:
            BadValueError: there is no such place, or no such name can be.
        """
        self.put(self._shape, place, metrics, name)

    def put(self, shape: tuple[int, int], place: Place, metrics: str | Sequence[str], name: str) -> None:
        """Show something at a place of a grid of another shape: the two make one that has places for both.

        Raises:
            BadValueError: there is no such place or name, or the grids together are too fine.
        """
        shown = shown_names(metrics)
        key = chart_key(shown)
        self._grid.place(key, shape, place)
        self._charts[key] = (() if is_quantity(shown) else shown, name)
        self.tell()

    def tell(self) -> None:
        """Have the dashboard arranged so."""
        self._arrange(Arrangement(self._grid.shape, self._grid.spots(), dict(self._charts)))


class Run:
    """Record one training.

    Get one from `agnez.init`. As a context manager it finishes itself, and tells a failure by its exception.

    Any thread may log. In a forked child, such as a worker of a DataLoader, the run goes on recording into a file of
    the child's own, and its series are read as one; so does a run that is pickled and unpickled in another process.
    Only the process that began the run (its first rank, where there are several) has the dashboard, draws figures and
    tells the run's state.
    """

    def __init__(
        self,
        store: Store,
        info: RunInfo,
        *,
        renderer: RendererName = "live",
        figures: bool = True,
        rank: int = 0,
        file: RunFile | None = None,
        next_step: int = 0,
    ) -> None:
        self._store = store
        self._info = info
        self._rank = rank
        self._leads = rank == 0
        self._is_child = False
        self._view: Literal["figure", "live"] = "figure" if renderer == "mpld3" else "live"
        self._dashboard = Dashboard(info.id, view=self._view)
        self._recorder = self._new_recorder(lambda: file or self._new_file())
        self._hand_over = self._recorder.record  # bound once: it is called at every step
        self._encoder = Encoder(store.run_folder(info.id), info.id, self._put)
        self._renderer = Renderer(self._drawn) if figures and self._leads else None
        self._known_names = KnownNames()
        self._plain: dict[Names, Names] = {}  # names that may take the short way: all, and those but for the epoch
        self._subplots: Subplots | None = None
        self._watchers: list[Watcher] = []
        self._closers: list[Callable[[], None]] = []
        self._epoch_listeners: list[Callable[[], None]] = []
        self._enders: list[Callable[[float], None]] = []
        self._steps = count(next_step)
        self._step = next_step - 1
        self.first_step = next_step
        """The step that the run began with: 0, or the one at which it goes on where it was resumed or forked."""
        self._progress = info.progress
        self._figures: dict[str, str] = {}  # the user's own: names by the ids of their cells
        self._draws = self._told = False
        self._epoch: int | None = None  # the epoch that the user's `log` last named,
        self._first_epoch = 0  # and whether they count from 0 or from 1
        self._state: State = "running"
        self._closed = False
        self._ancestors: list[Recorder] = []
        self.kept = False
        """Whether an adapter made the run and tells its states: then no other adapter records into it."""
        self.url: str | None = None
        _tell_after_fork(self)

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self._info.id

    @property
    def name(self) -> str:
        """Return the run's name."""
        return self._facts.name

    @property
    def project(self) -> str:
        """Return the run's project."""
        return self._info.project

    @property
    def config(self) -> Mapping[str, object]:
        """Return the run's configuration."""
        return dict(self._info.config)

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the run's tags."""
        return self._facts.tags

    @property
    def notes(self) -> str:
        """Return what is noted about the run."""
        return self._facts.notes

    @property
    def rank(self) -> int:
        """Return which of the processes that train together this one is: 0 is the first, or the only one."""
        return self._rank

    @property
    def state(self) -> State:
        """Return the run's state."""
        return self._state

    @property
    def progress(self) -> Progress:
        """Return how far the run is, as it was last reported."""
        return self._progress

    @property
    def closed(self) -> bool:
        """Tell whether the run takes nothing more. A state other than "running" need not mean that: see `mark`."""
        return self._closed

    @property
    def step(self) -> int:
        """Return the step that the next `log` without `step=` gets, as far as no other thread logs."""
        return self._step + 1

    def start(self) -> None:
        """Start to record. `agnez.init` does it.

        Raises:
            StoreError: the store's folder cannot be written.
        """
        self._recorder.open()
        self._recorder.start()

    def log(self, values: Mapping[str, Loggable], *, step: int | None = None) -> None:
        """Record numbers, figures and media; nested mappings flatten with `/`.

        `step` counts calls where it is not given; a given one is counted on from. Each number of that count goes to one
        call, whatever threads log. The key `epoch` tells where epochs end: when its number changes. Tensors are not
        waited for. A matplotlib Figure is taken as it is now (the one value that costs the caller milliseconds) and
        becomes a cell of its own, and so do `agnez.Image`, `Images`, `Video`, `Audio`, `Text`, `Table`, `Histogram` and
        `Html`, which are kept step by step.

        Raises:
            BadValueError: a value is of no kind that can be recorded, or the step is no whole number.
            RunFinishedError: the run has finished.
        """
        # Between two steps caches go cold: what counts is how little is touched here, and loops of bytecode touch less
        # than calls into other corners of the interpreter.
        now = _nanoseconds()
        names = self._plain.get(tuple(values)) if type(values) is dict else None
        if names is None:
            self._log(values, step, now)
            return
        numbers: tuple[Any, ...] = tuple(values.values())
        for number in numbers:
            kind = type(number)
            if kind is not float and (kind is not int or not -_SAFE < number < _SAFE):
                self._log_known(names, values, step, now)
                return
        if len(names) != len(numbers):  # there is an epoch among them
            self._log_known(names, values, step, now)
            return
        if step is None:
            self._step = step = next(self._steps)  # one call in C: no two threads get the same number
        else:
            step = self._given_step(step)
        self._hand_over(names, now, step, numbers)
        if self._watchers:
            self._gather(step, now // 1000)

    def _log_known(self, names: Names, values: Mapping[str, Loggable], step: int | None, now: int) -> None:
        """Log values whose names were seen before: numbers of any kind, and perhaps an epoch."""
        try:
            numbers = [freeze_scalar(name, value) for name, value in values.items() if name != "epoch"]
        except BadValueError:  # no numbers this time
            self._log(values, step, now)
            return
        step = self._next_step() if step is None else self._given_step(step)
        if len(names) != len(values):
            self._see_epoch(values["epoch"], step, now // 1000)
        self._hand_over(names, now, step, _plainest(numbers))
        if self._watchers:
            self._gather(step, now // 1000)

    def _log(self, values: Mapping[str, Loggable], step: int | None, now: int) -> None:
        """Log whatever it is, with all checks."""
        if self._closed:
            raise RunFinishedError(f"run {self.name} has finished: call agnez.init() for another")
        found = sort(values)
        step = self._next_step() if step is None else self._given_step(step)
        micro = now // 1000
        for epoch in found.epochs:
            self._see_epoch(epoch, step, micro)
        self._log_others(found, step)
        names = self._record(found.numbers, step, now)
        if names and names == tuple(name for name in values if name != "epoch"):
            if len(self._plain) >= _MOST_PLAIN:
                self._plain.clear()
            self._plain[tuple(values)] = names
        self._gather(step, micro)

    def record(self, scalars: Mapping[str, Scalar], *, step: int, time: int) -> None:
        """Record frozen numbers of a step. `time` is microseconds since 1970 (UTC). Adapters of frameworks call it."""
        try:
            self._record(scalars, step, time * 1000)
        except BadValueError as error:  # of a name; what an adapter brings must not end the training
            self.tell(f"{error}: it is left out")

    def record_vectors(self, vectors: Iterable[tuple[tuple[str, ...], Tensor]], *, step: int, time: int) -> None:
        """Record vectors of numbers that rest on a device, each with the names of its elements."""
        for metrics, tensor in vectors:
            try:
                known = self._known_names.of(metrics)
            except BadValueError as error:  # likewise
                self.tell(f"{error}: it is left out")
                continue
            self._awake().record(known, time * 1000, step, tensor)

    def _record(self, scalars: Mapping[str, Scalar], step: int, time: int) -> Names:
        if not scalars:
            return ()
        names = self._known_names.of(tuple(scalars))
        self._awake().record(names, time, step, _plainest(list(scalars.values())))
        return names

    def define_metric(self, name: str, *, step_metric: str) -> None:
        """Declare which metric is the x axis of others: `name` is one, or a pattern such as `val/*`.

        Where several patterns fit a metric, the one that was declared last holds.

        Raises:
            BadValueError: a name is no text.

        >>> import agnez, tempfile
        >>> with agnez.init("doctest", dir=tempfile.mkdtemp(), server=None) as run:
        ...     run.define_metric("val/*", step_metric="epoch")
        """
        for what, text in (("name", name), ("step_metric", step_metric)):
            if not isinstance(text, str) or not text:
                raise BadValueError(f"{what}={text!r} is no name of a metric: give a text such as 'epoch'")
            names.check_speakable(text, what)
        axes = {pattern: axis for pattern, axis in self._info.axes.items() if pattern != name}
        self._info = replace(self._info, axes={**axes, name: step_metric})
        self._put(Facts({"axes": self._info.axes}))

    def epoch(self, number: int) -> None:
        """Say that epoch `number` ended (the first is 1): weights are measured and figures drawn.

        Raises:
            BadValueError: it is no whole number.
        """
        self.end_epoch(_whole(number), step=self.step)

    def end_epoch(self, number: int, *, step: int) -> None:
        """Record that `number` epochs have ended at a step, measure the weights, and have the figures drawn."""
        now = time.time_ns() // 1000
        self.record({"epoch": float(number)}, step=step, time=now)
        self._measure_weights(step, now)
        self.report(epoch=number, step=step)
        for listener in self._epoch_listeners:
            self._put(After(listener))
        self._draw(number)

    def report(self, **progress: int | None) -> None:
        """Report how far the run is: any of epoch, epochs, step, steps_per_epoch."""
        known = {name: getattr(self._progress, name) for name in Progress.__slots__}
        self._progress = Progress(**{**known, **progress})
        self._put(Facts({"progress": self._progress}))

    # --- the dashboard ---

    def dashboard(self, *, rows: int, cols: int) -> Subplots:
        """Arrange the dashboard in a grid of so many rows and columns, and return it to put things at its places.

        What has no place follows row by row: in the grid where nothing is put, else below it. What a script arranges
        stands as it says in every run; the user of the page may move it in a run that is there.

        Raises:
            BadValueError: a grid has from 1 to 24 rows, and columns.

        >>> import agnez, tempfile
        >>> with agnez.init("doctest", dir=tempfile.mkdtemp(), server=None) as run:
        ...     board = run.dashboard(rows=2, cols=3)
        ...     board.subplot((1, 2), ["train/loss", "val/loss"], name="Loss")
        ...     board.subplot(3, "accuracy")
        """
        self._subplots = Subplots(rows, cols, lambda order: self._put(Arranged(order)))
        self._subplots.tell()
        return self._subplots

    def subplot(self, rows: int, cols: int, place: Place, metrics: str | Sequence[str], *, name: str = "") -> None:
        """Show something on the dashboard at a place of a grid, as `plt.subplot(2, 3, 1)`; see `Subplots.subplot`.

        Grids may be mixed as in matplotlib: the second half of `(2, 1)` may hold two plots of `(2, 2)`.

        Raises:
            BadValueError: there is no such place or name, or the grids together are too fine.

        >>> import agnez, tempfile
        >>> with agnez.init("doctest", dir=tempfile.mkdtemp(), server=None) as run:
        ...     run.subplot(2, 1, 1, ["train/loss", "val/loss"], name="Loss")
        ...     run.subplot(2, 2, 3, "accuracy")
        ...     run.subplot(2, 2, 4, "learning_rate")
        """
        if self._subplots is None:
            self._subplots = Subplots(rows, cols, lambda order: self._put(Arranged(order)))
        self._subplots.put((rows, cols), place, metrics, name)

    def tell(self, problem: str) -> None:
        """Show a sentence about something that went wrong beside the run."""
        self._put(Problem(problem))

    def mark(self, state: State, reason: str | None = None) -> None:
        """Set the run's state without closing it: what is logged later is still recorded."""
        self._state = state
        ended = None if state == "running" else time.time_ns() // 1000
        reason = reason and names.speakable(reason)
        self._put(Facts({"state": state, "reason": reason, "ended": ended}))

    def attach(self, watcher: Watcher) -> Callable[[], None]:
        """Have a watcher's norms recorded; call what is returned to detach it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def on_close(self, closer: Callable[[], None]) -> None:
        """Have `closer` called when the run finishes."""
        self._closers.append(closer)

    def on_written(self, ender: Callable[[float], None]) -> None:
        """Have `ender` called when the run has finished and all is written, with the seconds that it may take."""
        self._enders.append(ender)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the recorder's thread, whenever something of the run was committed."""
        self._recorder.listen(listener)

    def on_epoch(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the recorder's thread, once the last numbers of an epoch were committed."""
        self._epoch_listeners.append(listener)

    def prepare_figures(self) -> None:
        """Start what draws figures, so that the first one does not wait for it."""
        if self._renderer is not None:
            self._renderer.start()

    def flush(self, timeout: float = _FLUSH_SECONDS) -> bool:
        """Wait until everything logged so far is in the store; `timeout` is in seconds. Tell whether it is."""
        return self._encoder.flush(timeout) and self._recorder.flush(timeout)

    # --- reading, as from a run of `agnez.open` ---

    @property
    def metrics(self) -> list[str]:
        """Return the names of the metrics in the order of their first points."""
        return self._stored().metrics

    @property
    def summary(self) -> Mapping[str, Summary]:
        """Return of each metric its last value, minimum, maximum (with the step of each), mean and count."""
        self.flush()
        with RunReader(self._store, self.id) as reader:
            return dict(reader.summaries())

    def series(
        self,
        metric: str,
        *,
        rank: Rank | None = None,
        x: str | None = None,
        branch: int | None = None,
        most: int | None = None,
        first: float | None = None,
        last: float | None = None,
    ) -> Series:
        """Return a metric's points as NumPy arrays, all that were logged so far; see `StoredRun.series`.

        Raises:
            NotFoundError: there is no such metric, axis, rank or branch.
            BadValueError: a range or a count that cannot be.

        >>> import agnez, tempfile
        >>> with agnez.init("doctest", dir=tempfile.mkdtemp(), server=None) as run:
        ...     run.log({"loss": 0.5})
        ...     run.series("loss").values
        array([0.5])
        """
        return self._stored().series(metric, rank=rank, x=x, branch=branch, most=most, first=first, last=last)

    def history(self, metrics: Iterable[str] | None = None, *, rank: int = 0) -> dict[str, NDArray[Any]]:
        """Return columns with a row for each `log` call so far; see `StoredRun.history`.

        Raises:
            NotFoundError: there is no such metric.
        """
        return self._stored().history(metrics, rank=rank)

    def to_pandas(self, metrics: Iterable[str] | None = None) -> pandas.DataFrame:
        """Return the history as a table of pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return self._stored().to_pandas(metrics)

    def to_polars(self, metrics: Iterable[str] | None = None) -> polars.DataFrame:
        """Return the history as a table of polars.

        Raises:
            MissingExtraError: polars is not installed.
        """
        return self._stored().to_polars(metrics)

    def _stored(self) -> StoredRun:
        self.flush()
        return StoredRun(self._store, self._facts)

    # --- the end ---

    def finish(self, state: State = "finished", *, reason: str | None = None, timeout: float = FINISH_SECONDS) -> None:
        """End the run: draw the last figures, write everything, set its state. Finishing twice does no harm.

        It takes well under a second where 100,000 points wait. Where it takes longer it shows how far it is, and gives
        up after `timeout` seconds. In a forked child it writes what the child logged, and leaves the run to its parent.
        """
        if self._closed:  # a signal may have come while it was finishing: then this one brings it to its end
            self._seal(state, reason)
            self._encoder.close(timeout)
            self._recorder.close(timeout)
            self._call_enders(timeout)
            return
        self._closed, self._plain = True, {}
        began = time.monotonic()
        if self._leads:
            self._end(state, reason)
        for closer in self._closers[:]:  # not earlier: watchers end here
            closer()
        self._seal(state, reason)
        if self._renderer is not None:
            if self._draws:  # figures are drawn from what the store has
                self._recorder.flush(min(timeout, _FLUSH_SECONDS))
            self._renderer.close(min(timeout, _FIGURE_SECONDS))
        self._write_out(began, timeout)
        self._call_enders(timeout - (time.monotonic() - began))

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state, reason = outcome(error)
        self.finish(state, reason=reason)

    def __reduce__(self) -> tuple[Callable[..., Run], tuple[Path, RunInfo, int, int]]:
        """Pickle the run for another process, which records into a file of its own."""
        return _join, (self._store.directory, self._facts, self._rank, self.step)

    # --- recording ---

    @property
    def _facts(self) -> RunInfo:
        return self._recorder.writer.info

    def _new_recorder(self, open_file: Callable[[], RunFile]) -> Recorder:
        board = None
        if self._leads:
            board = Board(self._dashboard, self._store.catalog, Examiner(self.id), self._layout)
        return Recorder(Writer(self._info, open_file, board), self._info.name)

    def _layout(self) -> CellRecord | None:
        return read_layout(self._store, self.project)

    def _new_file(self) -> RunFile:
        return self._store.join_run(self.id, self._rank) if self._rank else self._store.create_run(self._info)

    def _put(self, entry: Entry) -> None:
        self._recorder.put(entry)

    def _awake(self) -> Recorder:
        """Return the recorder, which a child starts with its first number."""
        if self._is_child and not self._recorder.is_alive() and not self._closed:
            self._recorder.start()
            _at_exit(self.finish)
        return self._recorder

    def _next_step(self) -> int:
        self._step = step = next(self._steps)  # one call in C: no two threads get the same number
        return step

    def _given_step(self, step: int) -> int:
        if type(step) is not int or step not in _STEPS:
            step = _whole(step)
        self._steps, self._step = count(step + 1), step
        return step

    def _gather(self, step: int, now: int) -> None:
        for watcher in self._watchers:
            self.record_vectors(watcher.gathered(), step=step, time=now)

    def _measure_weights(self, step: int, now: int) -> None:
        for watcher in self._watchers:
            self.record_vectors(watcher.weights(), step=step, time=now)

    def _see_epoch(self, value: Loggable, step: int, now: int) -> None:
        if type(value) is int and value == self._epoch:  # nearly always
            return
        number = int(_number("epoch", value))
        if number == self._epoch:
            return
        if self._epoch is None:
            done = self._info.progress.epoch or 0  # of a run that goes on
            self._first_epoch = 1 if number == done + 1 else 0
            self.record({"epoch": float(number - self._first_epoch)}, step=step, time=now)
        else:
            self.end_epoch(number - self._first_epoch, step=step)
        self._epoch = number

    # --- figures and pictures ---

    def _log_others(self, found: Logged, step: int) -> None:
        if not self._leads:
            if (found.figures or found.media) and not self._told:
                self._told = True
                notice.say(f"run {self.name}: figures and media are taken of its first process only, not of this one")
            return
        for name, figure in found.figures.items():
            self._log_figure(name, figure, step)
        for name, value in found.media.items():
            self._encoder.put(taken_now(name, value.kind, step, value.frozen()))

    def _log_figure(self, name: str, figure: object, step: int) -> None:
        if self._renderer is None:
            return
        id = cell_id(self.id, name)
        try:
            frozen = FrozenFigure(freeze(figure), epoch=step)  # the renderer hands it back: here it is the step
            self._figures[id] = name
            self._renderer.submit(id, frozen)
        except AgnezError as error:  # a figure is worth a sentence beside the run, and never the run itself
            self.tell(f"the figure {name!r} could not be taken: {error}")

    def _draw(self, epoch: int | None) -> None:
        """Have the figures drawn once everything logged so far is committed, for they are drawn from the store."""
        if self._renderer is not None:
            self._draws = True
            self._put(After(lambda: self._submit_figures(epoch)))

    def _submit_figures(self, epoch: int | None) -> None:
        assert self._renderer is not None
        path = self._store.run_path(self.id)
        jobs = {id: FigureJob(path, what, metrics, epoch) for what, id, metrics in self._dashboard.figures()}
        if jobs:
            self._renderer.submit_set(jobs)

    def _drawn(self, result: Result) -> None:
        if result.html is not None:
            fields: CellRecord = {"type": "html", "value": result.html}
            if result.key in self._figures:
                fields |= {"name": self._figures[result.key], "description": f"step {result.epoch}"}
            elif result.epoch is not None:
                fields |= {"epoch": result.epoch}
            self._put(CellChange(result.key, fields))
        for sentence in filter(None, (result.error, result.note)):
            self.tell(sentence)

    def _end(self, state: State, reason: str | None) -> None:
        """Record what only an end brings: of the last epoch, or of a training that told of none."""
        if self._epoch is not None and state == "finished":
            self.end_epoch(self._epoch + 1 - self._first_epoch, step=self.step)
        if self._progress.epoch is None:
            self._measure_weights(self.step, time.time_ns() // 1000)
            if self._view == "figure":  # the page draws the others itself, and no helper has to be started for them
                self._draw(None)

    def _seal(self, state: State, reason: str | None) -> None:
        if self._state == "running":
            self.mark(state, reason)

    def _write_out(self, began: float, timeout: float) -> None:
        """Have the recorder write the rest, show how far it is, and say what came of it."""
        progress = notice.Progress()
        unkept = self._encoder.close(timeout)
        done = self._recorder.close(
            timeout, watch=lambda left: progress.show(f"run {self.name} is being written, {left:,} calls are left")
        )
        progress.end()
        writer = self._recorder.writer
        if self._is_child and done:
            return
        folder, seconds = self._store.run_path(self.id).parent, time.monotonic() - began
        words = f"run {self.name}: {writer.points:,} points of {len(writer.metrics):,} metrics are in {folder}"
        lost = self._recorder.waiting + writer.info.dropped + unkept
        notice.say(f"{words} ({seconds:.1f} s to finish)" + (f"; {lost:,} calls could not be written" if lost else ""))

    def _call_enders(self, timeout: float) -> None:
        for ender in self._enders:
            ender(max(_LEAST_SECONDS, timeout))

    # --- other processes ---

    def _become_child(self) -> None:
        """Go on in a process that was forked from the run's own, or that got the run by pickling."""
        self._ancestors.append(self._recorder)  # what it holds is its process' own: not to be used or closed here
        self._is_child, self._leads, self._renderer = True, False, None
        self._encoder = Encoder(self._store.run_folder(self.id), self.id, self._put)  # a thread does not survive a fork
        self._plain, self._known_names, self._watchers, self._closers, self._enders = {}, KnownNames(), [], [], []
        self._info = replace(self._facts, pid=os.getpid(), heartbeat=None, problems=(), dropped=0, summary={})
        self._recorder = self._new_recorder(lambda: self._store.join_process(self.id, self._rank))
        self._hand_over = self._recorder.record


def outcome(error: BaseException | None) -> tuple[State, str | None]:
    """Return the state of a run that an exception ended, and the exception's last line.

    >>> outcome(ValueError("loss is NaN"))
    ('failed', 'ValueError: loss is NaN')
    """
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "finished", None
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None
    lines = str(error).strip().splitlines()
    return "failed", f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__


def _join(directory: Path, info: RunInfo, rank: int, next_step: int) -> Run:
    """Return a pickled run in the process that unpickles it."""
    run = Run(Store(directory), info, figures=False, rank=rank, next_step=next_step)
    run._become_child()
    return run


def _tell_after_fork(run: Run) -> None:
    if not hasattr(os, "register_at_fork"):  # Windows forks nothing
        return
    found = weakref.ref(run)

    def tell() -> None:
        known = found()
        if known is not None:
            known._become_child()

    os.register_at_fork(after_in_child=tell)


def _at_exit(finish: Callable[[], None]) -> None:
    """Have a child finish at its end. Those of multiprocessing end without atexit, so it is asked and calls both."""
    from multiprocessing.util import Finalize

    Finalize(None, finish, exitpriority=10)


def _plainest(numbers: list[Scalar]) -> Numbers:
    """Return numbers as they wait: in a tuple where all are plain, in a list where some rest on a device."""
    return tuple(numbers) if all(type(number) is float for number in numbers) else numbers  # type: ignore[arg-type]


def _whole(step: object) -> int:
    if isinstance(step, bool) or not hasattr(type(step), "__index__"):
        raise BadValueError(f"{step!r} is no whole number: steps and epochs are counted")
    number: int = int(step)  # type: ignore[call-overload]  # __index__ was just seen
    if number not in _STEPS:
        raise BadValueError(f"{number} is past every step that can be kept: give one between -2**62 and 2**62")
    return number


def _number(name: str, value: Loggable) -> float:
    frozen = freeze_scalar(name, value)
    return frozen if isinstance(frozen, float) else float(frozen)  # type: ignore[arg-type]
