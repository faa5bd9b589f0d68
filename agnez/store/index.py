"""Whether the index of a store agrees with its runs, and how it comes to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from agnez.errors import StoreError
from agnez.record import RunInfo
from agnez.store import glance
from agnez.store.catalog import Catalog
from agnez.store.folder import Store
from agnez.store.life import seen
from agnez.wire import private_record

_BEFORE = ("heartbeat", "progress", "summary", "ended", "problems", "dropped")
"""What the file of a run may say that was killed before the index heard of it."""


def fault(path: Path) -> str | None:
    """Return what is wrong with a file of the store that is no run's; None where it is sound."""
    try:
        with closing(glance.connect(path)) as connection:
            wrong = [text for (text,) in connection.execute("PRAGMA integrity_check(1)") if text != "ok"]
    except (StoreError, sqlite3.DatabaseError) as error:
        return str(error)
    return wrong[0] if wrong else None


def differences(path: Path, infos: Mapping[str, RunInfo]) -> Iterator[str]:
    """Return a sentence for each run that the index lacks, has too many, or has otherwise than its file."""
    try:
        with closing(glance.connect(path)) as connection:
            rows = dict(connection.execute("SELECT id, facts FROM runs WHERE facts IS NOT NULL"))
    except sqlite3.OperationalError:
        return  # of an earlier Agnez; the next one to open the store fills it
    settled = {id: info for id, info in infos.items() if seen(info).state != "running"}
    for id in sorted(settled.keys() - rows.keys()):
        yield f"the index lacks the run '{id}'"
    for id in sorted(rows.keys() - infos.keys()):
        if not (path.parent / "runs" / id).is_dir():  # one that began a moment ago has its folder
            yield f"the index has the run '{id}', whose folder is missing"
    for id in sorted(settled.keys() & rows.keys()):
        if not _agree(rows[id], settled[id]):
            yield f"the index has other facts of the run '{id}' than its file"


def find(directory: Path, id: str) -> RunInfo | None:
    """Return what the index says of a run; None where it says nothing."""
    path = directory / "catalog.db"
    if not path.is_file() or fault(path) is not None:
        return None
    with Catalog(path) as catalog:
        return catalog.get(id)


def refresh(store: Store, ids: Collection[str]) -> None:
    """Write runs into the index as their files have them."""
    for id in ids:
        with store.open_run(id) as file:
            store.publish(file.info())


def _agree(facts: str, info: RunInfo) -> bool:
    try:
        found = json.loads(facts)
        return all(found.get(key) == value for key, value in private_record(info).items() if key not in _BEFORE)
    except (ValueError, AttributeError):
        return False
