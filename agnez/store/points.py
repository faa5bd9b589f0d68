"""The points of one file: appended to its tail, sealed into blocks, read back from both."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from agnez.errors import StoreError
from agnez.record import Batch, Summary
from agnez.store import blocks, segments, tail
from agnez.store.blocks import Blocks
from agnez.store.columns import Columns, Records
from agnez.store.decimation import size_of
from agnez.store.digest import DIGEST, digest, digest_each, extended, summaries
from agnez.store.pack import UNLOCKED
from agnez.store.segments import Segment, Segments, left_behind, on_main_line
from agnez.store.tail import Even, Groups, Rows, Tail
from agnez.store.view import Stretch, Window, stretches, view, within

if TYPE_CHECKING:
    from agnez.record import IntArray

SCHEMA = f"""
CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
{tail.SCHEMA};
{blocks.SCHEMA};
{segments.SCHEMA};
CREATE TABLE sealed (
    id INTEGER PRIMARY KEY CHECK (id = 0), cursor INTEGER NOT NULL, counts BLOB NOT NULL, digests BLOB NOT NULL
);
INSERT INTO sealed VALUES (0, 0, x'', x'')
"""

_FULL_POINTS = 262_144
_FULL_POINTS_PER_METRIC = 64
"""A tail of so many points is sealed, for each packs the unfinished block of its metric anew: at most 16 points for
each one that is new."""

_FULL_ROWS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Sealed:
    """Hold what rests in blocks: all calls up to `cursor`; how many points each metric has; digests of main lines."""

    cursor: int = 0
    counts: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    digests: Records = field(default_factory=lambda: np.empty(0, dtype=DIGEST))


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Hold what a connection knows of its file as it stood at `cursor`; a look at the file mends what is old.

    `digests` are of the metrics' main lines up to the call `summed`: summing up waits until somebody asks.
    """

    cursor: int = 0
    waiting: int = 0
    rows: int = 0
    begun: bool = False
    names: tuple[str, ...] = ()
    sealed: Sealed = Sealed()
    summed: int = 0
    digests: Records = field(default_factory=lambda: np.empty(0, dtype=DIGEST))


