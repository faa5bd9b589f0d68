"""The index of a store, opened, and kept in line with the folders of the runs."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
import weakref
from pathlib import Path

from agnez.errors import StoreError
from agnez.store import rundir
from agnez.store.catalog import Catalog
from agnez.store.identity import appear
from agnez.store.runfile import RunFile


class Lists:
    """Have an index over the runs of a store: the store's, or one of our own where that cannot be had or written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._place = directory
        self._own: Path | None = None

    def open(self) -> Catalog:
        """Open the index."""
        return Catalog(self._place / "catalog.db")

    def own_folder(self) -> Path:
        """Return a folder that ends with us, for what a store that cannot be written lacks."""
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix="agnez-"))
            weakref.finalize(self, shutil.rmtree, self._own, ignore_errors=True)
        return self._own

    def check(self) -> None:
        """Bring the index in line with the folders.

        Raises:
            StoreError: it is damaged, or of a newer Agnez.
        """
        try:
            if not (self._place / "catalog.db").exists():
                self._make()
            self._compare()
        except (StoreError, OSError, sqlite3.OperationalError) as error:
            if os.access(self._directory, os.W_OK):
                raise StoreError(
                    f"the index of {self._directory} cannot be used ({error}): try `agnez doctor`"
                ) from error
            self._place = self.own_folder()
            self._compare()

    def _make(self) -> None:
        """Make the index beside its place: many processes may open a fresh store at once."""
        draft = self._place / f".catalog.{os.getpid()}-{secrets.token_hex(4)}.db"
        try:
            Catalog(draft).close()
            appear(draft, self._place / "catalog.db")
        finally:
            draft.unlink(missing_ok=True)

    def _compare(self) -> None:
        """Take up runs that the index lacks, such as a folder that was copied here, and drop those that are gone.

        Runs that it knows are not opened: their folders' names are all that is looked at.
        """
        with self.open() as catalog:
            known = catalog.ids()  # first: the folder of a run is made before its entry
            folders = {path.name: path for path in rundir.folders(self._directory / "runs")}
            for id in folders.keys() - known:
                _adopt(catalog, folders[id])
            for id in known - folders.keys():
                catalog.remove(id)


def _adopt(catalog: Catalog, folder: Path) -> None:
    path = rundir.own_file(folder, rank=0)
    if not path.is_file():  # it is being made, or only further ranks have come
        return
    try:
        with RunFile(path) as file:
            rundir.facts(file)
            info = file.info()
    except (StoreError, sqlite3.DatabaseError):
        return  # it is damaged, or has just been moved: not ours to list
    if info.id == folder.name:
        catalog.adopt(info)
