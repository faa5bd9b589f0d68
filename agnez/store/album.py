"""The album of a run: what was logged beside numbers, under its name and step. Files are among the run's media."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from agnez.record import Json, Medium
from agnez.wire import dump

SCHEMA = """
CREATE TABLE media (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, step INTEGER NOT NULL, segment INTEGER NOT NULL, time INTEGER NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX media_by_step ON media (name, step, id)
"""

AT_ONCE = 100
"""Media that `past` returns at most."""

_FIELDS = "name, kind, step, time, body"

# Of a run that was resumed at an earlier step: what later segments did not write anew, as with points.
_MAIN = """name = ? AND step < COALESCE(
    (SELECT MIN(first_step) FROM segments WHERE number > media.segment AND branches), 9223372036854775807)"""


class Album:
    """Read and write the media of one open file, in the order of their steps."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, media: Iterable[Medium]) -> None:
        """Add media. Call it inside a transaction.

        Raises:
            BadValueError: JSON cannot say a value; none is added then.
        """
        rows = [
            (each.name, each.step, each.time, each.kind, dump({"value": each.value, "caption": each.caption}))
            for each in media
        ]
        self._connection.executemany(
            "INSERT INTO media (name, step, segment, time, kind, body) SELECT ?, ?, MAX(number), ?, ?, ? FROM segments",
            rows,
        )

    def names(self) -> list[str]:
        """Return the names that something was logged under, in the order of their first."""
        rows = self._connection.execute("SELECT name FROM media GROUP BY name ORDER BY MIN(id)")
        return [name for (name,) in rows]

    def count(self, name: str) -> int:
        """Return how many there are of a name."""
        return int(self._connection.execute(f"SELECT COUNT(*) FROM media WHERE {_MAIN}", (name,)).fetchone()[0])

    def page(self, name: str, first: int = 0, count: int = -1) -> list[Medium]:
        """Return media of a name by their places: `count` from the place `first` on, all where it is -1."""
        return [
            _medium(row)
            for row in self._connection.execute(
                f"SELECT {_FIELDS} FROM media WHERE {_MAIN} ORDER BY step, id LIMIT ? OFFSET ?", (name, count, first)
            )
        ]

    def past(self, number: int, *, segment: int) -> list[tuple[int, Medium]]:
        """Return media past a number, each with its own, in the order they were logged: of the segments up to one."""
        rows = self._connection.execute(
            f"SELECT id, {_FIELDS} FROM media WHERE id > ? AND segment <= ? ORDER BY id LIMIT ?",
            (number, segment, AT_ONCE),
        )
        return [(id, _medium(row)) for id, *row in rows]

    def spread(self, name: str, most: int) -> list[tuple[int, Medium]]:
        """Return at most `most` media of a name, spread evenly over all, each with its place: the last among them."""
        ids = [
            id for (id,) in self._connection.execute(f"SELECT id FROM media WHERE {_MAIN} ORDER BY step, id", (name,))
        ]
        places = _spread(len(ids), most)
        found = (
            self._connection.execute(f"SELECT {_FIELDS} FROM media WHERE id = ?", (ids[place],)).fetchone()
            for place in places
        )
        return [(place, _medium(row)) for place, row in zip(places, found, strict=True)]


def _spread(count: int, most: int) -> Sequence[int]:
    """Return places from 0 to `count` - 1, both among them.

    >>> _spread(10, 4), _spread(3, 4), _spread(9, 1)
    ([0, 3, 6, 9], [0, 1, 2], [8])
    """
    if count <= most:
        return [*range(count)]
    if most == 1:
        return [count - 1]
    return [round(nth * (count - 1) / (most - 1)) for nth in range(most)]


def _medium(row: Sequence[Any]) -> Medium:
    name, kind, step, time, body = row
    said: dict[str, Json] = json.loads(body)
    return Medium(name, kind, step, time, said["value"], str(said["caption"]))
