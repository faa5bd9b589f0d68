"""A table of cells in a SQLite file: the cells of one run, or those that belong to none."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agnez.errors import ConflictError, NotFoundError
from agnez.query import Query
from agnez.record import CellRecord, Json
from agnez.store.conditions import condition
from agnez.wire import Told, dump

SCHEMA = """
CREATE TABLE cells (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    origin TEXT NOT NULL,
    body TEXT
);
CREATE INDEX cells_by_revision ON cells (revision)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """Say that a cell was written, or removed (`record` None), and by whom (`origin`); `revision` orders changes."""

    id: str
    revision: int
    origin: str
    record: CellRecord | None


class Cells:
    """Read and write the cells of one open file. A removed cell leaves a tombstone, so that followers learn of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self) -> list[CellRecord]:
        """Return all cells in the order of their creation."""
        rows = self._connection.execute("SELECT id, body FROM cells WHERE body IS NOT NULL ORDER BY place")
        return [_record(id, body) for id, body in rows]

    def search(self, query: Query) -> Iterator[CellRecord]:
        """Return the cells that match, in the order of their creation; SQL leaves out most of the others unread."""
        id, asked = query.pinned.get("_id"), condition(query.filters)
        only = "" if id is None else "AND id = :only "
        rows = self._connection.execute(
            f"SELECT id, body FROM cells WHERE body IS NOT NULL {only}AND ({asked.sql}) IS NOT 0 ORDER BY place",
            {**asked.parameters, **({} if id is None else {"only": id})},
        )
        return filter(query.matches, (_record(id, body) for id, body in rows))

    def get(self, id: str) -> CellRecord:
        """Return one cell.

        Raises:
            NotFoundError: there is none of that id.
        """
        return self._change(id)[0]

    def revision(self, id: str) -> int:
        """Return the revision that a cell was last written at.

        Raises:
            NotFoundError: there is none of that id.
        """
        return self._change(id)[1]

    def create(self, record: CellRecord, origin: str) -> CellRecord:
        """Add a cell under its `_id`.

        Raises:
            ConflictError: the `_id` is taken.
        """
        id = str(record["_id"])
        with self._transaction():
            row = self._connection.execute("SELECT body FROM cells WHERE id = ?", (id,)).fetchone()
            if row and row[0] is not None:
                raise ConflictError(f"A record with id '{id}' exists already")
            revision, body = self._next_revision(), _body(record)  # past that of its tombstone, which goes now
            self._connection.execute("DELETE FROM cells WHERE id = ?", (id,))
            self._connection.execute(
                "INSERT INTO cells (id, revision, origin, body) VALUES (?, ?, ?, ?)", (id, revision, origin, body)
            )
        return _told(id, record, body)

    def replace(self, id: str, record: CellRecord, origin: str) -> CellRecord:
        """Put `record` in the place of a cell.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._transaction():
            self.get(id)
            return self.put(id, record, origin)

    def patch(self, id: str, data: CellRecord, origin: str) -> CellRecord:
        """Merge `data` into a cell, at the top level only.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._transaction():
            return self.put(id, {**self.get(id), **data}, origin)

    def put(self, id: str, record: CellRecord, origin: str) -> CellRecord:
        """Put `record` in the place of a cell that was seen in the same transaction."""
        body = _body(record)
        self._write(id, body, origin)
        return _told(id, record, body)

    def remove(self, id: str, origin: str) -> CellRecord:
        """Remove a cell, and return it.

        Raises:
            NotFoundError: there is none of that id.
        """
        with self._transaction():
            record = self.get(id)
            self._write(id, None, origin)
        return record

    def changes(self, after: int) -> list[Change]:
        """Return what changed past a revision, each cell once, in the order of its last change."""
        rows = self._connection.execute(
            "SELECT id, revision, origin, body FROM cells WHERE revision > ? ORDER BY revision", (after,)
        )
        return [
            Change(id, revision, origin, None if body is None else _record(id, body))
            for id, revision, origin, body in rows
        ]

    def version(self) -> int:
        """Return a number that changes when another connection has written to the file."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _change(self, id: str) -> tuple[CellRecord, int]:
        row = self._connection.execute("SELECT body, revision FROM cells WHERE id = ?", (id,)).fetchone()
        if row is None or row[0] is None:
            raise NotFoundError(f"No record found for id '{id}'")
        return _record(id, row[0]), row[1]

    def _write(self, id: str, body: str | None, origin: str) -> None:
        self._connection.execute(
            "UPDATE cells SET body = ?, origin = ?, revision = ? WHERE id = ?",
            (body, origin, self._next_revision(), id),
        )

    def _next_revision(self) -> int:
        return int(self._connection.execute("SELECT COALESCE(MAX(revision), 0) + 1 FROM cells").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._connection.in_transaction:  # the recorder commits its cells together with its points
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _body(record: CellRecord) -> str:
    return dump({key: value for key, value in record.items() if key != "_id"})


def _told(id: str, record: CellRecord, body: str) -> CellRecord:
    return Told({**record, "_id": id}, f'{body[:-1]}{"," if len(body) > 2 else ""}"_id":{dump(id)}}}')


def _record(id: str, body: str) -> CellRecord:
    fields: dict[str, Json] = json.loads(body)
    return {**fields, "_id": id}
