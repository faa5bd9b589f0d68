"""The journal of a training: steps and epochs counted over several fits, and written into a run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agnez.callbacks.in_order import InOrder
from agnez.errors import BadValueError
from agnez.run import Run
from agnez.scalars import Scalar, Tensor, freeze

UpdateFrequency = Literal["batch", "epoch"] | int


@dataclass(frozen=True, slots=True)
class _Batch:
    values: Mapping[str, object]
    time: int  # microseconds since 1970 (UTC)


class Journal:
    """Write a training into a run. Steps count batches, over the whole life of the journal: from 0, or from where a run
    that is resumed goes on.

    A batch's point is at its own step. An epoch's points are at the step after its last batch, which is
    the number of batches seen by then.
    """

    def __init__(self, run: Run, update_freq: UpdateFrequency) -> None:
        self.run = run
        self._period = 0 if update_freq == "epoch" else 1 if update_freq == "batch" else update_freq
        self._first_step = run.first_step  # of the epoch
        self._batches: InOrder[_Batch] | None = None  # of the epoch, while there is one
        self._epochs_done = run.progress.epoch or 0
        self._epochs_before: int | None = None  # what is added to this fit's own count; None until its first epoch
        self._epoch_told_at: int | None = None
        self._epochs: int | None = None
        self._steps_per_epoch: int | None = None
        self._stride = 1
        self._began = self._last_batch_ended = 0.0
        self._refused: set[str] = set()

    @property
    def step(self) -> int:
        """Return how many batches were seen."""
        return self._first_step + self._count()

    def begin_fit(self, *, epochs: int | None, steps_per_epoch: int | None, stride: int = 1) -> None:
        """Begin a fit. `epochs` is the number of its last epoch; `stride` is the distance of its batch numbers."""
        self.leave_epoch()
        self._epochs, self._steps_per_epoch, self._stride = epochs, steps_per_epoch, stride
        self._epochs_before = None

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch, which the framework counts from 0 in each fit, or from where the last one ended."""
        self.leave_epoch()
        if self._epochs_before is None:
            self._epochs_before = max(0, self._epochs_done - epoch)
            self._epochs_done = self._epochs_before + epoch
            self._report()
            self._record_start()
        self._batches = InOrder(self._stride, self._write_batch)
        self._began = self._last_batch_ended = time.monotonic()

    def batch(self, number: int, values: Mapping[str, object]) -> None:
        """Write the metrics of a batch, `number` in its epoch. Any thread may call it, in any order."""
        if self._batches is not None:
            self._last_batch_ended = max(self._last_batch_ended, time.monotonic())
            self._batches.put(number, _Batch(values, time.time_ns() // 1000))

    def end_epoch(
        self, epoch: int, values: Mapping[str, object], norms: Iterable[tuple[tuple[str, ...], Tensor]] = ()
    ) -> None:
        """Write what was measured of an epoch; `values` have their full names, such as `train/loss`."""
        count = self._count()
        trained = self._last_batch_ended - self._began
        times = {"time/epoch": time.monotonic() - self._began, "time/step": trained / count} if count else {}
        self.leave_epoch()
        now = time.time_ns() // 1000
        self.run.record(self._frozen({**values, **times}), step=self.step, time=now)
        self.run.record_vectors(norms, step=self.step, time=now)
        self._steps_per_epoch = self._steps_per_epoch or count or None
        self._epochs_done = (self._epochs_before or 0) + epoch + 1
        self._report()
        self.run.end_epoch(self._epochs_done, step=self.step)
        self._epoch_told_at = self.step

    def leave_epoch(self) -> None:
        """Write what still waits of an epoch, be it whole or not."""
        if self._batches is not None:
            self._batches.flush()
            self._first_step, self._batches = self.step, None

    def flush_epoch(self) -> None:
        """Write what waits of an epoch that seems to be over; a batch that still comes is written too."""
        if self._batches is not None:
            self._batches.flush()

    def test(self, values: Mapping[str, object]) -> None:
        """Write metrics that were measured beside the training."""
        named = {f"test/{name}": value for name, value in values.items()}
        self.run.record(self._frozen(named), step=self.step, time=time.time_ns() // 1000)

    def _count(self) -> int:
        """Return how many batches of the epoch were seen; the last execution may hold less than its stride."""
        if self._batches is None:
            return 0
        count = self._batches.count
        return min(count, self._steps_per_epoch) if self._steps_per_epoch else count

    def _record_start(self) -> None:
        """Record the epoch's number where a fit begins: with those at the ends, it gives every step its epoch."""
        if self._epoch_told_at != self.step:
            now = time.time_ns() // 1000
            self.run.record({"epoch": float(self._epochs_done)}, step=self.step, time=now)

    def _write_batch(self, number: int, batch: _Batch) -> None:
        step = self._first_step + number
        if self._period and step // self._period > (step - self._stride) // self._period:
            if self._steps_per_epoch:
                step = min(step, self._first_step + self._steps_per_epoch - 1)
            named = {f"batch/{name}": value for name, value in batch.values.items()}
            self.run.record(self._frozen(named), step=step, time=batch.time)

    def _report(self) -> None:
        epochs = None if self._epochs is None else self._epochs + (self._epochs_before or 0)
        self.run.report(epochs=epochs, steps_per_epoch=self._steps_per_epoch, epoch=self._epochs_done, step=self.step)

    def _frozen(self, values: Mapping[str, object]) -> dict[str, Scalar]:
        """Freeze numbers. What is none is left out, and told of once."""
        found: dict[str, Scalar] = {}
        for name, value in values.items():
            try:
                found[name] = freeze(name, value)
            except BadValueError as error:
                if name not in self._refused:
                    self._refused.add(name)
                    self.run.tell(f"{error}; it is left out")
        return found
