"""The store: a folder with a folder for each run, and an index over them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from agnez import names
from agnez.errors import BadValueError, ConflictError, NotFoundError, StoreError
from agnez.query import Query
from agnez.record import RunInfo
from agnez.store import cells, database, rundir
from agnez.store.catalog import Catalog
from agnez.store.cells import Cells
from agnez.store.identity import identify
from agnez.store.lists import Lists
from agnez.store.runfile import RunFile
from agnez.store.trash import Trash

_CELLS = (cells.SCHEMA,)


class Store:
    """Open what was recorded in a folder; the folder is made where there is none and `create` allows it.

    A folder that cannot be written opens for reading.

    Raises:
        StoreError: the folder can neither be read nor made, or belongs to a newer Agnez.
    """

    def __init__(self, directory: Path, *, create: bool = True) -> None:
        self.directory = directory
        self.id = identify(directory, create)
        self._lists = Lists(directory)
        self._trash = Trash(directory / "trash")
        self._lists.check()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.directory,)

    def create_run(self, info: RunInfo) -> RunFile:
        """Make the folder of a new run and return its file; a fork gets the points of the run it began with.

        Raises:
            ConflictError: there is a run of that id.
            NotFoundError: there is no run to fork from.
            StoreError: the folder cannot be written.
        """
        with self._writing():
            file = rundir.begin(self.run_path(info.id), info, self._parents(info, rank=0))
            self.publish(file.info())
        return file

    def new_name(self, project: str) -> str:
        """Return a name for a further run of a project."""
        with self.catalog() as catalog:
            return names.new_name(catalog.count(project) + 1)

    def resume_run(self, id: str) -> RunFile:
        """Take a run up that has ended: its file gets a new segment, and it is running again, as this process' own.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it is still running.
            StoreError: the folder cannot be written.
        """
        with self._writing():
            file = rundir.claim(self._path_of(id), f"run {id}")
            self.publish(file.info())
        return file

    def join_run(self, id: str, rank: int, *, info: RunInfo | None = None) -> RunFile:
        """Return the file of a rank from 1 on: a new one that begins with `info`, or the one it had, taken up again.

        The run's own file need not be there yet.

        Raises:
            ConflictError: another process writes this rank.
            StoreError: the folder cannot be written.
        """
        path = rundir.own_file(self.run_folder(id), rank)
        with self._writing():
            if path.is_file():
                return rundir.claim(path, f"rank {rank} of run {id}")
            if info is None:
                return RunFile(path, create=True)
            return rundir.begin(path, info, self._parents(info, rank))

    def open_rank(self, id: str, rank: int, info: RunInfo) -> RunFile:
        """Return the file of a rank from 1 on, whoever writes it: a new one, that begins with `info`, if there is none.

        Raises:
            StoreError: the folder cannot be written.
        """
        path = rundir.own_file(self.run_folder(id), rank)
        with self._writing(), suppress(ConflictError):  # another server was quicker
            if not path.is_file():
                return rundir.begin(path, info)
        return RunFile(path)

    def join_process(self, id: str, rank: int) -> RunFile:
        """Return a new file for a further process of a rank, such as a forked or spawned child.

        Raises:
            StoreError: the folder cannot be written.
        """
        with self._writing():
            return RunFile(rundir.process_file(self.run_folder(id), rank), create=True)

    def open_run(self, id: str) -> RunFile:
        """Return the file of a run.

        Raises:
            NotFoundError: there is no such run.
        """
        return RunFile(self._path_of(id))

    def files(self, id: str, rank: int = 0) -> list[Path]:
        """Return the files of a rank: its own first, then those of its further processes."""
        return rundir.files(self.run_folder(id), rank)

    def ranks(self, id: str) -> list[int]:
        """Return the ranks that wrote into a run."""
        return rundir.ranks(self.run_folder(id))

    def edit(
        self,
        id: str,
        *,
        name: str | None = None,
        tags: Iterable[str] | None = None,
        notes: str | None = None,
        archived: bool | None = None,
    ) -> RunInfo:
        """Change what a person says of a run, be it running or not; None leaves a thing as it is.

        Raises:
            BadValueError: the name is empty, or a text holds what no file can.
            NotFoundError: there is no such run.
            StoreError: the folder cannot be written.
        """
        given: dict[str, Any] = {
            "name": name,
            "tags": None if tags is None else tuple(tags),
            "notes": notes,
            "archived": archived,
        }
        for text in (name or "", notes or "", *(given["tags"] or ())):
            names.check_speakable(text, "this text")
        if name == "":
            raise BadValueError("a run needs a name: give a text that is not empty")
        changes = {field: value for field, value in given.items() if value is not None}
        with self._writing(), self.open_run(id) as file:
            with file.transaction():
                file.write_info(replace(rundir.facts(file), **changes))
            info = file.info()
            self.publish(info)
        return info

    def trash(self, id: str) -> None:
        """Put a run into the trash. It can be restored until the trash is emptied.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it is still running.
            StoreError: the folder cannot be written.
        """
        folder = self.run_folder(id)
        if not folder.is_dir():
            raise NotFoundError(f"No run found for id '{id}'")
        if rundir.describe(folder).state == "running":
            raise ConflictError(f"run {id} is still running: finish it, or end its process, before you delete it")
        with self._writing():
            self._trash.put(folder)
            with self.catalog() as catalog:
                catalog.remove(id)

    def trashed(self) -> list[RunInfo]:
        """Return the runs in the trash, newest first; of one that cannot be read, its id and what is wrong with it."""
        return self._trash.runs()

    def restore(self, id: str) -> RunInfo:
        """Bring a run back from the trash; of several with one id, that which was deleted last.

        Raises:
            NotFoundError: no such run is in the trash.
            ConflictError: there is another run of that id by now.
            StoreError: the folder cannot be written.
        """
        folder = self.run_folder(id)
        if folder.exists():
            raise ConflictError(f"there is another run with the id {id!r} by now: delete that one first")
        with self._writing():
            self._trash.give_back(folder)
            self._lists.check()
        return rundir.describe(folder)

    def empty_trash(self) -> int:
        """Delete for good what is in the trash, and return how many runs that were.

        Raises:
            StoreError: something cannot be deleted; what could be, is.
        """
        with self._writing():
            return self._trash.empty()

    def publish(self, info: RunInfo) -> None:
        """Show a run as it stands now in every list."""
        with self.catalog() as catalog:
            catalog.put(info)

    def runs(self, project: str | None = None) -> list[RunInfo]:
        """Return the runs, newest first."""
        with self.catalog() as catalog:
            return catalog.runs(project)

    def search(self, query: Query) -> list[RunInfo]:
        """Return the runs that a query may find, newest first."""
        with self.catalog() as catalog:
            return catalog.search(query)

    def catalog(self) -> Catalog:
        """Open the index."""
        return self._lists.open()

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
        return database.connect(self.cells_path(None), _CELLS, create=True)

    def cells_path(self, run: str | None) -> Path:
        """Return the path of the file that holds the cells of a run, or those that belong to none."""
        if run is not None:
            return self.run_path(run)
        path = self.directory / "cells.db"
        if not path.exists() and not os.access(self.directory, os.W_OK):
            path = self._lists.own_folder() / "cells.db"
        return path

    def has_run(self, id: str) -> bool:
        """Tell whether there is a run of that id."""
        return rundir.is_plain(id) and self.run_path(id).is_file()

    def run_of_cell(self, id: str) -> str | None:
        """Return the run whose file holds a cell: a recorder names its cells `<run id>.<word>`."""
        run, dot, _ = id.partition(".")
        return run if dot and self.has_run(run) else None

    def run_folder(self, id: str) -> Path:
        """Return the folder of a run.

        Raises:
            NotFoundError: such an id cannot be.
        """
        if not rundir.is_plain(id):
            raise NotFoundError(f"No run found for id '{id}'")
        return self.directory / "runs" / id

    def run_path(self, id: str) -> Path:
        """Return the path of a run's file.

        Raises:
            NotFoundError: such an id cannot be.
        """
        return self.run_folder(id) / "run.db"

    def _parents(self, info: RunInfo, rank: int) -> list[Path]:
        if info.forked_from is None:
            return []
        self._path_of(info.forked_from[0])
        return self.files(info.forked_from[0], rank)

    def _path_of(self, id: str) -> Path:
        path = self.run_path(id)
        if not path.is_file():
            raise NotFoundError(f"No run found for id '{id}'")
        return path

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say of a folder that cannot be written what to do about it."""
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            raise StoreError(f"{self.directory} cannot be written ({error}): choose another with dir=") from error
