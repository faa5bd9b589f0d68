"""A sound copy of a store, or of one run, taken while it may be written."""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from agnez.errors import ConflictError, NotFoundError, StoreError
from agnez.store import glance, media
from agnez.store.folder import Store
from agnez.store.identity import identify
from agnez.store.life import seen
from agnez.store.rundir import files, ranks
from agnez.store.runfile import RunFile

Told = Callable[[int, int], None]
"""Called with how many bytes are copied, and how many there are in all."""

_PAGES = 1024  # of each step, 4 MB: the bar moves, and a rollback journal's writer gets its turn between two
_STARTS = 4  # a writer without WAL makes a copy start over; after so many it is held up until the copy is made


@dataclass(frozen=True, slots=True)
class Copied:
    """Say what a copy holds: ids of runs, bytes, and a sentence for each thing that could not be copied."""

    directory: Path
    runs: tuple[str, ...]
    size: int
    problems: tuple[str, ...]


def copy_store(source: Path, target: Path, *, told: Told = lambda done, total: None) -> Copied:
    """Copy a store to a folder that is not there yet, or is empty. Its trash is not copied.

    The copy is a store of its own, with another id. A run that is being written is in the copy what it was at one
    moment, and marked as interrupted. What cannot be copied is left out and told. `target` appears whole or not at all.

    Raises:
        StoreError: `source` is no store, or one of a newer Agnez, or the disk does not take the copy.
        ConflictError: `target` holds something already, or lies inside `source`.
    """
    identify(source, create=False)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConflictError(f"{target} exists already: choose a new folder, or copy one run into a store with --run")
    if target.absolute().is_relative_to(source.absolute()):
        raise ConflictError(f"{target} lies inside the store {source}: choose a folder outside")
    ids = sorted(path.parent.name for path in source.glob("runs/*/run.db"))
    with _workshop(target.parent) as workshop:
        work = _Work(told, _run_files(source / "runs" / id for id in ids) + _existing(source / "cells.db"))
        runs = tuple(id for id in ids if work.run(source / "runs" / id, workshop / "runs" / id))
        work.files(_existing(source / "cells.db"), workshop)
        Store(workshop)  # gives it an id and an index
        if target.exists():
            target.rmdir()
        workshop.rename(target)
    return Copied(target, runs, work.done, tuple(work.problems))


def copy_run(source: Path, id: str, target: Path, *, told: Told = lambda done, total: None) -> Copied:
    """Copy one run of a store into another store, which is made where there is none.

    Raises:
        StoreError: `source` is no store of this Agnez, the run is damaged, or the disk does not take the copy.
        NotFoundError: there is no such run.
        ConflictError: `target` has a run of this id, or is something else than a store.
    """
    identify(source, create=False)
    folder = source / "runs" / id
    if not (folder / "run.db").is_file():
        raise NotFoundError(f"No run found for id '{id}' in {source}")
    if target.exists() and not (target / "store.json").is_file() and (not target.is_dir() or any(target.iterdir())):
        raise ConflictError(f"{target} is no store: choose a store, or a folder that is not there yet")
    store = Store(target)
    place = target / "runs" / id
    if place.exists():
        raise ConflictError(f"{target} has a run {id} already: it is left as it is")
    with _workshop(target) as workshop:
        work = _Work(told, _run_files([folder]))
        if not work.run(folder, workshop / "run"):
            raise StoreError(" ".join(work.problems))
        place.parent.mkdir(exist_ok=True)
        (workshop / "run").rename(place)
    with store.open_run(id) as file:
        store.publish(file.info())
    return Copied(target, (id,), work.done, tuple(work.problems))


