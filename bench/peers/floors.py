"""The floors: what a machine does at the least when nothing but the numbers is kept."""

from __future__ import annotations

import sqlite3
import struct
import time
from collections import deque
from collections.abc import Mapping

import numpy as np

from bench.peers.driver import Log, NotOfferedError, Tracker, drive


class Deque(Tracker):
    """Append each call to a queue in memory: the least that a call of Python can cost."""

    def begin(self, run: str) -> Log:
        """Make the queue."""
        self._queue: deque[Mapping[str, float]] = deque()
        return self._queue.append

    def finish(self) -> None:
        """Keep nothing."""
        raise NotOfferedError("it keeps nothing")

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Find nothing."""
        raise NotOfferedError("it keeps nothing")


class RawFile(Tracker):
    """Append each call to a file, with one write of the system."""

    _RECORD = np.dtype([("metric", "<i4"), ("step", "<i8"), ("value", "<f8"), ("time", "<f8")])

    def begin(self, run: str) -> Log:
        """Make the file, and one of its metrics' names."""
        self._path = self.folder / f"{run}.points"
        self._file = self._path.open("wb", buffering=0)
        self._names: list[str] = []
        packs: dict[int, struct.Struct] = {}
        step = -1

        def log(values: Mapping[str, float]) -> None:
            nonlocal step
            step += 1
            now = time.time()
            if len(values) not in packs:
                packs[len(values)] = struct.Struct("<" + "iqdd" * len(values))
                self._names += values
                self._path.with_suffix(".names").write_text("\n".join(self._names))
            flat = [part for place, value in enumerate(values.values()) for part in (place, step, value, now)]
            self._file.write(packs[len(values)].pack(*flat))

        return log

    def finish(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the file, and pick a metric."""
        path = self.folder / f"{run}.points"
        records = np.fromfile(path, dtype=self._RECORD)
        records = records[records["metric"] == path.with_suffix(".names").read_text().split("\n").index(metric)]
        return records["step"].copy(), records["value"].copy()


class Rows(Tracker):
    """Insert rows into SQLite, 10,000 a transaction, on the thread that logs."""

    def begin(self, run: str) -> Log:
        """Make the table."""
        self._connection = sqlite3.connect(self.folder / f"{run}.db", isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE points (metric TEXT, step INTEGER, value REAL, time REAL)"
        )
        self._rows: list[tuple[str, int, float, float]] = []
        step = -1

        def log(values: Mapping[str, float]) -> None:
            nonlocal step
            step += 1
            now = time.time()
            self._rows += [(name, step, value, now) for name, value in values.items()]
            if len(self._rows) >= 10_000:
                self._flush()

        return log

    def finish(self) -> None:
        """Insert what is left."""
        self._flush()
        self._connection.close()

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Select a metric."""
        query = "SELECT step, value FROM points WHERE metric = ? ORDER BY rowid"
        rows = sqlite3.connect(self.folder / f"{run}.db").execute(query, (metric,)).fetchall()
        steps, values = zip(*rows, strict=True) if rows else ((), ())
        return np.array(steps), np.array(values)

    def _flush(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?)", self._rows)
        self._connection.execute("COMMIT")
        self._rows = []


if __name__ == "__main__":
    drive(Deque, RawFile, Rows)
