"""The store: a folder with a folder for each run, and an index over them."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from agnez.errors import NotFoundError, StoreError
from agnez.record import RunInfo
from agnez.store import cells, database
from agnez.store.catalog import Catalog
from agnez.store.cells import Cells
from agnez.store.runfile import RunFile

FORMAT = 1
_CELLS = (cells.SCHEMA,)


class Store:
    """Open what was recorded in a folder; the folder is made where there is none.

    Raises:
        StoreError: the folder cannot be written, or belongs to a newer Agnez.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.id = _identify(directory)
        self._check_catalog()

    def create_run(self, info: RunInfo) -> RunFile:
        """Make the folder of a new run and return its file."""
        file = RunFile(self.run_path(info.id), create=True)
        with file.transaction():
            file.write_info(info)
        self.publish(info)
        return file

    def open_run(self, id: str) -> RunFile:
        """Return the file of a run.

        Raises:
            NotFoundError: there is no such run.
        """
        path = self.run_path(id)
        if not path.is_file():
            raise NotFoundError(f"No run found for id '{id}'")
        return RunFile(path)

    def publish(self, info: RunInfo) -> None:
        """Show a run as it stands now in every list."""
        with self.catalog() as catalog:
            catalog.put(info)

    def runs(self, project: str | None = None) -> list[RunInfo]:
        """Return the runs, newest first."""
        with self.catalog() as catalog:
            return catalog.runs(project)

    def catalog(self) -> Catalog:
        """Open the index."""
        return Catalog(self.directory / "catalog.db")

    @contextmanager
    def cells(self, run: str | None) -> Iterator[Cells]:
        """Open the cells of a run, or those that belong to none.

        Raises:
            NotFoundError: there is no such run.
        """
        if run is not None:
            with self.open_run(run) as file:
                yield file.cells
            return
        with closing(self.open_loose_cells()) as connection:
            yield Cells(connection)

    def open_loose_cells(self) -> sqlite3.Connection:
        """Open the file of the cells that belong to no run."""
        return database.connect(self.directory / "cells.db", _CELLS, create=True)

    def run_of_cell(self, id: str) -> str | None:
        """Return the run whose file holds a cell: a recorder names its cells `<run id>.<word>`."""
        run, dot, _ = id.partition(".")
        return run if dot and self._is_run(run) else None

    def _is_run(self, id: str) -> bool:
        return _is_plain(id) and self.run_path(id).is_file()

    def run_path(self, id: str) -> Path:
        """Return the path of a run's file.

        Raises:
            NotFoundError: such an id cannot be.
        """
        if not _is_plain(id):
            raise NotFoundError(f"No run found for id '{id}'")
        return self.directory / "runs" / id / "run.db"

    def _check_catalog(self) -> None:
        """Take up runs that the index lacks, such as a folder that was copied here."""
        folders = {path.parent.name for path in self.directory.glob("runs/*/run.db")}
        with self.catalog() as catalog:
            for id in folders - catalog.ids():
                try:
                    with self.open_run(id) as file:
                        catalog.put(file.info())
                except (
                    StoreError,
                    KeyError,
                ):  # another process is making it right now, or it is damaged: not ours to list
                    continue


def _is_plain(id: str) -> bool:
    return id.isascii() and id.replace("-", "").replace("_", "").isalnum() and len(id) <= 64


def _identify(directory: Path) -> str:
    """Return the id of the store, which its first user gives it."""
    path = directory / "store.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, json.dumps({"id": uuid.uuid4().hex, "format": FORMAT}))
        facts = json.loads(path.read_text("utf-8"))
        id, found = str(facts["id"]), int(facts["format"])
    except OSError as error:
        raise StoreError(
            f"{directory} cannot be used as a store ({error.strerror}): choose another with dir="
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged, or is not a file of Agnez: move it away") from error
    if found > FORMAT:
        raise StoreError(f"{directory} was written by a newer Agnez (format {found}): pip install --upgrade agnez")
    return id


def _write_once(path: Path, text: str) -> None:
    """Write a file that appears whole, and that of several processes just one writes."""
    mine = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}")
    mine.write_text(text, "utf-8")
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        mine.replace(path)
    finally:
        mine.unlink(missing_ok=True)
