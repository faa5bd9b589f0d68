"""The run: what a user holds, and logs to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Literal, Protocol, TypeAlias

from agnez.dashboard import Dashboard, cell_id
from agnez.diagnosis import Examiner
from agnez.errors import AgnezError, BadValueError, RunFinishedError
from agnez.figures import FigureJob
from agnez.notice import say
from agnez.record import CellRecord, Progress, RunInfo, State
from agnez.recorder import After, CellChange, Facts, Numbers, Problem, Recorder, Vector
from agnez.render import FrozenFigure, Renderer, Result, freeze, is_figure
from agnez.scalars import Scalar, Tensor
from agnez.scalars import freeze as freeze_scalar
from agnez.store import Store

RendererName = Literal["live", "mpld3"]
Loggable: TypeAlias = object
"""A number (Python's, NumPy's, a tensor of one element), a matplotlib Figure, or a mapping of names to these."""

_FINISH_SECONDS = 5.0
_FIGURE_SECONDS = 4.0


class Watcher(Protocol):
    """Stand for what looks into a model: it is asked for its norms, as vectors that rest on the model's device."""

    def gathered(self) -> Iterable[tuple[tuple[str, ...], Tensor]]:
        """Return what was measured since the last `log`: names, and one vector with a norm for each."""
        ...

    def weights(self) -> Iterable[tuple[tuple[str, ...], Tensor]]:
        """Return the norms of the weights as they are now."""
        ...