class Points:
    """Read and write the points of one open file.

    Metrics go by places: their numbers in the order they came, from 0 on. Whoever calls holds the transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._tail = Tail(connection)
        self._blocks = Blocks(connection)
        self._segments = Segments(connection)
        self._places: dict[str, int] = {}
        self._held: tuple[tuple[int, int], Groups] | None = None  # what waits, as it was read last
        self.state = State()

    def append(self, batch: Batch) -> None:
        """Add points. It takes the same few statements whatever they are."""
        self.refresh()
        self._held = None
        places, state = self._places_of(batch), self.state
        first = state.cursor + 1
        branches = not state.begun and self._begin(int(batch.steps[0]))
        size, last = state.waiting + len(batch), first + int(batch.calls[-1])
        self.state = replace(self.state, cursor=last, waiting=size, rows=state.rows + 1)
        if branches or self._is_full():
            self._seal(_rows(batch, places, first))
            if branches:
                self._sum_up_again()
        elif batch.width > 1 and len(batch) > UNLOCKED:
            self._tail.append(_even(batch, places, first))
        else:
            self._tail.append(_rows(batch, places, first))

    def seal(self) -> None:
        """Pack the tail into blocks."""
        self.refresh()
        if self.state.rows:
            self._seal(None)

    def begin_segment(self) -> None:
        """Begin a segment with the next call."""
        self._segments.begin(self.cursor() + 1)
        self.state = replace(self.state, begun=False)

    def segments(self) -> list[Segment]:
        """Return the segments."""
        return self._segments.all()

    def restore(self, state: State) -> None:
        """Forget what was learned since `state`: the transaction is rolled back."""
        self.state = state
        self._places = {name: place for place, name in enumerate(state.names)}

    def cursor(self) -> int:
        """Return the number of the newest call; 0 where there is none."""
        return self._look()[0]

    def names(self) -> tuple[str, ...]:
        """Return the names of the metrics by their places."""
        self.refresh()
        return self.state.names

    def place(self, name: str) -> int | None:
        """Return the place of a metric; None where there is none of that name. `refresh` goes before."""
        return self._places.get(name)

    def summaries(self) -> dict[str, Summary]:
        """Return the summary of each series."""
        self.refresh()
        return dict(zip(self.state.names, summaries(self.digests()), strict=True))

    def digests(self) -> Records:
        """Return the digests of the metrics' main lines. `refresh` goes before."""
        state = self.state
        if state.summed < state.cursor:
            since = max(state.summed, state.sealed.cursor)
            self._sum_up(self.waiting() if since == state.sealed.cursor else self._tail.read(since).grouped())
        return self.state.digests

    def count(self, place: int) -> int:
        """Return how many points a metric has on its main line. `refresh` goes before."""
        if any(each.branches for each in self.segments()):
            return int(self.digests()["count"][place])
        return self._sealed_count(place) + self.waiting().count(place)  # to sum the tail up would take longer

    def greatest_step(self) -> int | None:
        """Return the greatest step of all main lines; None where there is no point."""
        self.refresh()
        known = self.digests()
        return int(known["greatest_step"].max()) if len(known) else None

    def refresh(self) -> None:
        """Learn what was written since the last look."""
        cursor, sealed, names = self._look()
        if names != len(self.state.names):
            self._read_names()
        moved = cursor != self.state.cursor
        if sealed != self.state.sealed.cursor:  # by another connection: then the tail is shorter, too
            self._see_sealed(self._read_sealed())
            moved = True
        if moved:
            waiting, rows = self._tail.size()
            begun = not self._segments.is_open()
            self.state = replace(self.state, cursor=cursor, waiting=waiting, rows=rows, begun=begun)

    def read(self, places: Iterable[int], after: int = 0) -> list[Columns]:
        """Return the points of metrics past a call, in the order they were logged: their main lines."""
        self.refresh()
        lines, sealed = self.segments(), self.state.sealed.cursor
        waiting = self._tail.read(after).grouped() if after > sealed else self.waiting()
        return [_main_line(self._read_one(place, after, waiting), lines) for place in places]

    def logged(self, after: int, until: int) -> Rows:
        """Return all points of the calls past `after` up to `until`, on the main line or off it, in their order."""
        self.refresh()
        sealed = self.state.sealed
        parts = [self._tail.read(max(after, sealed.cursor))]
        if after < sealed.cursor:
            parts += [self._sealed_between(place, after, until) for place in np.flatnonzero(sealed.counts).tolist()]
        rows = Rows.of(parts)
        order = np.argsort(rows.points.calls, kind="stable")
        order = order[rows.points.calls[order] <= until]
        return Rows(rows.metrics[order], rows.points.take(order))

    def _sealed_between(self, place: int, after: int, until: int) -> Rows:
        """Return the points of a metric in blocks, of the calls past `after` up to `until`."""
        digests = self._blocks.digests(place, int(self.state.sealed.counts[place]))
        first = int(np.searchsorted(digests["last"]["call"], after, side="right"))
        beyond = int(np.searchsorted(digests["first"]["call"], until, side="right"))
        points = self._blocks.read(place, first, beyond)
        points = points.take((points.calls > after) & (points.calls <= until))
        return Rows(np.full(len(points), place, dtype=np.uint32), points)

    def read_branch(self, place: int, number: int) -> Columns:
        """Return the points of a metric that the segment of that number left off the main line."""
        self.refresh()
        points = self._read_one(place, 0, self.waiting())
        return points.take(left_behind(points, self.segments(), number))

    def view(self, place: int, window: Window) -> Columns:
        """Return the view of a metric's main line."""
        stretch = self._rising(place, window)
        return window.of(self.read([place])[0]) if stretch is None else view(self._blocks, stretch, window)

    def stretches(self, place: int, window: Window) -> Records:
        """Return digests of about `most` equal stretches of a metric's main line."""
        stretch = self._rising(place, window)
        if stretch is not None:
            return stretches(self._blocks, stretch, window)
        points = window.ordered(self.read([place])[0])
        return digest_each(points, size_of(len(points), window.most))

    def within(self, place: int, window: Window) -> Columns:
        """Return all points of a metric's main line that are in a range, in the order they were logged."""
        stretch = self._rising(place, window)
        if stretch is not None:
            return within(self._blocks, stretch, window)
        (points,) = self.read([place])
        return points.take(window.inside(points))

    def _rising(self, place: int, window: Window) -> Stretch | None:
        """Return the parts of a series if it is all main line and never goes back on an axis; else None."""
        self.refresh()
        if any(each.branches for each in self.segments()):
            return None
        digests = self._blocks.digests(place, self._sealed_count(place))
        stretch = Stretch(place, digests, self.waiting().of(place))
        return stretch if stretch.rises(window) else None

    def _sealed_count(self, place: int) -> int:
        counts = self.state.sealed.counts
        return int(counts[place]) if place < len(counts) else 0

    def waiting(self) -> Groups:
        """Return the points that are not in blocks yet. `refresh` goes before.

        A view asks more than once for what waits; until something is appended it is the same.
        """
        now = self.state.cursor, self.state.sealed.cursor
        if self._held is None or self._held[0] != now:
            self._held = now, self._tail.read(self.state.sealed.cursor).grouped()
        return self._held[1]

    def _read_one(self, place: int, after: int, waiting: Groups) -> Columns:
        sealed, newer, count = self.state.sealed, waiting.of(place), self._sealed_count(place)
        if not count or after >= sealed.cursor:
            return newer
        first = 0
        if after > 0:
            first = int(np.searchsorted(self._blocks.digests(place, count)["last"]["call"], after, side="right"))
        older = self._blocks.read(place, first, -(-count // blocks.SIZE))
        if after > 0:
            older = older.take(older.calls > after)
        return Columns.of([older, newer])

    def _places_of(self, batch: Batch) -> NDArray[np.uint32]:
        """Return the places of the batch's metrics; new ones get theirs."""
        if not all(name in self._places for name in batch.names):
            used = [batch.names[number] for number in np.flatnonzero(np.bincount(batch.metrics)).tolist()]
            self._add_names([name for name in used if name not in self._places])
        return np.array([self._places.get(name, 0) for name in batch.names], dtype=np.uint32)

    def _add_names(self, names: list[str]) -> None:
        first = len(self.state.names) + 1
        if any("\0" in name for name in names):  # where SQLite ends the strings of JSON
            self._connection.executemany("INSERT INTO metrics (id, name) VALUES (?, ?)", enumerate(names, first))
        else:
            self._connection.execute(
                "INSERT INTO metrics (id, name) SELECT key + ?, value FROM json_each(?)",
                (first, json.dumps(names, ensure_ascii=False)),
            )
        self._know(names)

    def _read_names(self) -> None:
        rows = self._connection.execute(
            "SELECT name FROM metrics WHERE id > ? ORDER BY id", (len(self.state.names),)
        ).fetchall()
        self._know([name for (name,) in rows])

    def _know(self, names: list[str]) -> None:
        first = len(self.state.names)
        self._places.update((name, first + place) for place, name in enumerate(names))
        self.state = replace(self.state, names=self.state.names + tuple(names))

    def _begin(self, step: int) -> bool:
        """Note the first step of a segment, and tell whether it branches off what was there before."""
        self.state = replace(self.state, begun=True)
        greatest = self.greatest_step()
        branches = greatest is not None and step <= greatest
        self._segments.set_first_step(step, branches)
        return branches

    def _sum_up(self, groups: Groups) -> None:
        """Add points to the digests that lack them."""
        digests = self.state.digests
        if len(groups.points):
            digests = extended(digests, groups.metrics, digest(groups.points, groups.starts))
        self.state = replace(self.state, summed=self.state.cursor, digests=digests)

    def _is_full(self) -> bool:
        most = max(_FULL_POINTS, _FULL_POINTS_PER_METRIC * len(self.state.names))
        return self.state.waiting >= most or self.state.rows >= _FULL_ROWS

    def _seal(self, rows: Rows | None) -> None:
        """Pack the tail, and with it points that have not been there, into blocks."""
        newer, counts = [self._tail.take(), *([] if rows is None else [rows])], self.state.sealed.counts
        metrics = np.flatnonzero(sum(np.bincount(each.metrics, minlength=len(self.state.names)) for each in newer))
        groups = Rows.of([self._blocks.unfinished(metrics, counts), *newer]).grouped()
        self._sum_up(groups.past(self.state.summed))
        self._write_sealed(Sealed(self.state.cursor, self._blocks.write(groups, counts), self.state.digests))

    def _sum_up_again(self) -> None:
        """Make the digests of main lines anew, which have lost points to a branch."""
        nothing = np.zeros(1, dtype=DIGEST)
        lines = self.read(range(len(self.state.sealed.counts)))
        starts = np.zeros(1, dtype=np.intp)
        digests = np.concatenate([digest(line, starts) if len(line) else nothing for line in lines])
        self._write_sealed(Sealed(self.state.cursor, self.state.sealed.counts, digests))

    def _write_sealed(self, sealed: Sealed) -> None:
        self._connection.execute(
            "UPDATE sealed SET cursor = ?, counts = ?, digests = ?",
            (sealed.cursor, sealed.counts.astype("<i8").tobytes(), sealed.digests.tobytes()),
        )
        self._see_sealed(sealed)
        self.state = replace(self.state, waiting=0, rows=0)

    def _see_sealed(self, sealed: Sealed) -> None:
        """Take what was sealed for known; sums that reach further are kept."""
        self.state = replace(self.state, sealed=sealed)
        if self.state.summed <= sealed.cursor:
            self.state = replace(self.state, summed=sealed.cursor, digests=sealed.digests)

    def _look(self) -> tuple[int, int, int]:
        """Return the newest call, the newest sealed call, and how many metrics there are."""
        last, sealed, names = self._connection.execute(
            "SELECT (SELECT MAX(last) FROM tail), (SELECT cursor FROM sealed), (SELECT MAX(id) FROM metrics)"
        ).fetchone()
        return last or sealed, sealed, names or 0

    def _read_sealed(self) -> Sealed:
        cursor, counts, digests = self._connection.execute("SELECT cursor, counts, digests FROM sealed").fetchone()
        try:
            return Sealed(cursor, np.frombuffer(counts, dtype="<i8"), np.frombuffer(digests, dtype=DIGEST))
        except ValueError as error:
            raise StoreError("the summaries of this file are cut short: agnez doctor makes them anew") from error


def _rows(batch: Batch, places: NDArray[np.uint32], first: int) -> Rows:
    """Return the points with the places of their metrics and the numbers of their calls, which begin with `first`."""
    return Rows(places[batch.metrics], Columns(batch.calls + first, batch.steps, batch.times, batch.values))


def _even(batch: Batch, places: NDArray[np.uint32], first: int) -> Even:
    """Return the same of a batch all of whose calls have all of its metrics: its columns hold each call so often."""
    calls, steps, times = (column[:: batch.width] for column in (batch.calls, batch.steps, batch.times))
    return Even(places, Columns(calls + first, steps, times, batch.values))


def _main_line(points: Columns, lines: list[Segment]) -> Columns:
    if not any(each.branches for each in lines):
        return points
    on = on_main_line(points, lines)
    return points if on.all() else points.take(on)
