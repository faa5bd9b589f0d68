"""The folder of a run: which files it has, how one begins, and how one is gone on with."""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from agnez.errors import ConflictError, StoreError
from agnez.record import RunInfo
from agnez.store import life
from agnez.store.fork import copy_line
from agnez.store.identity import appear
from agnez.store.runfile import RunFile

_RANK = re.compile(r"rank-(\d+)(\.process-[0-9a-f-]+)?\.db")


def is_plain(id: str) -> bool:
    """Tell whether an id can be that of a run: up to 64 letters, digits, hyphens and underscores.

    >>> is_plain("digits-3"), is_plain("../digits")
    (True, False)
    """
    return id.isascii() and id.replace("-", "").replace("_", "").isalnum() and len(id) <= 64


def own_file(folder: Path, rank: int) -> Path:
    """Return the path of the file that a rank itself writes."""
    return folder / ("run.db" if rank == 0 else f"rank-{rank}.db")


def process_file(folder: Path, rank: int) -> Path:
    """Return the path of a new file for a further process of a rank: this one."""
    return folder / f"rank-{rank}.process-{os.getpid()}-{secrets.token_hex(2)}.db"


def files(folder: Path, rank: int) -> list[Path]:
    """Return the files of a rank: its own first, then those of its further processes."""
    further = sorted(folder.glob(f"rank-{rank}.process-*.db"))
    return [path for path in (own_file(folder, rank), *further) if path.is_file()]


def ranks(folder: Path) -> list[int]:
    """Return the ranks that wrote into a run."""
    names = {path.name for path in folder.glob("*.db")}
    found = {int(match[1]) for name in names if (match := _RANK.fullmatch(name))}
    return sorted(found | {0} if "run.db" in names else found)


def folders(parent: Path) -> list[Path]:
    """Return the folders of runs in a folder; in the trash they may bear a number after the id."""
    try:
        with os.scandir(parent) as entries:
            return [parent / each.name for each in entries if is_plain(each.name.partition(".")[0]) and each.is_dir()]
    except FileNotFoundError:
        return []


def facts(file: RunFile) -> RunInfo:
    """Return the facts of a run, without the summaries of its series.

    Raises:
        StoreError: some are missing.
    """
    try:
        return file.facts()
    except KeyError as error:
        raise StoreError(f"the file of this run lacks its {error}: try `agnez doctor`") from error


def describe(folder: Path) -> RunInfo:
    """Return what a folder says of its run, as it is to be shown; of one that cannot be read, what is wrong with it."""
    try:
        with RunFile(folder / "run.db") as file:
            return life.seen(facts(file))
    except (StoreError, sqlite3.DatabaseError) as error:
        id, made = folder.name.partition(".")[0], folder.stat().st_mtime_ns // 1000
        return RunInfo(id, project="", name=id, created=made, state="crashed", reason=str(error))


def begin(path: Path, info: RunInfo, parents: Sequence[Path] = ()) -> RunFile:
    """Make a file of a run, which appears whole: nobody ever meets it half made.

    Of a fork, `parents` are the files that it begins with.

    Raises:
        ConflictError: there is such a file.
    """
    taken = f"there is a run with the id {info.id!r} already: resume='allow' goes on with it"
    if path.exists():  # ahead of the work; `appear` tells for certain
        raise ConflictError(taken)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.db")
    try:
        with RunFile(draft, create=True) as file, file.transaction():
            file.write_info(info)
            if info.forked_from is not None:
                copy_line(parents, file, info.forked_from[1])
        if not appear(draft, path):
            raise ConflictError(taken)
    finally:
        draft.unlink(missing_ok=True)
    return RunFile(path)


def claim(path: Path, what: str) -> RunFile:
    """Open a file of a run that has ended, to go on with it as the only one who does: in a new segment.

    Raises:
        ConflictError: somebody writes it.
    """
    file = RunFile(path)
    try:
        found = life.settle(lambda: facts(file))
        with file.transaction():
            info = facts(file)
            if found.state == "running" or (info.heartbeat, info.pid) != (found.heartbeat, found.pid):
                where = "in this process" if info.pid == os.getpid() else f"as process {info.pid} on {info.host}"
                raise ConflictError(f"{what} is still running, {where}: finish it there before you go on with it")
            file.begin_segment()
            file.write_info(life.owned(info))
    except BaseException:
        file.close()
        raise
    return file
