"""Which cells a run's metrics get, and where: those of one quantity share a chart, unless a script says otherwise."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from agnez.errors import AgnezError
from agnez.record import CellRecord, Json, Medium
from agnez.store import Store
from agnez.subplots import Arrangement

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
_LONGEST_KEY = 100
_SPOT: Mapping[str, type] = {"pos": int, "rows": int, "columns": int, "hidden": bool}
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


def chart_key(metrics: Sequence[str]) -> str:
    """Return the key of the cell that shows just these: that of a quantity (or of a picture) is its own name.

    >>> chart_key(["accuracy"]), chart_key(["val/loss"]), chart_key(["train/loss", "learning_rate"])
    ('accuracy', 'val/loss', 'train/loss+learning_rate')
    """
    key = "+".join(metrics)
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def is_quantity(metrics: Sequence[str]) -> bool:
    """Tell whether a name stands for all that is measured of a quantity, or for a picture, and not for one metric."""
    return len(metrics) == 1 and _key(metrics[0]) == metrics[0]


def layout_id(project: str) -> str:
    """Return the id of the record that keeps how the cells of a project stand. It belongs to no run."""
    return f"layout/{project}"


def read_layout(store: Store, project: str) -> CellRecord | None:
    """Return the record of how the cells of a project stand; None where none is there, or none that can be read."""
    try:
        with store.cells(None) as cells:
            return cells.get(layout_id(project))
    except (AgnezError, OSError, sqlite3.Error):  # where cells stand is never worth a run
        return None


MOST_FIGURES = 24
"""Quantities of a run that are drawn as figures: of twelve thousand a set would take minutes. Charts show them all."""


class Dashboard:
    """Place metrics in the cells of a run as they come; a cell keeps its place.

    What the script arranged stands as it says. Else a cell stands where the user of the page moved its like in an
    earlier run of the project, or behind those that there are.
    """

    def __init__(self, run: str, view: str = "live") -> None:
        self._run = run
        self._view = view
        self._metrics: dict[str, list[str]] = {}
        self._cells: dict[str, CellRecord] = {}
        self._order = Arrangement((1, 1), {}, {})
        self._arranged = False
        self._made: Mapping[str, tuple[str, ...]] = {}  # the metrics of charts that a script made up, by their keys
        self._owned: set[str] = set()  # all of these
        self._revision = 0
        self._project: Mapping[str, Mapping[str, Json]] = {}

    def resume(self, cells: Iterable[CellRecord]) -> None:
        """Take up the cells that a run has already, at the places they have."""
        for cell in cells:
            run, _, key = str(cell["_id"]).partition(".")
            self._cells[key if run == self._run else f"#{cell['_id']}"] = cell
            metrics = cell.get("metrics")
            if isinstance(metrics, list) and metrics and key not in {_key(str(each)) for each in metrics}:
                self._owned.update(map(str, metrics))

    def adopt(self, layout: CellRecord | None) -> None:
        """Take over how the cells of the project stand, as its record says; what it cannot mean is passed over."""
        value = layout.get("value") if layout is not None else None
        if not isinstance(value, dict):
            return
        revision, cells = value.get("revision"), value.get("cells")
        if isinstance(revision, int) and isinstance(cells, dict):
            self._revision = revision
            self._project = {key: spot for key, spot in cells.items() if isinstance(spot, dict)}

    def arrange(self, order: Arrangement) -> list[tuple[CellRecord, CellRecord]]:
        """Place cells as a script says. Return those that it makes or moves, each whole, and what changed of it."""
        self._order, self._arranged = order, True
        self._made = {key: metrics for key, (metrics, _) in order.charts.items() if metrics}
        for key, metrics in self._made.items():
            self._owned.update(metrics)
            self._metrics[key] = [*metrics]
        changed = [(chart := self._chart(key), chart) for key in self._made]
        for key, cell in self._cells.items():
            if key in self._made or "_id" not in cell:
                continue
            fields: CellRecord = {"grid": [*order.grid]}
            if key in order.spots:
                fields = {**self._standing(key), "name": self._title(key) or cell.get("name", "")}
            elif _pos(cell) < self._slots:
                fields["pos"] = _pos(cell) + self._slots
            self._cells[key] = {**cell, **fields}
            changed.append((self._cells[key], fields))
        return changed

    def place(self, metrics: Iterable[str]) -> list[CellRecord]:
        """Return the cells that new metrics make or change, whole."""
        touched: dict[str, Quantity] = {}
        for metric in metrics:
            what = None if metric in self._owned else quantity(metric)
            if what is not None and metric not in self._metrics.setdefault(what.key, []):
                self._metrics[what.key].append(metric)
                touched[what.key] = what
        return [self._cell(touched[key]) for key in sorted(touched, key=_rank)]

    def blank(self, id: str) -> CellRecord:
        """Return where a further cell stands that shows no metrics, and hold the place."""
        key = id.partition(".")[2]
        standing = self._standing(key)
        self._cells[key] = {"_id": id, **standing}
        return standing

    def figures(self) -> list[tuple[Quantity, str, tuple[str, ...]]]:
        """Return the quantities that are drawn as figures, each with its cell's id and its metrics: the first ones."""
        found = ((self._what(key), key, metrics) for key, metrics in self._metrics.items())
        drawn = (
            (what, cell_id(self._run, key), tuple(metrics)) for what, key, metrics in found if what and what.figure
        )
        return list(islice(drawn, MOST_FIGURES))

    @property
    def _slots(self) -> int:
        return self._order.grid[0] * self._order.grid[1] if self._order.spots else 0

    def _what(self, key: str) -> Quantity | None:
        """Return what a chart shows. One that a script made up is a quantity where its metrics are all of one."""
        metrics = self._metrics[key]
        if key not in self._made:
            return quantity(metrics[0])
        kinds = [quantity(metric) for metric in metrics]
        one = kinds[0] if len({kind and kind.key for kind in kinds}) == 1 else None
        if one is None:
            return Quantity(key, ", ".join(metrics), "", figure=False)
        return Quantity(key, one.title, one.description, one.figure)

    def _cell(self, what: Quantity) -> CellRecord:
        return self._chart_of(what, sorted(self._metrics[what.key], key=_line_rank))

    def _chart(self, key: str) -> CellRecord:
        what = self._what(key)
        assert what is not None
        return self._chart_of(what, self._metrics[key])

    def _chart_of(self, what: Quantity, lines: Sequence[str]) -> CellRecord:
        standing = self._standing(what.key)
        self._cells[what.key] = {
            "_id": cell_id(self._run, what.key),
            "name": self._title(what.key) or what.title,
            "type": "html" if what.figure else "chart",
            "value": [],
            "description": what.description,
            "run": self._run,
            "metrics": [*lines],
            "view": self._view if what.figure else "live",
            **standing,
        }
        return self._cells[what.key]

    def _title(self, key: str) -> str:
        """Return the title that the script gave."""
        return self._order.charts[key][1] if key in self._order.charts else ""

    def _standing(self, key: str) -> CellRecord:
        """Return the fields that say where a cell stands."""
        earlier = self._cells.get(key, {})
        grid: CellRecord = {"grid": [*self._order.grid]} if self._arranged else {}
        spot = self._order.spots.get(key)
        if spot is not None:  # the script has the last word
            return {"pos": spot.pos, "rows": spot.rows, "columns": spot.columns, "layout": self._revision, **grid}
        if "pos" in earlier:
            kept = ("pos", "rows", "columns", "hidden", "layout")
            return {**{name: earlier[name] for name in kept if name in earlier}, **grid}
        moved = {name: value for name, value in self._project.get(key, {}).items() if type(value) is _SPOT.get(name)}
        if moved:
            return {"pos": self._next(), **moved, "layout": self._revision, **grid}
        return {"pos": self._next(), **grid}

    def _next(self) -> int:
        return self._slots + len(self._cells)


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


def _pos(cell: CellRecord) -> int:
    pos = cell.get("pos")
    return pos if isinstance(pos, int) else 0


def _rank(key: str) -> int:
    """Order the cells that come at once; other quantities stand between accuracy and the inside of the model."""
    return _ORDER.index(key) * 2 if key in _ORDER else 3


def _line_rank(metric: str) -> int:
    when = phase(metric)
    return PHASES.index(when) if when else len(PHASES)
