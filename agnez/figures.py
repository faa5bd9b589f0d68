"""The figures of an epoch: what a helper is told to draw, and how it reads the numbers for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_RATES = ("accuracy", "precision", "recall", "auc", "f1")


@dataclass(frozen=True, slots=True)
class FigureJob:
    """Say which curves to draw. Calling it reads them from the run's file: where it is drawn, and not on the loop."""

    path: Path
    quantity: Quantity
    metrics: tuple[str, ...]
    epoch: int | None

    def __call__(self) -> Curves:
        """Read the numbers."""
        with RunFile(self.path) as file:
            _, found, _ = file.series([*self.metrics, "epoch"])  # drawing thins them out, once they have their epochs
        by_name = {each.metric: each for each in found}
        epochs = by_name.pop("epoch", None)
        lines = tuple(_line(by_name[name], epochs) for name in self.metrics if name in by_name)
        return Curves(
            title=self.quantity.title,
            x_label="epoch" if epochs is not None and len(epochs) > 1 else "step",
            lines=lines,
            epoch=self.epoch,
            percent=_is_rate(self.quantity.key, found),
        )


def _line(series: Series, epochs: Series | None) -> Line:
    when = phase(series.metric)
    _, slash, layer = series.metric.partition("/")
    label = when or (layer if slash else series.metric)
    return Line(label=label, x=_abscissa(series.steps, epochs), y=series.values, role=_ROLES[when])


def _abscissa(steps: IntArray, epochs: Series | None) -> FloatArray:
    """Return the epoch of each step, between the steps at which epochs ended; the step itself where none is known.

    Whoever tells only where epochs end began with epoch 0 at step 0.
    """
    if epochs is None or len(epochs) < 2:
        return steps.astype(np.float64)
    ends, counts = epochs.steps.astype(np.float64), epochs.values
    if ends[0] > 0:
        ends, counts = np.append(0.0, ends), np.append(0.0, counts)
    return np.interp(steps, ends, counts)


def _is_rate(key: str, found: Sequence[Series]) -> bool:
    values: Mapping[str, FloatArray] = {each.metric: each.values for each in found if each.metric != "epoch"}
    inside = all(((each >= 0) & (each <= 1) | np.isnan(each)).all() for each in values.values())
    return any(rate in key.lower() for rate in _RATES) and inside


_ROLES: dict[str, Role] = {"batch": "batch", "train": "train", "val": "val", "test": "test", "": "other"}
