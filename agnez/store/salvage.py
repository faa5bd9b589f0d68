"""What can still be read of a damaged run file, written into a new one."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agnez.errors import AgnezError, StoreError
from agnez.record import Batch, Finding, Json, Medium, RunInfo
from agnez.store import cells, database, debris
from agnez.store.blocks import METRIC_BITS, SIZE, id_of
from agnez.store.cells import Cells
from agnez.store.columns import Columns
from agnez.store.debris import Debris, Row
from agnez.store.proof import proven_block, proven_row
from agnez.store.runfile import WRITER, RunFile, read_info
from agnez.store.tail import Rows
from agnez.wire import private_record

Told = Callable[[int], None]
"""Called with how many bytes more were looked at."""

_MOST_METRICS = 1 << 20  # a number beyond comes from a torn page

_MOST_PER_BYTE = 1000  # points; what is beyond, even for a file that lost most of its pages, is noise

_GROUP = 512
"""Blocks that are put in order at a time: half a million points."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """Say how many points came back, and in a sentence each what did not."""

    points: int
    lost: tuple[str, ...]


class _Block(NamedTuple):
    first_call: int
    id: int
    steps: tuple[int, int]
    size: int

    @property
    def metric(self) -> int:
        return (self.id >> METRIC_BITS) - 1

    @property
    def number(self) -> int:
        return self.id & ((1 << METRIC_BITS) - 1)


def salvage(
    damaged: Path,
    target: Path,
    *,
    run: str,
    known: RunInfo | None = None,
    facts: bool = True,
    told: Told = lambda size: None,
) -> Salvaged:
    """Write what can be read of a damaged file of a run into the new file `target`; the damaged one is left as it is.

    `run` is the run's id, and `known` what is told of it elsewhere, in case that the file cannot. The file of a further
    process has no `facts` of the run.

    Raises:
        StoreError: nothing can be read.
    """
    known = known or RunInfo(run, project="salvaged", name=run, created=damaged.stat().st_mtime_ns // 1000)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".salvage-") as folder:
        copy = debris.scratch(damaged, Path(folder))
        try:
            connection = debris.connect(copy, lambda path: RunFile(path, create=True).close())
        except sqlite3.DatabaseError as error:
            raise StoreError(f"nothing of it can be read ({error})") from error
        with closing(connection):
            return _Salvage(Debris(connection), copy, known, told).write(target, facts)


def salvage_cells(damaged: Path, target: Path) -> int:
    """Write the cells that can be read of a damaged file into the new file `target`, and return how many that are."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".salvage-") as folder:
        copy = debris.scratch(damaged, Path(folder))
        with closing(database.connect(target, (cells.SCHEMA,), create=True)) as new:
            try:
                with closing(debris.connect(copy, _make_cells)) as connection:
                    return _save_cells(Debris(connection), Cells(new))
            except sqlite3.DatabaseError:
                return 0


def _make_cells(path: Path) -> None:
    database.connect(path, (cells.SCHEMA,), create=True).close()


def _save_cells(source: Debris, target: Cells) -> int:
    count = 0
    for _, id, origin, body in source.rows("cells", "place, id, origin, body"):
        try:
            if body is not None:
                target.create({**json.loads(body), "_id": str(id)}, str(origin))
                count += 1
        except (ValueError, TypeError, AgnezError):
            source.hits += 1
    return count


