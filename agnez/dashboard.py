"""Which cells a run's metrics get: those of one quantity share a chart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agnez.record import CellRecord, Medium

PHASES = ("batch", "train", "val", "test")
"""First parts of a metric's name that tell when it was measured and not what it measures."""

_ORDER = ("loss", "accuracy", "weights", "gradients", "learning_rate", "time/step", "time/epoch")
_TITLES = {
    "weights": ("Weight norms", "L2 by layer"),
    "gradients": ("Gradient norms", "L2 by layer, after clipping"),
    "learning_rate": ("Learning rate", ""),
    "time/step": ("Step time", "seconds"),
    "time/epoch": ("Epoch time", "seconds"),
}
_NUMBERS_ONLY = ("learning_rate", "time/step", "time/epoch")


@dataclass(frozen=True, slots=True)
class Quantity:
    """Name what a chart shows. `figure` tells that it is also drawn as a figure each epoch."""

    key: str
    title: str
    description: str
    figure: bool


def quantity(metric: str) -> Quantity | None:
    """Return what a metric measures; None for the epoch, which is an axis and no curve.

    >>> quantity("val/loss").key, quantity("batch/loss").key, quantity("val_loss").key
    ('loss', 'loss', 'loss')
    >>> quantity("weights/conv1").title
    'Weight norms'
    """
    if metric == "epoch":
        return None
    key = _key(metric)
    title, description = _TITLES.get(key, (key.replace("_", " ").replace("/", " / ").capitalize(), ""))
    return Quantity(key, title, description, key not in _NUMBERS_ONLY)


def phase(metric: str) -> str:
    """Return when a metric was measured, one of `PHASES`, or "" where its name does not tell.

    >>> phase("val/loss"), phase("loss")
    ('val', '')
    """
    head, slash, tail = metric.partition("/")
    if not slash:  # Keras' and Lightning's way to write it; `batch_size` is none of these
        head, _, tail = metric.partition("_")
        return head if head in ("train", "val", "test") and tail else ""
    return head if head in PHASES and tail else ""


def _key(metric: str) -> str:
    when = phase(metric)
    if when:
        return metric[len(when) + 1 :]
    family = metric.partition("/")[0]
    return family if family in ("weights", "gradients") else metric


class Dashboard:
    """Place metrics in the cells of a run as they come; a cell keeps its place."""

    def __init__(self, run: str, view: str = "live") -> None:
        self._run = run
        self._view = view
        self._metrics: dict[str, list[str]] = {}
        self._cells: dict[str, CellRecord] = {}

    def resume(self, cells: Iterable[CellRecord]) -> None:
        """Take up the cells that a run has already, at the places they have."""
        for cell in cells:
            run, _, key = str(cell["_id"]).partition(".")
            self._cells[key if run == self._run else f"#{cell['_id']}"] = cell

    def place(self, metrics: Iterable[str]) -> list[CellRecord]:
        """Return the cells that new metrics make or change, whole."""
        touched: dict[str, Quantity] = {}
        for metric in metrics:
            what = quantity(metric)
            if what is not None and metric not in self._metrics.setdefault(what.key, []):
                self._metrics[what.key].append(metric)
                touched[what.key] = what
        return [self._cell(touched[key]) for key in sorted(touched, key=_rank)]

    def next_place(self) -> int:
        """Return the place of a further cell, and hold it."""
        self._cells[f"#{len(self._cells)}"] = {}
        return len(self._cells) - 1

    def figures(self) -> list[tuple[Quantity, str, tuple[str, ...]]]:
        """Return the quantities that are drawn as figures, each with its cell's id and its metrics."""
        found = ((quantity(metrics[0]), key, metrics) for key, metrics in self._metrics.items())
        return [(what, cell_id(self._run, key), tuple(metrics)) for what, key, metrics in found if what and what.figure]

    def _cell(self, what: Quantity) -> CellRecord:
        earlier = self._cells.get(what.key)
        place = earlier["pos"] if earlier else len(self._cells)
        lines: list[str] = sorted(self._metrics[what.key], key=_line_rank)
        self._cells[what.key] = {
            "_id": cell_id(self._run, what.key),
            "name": what.title,
            "type": "html" if what.figure else "chart",
            "value": [],
            "pos": place,
            "description": what.description,
            "run": self._run,
            "metrics": [*lines],
            "view": self._view if what.figure else "live",
        }
        return self._cells[what.key]


def medium_cell(newest: Medium, count: int) -> CellRecord:
    """Return what the cell of a name shows of its newest medium, of `count`."""
    return {
        "name": newest.name,
        "type": newest.kind,
        "value": newest.value,
        "description": newest.caption or f"step {newest.step}",
        "media": newest.name,
        "step": newest.step,
        "count": count,
    }


def cell_id(run: str, key: str) -> str:
    """Return the id of a run's cell."""
    return f"{run}.{key}"


def _rank(key: str) -> int:
    """Order the cells that come at once; other quantities stand between accuracy and the inside of the model."""
    return _ORDER.index(key) * 2 if key in _ORDER else 3


def _line_rank(metric: str) -> int:
    when = phase(metric)
    return PHASES.index(when) if when else len(PHASES)
