"""The doctor of a store: finds what is wrong, says it, and mends what can be mended."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from agnez.errors import NotFoundError, StoreError
from agnez.record import RunInfo
from agnez.store import checkup, glance, identity, index, media, rundir
from agnez.store.checkup import Verdict
from agnez.store.folder import Store
from agnez.store.life import seen
from agnez.store.salvage import salvage, salvage_cells

Told = Callable[[int], None]
"""Called with how many bytes more were looked at."""

_MEDIA = re.compile(r"/media/([0-9a-f]{32}\.[a-z0-9]+)")
_DRAFT = re.compile(r"\.(store\.json\.|catalog\.|copying-|salvage|\d+-[0-9a-f]+\.db).*")
_OLD_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Remark:
    """Say one thing of a store: a note, a fault that is there, or one that was mended."""

    kind: Literal["note", "fault", "mended"]
    sentence: str


def examine(
    directory: Path, runs: Collection[str] = (), *, repair: bool = False, told: Told = lambda size: None
) -> Iterator[Remark]:
    """Look at a store, or at these runs of it alone, and say what is found; where asked, `repair` it.

    Without `repair` nothing is changed. With it, files that are damaged are moved aside and never deleted. Call it in a
    process that has none of the store's files open: on POSIX a look at a file gives up the process' own locks on it.

    Raises:
        StoreError: there is no store, or it is of a newer Agnez.
        NotFoundError: there is no such run.
    """
    doctor = _Doctor(directory, repair, told)
    doctor.look_at_identity()
    for id in runs:
        if not rundir.is_plain(id) or not (directory / "runs" / id).is_dir():
            raise NotFoundError(f"No run found for id '{id}' in {directory}")
    return doctor.runs([directory / "runs" / id for id in runs]) if runs else doctor.store()


def size(directory: Path, runs: Collection[str] = ()) -> int:
    """Return how many bytes `examine` has to look at, about."""
    folders = [directory / "runs" / id for id in runs] or rundir.folders(directory / "runs")
    return sum(path.stat().st_size for folder in folders for path in folder.glob("*.db") if path.is_file())


class _Doctor:
    def __init__(self, directory: Path, repair: bool, told: Told) -> None:
        self._directory = directory
        self._repair = repair
        self._told = told
        self._remarks: list[Remark] = []  # on store.json, which is looked at first and told with the rest
        self._infos: dict[str, RunInfo] = {}  # what the files of runs say
        self._saved: set[str] = set()  # runs that are in the index as they were before they were mended

    def look_at_identity(self) -> None:
        """Look at store.json.

        Raises:
            StoreError: this is no store, or one of a newer Agnez.
        """
        path = self._directory / "store.json"
        if not path.is_file() and not rundir.folders(self._directory / "runs"):
            raise StoreError(f"there is no store in {self._directory}: name the folder that holds store.json")
        wrong = "is missing"
        if path.is_file():
            try:
                facts = json.loads(path.read_text("utf-8"))
                str(facts["id"]), int(facts["format"])
                identity.identify(self._directory, create=False)  # says of a newer format what to do
                return
            except OSError as error:
                raise StoreError(f"{path} cannot be read ({error.strerror}): check who may read it") from error
            except (ValueError, KeyError, TypeError):
                wrong = "is damaged"
        if not self._repair:
            self._remarks.append(Remark("fault", f"{path} {wrong}"))
            return
        if path.is_file():
            _set_aside(path)
        identity.identify(self._directory, create=True)
        self._remarks.append(Remark("mended", f"{path} {wrong[3:]}: the store has a new id"))

    def store(self) -> Iterator[Remark]:
        """Look at everything; the index last, for it follows from the rest."""
        yield from self._remarks
        yield from self._drafts(self._directory)
        yield from self._loose_cells()
        yield from self.runs(sorted(rundir.folders(self._directory / "runs")), whole=True)

    def runs(self, folders: list[Path], *, whole: bool = False) -> Iterator[Remark]:
        """Look at runs, and at the index if they are the `whole` store or were mended."""
        for folder in folders:
            yield from self._run(folder)
        if whole:
            yield from self._index()
        elif self._saved:
            index.refresh(Store(self._directory), self._saved)

    def _run(self, folder: Path) -> Iterator[Remark]:
        yield from self._drafts(folder)
        info = None
        for path in [path for rank in rundir.ranks(folder) for path in rundir.files(folder, rank)]:
            verdict = checkup.examine(path, self._told)
            yield from self._file(path, verdict)
            info = verdict.info if path.name == "run.db" else info
        yield from self._stray_journals(folder)
        if not (folder / "run.db").is_file():
            yield Remark("fault", f"{folder} has no run.db, which says what the run was: no list shows it")
        elif info is not None and info.id != folder.name:
            yield Remark("fault", f"{folder} holds the run '{info.id}': give the folder that name")
        elif info is not None:
            self._infos[folder.name] = info
        yield from self._media(folder, lives=info is not None and seen(info).state == "running")

    def _file(self, path: Path, verdict: Verdict) -> Iterator[Remark]:
        """Say how a file of a run is, and save what can be read of it."""
        if verdict.state == "sound":
            yield from self._journal(path, verdict)
            return
        reasons = "; ".join(verdict.reasons)
        if not self._repair or verdict.state in ("foreign", "newer"):
            yield Remark("fault", f"{path}: {reasons}")
            return
        if _is_held(path) or _runs_elsewhere(verdict.info):
            yield Remark("fault", f"{path}: {reasons}. A process writes it: end that, then repair it")
            return
        if verdict.state == "waiting":
            yield self._merge(path)
            verdict = checkup.examine(path)
            if verdict.state == "sound":
                return
            reasons = "; ".join(verdict.reasons)
        yield self._save(path, reasons)

    def _journal(self, path: Path, verdict: Verdict) -> Iterator[Remark]:
        journal = glance.journal(path)
        if journal is None or (verdict.info is not None and seen(verdict.info).state == "running"):
            return
        if self._repair and not _is_held(path):
            yield self._merge(path)
        elif verdict.info is not None:
            size = journal.stat().st_size / 1024
            yield Remark("note", f"{path} was not closed: {size:,.0f} kB of it rest in {journal.name}, and count")

    def _merge(self, path: Path) -> Remark:
        try:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.DatabaseError as error:
            return Remark("fault", f"the journal of {path} could not be merged ({error})")
        return Remark("mended", f"{path} had not been closed: its journal is merged")

    def _save(self, path: Path, reasons: str) -> Remark:
        """Put a new file in the place of a damaged one, with all that can be read of that."""
        new = path.with_name(f".salvaged-{path.name}")
        new.unlink(missing_ok=True)
        known = index.find(self._directory, path.parent.name)
        if known is not None and path.name != "run.db":
            known = replace(known, summary={})  # its metrics are numbered otherwise
        facts = ".process-" not in path.name
        try:
            saved = salvage(path, new, run=path.parent.name, known=known, facts=facts)
        except (StoreError, sqlite3.DatabaseError) as error:
            new.unlink(missing_ok=True)
            return Remark("fault", f"{path}: {reasons}. {error}; it is left as it is")
        kept = _replace(path, new)
        self._saved.add(path.parent.name)
        missing = f"; missing: {'; '.join(saved.lost)}" if saved.lost else ""
        return Remark(
            "mended",
            f"{path}: {reasons}. {saved.points:,} points were saved{missing}. The damaged file is kept as {kept.name}",
        )

    def _stray_journals(self, folder: Path) -> Iterator[Remark]:
        for path in sorted([*folder.glob("*.db-wal"), *folder.glob("*.db-journal")]):
            owner = path.with_name(path.name.rpartition("-")[0])
            if not owner.is_file() and not path.name.startswith("."):
                yield Remark("fault", f"{path} is a journal, and {owner.name}, which it belongs to, is missing")

    def _media(self, folder: Path, *, lives: bool) -> Iterator[Remark]:
        """Compare the media of a run with what its cells name, and each file with its name."""
        names, named = set(media.names(folder)), _named(folder / "run.db")
        for name in sorted(names):
            path = folder / "media" / name
            if not media.is_sound(path):
                sentence = f"{path} does not hold what its name says"
                if self._repair:
                    sentence += f"; it is kept as {_set_aside(path).name}"
                yield Remark("mended" if self._repair else "fault", sentence)
        for name in sorted(named - names):
            yield Remark("fault", f"{folder / 'media' / name} is missing, and the run names it")
        loose = [folder / "media" / name for name in names - named]
        if loose and not lives:
            size = sum(path.stat().st_size for path in loose) / 1024**2
            yield Remark("note", f"{folder / 'media'}: {len(loose)} files ({size:,.1f} MB) that nothing names any more")

    def _drafts(self, folder: Path) -> Iterator[Remark]:
        """Look for files that something was to be made of, by a process that ended before."""
        drafts = [path for path in folder.glob(".*") if _DRAFT.fullmatch(path.name)]
        for path in sorted([*drafts, *media.leftovers(folder)]):
            if time.time() - path.stat().st_mtime < _OLD_SECONDS:
                continue
            if self._repair:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            sentence = f"{path} was begun and never finished{'; it is removed' if self._repair else ''}"
            yield Remark("mended" if self._repair else "note", sentence)

    def _loose_cells(self) -> Iterator[Remark]:
        path = self._directory / "cells.db"
        reason = index.fault(path) if path.is_file() else None
        if reason is None:
            return
        if not self._repair or _is_held(path):
            yield Remark("fault", f"{path}, the cells of no run: {reason}")
            return
        new = path.with_name(".salvaged-cells.db")
        new.unlink(missing_ok=True)
        count = salvage_cells(path, new)
        kept = _replace(path, new)
        yield Remark("mended", f"{path}: {reason}. {count} cells were saved; the damaged file is kept as {kept.name}")

    def _index(self) -> Iterator[Remark]:
        """Compare the index with the runs; it holds nothing that they do not, and can be made anew."""
        path = self._directory / "catalog.db"
        reason = index.fault(path) if path.is_file() else "it is missing"
        wrong = [f"{path}, the index: {reason}"] if reason else list(index.differences(path, self._infos))
        if not self._repair:
            yield from (Remark("fault", sentence) for sentence in wrong)
            return
        if reason and path.is_file():
            _set_aside(path)
        if wrong or self._saved:
            index.refresh(Store(self._directory), self._infos)
        yield from (Remark("mended", f"{sentence}; it is made anew") for sentence in wrong)


def _named(path: Path) -> set[str]:
    """Return the names of the files of media that a run's cells and album name; none where they cannot be read."""
    try:
        with closing(glance.connect(path)) as connection:
            bodies = connection.execute("SELECT body FROM cells WHERE body IS NOT NULL").fetchall()
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'media'").fetchone():  # not in old files
                bodies += connection.execute("SELECT body FROM media").fetchall()
    except (StoreError, sqlite3.DatabaseError):
        return set()
    return {name for (body,) in bodies for name in _MEDIA.findall(body)}