class _Salvage:
    def __init__(self, source: Debris, copy: Path, known: RunInfo, told: Told) -> None:
        self._source = source
        self._copy = copy
        self._known = known
        self._told = told
        self._lost: list[str] = []
        self._metrics = self._find_names()
        self._reached: set[int] = set()
        self._unread: set[int] = set()
        self._strays: dict[int, Row] = {}  # blocks that the tree of their table does not reach any more
        self._blocks = sorted([*self._find_blocks(), *self._find_strays()])
        self._tail = list(self._find_tail())
        self._names = self._name_all()

    def write(self, target: Path, facts: bool) -> Salvaged:
        info = self._info() if facts else self._known
        if not self._blocks and not self._tail and info is self._known:
            raise StoreError("nothing of it can be read")
        with RunFile(target, create=True) as file:
            with file.transaction():
                self._write_cells(file)
            points = self._write_points(file)
            self._tell_missing()
            if facts:
                with file.transaction():
                    file.write_info(_told_in(info, points, self._lost))
                    self._write_writers(file)
        return Salvaged(points, tuple(self._lost))

    def _write_writers(self, file: RunFile) -> None:
        """Write how far programs have sent, so that they need not send it again."""
        for key, value in self._source.query("SELECT key, value FROM facts WHERE key GLOB ?", (f"{WRITER}*",)):
            with suppress(ValueError, TypeError):
                file.note_sent(str(key).removeprefix(WRITER), int(value))

    def _find_names(self) -> dict[int, str]:
        """Return the names of metrics by their places: from the table and, where that is torn, from its index."""
        query = "SELECT id, name FROM metrics ORDER BY name"
        rows = [*self._source.rows("metrics", "id, name"), *self._source.query(query)]
        known = dict(enumerate(self._known.summary))
        return known | {id - 1: name for id, name in rows if 0 < id <= _MOST_METRICS and isinstance(name, str)}

    def _name_all(self) -> tuple[str, ...]:
        """Return the names of the metrics by their places; one whose name is lost gets another."""
        places = {*self._metrics, *self._counts(), *(block.metric for block in self._blocks)}
        for rows in self._tail:
            places.update(np.unique(rows.metrics).tolist())
        names = tuple(self._metrics.get(place, f"unnamed-{place}") for place in range(max(places, default=-1) + 1))
        if len(self._metrics) < len(names):
            self._lost.append(f"the names of {len(names) - len(self._metrics)} metrics")
        return names

    def _info(self) -> RunInfo:
        """Return the facts; those that cannot be read are what is known from elsewhere."""
        plain = private_record(self._known)
        found: dict[str, Json] = {}
        for key in plain:
            for (value,) in self._source.query("SELECT value FROM facts WHERE key = ?", (key,)):
                with suppress(ValueError, TypeError):
                    found[key] = json.loads(value)
        missing = sorted(plain.keys() - found.keys() - {"summary"})
        if len(missing) == len(plain) - 1:
            self._lost.append("what the run says of itself")
            return self._known
        if missing:
            self._lost.append(f"what the run says of its {', '.join(missing)}")
        try:
            return read_info({**plain, **found}, {})
        except (TypeError, ValueError, KeyError, AttributeError):  # readable, and yet not what was written
            return self._known

    def _write_cells(self, file: RunFile) -> None:
        hits = self._source.hits
        _save_cells(self._source, file.cells)
        try:
            bodies = [body for _, body in self._source.rows("findings", "id, body")]
            file.write_findings([Finding(**json.loads(body)) for body in bodies])
        except (ValueError, TypeError):
            self._source.hits += 1
        self._write_media(file)
        if self._source.hits > hits:
            self._lost.append("some cells, findings or media")

    def _write_media(self, file: RunFile) -> None:
        """Write what the run says of its media; that it was resumed since is not known any more."""
        if not self._source.query("SELECT 1 FROM sqlite_master WHERE name = 'media'"):  # a file of an older schema
            return
        for _, name, kind, step, time, body in self._source.rows("media", "id, name, kind, step, time, body"):
            try:
                said = json.loads(body)
                file.album.add([Medium(str(name), str(kind), int(step), int(time), said["value"], said["caption"])])
            except (ValueError, TypeError, KeyError):
                self._source.hits += 1

    def _find_blocks(self) -> Iterator[_Block]:
        for row in self._source.rows("blocks", "id, digest, body"):
            self._told(len(row[2]) if isinstance(row[2], bytes) else 0)
            block = _block(row)
            if block is not None:
                self._reached.add(block.id)
                yield block

    def _find_strays(self) -> list[_Block]:
        """Look through all leaves of the file, if blocks are missing; of several of one id, the largest counts."""
        if not self._source.hits and not any(_gaps(self._reached, *each) for each in self._counts().items()):
            return []
        found: dict[int, _Block] = {}
        for connection in debris.leaves(self._copy, "blocks", self._copy.parent):
            for row in Debris(connection).rows("blocks", "id, digest, body"):
                block = None if row[0] in self._reached else _block(row)
                if block is not None and (block.id not in found or found[block.id].size < block.size):
                    found[block.id] = block
                    self._strays[block.id] = row
        return list(found.values())

    def _find_tail(self) -> Iterator[Rows]:
        hits, bad = self._source.hits, False
        for last, metrics, body in self._source.rows("tail", "last, metrics, body"):
            rows = proven_row(metrics, body)
            if rows is None or rows.points.calls[-1] != last or rows.metrics.max() >= _MOST_METRICS:
                bad = True
            else:
                yield rows
        if bad or self._source.hits > hits:
            self._lost.append("some of the newest points, which were not in blocks yet")

    def _write_points(self, file: RunFile) -> int:
        """Write all points in the order of their calls, each call under the number it had."""
        starts = list(self._source.rows("segments", "number, first_call"))
        begins = sorted(call for number, call in starts if number and isinstance(call, int) and call > 0)
        if len(begins) != len(starts) - 1:
            self._lost.append("where the run was resumed")
        written = 0
        for rows in self._in_order():
            with file.transaction():
                while begins and begins[0] <= rows.points.calls[-1]:
                    cut = int(np.searchsorted(rows.points.calls, begins.pop(0)))
                    self._append(file, _part(rows, slice(None, cut)))
                    file.begin_segment()
                    rows = _part(rows, slice(cut, None))
                    written += cut
                self._append(file, rows)
            written += len(rows)
        return written

    def _append(self, file: RunFile, rows: Rows) -> None:
        points = rows.points
        calls = points.calls - (file.cursor() + 1)
        file.append(Batch(self._names, rows.metrics.astype(np.int64), calls, points.steps, points.values, points.times))

    def _in_order(self) -> Iterator[Rows]:
        """Return the points of all metrics in the order of their calls, each once, a group of blocks at a time."""
        waiting = self._tail
        groups = [self._blocks[at : at + _GROUP] for at in range(0, len(self._blocks), _GROUP)] or [[]]
        for place, group in enumerate(groups):
            rows = _sorted(Rows.of([*(self._read(block) for block in group), *waiting]))
            until = groups[place + 1][0].first_call if place + 1 < len(groups) else np.iinfo(np.int64).max
            cut = int(np.searchsorted(rows.points.calls, until))
            waiting = [_part(rows, slice(cut, None))]
            if cut:
                yield _part(rows, slice(None, cut))

    def _read(self, block: _Block) -> Rows:
        query = "SELECT id, digest, body FROM blocks WHERE id = ?"
        rows = [self._strays[block.id]] if block.id in self._strays else self._source.query(query, (block.id,))
        points = proven_block(*rows[0][1:]) if rows else None
        if points is None:  # its page is in a row with others, and the way from the root leads past it
            self._unread.add(block.id)
            points = Columns.of([])
        return Rows(np.full(len(points), block.metric, dtype=np.uint32), points)

    def _tell_missing(self) -> None:
        """Say which blocks are missing, as far as the file tells how many there were."""
        counts, found = self._counts(), {block.id: block for block in self._blocks if block.id not in self._unread}
        for block in self._blocks:
            counts[block.metric] = max(counts.get(block.metric, 0), block.number * SIZE + block.size)
        for metric, count in sorted(counts.items()):
            for first, last in _gaps(found.keys(), metric, count):
                lost = min((last + 1) * SIZE, count) - first * SIZE
                where = _where(found.get(id_of(metric, first - 1)), found.get(id_of(metric, last + 1)))
                self._lost.append(f"{lost:,} points of '{self._names[metric]}'{where}")

    def _counts(self) -> dict[int, int]:
        for (packed,) in self._source.query("SELECT counts FROM sealed"):
            if isinstance(packed, bytes) and len(packed) % 8 == 0:
                counts = np.frombuffer(packed, dtype="<i8")
                if (counts >= 0).all() and counts.sum() < _MOST_PER_BYTE * self._copy.stat().st_size:
                    return dict(enumerate(counts.tolist()))
        return {}


