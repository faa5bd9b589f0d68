"""The cells of runs without their large values, as they were last read: so that a search opens few files.

A file is read again as soon as anybody has written to it. What tells is the header of its -shm file, which counts the
commits while somebody has the file open, and the times and sizes of the file and its -wal, for when nobody has.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from agnez.record import CellRecord
from agnez.store import journal
from agnez.store.folder import Store
from agnez.wire import dump

HEAVY = "value"
"""The field that a light record may lack."""

_HEAVY_CHARACTERS = 500
_MOST_CELLS = 50_000
_SHM_HEADER = 48
_SETTLED_NS = 1_000_000_000
"""The age of a file's last change from which on a second one would have another time: clocks of files are coarse."""

State: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class LightCell:
    """Hold a cell; where it is not `whole`, its record lacks the field `HEAVY`."""

    record: CellRecord
    whole: bool


class LightCells:
    """Remember the cells of runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[State, Sequence[LightCell]]] = {}
        self._is_local = journal.suited(store.directory) == "wal"  # elsewhere what is seen of a file may be old

    def of(self, run: str, read: Callable[[], list[CellRecord]]) -> Sequence[LightCell]:
        """Return the cells of a run; `read` gets them from its file, where that has to be opened."""
        state = _state(self._store.run_path(run)) if self._is_local else None
        known = self._known.get(run)
        if known is not None and known[0] == state:
            return known[1]
        self._known.pop(run, None)
        cells = [_light(record) for record in read()]  # later than the state was taken: it can only be newer than that
        if state is not None and sum(len(each) for _, each in list(self._known.values())) < _MOST_CELLS:
            self._known[run] = state, cells
        return cells


def _light(record: CellRecord) -> LightCell:
    value = record.get(HEAVY)
    if value is None or isinstance(value, int | float):
        return LightCell(record, whole=True)
    if len(value if isinstance(value, str) else dump(value)) < _HEAVY_CHARACTERS:
        return LightCell(record, whole=True)
    return LightCell({name: each for name, each in record.items() if name != HEAVY}, whole=False)


def _state(path: Path) -> State | None:
    """Return what is another as soon as the file was written to; None where nothing tells."""
    try:
        main = os.stat(path)
        log, header = _stat(f"{path}-wal"), _header(f"{path}-shm")
    except OSError:
        return None
    if log is None:
        if time.time_ns() - main.st_mtime_ns < _SETTLED_NS:
            return None
    elif header is None:
        return None
    return main.st_ino, main.st_size, main.st_mtime_ns, log, header


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _header(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_SHM_HEADER)
    except FileNotFoundError:
        return None
