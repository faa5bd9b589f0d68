"""The file of one run: its facts, series, cells and findings."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from agnez.errors import BadValueError
from agnez.record import Batch, Finding, Json, RunInfo, Series, Summary
from agnez.store import album, cells, database, recent
from agnez.store.columns import Columns
from agnez.store.database import Migration
from agnez.store.decimation import decimate, means_of
from agnez.store.digest import DIGEST
from agnez.store.lift import lift_rows
from agnez.store.points import Points
from agnez.store.recent import Written
from agnez.store.segments import Segment
from agnez.store.view import Axis, Window
from agnez.wire import dump, private_record, read_progress

log = logging.getLogger(__name__)

_SCHEMA_1 = f"""
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, summary TEXT NOT NULL);
CREATE TABLE points (
    metric INTEGER NOT NULL, seq INTEGER NOT NULL, step INTEGER NOT NULL, value REAL, time INTEGER NOT NULL,
    PRIMARY KEY (metric, seq)
) WITHOUT ROWID;
CREATE TABLE findings (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
{cells.SCHEMA}
"""

WRITER = "writer "
"""Before the name of a writer, the key of the fact that tells how far it has sent."""

MIGRATIONS: tuple[Migration, ...] = (_SCHEMA_1, lift_rows, album.SCHEMA)


class RunFile:
    """Read and write one run, or what one process of it has written."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._path = path
        self._connection = database.connect(path, MIGRATIONS, create=create)
        self.cells = cells.Cells(self._connection)
        self.album = album.Album(self._connection)
        self._points = Points(self._connection)
        self._facts: dict[str, Json] = {}  # as this connection last wrote them
        self._appended = False
        self._fresh: list[Written] = []  # what the open transaction appended

    def close(self) -> None:
        """Close the file; one that points were appended to is compacted first. Closing twice does no harm."""
        if self._appended:
            self._appended = False
            try:
                self.compact()
            except sqlite3.Error as error:  # a full disk: all is in the tail, and the next one to append compacts it
                log.warning("a run's file could not be compacted: %s", error)
        self._connection.close()

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that happens inside at once, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        before = self._points.state, dict(self._facts)
        try:
            yield
            self._connection.execute("COMMIT")
            recent.add(self._path, self._fresh)
        except BaseException:
            self._points.restore(before[0])
            self._facts = before[1]
            if self._connection.in_transaction:  # a full disk may have ended it already
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._fresh = []

    def write_info(self, info: RunInfo) -> None:
        """Write the facts of the run. Summaries are kept with the points and not taken from here."""
        record = private_record(replace(info, summary={}))
        new = {key: value for key, value in record.items() if key != "summary" and self._facts.get(key, ...) != value}
        facts = [(key, dump(value)) for key, value in new.items()]
        self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts)
        self._facts.update(new)

    def info(self) -> RunInfo:
        """Return the facts of the run, with the summary of each series."""
        return replace(self.facts(), summary=self.summaries())

    def facts(self) -> RunInfo:
        """Return the facts of the run without its summaries, which take longer to read."""
        facts = {key: json.loads(value) for key, value in self._connection.execute("SELECT key, value FROM facts")}
        self._facts = {key: value for key, value in facts.items() if not key.startswith(WRITER)}
        return read_info(facts, {})

    def sent(self, writer: str) -> int | None:
        """Return the number of the last point that a writer sent to this run; None where it sent none."""
        row = self._connection.execute("SELECT value FROM facts WHERE key = ?", (WRITER + writer,)).fetchone()
        return None if row is None else int(row[0])

    def note_sent(self, writer: str, number: int) -> None:
        """Note the number of the last point that a writer has sent, in the transaction that appends it."""
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (WRITER + writer, str(number)))

    def append(self, batch: Batch) -> None:
        """Write points, in this order. Call it inside a transaction. It takes a few statements whatever they are."""
        if len(batch):
            self._points.append(batch)
            self._fresh.append(Written.up_to(self._points.state.cursor, batch))
            self._appended = True

    def compact(self) -> None:
        """Pack what was appended last into blocks, where it takes a quarter of the room."""
        with self._writing():
            self._points.seal()

    def begin_segment(self) -> None:
        """Begin a segment: what is appended from now on was written by another start of the program.

        If its first step is not past all that were there before, it branches off: the main line of each metric keeps of
        earlier segments the points below that step, and the others can be read by `branch=`.
        """
        with self._writing():
            self._points.begin_segment()

    def at_hand(self, after: int, metrics: Collection[str] | None = None) -> tuple[int, list[Series]] | None:
        """Return the newest call and the points of metrics, or all, past a call if this process has just written them.

        It is None where that process was another, or it was too long ago.
        """
        return recent.since(self._path, after, metrics)

    def segments(self) -> list[Segment]:
        """Return the segments in their order; the first begins with the file."""
        return self._points.segments()

    def cursor(self) -> int:
        """Return the number of the newest call; 0 where there is none."""
        return self._points.cursor()

    def greatest_step(self) -> int | None:
        """Return the greatest step of all main lines; None before the first point.

        A segment that begins past it does not branch.
        """
        with self._snapshot():
            return self._points.greatest_step()

    def version(self) -> int:
        """Return a number that changes when another connection has written to the file."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def summaries(self) -> dict[str, Summary]:
        """Return the summary of each series."""
        with self._snapshot():
            return self._points.summaries()

    def metrics(self) -> list[str]:
        """Return the names of the metrics in the order of their first points."""
        with self._snapshot():
            return list(self._points.names())

    def series(
        self, metrics: Iterable[str] | None = None, *, after: int = 0, most: int | None = None
    ) -> tuple[int, list[Series], bool]:
        """Return the cursor, the series of `metrics` (all where None) past `after`, and whether they were decimated.

        Each series has at most `most` points, the true minimum and maximum of each bucket among them.
        """
        with self._snapshot():
            known = self._points.names()
            names = known if metrics is None else [name for name in metrics if self._points.place(name) is not None]
            cursor, places = self._points.state.cursor, [self._points.place(name) or 0 for name in names]
            viewed = most is not None and after == 0
            lines = self._views(places, most or 0) if viewed else self._points.read(places, after)
        found = [line.series(name) for name, line in zip(names, lines, strict=True) if len(line)]
        if viewed:
            return cursor, found, any(self._points.count(place) > (most or 0) for place in places)
        if most is None or all(len(each) <= most for each in found):
            return cursor, found, False
        return cursor, [decimate(each, most) for each in found], True

    def _views(self, places: list[int], most: int) -> list[Columns]:
        """Return metrics' main lines: all points of those that have few, views of the others."""
        few = [place for place in places if self._points.count(place) <= most]
        lines = dict(zip(few, self._points.read(few), strict=True)) if few else {}
        window = _window(most, "step", None, None)
        return [lines[place] if place in lines else self._points.view(place, window) for place in places]

    def read(
        self,
        metric: str,
        *,
        first: int | None = None,
        last: int | None = None,
        after: int = 0,
        branch: int | None = None,
    ) -> Series:
        """Return the points of a metric in the order they were logged; none where there is no such metric.

        `first` and `last` bound the step, inclusively, `after` the call. They are those of the main line; with
        `branch`, those that the segment of that number left off it.
        """
        window = _window(0, "step", first, last)
        with self._snapshot():
            self._points.refresh()
            place = self._points.place(metric)
            if place is None:
                return Columns.of([]).series(metric)
            if branch is None and after == 0 and (first is not None or last is not None):
                return self._points.within(place, window).series(metric)
            found = self._points.read([place], after)[0] if branch is None else self._points.read_branch(place, branch)
        if after > 0 or first is not None or last is not None:
            found = found.take(window.inside(found) & (found.calls > after))
        return found.series(metric)

    def view(
        self,
        metric: str,
        *,
        most: int,
        x: Axis = "step",
        first: float | None = None,
        last: float | None = None,
    ) -> Series:
        """Return at most `most` points (5 or more) of a metric's main line that show what all do, along `x`.

        The range is cut into buckets: of each there are the lowest and the highest point, and the first that is not
        finite, at their own places. `first` and `last` bound `x`, inclusively; times are seconds since 1970. Where the
        range has no more than `most` points, all are there.

        Raises:
            BadValueError: `most` is less than 5.
        """
        if most < _LEAST:
            raise BadValueError(f"a view takes at least {_LEAST} points, not {most}")
        with self._snapshot():
            self._points.refresh()
            place = self._points.place(metric)
            if place is None:
                return Columns.of([]).series(metric)
            return self._points.view(place, _window(most, x, first, last)).series(metric)

    def means(
        self, metric: str, *, most: int, x: Axis = "step", first: float | None = None, last: float | None = None
    ) -> Series:
        """Return about `most` means of a metric's main line, each of equally many points that follow each other.

        A mean stands at the step and time of the last of its points; the places on the axis `means` tell how many
        finite values it is the mean of. NaN is that of none. Bounds are those of `view`; where means are of more
        points than a block has, what a block holds beyond them is in.
        """
        with self._snapshot():
            self._points.refresh()
            place = self._points.place(metric)
            window = _window(most, x, first, last)
            digests = np.zeros(0, dtype=DIGEST) if place is None else self._points.stretches(place, window)
            return means_of(metric, digests)

    def logged(self, after: int, until: int) -> Batch:
        """Return all points of the calls past `after` up to `until`, of the main line or not, as they were logged.

        Calls count from 0 at the one after `after`; of those that brought no point, there is none.
        """
        with self._snapshot():
            rows, names = self._points.logged(after, until), self._points.names()
        found = rows.points
        calls = found.calls - (after + 1)
        return Batch(names, rows.metrics.astype(np.int64), calls, found.steps, found.values, found.times)

    def write_findings(self, findings: Iterable[Finding]) -> None:
        """Put these findings in the place of all earlier ones."""
        self._connection.execute("DELETE FROM findings")
        bodies = [(json.dumps({name: getattr(each, name) for name in Finding.__slots__}),) for each in findings]
        self._connection.executemany("INSERT INTO findings (body) VALUES (?)", bodies)

    def findings(self) -> list[Finding]:
        """Return the findings of the run."""
        return [Finding(**json.loads(body)) for (body,) in self._connection.execute("SELECT body FROM findings")]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Write inside the transaction that is open, or else in one of its own."""
        if self._connection.in_transaction:
            yield
            return
        with self.transaction():
            yield

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Read several tables as they stood at one moment."""
        with database.told(self._path):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")


