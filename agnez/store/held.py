"""Files of cells that are kept open between changes: to open one takes longer than to write to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agnez.store.cells import Cells
from agnez.store.folder import Store
from agnez.store.runfile import RunFile

_MOST = 8


@dataclass(frozen=True, slots=True)
class _Held:
    path: Path
    place: tuple[int, int]
    """Which file it is, whatever its name: one that was moved away must not be written to as if it were there."""
    file: RunFile | sqlite3.Connection

    @property
    def cells(self) -> Cells:
        return self.file.cells if isinstance(self.file, RunFile) else Cells(self.file)


class HeldCells:
    """Open files of cells for changes, and keep the last ones open. Use it from one thread at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: dict[str | None, _Held] = {}
        self._writing: set[str | None] = set()

    def close(self) -> None:
        """Let go of the files. Closing twice does no harm, and what is written later opens them again."""
        for run in list(self._held):
            self._let_go(run)

    @contextmanager
    def writing(self, run: str | None) -> Iterator[Cells]:
        """Change the cells of a run, or those that belong to none, in one transaction.

        Raises:
            NotFoundError: there is no such run.
        """
        held = self._hold(run)
        self._writing.add(run)
        try:
            if isinstance(held.file, RunFile):
                with held.file.transaction():
                    yield held.cells
            else:
                held.file.execute("BEGIN IMMEDIATE")
                with held.file:  # which commits, or takes all back
                    yield held.cells
        except sqlite3.Error:
            self._let_go(run)
            raise
        finally:
            self._writing.discard(run)
            self._close_rest()

    def _hold(self, run: str | None) -> _Held:
        held = self._held.pop(run, None)
        if held is not None and _place(held.path) != held.place:
            held.file.close()
            held = None
        if held is None:
            file = self._store.open_loose_cells() if run is None else self._store.open_run(run)
            path = self._store.cells_path(run)
            held = _Held(path, _place(path) or (0, 0), file)
        self._held[run] = held  # the last now
        return held

    def _close_rest(self) -> None:
        """Close those that rested for longest; one in the middle of a change stays, however many there are."""
        resting = [run for run in self._held if run not in self._writing]
        for run in resting[: max(0, len(self._held) - _MOST)]:
            self._let_go(run)

    def _let_go(self, run: str | None) -> None:
        held = self._held.pop(run, None)
        if held is not None:
            held.file.close()


def _place(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
