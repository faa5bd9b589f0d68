"""The file of one run: its facts, series, cells and findings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from agnez.record import Batch, Finding, Json, RunInfo, Series, Summary
from agnez.store import cells, database
from agnez.store.decimation import decimate
from agnez.wire import dump, private_record, read_progress, read_summary, summary_record

MIGRATIONS = (
    f"""
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE metrics (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, summary TEXT NOT NULL);
CREATE TABLE points (
    metric INTEGER NOT NULL, seq INTEGER NOT NULL, step INTEGER NOT NULL, value REAL, time INTEGER NOT NULL,
    PRIMARY KEY (metric, seq)
) WITHOUT ROWID;
CREATE TABLE findings (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
{cells.SCHEMA}
""",
)


class RunFile:
    """Read and write one run. A value that is NaN rests as NULL, which is how SQLite says it."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self._connection = database.connect(path, MIGRATIONS, create=create)
        self.cells = cells.Cells(self._connection)
        self._ids: dict[str, int] = {}
        self._facts: dict[str, Json] = {}  # as this connection last wrote them
        self._summaries: dict[str, Summary] = {}  # what the writer keeps of its series; readers read it from the file
        self._cursor = self.cursor()
        self._load_ids()
        self._summaries = self.summaries()

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that happens inside at once, or nothing of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        before = self._cursor, dict(self._ids), dict(self._summaries), dict(self._facts)
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._cursor, self._ids, self._summaries, self._facts = before
            if self._connection.in_transaction:  # a full disk may have ended it already
                self._connection.execute("ROLLBACK")
            raise

    def write_info(self, info: RunInfo) -> None:
        """Write the facts of the run. Summaries are kept with the points and not taken from here."""
        record = private_record(replace(info, summary={}))
        new = {key: value for key, value in record.items() if key != "summary" and self._facts.get(key, ...) != value}
        facts = [(key, dump(value)) for key, value in new.items()]
        self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts)
        self._facts.update(new)

    def info(self) -> RunInfo:
        """Return the facts of the run, with the summary of each series."""
        facts = {key: json.loads(value) for key, value in self._connection.execute("SELECT key, value FROM facts")}
        return read_info(facts, self.summaries())

    def append(self, batch: Batch) -> None:
        """Write points, in this order. Call it inside a transaction."""
        if not len(batch):
            return
        metrics, steps, values = (column.tolist() for column in (batch.metrics, batch.steps, batch.values))
        by_metric: dict[str, list[tuple[int, float]]] = {}
        for metric, step, value in zip(metrics, steps, values, strict=True):
            by_metric.setdefault(batch.names[metric], []).append((step, value))
        for name, pairs in by_metric.items():
            self._extend_summary(name, pairs)
        ids = [self._ids[name] for name in batch.names]
        calls = (batch.calls + (self._cursor + 1)).tolist()
        rows = zip([ids[metric] for metric in metrics], calls, steps, values, batch.times.tolist(), strict=True)
        self._connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?)", rows)
        self._cursor = calls[-1]
        self._connection.execute("INSERT OR REPLACE INTO facts VALUES ('cursor', ?)", (str(self._cursor),))

    def cursor(self) -> int:
        """Return the number of the newest call; 0 where there is none."""
        row = self._connection.execute("SELECT value FROM facts WHERE key = 'cursor'").fetchone()
        return int(row[0]) if row else 0

    def version(self) -> int:
        """Return a number that changes when another connection has written to the file."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def summaries(self) -> dict[str, Summary]:
        """Return the summary of each series."""
        rows = self._connection.execute("SELECT name, summary FROM metrics ORDER BY id")
        return {name: read_summary(json.loads(summary)) for name, summary in rows}

    def metrics(self) -> list[str]:
        """Return the names of the metrics in the order of their first points."""
        self._load_ids()
        return list(self._ids)

    def series(
        self, metrics: Iterable[str] | None = None, *, after: int = 0, most: int | None = None
    ) -> tuple[int, list[Series], bool]:
        """Return the cursor, the series of `metrics` (all where None) past `after`, and whether they were decimated.

        Each series has at most `most` points, the true minimum and maximum of each bucket among them.
        """
        with self._snapshot():
            self._load_ids()
            cursor = self.cursor()
            names = self._ids if metrics is None else [name for name in metrics if name in self._ids]
            found = [self._read(name, after, cursor) for name in names]
        found = [each for each in found if len(each)]
        if most is None or all(len(each) <= most for each in found):
            return cursor, found, False
        return cursor, [decimate(each, most) for each in found], True

    def write_findings(self, findings: Iterable[Finding]) -> None:
        """Put these findings in the place of all earlier ones."""
        self._connection.execute("DELETE FROM findings")
        bodies = [(json.dumps({name: getattr(each, name) for name in Finding.__slots__}),) for each in findings]
        self._connection.executemany("INSERT INTO findings (body) VALUES (?)", bodies)

    def findings(self) -> list[Finding]:
        """Return the findings of the run."""
        return [Finding(**json.loads(body)) for (body,) in self._connection.execute("SELECT body FROM findings")]

    def _read(self, name: str, after: int, cursor: int) -> Series:
        rows = self._connection.execute(
            "SELECT step, value, time, seq FROM points WHERE metric = ? AND seq > ? AND seq <= ?",
            (self._ids[name], after, cursor),
        ).fetchall()
        steps, values, times, calls = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Series(
            name,
            np.array(steps, dtype=np.int64),
            np.array(values, dtype=np.float64),  # NULL becomes NaN here
            np.array(times, dtype=np.float64) / 1e6,
            np.array(calls, dtype=np.int64),
        )

    def _extend_summary(self, name: str, pairs: list[tuple[int, float]]) -> None:
        summary = self._summaries.get(name, Summary()).extended(pairs)
        self._summaries[name] = summary
        body = dump(summary_record(summary))
        if name in self._ids:
            self._connection.execute("UPDATE metrics SET summary = ? WHERE id = ?", (body, self._ids[name]))
        else:
            inserted = self._connection.execute("INSERT INTO metrics (name, summary) VALUES (?, ?)", (name, body))
            self._ids[name] = int(inserted.lastrowid or 0)

    def _load_ids(self) -> None:
        """Learn of metrics that are new since the last look."""
        known = max(self._ids.values(), default=0)
        rows = self._connection.execute("SELECT name, id FROM metrics WHERE id > ? ORDER BY id", (known,))
        self._ids.update(rows.fetchall())

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Read several tables as they stood at one moment."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")


def read_info(facts: dict[str, Json], summary: dict[str, Summary]) -> RunInfo:
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
