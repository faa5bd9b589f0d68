"""The findings of runs, as they are asked for: of one, or of all."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from agnez.errors import NotFoundError, StoreError
from agnez.query import Record
from agnez.record import Finding
from agnez.store import Store
from agnez.wire import finding_record

log = logging.getLogger(__name__)

_RESTS_SECONDS = 2.0  # after which a file's time tells each further change


class Findings:
    """Read the findings of runs. Those of a run that rests are remembered: to open all files takes a second of many."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[_Stamp, Sequence[Finding]]] = {}

    def of(self, run: str | None) -> Iterable[Record]:
        """Return the findings in one run, or in all; of those a damaged one is left out."""
        return self._of_all() if run is None else map(finding_record, self._of_run(run))

    def _of_all(self) -> Iterable[Record]:
        ids = [info.id for info in self._store.runs()]
        for id in ids:
            try:
                found = self._of_run(id)
            except (StoreError, sqlite3.Error) as error:
                log.warning("the findings of run %s cannot be read: %s", id, error)
                continue
            yield from map(finding_record, found)
        for gone in set(self._known) - set(ids):
            self._known.pop(gone, None)

    def _of_run(self, id: str) -> Sequence[Finding]:
        try:
            stamp = _stamp(self._store.run_path(id))
            known = self._known.get(id)
            if known is not None and known[0] == stamp:
                return known[1]
            with self._store.open_run(id) as file:
                found = file.findings()
        except NotFoundError:
            return ()
        if max((changed for changed, _ in stamp), default=0) < time.time_ns() - _RESTS_SECONDS * 1e9:
            self._known[id] = stamp, found
        return found


_Stamp = list[tuple[int, int]]


def _stamp(path: Path) -> _Stamp:
    """Return when a database was changed last, and its size; what is not in it yet stands in a log beside it."""
    stamp = []
    for each in (path, path.with_name(f"{path.name}-wal")):
        try:
            found = each.stat()
        except OSError:
            continue
        stamp.append((found.st_mtime_ns, found.st_size))
    return stamp
