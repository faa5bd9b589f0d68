"""A damaged file of SQLite, read row by row around what cannot be read."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = "tuple[Any, ...]"  # SQLite's own types

_AT_ONCE = 64
"""Rows that are read in one step while nothing is wrong."""

_LARGEST = (1 << 63) - 1
_LEAF = 0x0D  # what the page of a table begins with that has rows, and not the numbers of other pages
_PAGES_FIELD = slice(28, 32)  # of the header: how many pages the file has


def scratch(path: Path, folder: Path) -> Path:
    """Copy a file, with its journal, to where SQLite may do with it what it likes."""
    for ending in ("", "-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.is_file():
            shutil.copyfile(beside, folder / f"scratch.db{ending}")
    return folder / "scratch.db"


def connect(path: Path, template: Callable[[Path], None]) -> sqlite3.Connection:
    """Open a damaged file that may be changed. Its first page, when it is lost, is that of a file `template` makes.

    Raises:
        sqlite3.DatabaseError: not even that helps.
    """
    connection = _open(path)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            return connection
    except sqlite3.DatabaseError:
        pass
    connection.close()
    _graft(path, template)
    return _open(path)


def leaves(path: Path, table: str, folder: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a damaged file once for each leaf in it, with this leaf as all that `table` has.

    So rows are reached whose way from the root is lost: a leaf that is put in the root's place is a table of its own.
    It may be that of another table, or an old one. `path` is a file that `connect` has opened.
    """
    with closing(_open(path)) as connection:
        found = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    if found is None:
        return
    copy = folder / "leaves.db"
    shutil.copyfile(path, copy)
    with copy.open("r+b") as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        for page in range(1, copy.stat().st_size // size):
            file.seek(page * size)
            content = file.read(size)
            if content[0] != _LEAF:
                continue
            file.seek((found[0] - 1) * size)
            file.write(content)
            file.flush()
            with closing(_open(copy)) as connection:
                yield connection


class Debris:
    """Read tables of a damaged file; `hits` counts how often something in it could not be read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.hits = 0

    def rows(self, table: str, columns: str) -> Iterator[Row]:
        """Return the rows that can be read of a table whose key, the first of `columns`, is a number from 0 on."""
        key = columns.partition(",")[0]
        query = f"SELECT {columns} FROM {table} WHERE {key} >= ? ORDER BY {key} LIMIT ?"
        start, most = 0, _AT_ONCE
        while start <= _LARGEST:
            found = self._try(query, (start, most))
            if found is None and most > 1:
                most = 1  # to lose no row that lies before the bad one
            elif found is None:
                start = self._past(query, start)
            elif not found:
                return
            else:
                yield from found
                start, most = found[-1][0] + 1, min(most * 2, _AT_ONCE)

    def query(self, query: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        """Return the rows of a query; none where it fails."""
        return self._try(query, parameters) or []

    def _past(self, query: str, bad: int) -> int:
        """Return the first key past `bad` from which reading goes on: in strides that double, then by halving."""
        self.hits += 1
        stride = 1
        while bad + stride <= _LARGEST and self._try(query, (bad + stride, 1)) is None:
            bad, stride = bad + stride, 2 * stride
        good = bad + stride
        while good - bad > 1 and good <= _LARGEST:
            middle = (bad + good) // 2
            if self._try(query, (middle, 1)) is None:
                bad = middle
            else:
                good = middle
        return good

    def _try(self, query: str, parameters: tuple[object, ...]) -> list[Row] | None:
        try:
            return self._connection.execute(query, parameters).fetchall()
        except sqlite3.DatabaseError:
            return None


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")  # without it SQLite reads no file that was cut short
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _graft(path: Path, template: Callable[[Path], None]) -> None:
    """Give a file the first page of a new one: both were made by the same steps, so their tables lie alike."""
    other = path.with_name("template.db")
    template(other)
    content = other.read_bytes()
    size = int.from_bytes(content[16:18], "big")
    page = bytearray(content[:size])
    page[_PAGES_FIELD] = (path.stat().st_size // size).to_bytes(4, "big")
    with path.open("r+b") as file:
        file.write(page)
    for ending in ("-wal", "-shm", "-journal"):  # they belong to the page that is gone
        path.with_name(path.name + ending).unlink(missing_ok=True)
