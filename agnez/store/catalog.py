"""The index over the runs of a store, for fast lists. It holds nothing that the run files do not."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from agnez.query import Query
from agnez.record import Json, RunInfo
from agnez.store import database
from agnez.store.conditions import condition
from agnez.store.runfile import read_info
from agnez.store.summaries import PackedSummaries, pack
from agnez.wire import dump, private_record

MIGRATIONS = (
    """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, project TEXT NOT NULL, created INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_revision ON runs (revision)
""",
    # An index can be made anew: the store fills it from the folders. `facts` is NULL where a run was removed.
    """
DROP TABLE runs;
CREATE TABLE runs (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    created INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    facts TEXT,
    summary BLOB NOT NULL
);
CREATE INDEX runs_by_revision ON runs (revision)
""",
)


_TOLD_OTHERWISE = (
    *("state", "reason", "ended"),  # of a run whose process died
    *("host", "pid", "machine"),  # they are nobody's business
    *("axes", "archived", "forked_from", "dropped"),  # early facts lack them
    "summary",  # rests beside the facts
)
"""Fields that a run is told with otherwise than they rest in its facts."""


@dataclass(frozen=True, slots=True)
class Project:
    """Hold what a list of projects says of one: how many runs it has, the newest, and when that was made."""

    name: str
    runs: int
    newest: str
    created: int


def project_record(project: Project) -> dict[str, Json]:
    """Write a project as the `projects` service speaks of it."""
    return {"_id": project.name, "newest": project.newest, "created": project.created, "runs": project.runs}


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

    def put(self, info: RunInfo, *, revive: bool = True) -> None:
        """Write a run as it stands now. One that was removed comes back only if it is to `revive`."""
        self._write(info, "true" if revive else "runs.facts IS NOT NULL")

    def adopt(self, info: RunInfo) -> None:
        """Take up a run that the index lacks; what its owner has written meanwhile stays."""
        self._write(info, "runs.facts IS NULL")

    def remove(self, id: str) -> None:
        """Take a run from the index. A mark is left of it, so that followers learn of it."""
        self._connection.execute(
            "UPDATE runs SET facts = NULL, summary = x'', revision = (SELECT MAX(revision) + 1 FROM runs) "
            "WHERE id = ? AND facts IS NOT NULL",
            (id,),
        )

    def get(self, id: str) -> RunInfo | None:
        """Return a run; None where there is none of that id."""
        row = self._connection.execute(
            "SELECT facts, summary FROM runs WHERE id = ? AND facts IS NOT NULL", (id,)
        ).fetchone()
        return _info(*row) if row else None

    def runs(self, project: str | None = None) -> list[RunInfo]:
        """Return the runs, newest first. Their summaries are unpacked when they are looked at."""
        rows = self._connection.execute(
            "SELECT facts, summary FROM runs WHERE facts IS NOT NULL AND (project = ? OR ? IS NULL) "
            "ORDER BY created DESC, id",
            (project, project),
        )
        return [_info(facts, summary) for facts, summary in rows]

    def search(self, query: Query) -> list[RunInfo]:
        """Return the runs that a query may find, newest first: SQL leaves out most of the others unread."""
        asked = condition(query.filters, unknown=_TOLD_OTHERWISE)
        rows = self._connection.execute(
            "SELECT body, summary FROM (SELECT id, created, facts AS body, summary FROM runs WHERE facts IS NOT NULL) "
            f"WHERE ({asked.sql}) IS NOT 0 ORDER BY created DESC, id",
            asked.parameters,
        )
        return [_info(facts, summary) for facts, summary in rows]

    def projects(self) -> list[Project]:
        """Return the projects, the one with the newest run first."""
        rows = self._connection.execute(
            # Beside a lone MAX, SQLite takes the other columns from the row that has it.
            "SELECT project, COUNT(*), id, MAX(created) FROM runs WHERE facts IS NOT NULL "
            "GROUP BY project ORDER BY MAX(created) DESC, project"
        )
        return [Project(*row) for row in rows]

    def count(self, project: str) -> int:
        """Return how many runs a project has."""
        rows = self._connection.execute("SELECT COUNT(*) FROM runs WHERE project = ? AND facts IS NOT NULL", (project,))
        return int(rows.fetchone()[0])

    def changes(self, after: int) -> tuple[int, list[RunInfo], list[str]]:
        """Return the newest revision, the runs that were written past `after`, and the ids of those removed."""
        rows = self._connection.execute(
            "SELECT revision, id, facts, summary FROM runs WHERE revision > ? ORDER BY revision", (after,)
        ).fetchall()
        written = [_info(facts, summary) for _, _, facts, summary in rows if facts is not None]
        removed = [id for _, id, facts, _ in rows if facts is None]
        return (rows[-1][0] if rows else after), written, removed

    def ids(self) -> set[str]:
        """Return the ids of all runs."""
        return {id for (id,) in self._connection.execute("SELECT id FROM runs WHERE facts IS NOT NULL")}

    def by_age(self) -> list[str]:
        """Return the ids of all runs, the oldest first."""
        return [
            id for (id,) in self._connection.execute("SELECT id FROM runs WHERE facts IS NOT NULL ORDER BY created, id")
        ]

    def version(self) -> int:
        """Return a number that changes when another connection has written to the file."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _write(self, info: RunInfo, where: str) -> None:
        """Write a run; `where` says of one that the index knows already, whether it is written over."""
        facts = private_record(replace(info, summary={}))
        del facts["summary"]
        self._connection.execute(
            "INSERT INTO runs (id, project, created, revision, facts, summary) "
            "SELECT ?, ?, ?, COALESCE(MAX(revision), 0) + 1, ?, ? FROM runs WHERE true "
            "ON CONFLICT (id) DO UPDATE SET project = excluded.project, created = excluded.created, "
            f"revision = excluded.revision, facts = excluded.facts, summary = excluded.summary WHERE {where}",
            (info.id, info.project, info.created, dump(facts), pack(info.summary)),
        )


def _info(facts: str, summary: bytes) -> RunInfo:
    return read_info(json.loads(facts), PackedSummaries(summary))
