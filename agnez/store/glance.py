"""A look into a file of SQLite that changes nothing: neither its schema nor its journal."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from agnez.errors import StoreError
from agnez.store.database import APPLICATION_ID

_BUSY_SECONDS = 10.0


class DamagedError(StoreError):
    """Report a file of ours that SQLite cannot read, or not whole."""


class ForeignError(StoreError):
    """Report a file that is none of ours."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a file of ours for reading only, also in a folder that cannot be written.

    Raises:
        DamagedError: its beginning cannot be read.
        ForeignError: it is a sound file, and not ours.
        StoreError: it is missing, or cannot be opened.
    """
    if not path.is_file():
        raise StoreError(f"{path} is missing")
    # With "ro" SQLite leaves files of its journal behind; where none waits, it may clear up as it does after a writer.
    how = "mode=ro" if journal(path) or not _is_writable(path) else "mode=rw"
    try:
        connection = _probed(path, how)
    except sqlite3.OperationalError as error:
        if journal(path):
            raise StoreError(f"{path} cannot be opened ({error}) before its journal is merged") from error
        # In a folder where SQLite may make no -shm file, it reads a file that nothing writes.
        connection = _probed(path, "mode=ro&immutable=1")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        connection.close()
        raise ForeignError(f"{path} is not a file of Agnez")
    return connection


def journal(path: Path) -> Path | None:
    """Return the -wal or -journal file that holds something which the file itself may lack."""
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.is_file() and beside.stat().st_size:
            return beside
    return None


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _probed(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DamagedError(f"{path} cannot be read ({error})") from error
    return connection
