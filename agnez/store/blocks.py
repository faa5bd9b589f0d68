"""Blocks: the points of each metric, 1,024 by 1,024, packed, with their digests beside.

Block `n` of a metric holds its points from 1,024 n on; all but the last one are full, and that one is packed anew when
points join it. The digests of 256 full blocks rest together once more as a page, for whoever reads thousands of them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from agnez.errors import StoreError
from agnez.store.columns import Columns, Places, Records, starts_of
from agnez.store.digest import DIGEST, digest
from agnez.store.gather import gather, scatter
from agnez.store.pack import pack, unpack
from agnez.store.tail import Groups, Rows

if TYPE_CHECKING:
    from agnez.record import IntArray

SCHEMA = """
CREATE TABLE blocks (id INTEGER PRIMARY KEY, digest BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE pages (id INTEGER PRIMARY KEY, digests BLOB NOT NULL)
"""

SIZE = 1024
"""Points of a full block."""

PAGE = 256
"""Blocks of a page."""

METRIC_BITS = 40
"""Bits by which a metric's number (its place + 1) is shifted in the ids of its blocks and pages."""


class Blocks:
    """Read and write the blocks of one open file. Metrics go by their places; `count` is how many points one has."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def unfinished(self, metrics: Places, counts: IntArray) -> Rows:
        """Return the points of the last blocks of some metrics, where they are not full.

        Raises:
            StoreError: the file is damaged.
        """
        metrics = metrics[metrics < len(counts)]
        metrics = metrics[counts[metrics] % SIZE > 0]
        if not len(metrics):
            return Rows(np.empty(0, dtype=np.uint32), Columns.of([]))
        lasts = (counts[metrics] // SIZE).tolist()
        ids = [id_of(metric, last) for metric, last in zip(metrics.tolist(), lasts, strict=True)]
        (bodies,) = gather(
            self._connection,
            "SELECT body FROM json_each(?) JOIN blocks ON blocks.id = json_each.value ORDER BY blocks.id",
            "body",
            parameters=(json.dumps(ids),),
        )
        points = _unpacked(bodies, len(ids), None)
        rest = counts[metrics] % SIZE
        if len(points) != rest.sum():
            raise StoreError(_DAMAGED)
        return Rows(np.repeat(metrics.astype(np.uint32), rest), points)

    def write(self, groups: Groups, counts: IntArray) -> IntArray:
        """Write points behind the full blocks of their metrics, and return how many each metric has then.

        `counts` is how many it had, of which the groups hold those that were `unfinished`.
        """
        before = np.zeros(max(len(counts), int(groups.metrics[-1]) + 1), dtype=np.int64)
        before[: len(counts)] = counts
        after = before.copy()
        after[groups.metrics] = before[groups.metrics] // SIZE * SIZE + groups.counts
        self._write_blocks(groups, before[groups.metrics] // SIZE)
        self._write_pages(before, after)
        return after

    def read(self, metric: int, first: int, last: int, wanted: Sequence[str] | None = None) -> Columns:
        """Return the points of a metric's blocks `first` to `last`, the latter excluded.

        Raises:
            StoreError: the file is damaged.
        """
        if first >= last:
            return Columns.of([])
        start = id_of(metric, first)
        rows = self._connection.execute(
            "SELECT body FROM blocks WHERE id >= ? AND id < ? ORDER BY id", (start, start + last - first)
        ).fetchall()
        return _unpacked([body for (body,) in rows], last - first, wanted)

    def read_some(self, metric: int, numbers: Sequence[int], wanted: Sequence[str] | None = None) -> Columns:
        """Return the points of a metric's blocks of these numbers, in their order.

        Raises:
            StoreError: the file is damaged.
        """
        ids = json.dumps([id_of(metric, number) for number in numbers])
        rows = self._connection.execute(
            "SELECT body FROM json_each(?) JOIN blocks ON blocks.id = json_each.value ORDER BY blocks.id", (ids,)
        ).fetchall()
        return _unpacked([body for (body,) in rows], len(numbers), wanted)

    def digests(self, metric: int, count: int) -> Records:
        """Return the digest of each of a metric's blocks.

        Raises:
            StoreError: the file is damaged.
        """
        blocks, pages = -(-count // SIZE), count // SIZE // PAGE
        start = id_of(metric, 0)
        packed = self._connection.execute(
            "SELECT digests FROM pages WHERE id >= ? AND id < ? ORDER BY id", (start, start + pages)
        ).fetchall()
        loose = self._connection.execute(
            "SELECT digest FROM blocks WHERE id >= ? AND id < ? ORDER BY id", (start + pages * PAGE, start + blocks)
        ).fetchall()
        whole = b"".join([body for (body,) in packed + loose])
        if len(whole) != blocks * DIGEST.itemsize:
            raise StoreError(_DAMAGED)
        return np.frombuffer(whole, dtype=DIGEST)

    def _write_blocks(self, groups: Groups, firsts: IntArray) -> None:
        """Write the points of each group as blocks, whose numbers begin with `firsts`."""
        pieces = -(-groups.counts // SIZE)
        numbers = np.arange(pieces.sum()) - np.repeat(starts_of(pieces), pieces)
        starts = np.repeat(groups.starts, pieces) + numbers * SIZE
        numbers += np.repeat(firsts, pieces)
        ids = (np.repeat(groups.metrics, pieces) + 1 << METRIC_BITS) + numbers
        digests = digest(groups.points, starts).tobytes()
        size = DIGEST.itemsize
        scatter(
            self._connection,
            "blocks",
            ids.tolist(),
            digest=[digests[at : at + size] for at in range(0, len(digests), size)],
            body=pack(groups.points, starts),
        )

    def _write_pages(self, before: IntArray, after: IntArray) -> None:
        """Write the pages that became full."""
        firsts, lasts = before // SIZE // PAGE, after // SIZE // PAGE
        pages = [
            (id_of(metric, page), id_of(metric, page * PAGE))
            for metric in np.flatnonzero(firsts < lasts).tolist()
            for page in range(firsts[metric], lasts[metric])
        ]
        if not pages:
            return
        (found,) = gather(
            self._connection,
            "SELECT digest FROM json_each(?) JOIN blocks ON blocks.id >= value AND blocks.id < value + "
            f"{PAGE} ORDER BY blocks.id",
            "digest",
            parameters=(json.dumps([start for _, start in pages]),),
        )
        bodies = [b"".join(found[at : at + PAGE]) for at in range(0, len(found), PAGE)]
        scatter(self._connection, "pages", [id for id, _ in pages], digests=bodies)


def id_of(metric: int, number: int) -> int:
    """Return the id of a block, or a page, of the metric at a place."""
    return (metric + 1 << METRIC_BITS) + number


def _unpacked(bodies: Sequence[bytes], expected: int, wanted: Sequence[str] | None) -> Columns:
    if len(bodies) != expected:
        raise StoreError(_DAMAGED)
    try:
        return unpack(bodies) if wanted is None else unpack(bodies, wanted)
    except ValueError as error:
        raise StoreError(_DAMAGED) from error


_DAMAGED = "blocks of points are missing or cut short: agnez doctor saves what can be read"
