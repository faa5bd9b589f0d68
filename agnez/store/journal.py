"""Which journal a SQLite file keeps: it goes by the file system of its folder."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Literal

Mode = Literal["wal", "delete"]

_NETWORK = frozenset(
    "9p afs beegfs ceph cifs coda davfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs panfs pvfs2 "
    "smb smb2 smb3 smbfs virtiofs".split()
)


def suited(folder: Path, mounts: str | None = None) -> Mode:
    """Return the journal for files in a folder.

    A write-ahead log lets readers and the writer work side by side, and needs memory that all its users share: on a
    network file system, where they may sit at different machines, only the rollback journal is safe. `mounts` is what
    Linux tells in /proc/mounts; where nothing tells, the disk counts as local.

    >>> suited(Path("/data/runs"), "disk / ext4 rw 0 0\\nserver:/x /data nfs4 rw 0 0")
    'delete'
    """
    kind = _kind(folder, _read_mounts() if mounts is None else mounts)
    return "delete" if kind in _NETWORK or kind.startswith("fuse.") else "wal"


def _kind(folder: Path, mounts: str) -> str:
    """Return the type of the file system that a folder is on; "" where that is not known."""
    path = Path(os.path.realpath(folder))
    kind, depth = "", 0
    for point, type_ in _mounted(mounts):
        if path.is_relative_to(point) and len(point.parts) >= depth:  # of two at one place, the later covers the other
            kind, depth = type_, len(point.parts)
    return kind


@functools.lru_cache(maxsize=1)  # it is asked for each file that is opened, and seldom changes
def _mounted(mounts: str) -> list[tuple[Path, str]]:
    """Return where file systems are mounted, and their types."""
    rows = [fields for line in mounts.splitlines() if len(fields := line.split()) >= 3]
    return [(Path(re.sub(r"\\(\d{3})", _octal, fields[1])), fields[2].lower()) for fields in rows]


def _octal(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _read_mounts() -> str:
    try:
        return Path("/proc/mounts").read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
