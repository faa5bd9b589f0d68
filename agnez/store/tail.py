"""The tail: what was appended last, a row for each append, until it is packed into blocks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from agnez.errors import StoreError
from agnez.store.columns import Columns, Records, starts_of
from agnez.store.gather import gather
from agnez.store.pack import lay, unpack, unpack_even, widths_of

METRIC_BYTES = 4

SCHEMA = """
CREATE TABLE tail (
    last INTEGER PRIMARY KEY, points INTEGER NOT NULL, metrics BLOB NOT NULL, body BLOB NOT NULL
)"""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Hold points of many metrics in the order they were logged; `metrics` are the metrics' places."""

    metrics: Records
    points: Columns

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def of(cls, parts: Sequence[Rows]) -> Rows:
        """Return the points of several, one after the other."""
        metrics = np.concatenate([part.metrics for part in parts]) if parts else np.empty(0, dtype=np.uint32)
        return cls(metrics, Columns.of([part.points for part in parts]))

    def grouped(self) -> Groups:
        """Return the points metric by metric, those of each in their order."""
        if not len(self):
            return Groups(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp), self.points)
        small = self.metrics.astype(np.uint16) if self.metrics.max() < 1 << 16 else self.metrics
        points, metrics = self.points, self.metrics
        if (small[1:] < small[:-1]).any():
            order = np.argsort(small, kind="stable")  # of 16 bits, a radix sort: linear
            points, metrics = points.take(order), metrics[order]
        starts = np.flatnonzero(np.append(True, metrics[1:] != metrics[:-1]))
        return Groups(metrics[starts].astype(np.intp), starts, points)


@dataclass(frozen=True, slots=True, eq=False)
class Even:
    """Hold points of calls that all have the same metrics: these once, and each call's number, step and time once."""

    metrics: Records
    points: Columns

    def __len__(self) -> int:
        return len(self.points)

    def spread(self) -> Rows:
        """Return the points one by one."""
        points, width = self.points, len(self.metrics)
        calls, steps, times = (np.repeat(column, width) for column in (points.calls, points.steps, points.times))
        return Rows(np.tile(self.metrics, len(points.calls)), Columns(calls, steps, times, points.values))


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Hold points metric by metric: `metrics` are the metrics' places in rising order, `starts` where each begins."""

    metrics: Records
    starts: Records
    points: Columns

    @property
    def counts(self) -> Records:
        """Return how many points each metric has."""
        counts: Records = np.diff(np.append(self.starts, len(self.points)))
        return counts

    def past(self, call: int) -> Groups:
        """Return the points past a call."""
        newer = self.points.calls > call
        if newer.all():
            return self
        counts = np.add.reduceat(newer, self.starts, dtype=np.intp)
        kept = counts > 0
        return Groups(self.metrics[kept], starts_of(counts[kept]), self.points.take(newer))

    def of(self, metric: int) -> Columns:
        """Return the points of one metric."""
        return self.points.take(self._span(metric))

    def count(self, metric: int) -> int:
        """Return how many points one metric has."""
        span = self._span(metric)
        return int(span.stop - span.start)

    def _span(self, metric: int) -> slice:
        place = int(np.searchsorted(self.metrics, metric))
        if place == len(self.metrics) or self.metrics[place] != metric:
            return slice(0, 0)
        last = place + 1 == len(self.metrics)
        return slice(int(self.starts[place]), len(self.points) if last else int(self.starts[place + 1]))


class Tail:
    """Read and write the tail of one open file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def append(self, rows: Rows | Even) -> None:
        """Add points, as one row. Only the tail as a whole is packed tight: this here happens beside a training."""
        body = lay(rows.points, len(rows.metrics) if isinstance(rows, Even) else 1)
        metrics, last = rows.metrics.astype("<u4").tobytes(), int(rows.points.calls[-1])
        self._connection.execute(
            "INSERT INTO tail (last, points, metrics, body) VALUES (?, ?, ?, ?)", (last, len(rows), metrics, body)
        )

    def size(self) -> tuple[int, int]:
        """Return how many points are here, in how many rows."""
        points, rows = self._connection.execute("SELECT TOTAL(points), COUNT(*) FROM tail").fetchone()
        return int(points), int(rows)

    def read(self, after: int = 0) -> Rows:
        """Return the points past a call.

        Raises:
            StoreError: the file is damaged.
        """
        found = self._connection.execute("SELECT metrics, body FROM tail WHERE last > ? ORDER BY last", (after,))
        rows = decoded(*zip(*found, strict=True))
        if len(rows) and rows.points.calls[0] <= after:
            past = rows.points.calls > after
            rows = Rows(rows.metrics[past], rows.points.take(past))
        return rows

    def take(self) -> Rows:
        """Return all points, and empty the tail."""
        metrics, bodies = gather(self._connection, "SELECT metrics, body FROM tail ORDER BY last", "metrics", "body")
        self._connection.execute("DELETE FROM tail")
        return decoded(metrics, bodies)


def decoded(metrics: Sequence[bytes] = (), bodies: Sequence[bytes] = ()) -> Rows:
    """Return what rows of the table hold, of two of its columns.

    Raises:
        StoreError: they are damaged.
    """
    try:
        return Rows.of([_decoded(*alike) for alike in _alike(metrics, bodies)])
    except ValueError as error:
        raise StoreError(_DAMAGED) from error


def _alike(
    metrics: Sequence[bytes], bodies: Sequence[bytes]
) -> Iterator[tuple[Sequence[bytes], Sequence[bytes], bool]]:
    """Return rows in their order, as many together as are all even or all not, and which."""
    rows = zip(metrics, bodies, widths_of(bodies), strict=True)
    for even, group in groupby(rows, key=lambda row: row[2] > 1):
        names, packed, _ = zip(*group, strict=True)
        yield names, packed, even


def _decoded(metrics: Sequence[bytes], bodies: Sequence[bytes], even: bool) -> Rows:
    if even:
        return Rows.of([_spread(each, body) for each, body in zip(metrics, bodies, strict=True)])
    rows = Rows(np.frombuffer(b"".join(metrics), dtype="<u4"), unpack(bodies))
    if len(rows.metrics) != len(rows.points):
        raise ValueError("metrics are missing")
    return rows


def _spread(metrics: bytes, body: bytes) -> Rows:
    even = Even(np.frombuffer(metrics, dtype="<u4"), unpack_even(body))
    if len(even.metrics) * len(even.points.calls) != len(even):
        raise ValueError("metrics are missing")
    return even.spread()


_DAMAGED = "rows of the newest points are cut short: agnez doctor saves what can be read"
