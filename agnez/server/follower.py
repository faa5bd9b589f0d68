"""The follower: one thread that watches the store and tells viewers what they lack.

What a viewer lacks is read from the store by the viewer's own cursor. So nothing is queued for a viewer that does not
read: it just lags, and is told all of it once it reads again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from agnez.errors import NotFoundError, StoreError
from agnez.record import CellRecord, Finding, Json, RunInfo
from agnez.store import Cells, Change, RunFile, Store
from agnez.store.life import seen
from agnez.wire import finding_record, points_message, run_record

log = logging.getLogger(__name__)

TICK_SECONDS = 0.2
"""The least time between two looks. After silence a commit of this process is looked at at once."""

IDLE_SECONDS = 1.0
TOO_MANY = 200_000
"""Points past a cursor that are too many for a message: the viewer reads a decimated series instead."""


@dataclass(eq=False, slots=True)
class Viewer:
    """Hold what one page watches: a run (None: the cells without one), and its cursor. `fresh`: it saw nothing yet."""

    sid: str
    run: str | None
    cursor: int
    fresh: bool = True


class Outlet(Protocol):
    """Stand for the sockets, as the follower needs them."""

    def viewers(self) -> list[Viewer]:
        """Return who watches."""
        ...

    def reads(self, viewer: Viewer) -> bool:
        """Tell whether a viewer takes what it is sent."""
        ...

    def send(self, viewer: Viewer, event: str, payload: Json | bytes) -> None:
        """Send to one viewer."""
        ...

    def announce(self, event: str, record: CellRecord) -> None:
        """Tell every client of the `values` service of a change."""
        ...


@dataclass(eq=False, slots=True)
class _Followed:
    """Hold where the follower stands in one file of cells, and in the run it belongs to."""

    file: RunFile | None
    cells: Cells
    version: Callable[[], int]
    close: Callable[[], None]
    seen_version: int = -1
    revision: int = 0
    known: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()


class Follower:
    """Follow a store and feed an outlet.

    `origin` names the server whose own changes are announced already; it holds `announcing` from a change until that is
    announced, and so does the follower, so that all clients hear of changes in their order.
    """

    def __init__(self, store: Store, outlet: Outlet, origin: str, announcing: AbstractContextManager[object]) -> None:
        self._store = store
        self._outlet = outlet
        self._origin = origin
        self._announcing = announcing
        self._began = time.time_ns() // 1000
        self._wake = threading.Event()
        self._stopping = False
        self._ticked = threading.Condition()
        self._ticks = 0
        self._runs: dict[str, RunInfo] = {}
        self._shown: dict[str, RunInfo] = {}
        self._living: set[str] = set()
        self._catalog = store.catalog()
        self._catalog_version = -1
        self._catalog_revision = 0
        self._followed: dict[str | None, _Followed] = {}
        self._thread = threading.Thread(target=self._work, name="agnez-follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def wake(self) -> None:
        """Have a look now; any thread may ask."""
        self._wake.set()

    def finish(self, timeout: float) -> None:
        """Have one more whole look, so that viewers have everything that is in the store; then end."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _work(self) -> None:
        while True:
            stopping = self._stopping
            began = time.monotonic()
            try:
                self._tick()
            except Exception:  # a fault with one file or viewer must not blind all others; the next look may do better
                log.exception("the follower stumbled")
            if stopping:
                break
            rest = began + TICK_SECONDS - time.monotonic()
            if rest > 0 and not self._stopping:
                time.sleep(rest)
            self._wake.wait(TICK_SECONDS if self._outlet.viewers() else IDLE_SECONDS)
            self._wake.clear()
        for followed in self._followed.values():
            followed.close()
        self._catalog.close()

    def _tick(self) -> None:
        viewers = self._reading()
        fresh = [viewer for viewer in viewers if viewer.fresh]
        changed = self._look_at_catalog()
        for viewer in viewers:
            infos = self._shown.values() if viewer.fresh else changed
            if infos:
                self._outlet.send(viewer, "runs", [_for(viewer, info) for info in infos])
        for run in self._to_follow(viewers):
            try:
                self._follow(run, [viewer for viewer in viewers if viewer.run == run])
            except (StoreError, NotFoundError, sqlite3.Error) as error:  # a run that was deleted, or is damaged
                log.warning("run %s cannot be followed: %s", run, error)
                self._forget(run)
        for viewer in fresh:
            viewer.fresh = False

    def _reading(self) -> list[Viewer]:
        """Return the viewers that take what they are sent. The others will be told everything afresh once they do."""
        reading = []
        for viewer in self._outlet.viewers():
            if self._outlet.reads(viewer):
                reading.append(viewer)
            else:
                viewer.fresh = True
        return reading

    def _look_at_catalog(self) -> list[RunInfo]:
        """Return the runs that look different from when viewers were last told of them."""
        version = self._catalog.version()
        if version != self._catalog_version:
            self._catalog_version = version
            self._catalog_revision, infos = self._catalog.changes(self._catalog_revision)
            self._runs.update((info.id, info) for info in infos)
            self._living.update(info.id for info in infos)
        changed = []
        for id in list(self._living):  # the others have ended, and look as they did
            info = seen(self._runs[id])
            if info.state != "running":
                self._living.discard(id)
            if self._shown.get(id) != info:
                self._shown[id] = info
                changed.append(info)
        return changed

    def _to_follow(self, viewers: Iterable[Viewer]) -> list[str | None]:
        """Return the runs to look at: the living, for clients of the service, and those that somebody watches."""
        wanted: dict[str | None, None] = {None: None}
        wanted.update(dict.fromkeys(self._living))
        wanted.update((viewer.run, None) for viewer in viewers)
        for run in [run for run in self._followed if run not in wanted]:
            self._follow(run, [])  # its last words
            self._forget(run)
        return list(wanted)

    def _follow(self, run: str | None, viewers: list[Viewer]) -> None:
        followed = self._followed.get(run) or self._open(run)
        version = followed.version()
        changes: list[Change] = []
        if version != followed.seen_version:
            followed.seen_version = version
            with self._announcing:
                changes = followed.cells.changes(followed.revision)
                self._announce(followed, changes)
        for viewer in viewers:
            self._tell_cells(viewer, run, followed.cells.changes(0) if viewer.fresh else changes)
        if followed.file is not None:
            self._tell_findings(followed, followed.file, viewers)
            self._tell_points(run, followed.file, viewers)

    def _open(self, run: str | None) -> _Followed:
        if run is None:
            connection = self._store.open_loose_cells()
            cells = Cells(connection)
            followed = _Followed(None, cells, cells.version, connection.close)
        else:
            file = self._store.open_run(run)
            followed = _Followed(file, file.cells, file.version, file.close)
        if run is None or self._is_old(run):  # what was there before this server came is no news
            past = followed.cells.changes(0)
            followed.revision = max((change.revision for change in past), default=0)
            followed.known = frozenset(change.id for change in past if change.record is not None)
        self._followed[run] = followed
        return followed

    def _is_old(self, run: str) -> bool:
        info = self._runs.get(run)
        return info is None or info.created < self._began

    def _forget(self, run: str | None) -> None:
        followed = self._followed.pop(run, None)
        if followed is not None:
            followed.close()

    def _announce(self, followed: _Followed, changes: list[Change]) -> None:
        """Tell the clients of the service what others than its own server changed."""
        for change in changes:
            followed.revision = max(followed.revision, change.revision)
            known = change.id in followed.known
            if change.record is None:
                followed.known -= {change.id}
            else:
                followed.known |= {change.id}
            if change.origin != self._origin and change.record is not None:
                self._outlet.announce("patched" if known else "created", change.record)
            elif change.origin != self._origin and known:
                self._outlet.announce("removed", {"_id": change.id})

    def _tell_cells(self, viewer: Viewer, run: str | None, changes: list[Change]) -> None:
        if not changes and not viewer.fresh:
            return
        changed: Json = [_light(change) for change in changes if change.record is not None]
        removed: Json = [change.id for change in changes if change.record is None]
        self._outlet.send(viewer, "cells", {"run": run, "changed": changed, "removed": removed})

    def _tell_findings(self, followed: _Followed, file: RunFile, viewers: list[Viewer]) -> None:
        if not viewers:
            return
        findings = tuple(file.findings())
        news = findings != followed.findings
        followed.findings = findings
        for viewer in viewers:
            if news or viewer.fresh:
                self._outlet.send(viewer, "findings", [finding_record(each) for each in findings])

    def _tell_points(self, run: str | None, file: RunFile, viewers: list[Viewer]) -> None:
        """Send each viewer what lies past its cursor; those that stand alike share one message."""
        assert run is not None
        end = file.cursor()
        messages: dict[int, bytes | None] = {}
        for viewer in viewers:
            if viewer.cursor >= end:
                continue
            after = viewer.cursor
            if after not in messages:
                messages[after] = _points(run, file, after) if end - after <= TOO_MANY else None
            message = messages[after]
            if message is None:
                self._outlet.send(viewer, "resync", {"run": run})
            else:
                self._outlet.send(viewer, "points", message)
            viewer.cursor = end


def _points(run: str, file: RunFile, after: int) -> bytes:
    cursor, series, _ = file.series(after=after)
    return points_message(run, cursor, series, after=after)


def _light(change: Change) -> CellRecord:
    """Return a cell as pages get it: the HTML is fetched by those that show it; `version` tells when it changed."""
    record = dict(change.record or {})
    if record.get("type") == "html":
        value = record.pop("value", None)
        record["version"] = str(change.revision) if value else ""
    return record


def _for(viewer: Viewer, info: RunInfo) -> Json:
    """Return a run record, without what only the run on show needs."""
    if info.id == viewer.run:
        return run_record(info)
    light: Json = run_record(replace(info, summary={}, config={}))
    return light
