"""The Keras adapter: a callback that shows a training while it runs."""

from __future__ import annotations

import functools
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from agnez import arguments, session
from agnez.arguments import Resume, ServerName
from agnez.callbacks.choice import choose
from agnez.callbacks.fit_watch import FitWatch
from agnez.callbacks.journal import Journal, UpdateFrequency
from agnez.callbacks.keras_backend import require_keras
from agnez.errors import BadValueError
from agnez.notice import say
from agnez.record import State
from agnez.run import RendererName, Run
from agnez.scalars import Tensor

if TYPE_CHECKING:
    import keras
else:
    keras = require_keras()

from agnez.callbacks.keras_norms import WeightNorms

log_ = logging.getLogger(__name__)

_FLUSH_SECONDS = 2.0
_OF_A_RUN = ("project", "name", "config", "tags", "notes", "id", "resume", "fork_from", "dir", "port")
_FOLDER = os.path.dirname(keras.__file__)
_Logs = Mapping[str, object] | None
_P = ParamSpec("_P")
_Hook = Callable[Concatenate["AgnezCallback", _P], None]


def _guarded(hook: _Hook[_P]) -> _Hook[_P]:
    """Have a hook fail without the training: it goes on, and the first fault is told."""

    @functools.wraps(hook)
    def guarded(self: AgnezCallback, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            hook(self, *args, **kwargs)
        except Exception as error:  # training comes first: whatever fails in here must not end hours of it
            self._stumble(hook.__name__, error)

    return guarded


class AgnezCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras carries no types
    """Show a training of Keras in the browser, batch by batch: `model.fit(..., callbacks=[AgnezCallback()])`.

    All arguments are optional. `project`, `name`, `config`, `tags`, `notes`, `id`, `resume`, `fork_from`, `rank`,
    `dir`, `port`, `open_browser`, `server` and `renderer` are those of `agnez.init`. Where `agnez.init` has made a run
    and none of the first eleven is given, the callback records into that run and leaves its end to you. Otherwise a
    run of its own starts with the first `fit`, and later fits of the same callback go on with it. A run that is
    resumed counts its batches and epochs on; where you go on from a checkpoint, tell `fit` its `initial_epoch` as ever.

    `update_freq` is "batch", "epoch" or a number of batches, as in Keras' own callbacks: how often the metrics of
    batches are recorded. Metrics of epochs always are, as are the norms of the layers' weights: `log=None` leaves
    those out, and `layers` has patterns such as "conv*" for the layers that get a series of their own. `every` and
    `budget` are those of `agnez.watch`: they are of no effect yet, since Keras shows gradients to no callback.

    Raises:
        BadValueError: an argument makes no sense.
    """

    async_safe = True
    """Keras calls the batch hooks on threads of its own: the loop does not wait for the device to tell its metrics."""

    def __init__(
        self,
        *,
        project: str | None = None,
        name: str | None = None,
        config: Mapping[str, object] | object | None = None,
        tags: Iterable[str] = (),
        notes: str = "",
        id: str | None = None,
        resume: Resume | None = None,
        fork_from: tuple[str, int] | None = None,
        rank: int | None = None,
        dir: str | os.PathLike[str] | None = None,
        port: int | None = None,
        open_browser: bool = True,
        server: ServerName | None = "thread",
        renderer: RendererName = "live",
        update_freq: UpdateFrequency = "batch",
        log: str | Iterable[str] | None = "weights",
        every: int = 1,
        layers: str | Iterable[str] | None = None,
        budget: float = 0.003,
    ) -> None:
        super().__init__()
        tags = tags if isinstance(tags, str) else tuple(tags)
        self._order: dict[str, Any] = {
            "project": project,
            "name": name,
            "config": config,
            "tags": tags,
            "notes": notes,
            "id": id,
            "resume": resume,
            "fork_from": fork_from,
            "rank": rank,
            "dir": dir,
            "port": port,
            "open_browser": open_browser,
            "server": server,
            "renderer": renderer,
        }
        self._measuring: dict[str, Any] = {
            "update_freq": update_freq,
            "log": log,
            "every": every,
            "layers": layers,
            "budget": budget,
        }
        arguments.check(**{name: given for name, given in self._order.items() if name != "open_browser"})
        _check_update_freq(update_freq)
        self._choice = choose(log, every, layers, budget, default=("weights",))
        if "gradients" in self._choice.parts:
            raise BadValueError("log: Keras shows gradients to no callback; choose 'weights', or None for no norms")
        self._journal: Journal | None = None
        self._owns_run = False  # so its states are ours to tell
        self._norms: WeightNorms | None = None
        self._watch: FitWatch | None = None
        self._fitting = False
        self._stumbled = False

    def __reduce__(self) -> tuple[object, ...]:
        """Copy as a new callback of the same arguments: tuners copy callbacks for each of their trials."""
        return functools.partial(type(self), **self._order, **self._measuring), ()

    @property
    def run(self) -> Run | None:
        """Return the run that is recorded into; None before the first fit."""
        self._see_left()
        return None if self._journal is None else self._journal.run

    @_guarded
    def on_train_begin(self, logs: _Logs = None) -> None:
        """Begin, or go on with, the run."""
        if self._watch is not None:
            self._watch.leave()
        self._fitting = True
        journal = self._open()
        journal.run.prepare_figures()
        if self._owns_run and journal.run.state != "running":
            journal.run.mark("running")
        params = self.params or {}
        journal.begin_fit(
            epochs=params.get("epochs"),
            steps_per_epoch=params.get("steps"),
            stride=getattr(self._model, "steps_per_execution", 1),
        )
        self._norms = None  # the model may have been changed since the last fit
        self._watch = FitWatch.begin(_FOLDER, keras.callbacks.CallbackList.on_train_begin.__code__, self._left)
        if self._watch is not None:
            journal.run.on_close(self._watch.check)

    @_guarded
    def on_epoch_begin(self, epoch: int, logs: _Logs = None) -> None:
        """Begin an epoch."""
        if self._journal is not None:
            self._journal.begin_epoch(epoch)

    @_guarded
    def on_train_batch_end(self, batch: int, logs: _Logs = None) -> None:
        """Record the metrics of a batch. Keras calls this on any thread, and in any order."""
        # Not `self.model`: on JAX that would bring the whole state of the training back, at every batch.
        if self._journal is not None:
            self._journal.batch(batch, logs or {})

    @_guarded
    def on_epoch_end(self, epoch: int, logs: _Logs = None) -> None:
        """Record the metrics of an epoch, its learning rate and the norms of the weights."""
        if self._journal is not None:
            self._journal.end_epoch(epoch, self._measured(logs or {}), self._weight_norms())

    @_guarded
    def on_train_end(self, logs: _Logs = None) -> None:
        """Tell that the run has finished; it stays open for an evaluation, or another fit."""
        self._fitting = False
        if self._watch is not None:
            self._watch.end()
            self._watch = None
        if self._journal is None:
            return
        self._journal.leave_epoch()
        if self._owns_run:
            self._journal.run.mark("finished")
        self._journal.run.flush(_FLUSH_SECONDS)

    @_guarded
    def on_test_begin(self, logs: _Logs = None) -> None:
        """Begin an evaluation: one outside of `fit` needs a run, too."""
        self._see_left()
        if not self._fitting:
            self._open()

    @_guarded
    def on_test_end(self, logs: _Logs = None) -> None:
        """Record the metrics of an evaluation; those of a validation come with its epoch."""
        if self._fitting or self._journal is None:
            return
        self._journal.test(logs or {})
        if self._owns_run and self._journal.run.state == "running":
            self._journal.run.mark("finished")

    def _open(self) -> Journal:
        """Return the journal of the callback's run, which the first call makes or finds."""
        if self._journal is None or self._journal.run.closed:
            run = None if self._asks_for_a_run() else _users_run()
            self._owns_run = run is None
            if run is None:
                run = session.init(**self._order)
                run.kept = True
                # With the callback goes the run: a search over hundreds of trainings must not keep them all open.
                weakref.finalize(self, _finish_aside, run).atexit = False
            self._journal = Journal(run, self._measuring["update_freq"])
        return self._journal

    def _asks_for_a_run(self) -> bool:
        return self._order["rank"] is not None or any(self._order[name] for name in _OF_A_RUN)

    def _measured(self, logs: Mapping[str, object]) -> dict[str, object]:
        named = {_epoch_name(name): value for name, value in logs.items()}
        if "learning_rate" not in named:
            rate = getattr(getattr(self.model, "optimizer", None), "learning_rate", None)
            if rate is not None:
                # A copy, which stays on the device: on JAX the next step takes the optimizer's own memory.
                named["learning_rate"] = rate if isinstance(rate, float) else keras.ops.copy(rate)
        return named

    def _weight_norms(self) -> list[tuple[tuple[str, ...], Tensor]]:
        if "weights" not in self._choice.parts:
            return []
        try:
            if self._norms is None:
                self._norms = WeightNorms(self.model, self._choice)
            return self._norms.measure()
        except Exception as error:  # the metrics of the epoch are worth more than the norms that fail beside them
            self._stumble("weight norms", error)
            return []

    def _see_left(self) -> None:
        if self._watch is not None:
            self._watch.check()

    @_guarded
    def _left(self, state: State, reason: str | None) -> None:
        """Tell that an exception ended the fit."""
        self._fitting, self._watch = False, None
        if self._journal is not None:
            self._journal.flush_epoch()
            if self._owns_run:
                self._journal.run.mark(state, reason)

    def _stumble(self, where: str, error: Exception) -> None:
        """Tell of a fault of ours, once."""
        if self._stumbled:
            return
        self._stumbled = True
        log_.error("%s failed; training goes on", where, exc_info=error)
        if self._journal is not None:
            self._journal.run.tell(f"{where} failed ({error}); training goes on")
        else:
            say(f"this training cannot be shown ({error}); it goes on")


def _epoch_name(name: str) -> str:
    """Return the name of an epoch's metric. Keras' schedules tell the learning rate among the metrics.

    >>> _epoch_name("val_loss"), _epoch_name("loss"), _epoch_name("learning_rate")
    ('val/loss', 'train/loss', 'learning_rate')
    """
    if name.startswith("learning_rate"):
        return name
    return f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}"


def _users_run() -> Run | None:
    """Return the newest open run that the user made, and no callback."""
    return next((run for run in reversed(session.session().runs) if not run.kept), None)


def _finish_aside(run: Run) -> None:
    """Finish a run on a thread of its own, for it may take a second, and a finalizer may be called anywhere."""
    threading.Thread(target=run.finish, name="agnez-finish").start()


def _check_update_freq(given: object) -> None:
    count = isinstance(given, int) and not isinstance(given, bool) and given >= 1
    if not count and given not in ("batch", "epoch"):
        raise BadValueError(f"update_freq={given!r} is not known: choose 'batch', 'epoch', or a number of batches")
