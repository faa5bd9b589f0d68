"""The figures of an epoch: what a helper is told to draw, and how it reads the numbers for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agnez.dashboard import Quantity, phase
from agnez.record import Series
from agnez.render import Curves, Line, Role
from agnez.store import RunFile

if TYPE_CHECKING:
    from agnez.record import FloatArray, IntArray

_MOST = 2000  # points of a line
_AHEAD = 1000.0  # epochs past the last one that is known, as long as it was
_RATES = ("accuracy", "precision", "recall", "auc", "f1")


@dataclass(frozen=True, slots=True)
class FigureJob:
    """Say which curves to draw. Calling it reads them from the run's file: where it is drawn, and not on the loop."""

    path: Path
    quantity: Quantity
    metrics: tuple[str, ...]
    epoch: int | None

    def __call__(self) -> Curves:
        """Read the numbers, no more of them than a figure can show."""
        with RunFile(self.path) as file:
            found = [file.view(name, most=_MOST) for name in self.metrics]
            epochs = file.view("epoch", most=_MOST)
        found = [each for each in found if len(each)]
        steps, counts = _rises(epochs)
        known = len(steps) > 1
        return Curves(
            title=self.quantity.title,
            x_label="epoch" if known else "step",
            lines=tuple(_line(each, np.interp(each.steps, steps, counts) if known else each.steps) for each in found),
            epoch=self.epoch,
            percent=_is_rate(self.quantity.key, found),
        )


def _line(series: Series, x: FloatArray | IntArray) -> Line:
    when = phase(series.metric)
    _, slash, layer = series.metric.partition("/")
    label = when or (layer if slash else series.metric)
    return Line(label=label, x=x.astype(np.float64), y=series.values, role=_ROLES[when])


def _rises(epochs: Series) -> tuple[FloatArray, FloatArray]:
    """Return the steps at which the epoch is known, and the epochs: between and after them it rises evenly.

    Of an epoch that is told at each step only its first step counts. Whoever tells only where epochs end began with
    epoch 0 at step 0.
    """
    highest = np.maximum.accumulate(epochs.values)  # past a NaN nothing counts
    rise = np.diff(highest, prepend=-np.inf) > 0
    steps, counts = epochs.steps[rise].astype(np.float64), epochs.values[rise]
    if not len(steps):
        return steps, counts
    if steps[0] > 0 and len(epochs) > 1:
        steps, counts = np.append(0.0, steps), np.append(0.0, counts)
    if len(steps) > 1:
        ahead = steps[-1] + np.diff(steps)[-1] * _AHEAD
        steps, counts = np.append(steps, ahead), np.append(counts, counts[-1] + np.diff(counts)[-1] * _AHEAD)
    return steps, counts


def _is_rate(key: str, found: Sequence[Series]) -> bool:
    inside = all(((each.values >= 0) & (each.values <= 1) | np.isnan(each.values)).all() for each in found)
    return any(rate in key.lower() for rate in _RATES) and inside


_ROLES: dict[str, Role] = {"batch": "batch", "train": "train", "val": "val", "test": "test", "": "other"}
