"""From schema 1 to schema 2: points that were rows become blocks."""

from __future__ import annotations

import sqlite3

import numpy as np

from agnez.store import points
from agnez.store.blocks import Blocks
from agnez.store.columns import Columns
from agnez.store.digest import DIGEST, digest
from agnez.store.tail import Groups


def lift_rows(connection: sqlite3.Connection) -> None:
    """Lift a file, inside the transaction that is open."""
    connection.execute("ALTER TABLE metrics RENAME TO metrics_1")
    for statement in points.SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("INSERT INTO metrics SELECT id, name FROM metrics_1")
    cursor = connection.execute("SELECT value FROM facts WHERE key = 'cursor'").fetchone()
    if cursor is not None:
        _lift_points(connection, int(cursor[0]))
    connection.execute("DELETE FROM facts WHERE key = 'cursor'")
    connection.execute("DROP TABLE metrics_1")
    connection.execute("DROP TABLE points")


def _lift_points(connection: sqlite3.Connection, cursor: int) -> None:
    """Pack the points metric by metric, so that no more than one series is in memory."""
    metrics = int(connection.execute("SELECT MAX(id) FROM metrics").fetchone()[0])
    counts, digests = np.zeros(metrics, dtype=np.int64), np.zeros(metrics, dtype=DIGEST)
    blocks, start = Blocks(connection), np.zeros(1, dtype=np.intp)
    for place in range(metrics):
        found = _rows(connection, place + 1)
        if len(found):
            counts = blocks.write(Groups(np.array([place]), start, found), counts)
            digests[place] = digest(found, start)[0]
    connection.execute(
        "UPDATE sealed SET cursor = ?, counts = ?, digests = ?", (cursor, counts.tobytes(), digests.tobytes())
    )
    connection.execute(
        "UPDATE segments SET first_step = (SELECT step FROM points ORDER BY seq, metric LIMIT 1) WHERE number = 0"
    )


def _rows(connection: sqlite3.Connection, metric: int) -> Columns:
    rows = connection.execute(
        "SELECT seq, step, time, value FROM points WHERE metric = ? ORDER BY seq", (metric,)
    ).fetchall()
    *numbers, values = zip(*rows, strict=True) if rows else ((), (), (), ())
    calls, steps, times = (np.array(column, dtype=np.int64) for column in numbers)
    return Columns(calls, steps, times, np.array(values, dtype=np.float64))  # NULL, a NaN of schema 1, becomes one here