class Run:
    """Record one training.

    Get one from `agnez.init`. As a context manager it finishes itself, and tells a failure by its exception.
    """

    def __init__(self, store: Store, info: RunInfo, *, renderer: RendererName = "live", figures: bool = True) -> None:
        dashboard = Dashboard(info.id, view="figure" if renderer == "mpld3" else "live")
        self._store = store
        self._info = info
        self._dashboard = dashboard
        self._recorder = Recorder(store, info, dashboard, Examiner(info.id))
        self._renderer = Renderer(self._drawn) if figures else None
        self._watchers: list[Watcher] = []
        self._closers: list[Callable[[], None]] = []
        self._next_step = 0
        self._progress = Progress()
        self._figures: dict[str, str] = {}  # the user's own: names by the ids of their cells
        self._told_in_child = False
        self._epoch: int | None = None  # the epoch that the user's `log` last named,
        self._first_epoch = 0  # and whether they count from 0 or from 1
        self._state: State = "running"
        self._closed = False
        self.kept = False
        """Whether an adapter made the run and tells its states: then no other adapter records into it."""
        self.url: str | None = None

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self._info.id

    @property
    def name(self) -> str:
        """Return the run's name."""
        return self._info.name

    @property
    def project(self) -> str:
        """Return the run's project."""
        return self._info.project

    @property
    def config(self) -> Mapping[str, object]:
        """Return the run's configuration."""
        return dict(self._info.config)

    @property
    def state(self) -> State:
        """Return the run's state."""
        return self._state

    @property
    def closed(self) -> bool:
        """Tell whether the run takes nothing more: it has ended for good, or is of the process that forked this one.

        A state other than "running" need not mean that: see `mark`.
        """
        return self._closed or not self._recorder.owned()

    @property
    def step(self) -> int:
        """Return the step that the next `log` without `step=` gets."""
        return self._next_step

    def start(self) -> None:
        """Start to record. `agnez.init` does it.

        Raises:
            StoreError: the store's folder cannot be written.
        """
        self._recorder.start()

    def log(self, values: Mapping[str, Loggable], *, step: int | None = None) -> None:
        """Record numbers and figures; nested mappings flatten with `/`.

        `step` counts calls where it is not given. The key `epoch` tells where epochs end: when its number changes.
        Tensors are not waited for. A matplotlib Figure is taken as it is now (the one value that costs the caller
        milliseconds) and becomes a cell of its own.

        Raises:
            BadValueError: a value is of no kind that can be recorded, or the step is no whole number.
            RunFinishedError: the run has finished.
        """
        now = time.time_ns() // 1000
        if self._closed:
            raise RunFinishedError(f"run {self.name} has finished: call agnez.init() for another")
        if not self._recorder.owned():
            self._ignore_in_child()
            return
        step = self._next_step if step is None else _whole(step)
        scalars: dict[str, Scalar] = {}
        others: list[tuple[str, Loggable]] = []
        try:
            _sort(values, "", scalars, others)
        except RecursionError:
            raise BadValueError(
                "these values are nested without an end: log takes mappings of names to numbers"
            ) from None
        for name, value in others:
            if name == "epoch":
                self._see_epoch(value, step, now)
            else:
                self._log_figure(name, value, step)
        self._next_step = step + 1
        self.record(scalars, step=step, time=now)
        for watcher in self._watchers:
            self.record_vectors(watcher.gathered(), step=step, time=now)

    def record(self, scalars: Mapping[str, Scalar], *, step: int, time: int) -> None:
        """Record frozen numbers of a step. `time` is microseconds since 1970 (UTC). Adapters of frameworks call it."""
        if scalars:
            self._recorder.put(Numbers(time, step, scalars))

    def record_vectors(self, vectors: Iterable[tuple[tuple[str, ...], Tensor]], *, step: int, time: int) -> None:
        """Record vectors of numbers that rest on a device, each with the names of its elements."""
        for names, tensor in vectors:
            self._recorder.put(Vector(time, step, names, tensor))

    def epoch(self, number: int) -> None:
        """Say that epoch `number` ended (the first is 1): weights are measured and figures drawn.

        Raises:
            BadValueError: it is no whole number.
        """
        self.end_epoch(_whole(number), step=self._next_step)

    def end_epoch(self, number: int, *, step: int) -> None:
        """Record that `number` epochs have ended at a step, measure the weights, and have the figures drawn."""
        now = time.time_ns() // 1000
        self.record({"epoch": float(number)}, step=step, time=now)
        self._measure_weights(step, now)
        self.report(epoch=number, step=step)
        self._draw(number)

    def report(self, **progress: int | None) -> None:
        """Report how far the run is: any of epoch, epochs, step, steps_per_epoch."""
        known = {name: getattr(self._progress, name) for name in Progress.__slots__}
        self._progress = Progress(**{**known, **progress})
        self._recorder.put(Facts({"progress": self._progress}))

    def tell(self, problem: str) -> None:
        """Show a sentence about something that went wrong beside the run."""
        self._recorder.put(Problem(problem))

    def mark(self, state: State, reason: str | None = None) -> None:
        """Set the run's state without closing it: what is logged later is still recorded."""
        self._state = state
        ended = None if state == "running" else time.time_ns() // 1000
        self._recorder.put(Facts({"state": state, "reason": reason, "ended": ended}))

    def attach(self, watcher: Watcher) -> Callable[[], None]:
        """Have a watcher's norms recorded; call what is returned to detach it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def on_close(self, closer: Callable[[], None]) -> None:
        """Have `closer` called when the run finishes."""
        self._closers.append(closer)

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Have `listener` called, on the recorder's thread, whenever something of the run was committed."""
        self._recorder.listen(listener)

    def prepare_figures(self) -> None:
        """Start what draws figures, so that the first one does not wait for it."""
        if self._renderer is not None:
            self._renderer.start()

    def flush(self, timeout: float = _FINISH_SECONDS) -> bool:
        """Wait until everything logged so far is in the store; `timeout` is in seconds. Tell whether it is."""
        return self._recorder.flush(timeout)

    def finish(self, state: State = "finished", *, reason: str | None = None) -> None:
        """End the run: draw the last figures, write everything, set its state. Finishing twice does no harm."""
        if self._closed or not self._recorder.owned():
            return
        self._closed = True
        if self._epoch is not None and state == "finished":
            self.end_epoch(self._epoch + 1 - self._first_epoch, step=self._next_step)
        if self._progress.epoch is None:  # no epoch ever ended: this is the end of the only one
            self._measure_weights(self._next_step, time.time_ns() // 1000)
            self._draw(None)
        for closer in self._closers:  # not earlier: watchers end here
            closer()
        if self._state == "running":
            self.mark(state, reason)
        self._recorder.flush(_FINISH_SECONDS)
        if self._renderer is not None:
            self._renderer.close(_FIGURE_SECONDS)
        self._recorder.close(_FINISH_SECONDS)

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state, reason = outcome(error)
        self.finish(state, reason=reason)

    def _see_epoch(self, value: Loggable, step: int, now: int) -> None:
        if type(value) is int and value == self._epoch:  # nearly always
            return
        number = int(_number("epoch", value))
        if number == self._epoch:
            return
        if self._epoch is None:
            self._first_epoch = 1 if number == 1 else 0
            self.record({"epoch": float(number - self._first_epoch)}, step=step, time=now)
        else:
            self.end_epoch(number - self._first_epoch, step=step)
        self._epoch = number

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

    def _measure_weights(self, step: int, now: int) -> None:
        for watcher in self._watchers:
            self.record_vectors(watcher.weights(), step=step, time=now)

    def _draw(self, epoch: int | None) -> None:
        """Have the figures drawn once everything logged so far is committed, for they are drawn from the store."""
        if self._renderer is not None:
            self._recorder.put(After(lambda: self._submit_figures(epoch)))

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
            self._recorder.put(CellChange(result.key, fields))
        for sentence in filter(None, (result.error, result.note)):
            self.tell(sentence)

    def _ignore_in_child(self) -> None:
        if not self._told_in_child:
            self._told_in_child = True
            say(f"this process was forked from run {self.name}: what it logs is not recorded; log in the parent")


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


def _sort(
    values: Mapping[str, Loggable], prefix: str, scalars: dict[str, Scalar], others: list[tuple[str, Loggable]]
) -> None:
    """Freeze the numbers of what `log` was given, and set the epoch and figures aside. It runs at every step."""
    if not isinstance(values, Mapping):
        raise BadValueError(f"log takes a mapping of names to numbers, such as {{'loss': 0.5}}; this is {values!r}")
    for key, value in values.items():
        if not isinstance(key, str) or not key:
            raise BadValueError(f"{key!r} is no name for a metric: names are text")
        name = prefix + key
        if not name.isascii():
            _check_speakable(name)
        if type(value) is float:
            scalars[name] = value
        elif name == "epoch":
            others.append((name, value))
        elif isinstance(value, Mapping):
            _sort(value, f"{name}/", scalars, others)
        else:
            try:
                scalars[name] = freeze_scalar(name, value)
            except BadValueError:
                if not is_figure(value):
                    raise
                others.append((name, value))


def _check_speakable(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadValueError(f"{name!r} is no name: it holds half of a character (a lone surrogate)") from None


def _whole(step: object) -> int:
    if isinstance(step, bool) or not hasattr(type(step), "__index__"):
        raise BadValueError(f"{step!r} is no whole number: steps and epochs are counted")
    number: int = int(step)  # type: ignore[call-overload]  # __index__ was just seen
    if not -(2**63) <= number < 2**63:
        raise BadValueError(f"{number} is past every step that can be kept: give one of 64 bits")
    return number


def _number(name: str, value: Loggable) -> float:
    frozen = freeze_scalar(name, value)
    return frozen if isinstance(frozen, float) else float(frozen)  # type: ignore[arg-type]