def _block(row: Row) -> _Block | None:
    """Return what is to be known of a row of blocks; None where it is damaged."""
    id, stored, body = row
    points = proven_block(stored, body)
    if points is None or not id >> METRIC_BITS:
        return None
    return _Block(int(points.calls[0]), id, (int(points.steps[0]), int(points.steps[-1])), len(points))


def _part(rows: Rows, places: slice) -> Rows:
    return Rows(rows.metrics[places], rows.points.take(places))


def _sorted(rows: Rows) -> Rows:
    """Return points in the order of their calls; what the tail and a block both hold, once."""
    order = np.lexsort((rows.metrics, rows.points.calls))
    metrics, calls = rows.metrics[order], rows.points.calls[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (metrics[1:] != metrics[:-1]) | (calls[1:] != calls[:-1])
    return Rows(metrics[new], rows.points.take(order[new]))


def _gaps(found: Collection[int], metric: int, count: int) -> list[tuple[int, int]]:
    """Return the first and the last number of each stretch of a metric's blocks that are not found by their ids."""
    missing = [number for number in range(-(-count // SIZE)) if id_of(metric, number) not in found]
    lost = set(missing)
    firsts = [number for number in missing if number - 1 not in lost]
    lasts = [number for number in missing if number + 1 not in lost]
    return list(zip(firsts, lasts, strict=True))


def _where(before: _Block | None, behind: _Block | None) -> str:
    words = [f"after step {before.steps[1]:,}"] if before else []
    words += [f"before step {behind.steps[0]:,}"] if behind else []
    return f" {' and '.join(words)}" if words else ""


def _told_in(info: RunInfo, points: int, lost: Sequence[str]) -> RunInfo:
    """Return the facts of a run with what befell it."""
    sentence = f"its file was damaged, and {points:,} points were saved from it"
    if lost:
        sentence += f"; missing: {'; '.join(lost[:5])}{' and more' if len(lost) > 5 else ''}"
    info = replace(info, problems=(*info.problems, sentence))
    if info.state != "running":
        return info
    return replace(info, state="crashed", reason="its file was damaged", ended=info.heartbeat)
