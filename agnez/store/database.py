"""One SQLite file of Agnez: opened, recognised, brought to the newest schema."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from agnez.errors import StoreError
from agnez.store import journal
from agnez.store.forking import free_locks_in_children

Migration: TypeAlias = "str | Callable[[sqlite3.Connection], None]"
"""What lifts a schema by one version: an SQL script, or a function that finds a transaction open."""

APPLICATION_ID = 0x41474E5A  # "AGNZ", in the header of every file of ours
_BUSY_SECONDS = 10.0
_PAGE_BYTES = 2048
"""Of a new file. Packed blocks take some pages each, the last of them half empty: small pages waste less."""


def connect(path: Path, migrations: Sequence[Migration], *, create: bool = False) -> sqlite3.Connection:
    """Open a file of ours; `migrations` each lift the schema by one version.

    Where the file, or its folder, cannot be written, it opens for reading. The connection may wander between threads,
    one at a time: whoever holds it keeps that promise.

    Raises:
        StoreError: the file is missing, damaged, not ours, or of a newer Agnez.
    """
    free_locks_in_children()
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    if not create and not path.exists():
        raise StoreError(f"{path} is missing: was the run moved or deleted?")
    if not path.exists() or _is_writable(path):
        return _opened(path, migrations, "mode=rwc" if create else "mode=rw")
    if not _has_journal(path):
        return _opened(path, migrations, "immutable=1")  # else SQLite wants to make a file beside a file that has WAL
    return _opened(path, migrations, "mode=ro")


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise what SQLite finds wrong with a file itself as a sentence; a lock or a full disk pass through.

    Raises:
        StoreError: the file is damaged, or is none of SQLite.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _code(error) not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise StoreError(f"{path} is damaged ({error}): agnez doctor saves what can be read") from error


def _opened(path: Path, migrations: Sequence[Migration], how: str) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} cannot be opened ({error}){_cure(error)}") from error
    try:
        _prepare(connection, path, migrations)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"{path} cannot be read as a file of Agnez ({error}){_cure(error)}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    application, version, empty = _recognise(connection)
    if not empty and application != APPLICATION_ID:
        raise StoreError(f"{path} is not a file of Agnez: move it away, or choose another folder with dir=")
    if version > len(migrations):
        raise StoreError(f"{path} was written by a newer Agnez (schema {version}): pip install --upgrade agnez")
    writable = path.exists() and _is_writable(path)
    if writable:
        _choose_journal(connection, path, patient=empty)
    if version < len(migrations):
        if not writable:
            raise StoreError(
                f"{path} was written by an older Agnez and must be brought up to date, but cannot be written: "
                "copy the store to a folder that can be"
            )
        _migrate(connection, migrations)
    connection.execute("PRAGMA synchronous = NORMAL")


def _recognise(connection: sqlite3.Connection) -> tuple[int, int, bool]:
    """Return whose file it is, the version of its schema, and whether it is empty, all as of one moment."""
    connection.execute("BEGIN")
    try:
        empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        return _pragma(connection, "application_id"), _pragma(connection, "user_version"), empty
    finally:
        connection.execute("COMMIT")


def _choose_journal(connection: sqlite3.Connection, path: Path, *, patient: bool) -> None:
    """Switch to the journal that suits the folder; a file that others use keeps what it has."""
    wanted, until = journal.suited(path.parent), time.monotonic() + _BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        if patient:  # new: the size of its pages can still be chosen
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        try:
            connection.execute(f"PRAGMA journal_mode = {wanted}")
            return
        except sqlite3.OperationalError as error:  # for this alone SQLite does not wait while another one does the same
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            if not patient:
                return
            time.sleep(0.01)


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(_pragma(connection, "user_version"), len(migrations)):
            _apply(connection, migrations[version])
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    if not isinstance(migration, str):
        migration(connection)
        return
    for statement in migration.split(";"):
        connection.execute(statement)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _has_journal(path: Path) -> bool:
    """Tell whether something that is not in the file itself yet rests beside it."""
    beside = path.with_name(path.name + "-wal")
    return beside.exists() and beside.stat().st_size > 0


_CURES = {
    sqlite3.SQLITE_FULL: ": the disk is full, make room on it",
    sqlite3.SQLITE_READONLY: ": a killed process left changes beside it, open a copy of the folder",
    sqlite3.SQLITE_CANTOPEN: ": may the folder be read, and written?",
    sqlite3.SQLITE_CORRUPT: ": it is damaged, agnez doctor saves what can be read",
    sqlite3.SQLITE_NOTADB: ": move it away, or choose another folder with dir=",
    sqlite3.SQLITE_BUSY: ": another process holds it",
}


def _cure(error: sqlite3.Error) -> str:
    return _CURES.get(_code(error), "")


def _code(error: sqlite3.Error) -> int:
    """Return the primary code of what SQLite says."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
