"""The trash of a store: where runs rest that were deleted, until it is emptied."""

from __future__ import annotations

import shutil
from pathlib import Path

from agnez.errors import NotFoundError
from agnez.record import RunInfo
from agnez.store.rundir import describe, folders


class Trash:
    """Keep folders of runs under their ids. A second one of an id bears a number after it: `<id>.2`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, folder: Path) -> None:
        """Take a run's folder, in one step."""
        number, place = 1, self._directory / folder.name
        while place.exists():
            number += 1
            place = self._directory / f"{folder.name}.{number}"
        self._directory.mkdir(exist_ok=True)
        folder.rename(place)

    def runs(self) -> list[RunInfo]:
        """Return the runs in the trash, newest first; of one that cannot be read, its id and what is wrong with it."""
        return sorted(map(describe, folders(self._directory)), key=lambda info: -info.created)

    def give_back(self, folder: Path) -> None:
        """Put a run's folder where it was; of several with its id, that which came last.

        Raises:
            NotFoundError: there is none.
        """
        found = [path for path in folders(self._directory) if path.name.partition(".")[0] == folder.name]
        if not found:
            raise NotFoundError(f"No run found in the trash for id '{folder.name}'")
        max(found, key=_turn).rename(folder)

    def empty(self) -> int:
        """Delete all, and return how many runs that were."""
        found = folders(self._directory)
        for path in found:
            shutil.rmtree(path)
        return len(found)


def _turn(folder: Path) -> int:
    number = folder.name.partition(".")[2]
    return int(number) if number.isdecimal() else 1
