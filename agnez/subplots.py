"""Places in a grid, counted as matplotlib's subplots are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import lcm

from agnez.errors import BadValueError

Place = int | tuple[int, int]
"""The number of a place, from 1, row by row; a pair is the first and the last of those that one plot takes."""

MOST = 24
"""Rows, and columns, that a grid may have; the page counts no further."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Say where a cell stands: its place, counted from 0, and how many rows and columns it takes."""

    pos: int
    rows: int = 1
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Say how a script wants its dashboard: the grid, and by their keys where cells stand and what they show.

    `charts` has the metrics and the title of each; without metrics it is whatever is logged of the quantity.
    """

    grid: tuple[int, int]
    spots: Mapping[str, Spot]
    charts: Mapping[str, tuple[tuple[str, ...], str]]


@dataclass(frozen=True, slots=True)
class _Subplot:
    grid: tuple[int, int]
    first: int
    last: int

    def on(self, rows: int, columns: int) -> Spot:
        """Return the spot that it takes in a grid that is finer than its own."""
        tall, wide = rows // self.grid[0], columns // self.grid[1]
        (top, left), (bottom, right) = (divmod(place, self.grid[1]) for place in (self.first, self.last))
        return Spot(top * tall * columns + left * wide, (bottom - top + 1) * tall, (right - left + 1) * wide)


class Grid:
    """Place things in a grid. One that is given in another grid makes both finer, as `plt.subplot` lets them be mixed.

    >>> grid = Grid(2, 3)
    >>> grid.place("loss", (2, 3), (1, 2))
    >>> grid.place("accuracy", (2, 3), 6)
    >>> grid.spots()
    {'loss': Spot(pos=0, rows=1, columns=2), 'accuracy': Spot(pos=5, rows=1, columns=1)}
    """

    def __init__(self, rows: int = 1, columns: int = 1) -> None:
        self.shape = _shape(rows, columns)
        self._placed: dict[str, _Subplot] = {}

    def place(self, key: str, shape: tuple[int, int], place: Place) -> None:
        """Put something at a place of a grid of that shape.

        Raises:
            BadValueError: there is no such place, or the grids together are too fine.
        """
        rows, columns = _shape(*shape)
        first, last = _ends(place, rows, columns)
        finer = lcm(self.shape[0], rows), lcm(self.shape[1], columns)
        if max(finer) > MOST:
            raise BadValueError(
                f"grids of {_words(self.shape)} and {_words((rows, columns))} make one of {_words(finer)}; "
                f"{MOST} x {MOST} is the finest: use grids that divide each other"
            )
        self.shape = finer
        self._placed[key] = _Subplot((rows, columns), first, last)

    def spots(self) -> dict[str, Spot]:
        """Return where everything stands."""
        return {key: subplot.on(*self.shape) for key, subplot in self._placed.items()}


def names(metrics: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of what a subplot shows.

    Raises:
        BadValueError: there is none, or one is no name.
    """
    found = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    if not found or not all(isinstance(each, str) and each for each in found):
        raise BadValueError(f"a subplot shows a name, or a list of names, that are logged; not {metrics!r}")
    return tuple(dict.fromkeys(found))


def _shape(rows: int, columns: int) -> tuple[int, int]:
    for word, count in (("rows", rows), ("cols", columns)):
        if type(count) is not int or not 1 <= count <= MOST:
            raise BadValueError(f"{word} is a whole number from 1 to {MOST}, not {count!r}")
    return rows, columns


def _words(shape: tuple[int, int]) -> str:
    return f"{shape[0]} x {shape[1]}"


def _ends(place: Place, rows: int, columns: int) -> tuple[int, int]:
    """Return the first and the last place, from 0, and check them: the last one is the opposite corner."""
    count = rows * columns
    ends = place if isinstance(place, tuple) else (place, place)
    if len(ends) != 2 or not all(type(end) is int and 1 <= end <= count for end in ends):
        grid = _words((rows, columns))
        raise BadValueError(f"a place in {grid} is a number from 1 to {count}, or a pair of them, not {place!r}")
    first, last = ends[0] - 1, ends[1] - 1
    if first // columns > last // columns or first % columns > last % columns:
        raise BadValueError(f"{place!r} goes back: give the upper left place first, and the lower right one last")
    return first, last