def _replace(path: Path, new: Path) -> Path:
    """Put a file in the place of another, and return where that one is kept."""
    kept = _set_aside(path)
    new.rename(path)
    return kept


def _set_aside(path: Path) -> Path:
    """Give a file, and its journals, a name that nothing looks for."""
    kept = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    number = 1
    while kept.exists():
        number += 1
        kept = kept.with_name(f"{kept.name.partition('+')[0]}+{number}")
    for ending in ("-wal", "-shm", "-journal", ""):
        beside = path.with_name(path.name + ending)
        if beside.is_file():
            beside.rename(kept.with_name(kept.name + ending))
    return kept


def _runs_elsewhere(info: RunInfo | None) -> bool:
    """Tell whether another machine, of whose locks nothing may be known here, writes a run."""
    return info is not None and info.host != socket.gethostname() and seen(info).state == "running"


def _is_held(path: Path) -> bool:
    """Tell whether another process has a file open: SQLite locks a range of bytes of each file that it works on."""
    try:
        import fcntl
    except ImportError:  # Windows, which lets nobody rename a file that is open
        return False
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError:
            return True
        fcntl.lockf(file, fcntl.LOCK_UN, _SHARED_SIZE, _SHARED_FIRST)
    return False


_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510  # as sqlite.org/fileformat2.html and its os_unix.c have it
