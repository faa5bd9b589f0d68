"""The index over the runs of a store, for fast lists. It holds nothing that the run files do not."""

from __future__ import annotations

import json
from pathlib import Path

from agnez.record import RunInfo
from agnez.store import database
from agnez.store.runfile import read_info
from agnez.wire import dump, private_record, read_summary

MIGRATIONS = (
    """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, project TEXT NOT NULL, created INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_revision ON runs (revision)
""",
)


class Catalog:
    """Read and write the index."""

    def __init__(self, path: Path) -> None:
        self._connection = database.connect(path, MIGRATIONS, create=True)

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        self._connection.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def put(self, info: RunInfo) -> None:
        """Write a run as it stands now."""
        body = dump(private_record(info))
        self._connection.execute(
            "INSERT OR REPLACE INTO runs (id, project, created, revision, body) "
            "SELECT ?, ?, ?, COALESCE(MAX(revision), 0) + 1, ? FROM runs",
            (info.id, info.project, info.created, body),
        )

    def runs(self, project: str | None = None) -> list[RunInfo]:
        """Return the runs, newest first."""
        rows = self._connection.execute(
            "SELECT body FROM runs WHERE project = ? OR ? IS NULL ORDER BY created DESC, id", (project, project)
        )
        return [_info(body) for (body,) in rows]

    def count(self, project: str) -> int:
        """Return how many runs a project has."""
        return int(self._connection.execute("SELECT COUNT(*) FROM runs WHERE project = ?", (project,)).fetchone()[0])

    def changes(self, after: int) -> tuple[int, list[RunInfo]]:
        """Return the newest revision, and the runs that were written past `after`."""
        rows = self._connection.execute(
            "SELECT revision, body FROM runs WHERE revision > ? ORDER BY revision", (after,)
        ).fetchall()
        return (rows[-1][0] if rows else after), [_info(body) for _, body in rows]

    def ids(self) -> set[str]:
        """Return the ids of all runs."""
        return {id for (id,) in self._connection.execute("SELECT id FROM runs")}

    def version(self) -> int:
        """Return a number that changes when another connection has written to the file."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])


def _info(body: str) -> RunInfo:
    record = json.loads(body)
    return read_info(record, {name: read_summary(summary) for name, summary in record["summary"].items()})