_LEAST = 5


def _window(most: int, axis: Axis, first: float | None, last: float | None) -> Window:
    """Return a window whose times are microseconds, of bounds in seconds."""
    bounds = (-math.inf if first is None else first), (math.inf if last is None else last)
    if axis == "time":
        bounds = tuple(np.round(np.array(bounds) * 1e6).tolist())
    return Window(most, axis, *bounds)


def read_info(facts: dict[str, Json], summary: Mapping[str, Summary]) -> RunInfo:
    """Make the facts of a run from the record that `write_info` wrote."""
    record: dict = facts  # type: ignore[type-arg]  # JSON of our own making, its shape is that of run_record
    return RunInfo(
        id=record["_id"],
        project=record["project"],
        name=record["name"],
        created=record["created"],
        config=record["config"],
        tags=tuple(record["tags"]),
        notes=record["notes"],
        state=record["state"],
        reason=record["reason"],
        ended=record["ended"],
        heartbeat=record["heartbeat"],
        progress=read_progress(record["progress"]),
        problems=tuple(record["problems"]),
        host=record["host"],
        pid=record["pid"],
        axes=record.get("axes", {}),  # from here on: what files of the first schema lack
        archived=record.get("archived", False),
        forked_from=_read_fork(record.get("forked_from")),
        dropped=record.get("dropped", 0),
        machine=record.get("machine", {}),
        summary=summary,
    )


def _read_fork(record: dict[str, Json] | None) -> tuple[str, int] | None:
    return (str(record["run"]), int(record["step"])) if record else None  # type: ignore[arg-type]