class _Work:
    """Copy files one by one, count their bytes, and note what could not be copied."""

    def __init__(self, told: Told, files: Sequence[Path]) -> None:
        self._told = told
        self._total = sum(_size(each) for each in files)
        self.done = 0
        self.problems: list[str] = []

    def run(self, folder: Path, target: Path) -> bool:
        """Copy the folder of a run; return whether its main file came over."""
        # The pictures last: whatever a cell of the copied file names was there before it.
        self.files(_databases(folder), target)
        if not (target / "run.db").is_file():
            shutil.rmtree(target, ignore_errors=True)
            return False
        _mark(target / "run.db")
        self.files([folder / "media" / name for name in media.names(folder)], target / "media")
        return True

    def files(self, paths: Sequence[Path], target: Path) -> None:
        """Copy files into a folder."""
        for path in paths:
            target.mkdir(parents=True, exist_ok=True)
            try:
                self._file(path, target / path.name)
            except FileNotFoundError:  # a picture that was replaced since: no cell of the copied file names it
                pass
            except (StoreError, sqlite3.DatabaseError) as error:
                _raise_unless_of_source(error)
                (target / path.name).unlink(missing_ok=True)
                self.problems.append(f"{path} was left out ({error}): agnez doctor tells more")

    def _file(self, path: Path, target: Path) -> None:
        start, size = self.done, _size(path)
        if path.suffix == ".db":
            _backup(path, target, lambda part: self._tell(start + int(part * size)))
        else:
            shutil.copyfile(path, target)
        self._tell(start + size)

    def _tell(self, done: int) -> None:
        self.done = done
        self._told(done, self._total)


def _backup(source: Path, target: Path, told: Callable[[float], None]) -> None:
    """Copy a file of SQLite with its backup API; `told` gets the part that is done, 0 to 1."""
    with closing(glance.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        if reading.execute("PRAGMA journal_mode").fetchone()[0] != "wal" and _in_turns(reading, writing, told):
            return
        # With WAL this holds up nobody. And SQLite starts no copy over while it reads of one moment.
        reading.execute("BEGIN")
        reading.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        reading.backup(writing, pages=_PAGES, progress=lambda _, left, total: told(1 - left / max(total, 1)))


class _StartedOverError(Exception):
    """Tell that a writer keeps coming between the steps of a copy."""


def _in_turns(reading: sqlite3.Connection, writing: sqlite3.Connection, told: Callable[[float], None]) -> bool:
    """Copy with the file free between two steps; give up, and return False, when it is written too often for that."""
    starts, before = 0, 0

    def step(_: int, left: int, total: int) -> None:
        nonlocal starts, before
        starts += left > before  # the first step too
        before = left
        if starts > _STARTS:
            raise _StartedOverError
        told(1 - left / max(total, 1))

    try:
        reading.backup(writing, pages=_PAGES, progress=step, sleep=0.01)
    except _StartedOverError:
        return False
    return True


def _mark(path: Path) -> None:
    """Say in the copy of a run that is being written that nobody writes the copy."""
    try:
        with RunFile(path) as file:
            info = file.info()
            if seen(info).state == "running":
                reason = "copied while it was running"
                with file.transaction():
                    file.write_info(replace(info, state="interrupted", reason=reason, ended=info.heartbeat))
    except StoreError:  # of a newer Agnez: the copy is as good as the file, and left as it is
        return


def _run_files(folders: Iterator[Path] | Sequence[Path]) -> list[Path]:
    return [
        path
        for folder in folders
        for path in (*_databases(folder), *(folder / "media" / name for name in media.names(folder)))
    ]


def _databases(folder: Path) -> list[Path]:
    """Return the files of all ranks, run.db first; drafts of files that are being made are none."""
    return [path for rank in ranks(folder) for path in files(folder, rank)]


def _existing(path: Path) -> list[Path]:
    return [path] if path.is_file() else []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _workshop(parent: Path) -> Iterator[Path]:
    """Make a folder to copy into, which goes away when the copy fails."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = parent / f".copying-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
    except OSError as error:
        raise StoreError(f"{parent} cannot be written ({error.strerror}): choose another folder") from error
    try:
        yield folder
    except OSError as error:
        raise StoreError(f"the copy could not be written ({error.strerror}): nothing of it is left") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _raise_unless_of_source(error: Exception) -> None:
    """Let a disk that does not take the copy end the work; a source that cannot be read is left out."""
    name = getattr(error, "sqlite_errorname", None)
    if name is not None and not name.startswith(_OF_SOURCE):
        raise StoreError(f"the copy could not be written ({error}): nothing of it is left") from error


_OF_SOURCE = (
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_IOERR_READ",
    "SQLITE_IOERR_SHORT_READ",
)
