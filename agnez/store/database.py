"""One SQLite file of Agnez: opened, recognised, brought to the newest schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from agnez.errors import StoreError

APPLICATION_ID = 0x41474E5A  # "AGNZ", in the header of every file of ours
_BUSY_SECONDS = 10.0


def connect(path: Path, migrations: Sequence[str], *, create: bool = False) -> sqlite3.Connection:
    """Open a file of ours; `migrations` are SQL scripts, each lifting the schema by one version.

    The connection may wander between threads, one at a time: whoever holds it keeps that promise.

    Raises:
        StoreError: the file is missing, not ours, unreadable, or of a newer Agnez.
    """
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    mode = "rwc" if create else "rw"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path} cannot be opened: {error}") from error
    try:
        _prepare(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    try:
        application, version = (_pragma(connection, name) for name in ("application_id", "user_version"))
        empty = not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be read as a file of Agnez: {error}") from error
    if not empty and application != APPLICATION_ID:
        raise StoreError(f"{path} is not a file of Agnez: move it away, or choose another folder with dir=")
    if version > len(migrations):
        raise StoreError(f"{path} was written by a newer Agnez (schema {version}): pip install --upgrade agnez")
    if version < len(migrations):
        _migrate(connection, migrations)
    connection.execute("PRAGMA synchronous = NORMAL")


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    # WAL lets readers and the writer work side by side; SQLite says no where the file system cannot do it, and
    # then its rollback journal serves.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(_pragma(connection, "user_version"), len(migrations)):
            for statement in migrations[version].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
