"""Segments: the stretches of a file that one start of the program each has written, and the line they leave on top."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agnez.store.columns import Columns

SCHEMA = """
CREATE TABLE segments (
    number INTEGER PRIMARY KEY, first_call INTEGER NOT NULL, first_step INTEGER, began INTEGER NOT NULL,
    branches INTEGER NOT NULL
);
INSERT INTO segments VALUES (0, 1, NULL, CAST(strftime('%s', 'now') AS INTEGER) * 1000000, 0)
"""

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Segment:
    """Hold where a segment begins: its first call, the step of its first point (None before it has one), and when.

    `began` is microseconds since 1970 (UTC). One that `branches` begins at a step that was there before.
    """

    number: int
    first_call: int
    first_step: int | None
    began: int
    branches: bool


class Segments:
    """Read and write the segments of one open file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Segment]:
        """Return the segments in their order; there is at least one."""
        rows = self._connection.execute(
            "SELECT number, first_call, first_step, began, branches FROM segments ORDER BY number"
        )
        return [Segment(number, call, step, began, bool(branches)) for number, call, step, began, branches in rows]

    def begin(self, first_call: int) -> None:
        """Begin a segment with the next call; one that has no point yet is begun anew."""
        now = time.time_ns() // 1000
        begun = self._connection.execute(
            "UPDATE segments SET first_call = ?, began = ? WHERE first_step IS NULL", (first_call, now)
        )
        if not begun.rowcount:
            self._connection.execute(
                "INSERT INTO segments SELECT MAX(number) + 1, ?, NULL, ?, 0 FROM segments", (first_call, now)
            )

    def is_open(self) -> bool:
        """Tell whether the last segment has no point yet."""
        return self._connection.execute("SELECT 1 FROM segments WHERE first_step IS NULL").fetchone() is not None

    def set_first_step(self, step: int, branches: bool) -> None:
        """Tell the first step of the last segment."""
        self._connection.execute(
            "UPDATE segments SET first_step = ?, branches = ? WHERE first_step IS NULL", (step, branches)
        )


def on_main_line(points: Columns, segments: list[Segment]) -> NDArray[np.bool_]:
    """Tell of each point whether it is on the main line: below the first step of every later segment."""
    place, limits = _places(points, segments), _limits(segments)
    on: NDArray[np.bool_] = (points.steps < limits[place]) | (limits[place] == _NEVER)
    return on


def left_behind(points: Columns, segments: list[Segment], number: int) -> NDArray[np.bool_]:
    """Tell of each point whether it is of that segment and off the main line."""
    off: NDArray[np.bool_] = (_places(points, segments) == number) & ~on_main_line(points, segments)
    return off


def _places(points: Columns, segments: list[Segment]) -> NDArray[np.intp]:
    return np.searchsorted([each.first_call for each in segments], points.calls, side="right") - 1


def _limits(segments: list[Segment]) -> NDArray[np.int64]:
    """Return for each segment the least first step of those that branch after it."""
    firsts = [each.first_step if each.branches and each.first_step is not None else _NEVER for each in segments]
    later = np.array([*firsts[1:], _NEVER], dtype=np.int64)
    limits: NDArray[np.int64] = np.minimum.accumulate(later[::-1])[::-1]
    return limits
