"""One run, or the cells without one, as the follower keeps up with it: each look tells viewers what they lack."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from agnez.record import CellRecord, Finding, Json
from agnez.server.news import RecordNews
from agnez.server.outlet import Outlet, Viewer
from agnez.store import Cells, Change
from agnez.store import cursor as cursors
from agnez.store.reader import RunReader
from agnez.wire import finding_record, points_message

TOO_MANY = 4_000_000
"""Points past a cursor (calls times metrics) that are too many to look at: the viewer reads afresh instead."""

MANY = 50_000
"""Points that a message may have; of more, each series is thinned out, and keeps its extremes."""

_FEWEST = 10
_LOOK_SECONDS = 1.0


class FollowedCells:
    """Follow the cells of one file. `version` changes when another connection has written to it.

    `origin` names the server whose own changes are announced already; `announcing` is held while changes are read and
    announced, so that all clients hear of them in their order.
    """

    def __init__(
        self,
        run: str | None,
        cells: Cells,
        version: Callable[[], int],
        outlet: Outlet,
        origin: str,
        announcing: AbstractContextManager[object],
    ) -> None:
        self.run = run
        self._cells = cells
        self._version = version
        self._outlet = outlet
        self._origin = origin
        self._announcing = announcing
        self._seen_version = -1
        self._revision = 0
        self._known: set[str] = set()

    def close(self) -> None:
        """Let go of the files."""

    def skip_past(self) -> None:
        """Take what is there for known: it is no news to anyone."""
        past = self._cells.changes(0)
        self._revision = max((change.revision for change in past), default=0)
        self._known = {change.id for change in past if change.record is not None}

    def look(self, viewers: Sequence[Viewer]) -> None:
        """Tell the clients of the service, and the viewers, what is new."""
        self._look_at_cells(viewers)

    def _look_at_cells(self, viewers: Sequence[Viewer]) -> bool:
        """Tell of changed cells. Return whether anything was written to the file since the last look."""
        version = self._version()
        moved = version != self._seen_version
        changes: list[Change] = []
        if moved:
            self._seen_version = version
            with self._announcing:
                changes = self._cells.changes(self._revision)
                self._announce(changes)
        fresh = [viewer for viewer in viewers if viewer.fresh]
        if fresh:
            self._tell_cells(fresh, self._cells.changes(0))
        if changes:
            self._tell_cells([viewer for viewer in viewers if not viewer.fresh], changes)
        return moved

    def _announce(self, changes: list[Change]) -> None:
        """Tell the clients of the service what others than its own server changed."""
        for change in changes:
            self._revision = max(self._revision, change.revision)
            known = change.id in self._known
            if change.record is None:
                self._known.discard(change.id)
            else:
                self._known.add(change.id)
            if change.origin != self._origin and change.record is not None:
                self._outlet.announce("values", "patched" if known else "created", change.record)
            elif change.origin != self._origin and known:
                self._outlet.announce("values", "removed", {"_id": change.id})

    def _tell_cells(self, viewers: Sequence[Viewer], changes: list[Change]) -> None:
        changed: Json = [_light(change) for change in changes if change.record is not None]
        removed: Json = [change.id for change in changes if change.record is None]
        self._outlet.send(viewers, "cells", {"run": self.run, "changed": changed, "removed": removed})


class FollowedLoose(FollowedCells):
    """Follow the cells that belong to no run."""

    def __init__(
        self, connection: sqlite3.Connection, outlet: Outlet, origin: str, announcing: AbstractContextManager[object]
    ) -> None:
        cells = Cells(connection)
        super().__init__(None, cells, cells.version, outlet, origin, announcing)
        self._connection = connection

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class FollowedRun(FollowedCells):
    """Follow a run: its cells, and where somebody watches its findings and points."""

    def __init__(
        self, reader: RunReader, outlet: Outlet, origin: str, announcing: AbstractContextManager[object]
    ) -> None:
        super().__init__(reader.id, reader.own.cells, reader.own.version, outlet, origin, announcing)
        self._reader = reader
        self._findings: tuple[Finding, ...] = ()
        self._findings_news = RecordNews("findings", outlet.announce)
        self._versions: tuple[int, ...] = ()
        self._end = cursors.START
        self._looked = -_LOOK_SECONDS
        self._branches: list[int] | None = None
        self._watched = False

    def close(self) -> None:
        """Let go of the files."""
        self._reader.keep_recent(False)
        self._reader.close()

    def skip_past(self) -> None:
        """Take what is there for known: it is no news to anyone."""
        super().skip_past()
        self._findings = tuple(self._reader.own.findings())
        self._findings_news.look(map(finding_record, self._findings), silently=True)

    def look(self, viewers: Sequence[Viewer]) -> None:
        """Tell the clients of the services, and the viewers, what is new."""
        moved = self._look_at_cells(viewers)
        self._look_at_findings(viewers, moved)
        if bool(viewers) != self._watched:
            self._watched = bool(viewers)
            self._reader.keep_recent(self._watched)
        if viewers:
            self._tell_points(viewers)

    def _look_at_findings(self, viewers: Sequence[Viewer], moved: bool) -> None:
        findings = tuple(self._reader.own.findings()) if moved else self._findings
        news, self._findings = findings != self._findings, findings
        if news:
            self._findings_news.look(map(finding_record, findings))
        lacking = [viewer for viewer in viewers if news or viewer.fresh]
        if lacking:
            self._outlet.send(lacking, "findings", [finding_record(each) for each in self._findings])

    def _tell_points(self, viewers: Sequence[Viewer]) -> None:
        """Send each viewer what lies past its cursor; those that stand alike share one message."""
        self._look_for_files(viewers)
        _, *others = self._reader.files(0).values()
        versions = (self._seen_version, *(file.version() for file in others))
        if versions != self._versions:
            self._versions, self._end = versions, self._reader.cursor()
        alike: dict[str, list[Viewer]] = {}
        for viewer in viewers:
            if viewer.cursor not in (None, self._end):
                alike.setdefault(str(viewer.cursor), []).append(viewer)
        for after, group in alike.items():
            message, cursor = self._points(after)
            if message is None:
                self._outlet.send(group, "resync", {"run": self.run})
            else:
                self._outlet.send(group, "points", message)
            for viewer in group:
                viewer.cursor = cursor

    def _look_for_files(self, viewers: Sequence[Viewer]) -> None:
        """Look every so often for files of further processes, and for a branch: then what viewers hold is wrong."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        self._reader.files(0, look=True)
        branches = self._reader.branches()
        if self._branches is not None and branches != self._branches:
            self._outlet.send(viewers, "resync", {"run": self.run})
            for viewer in viewers:
                viewer.cursor = None
        self._branches = branches

    def _points(self, after: str) -> tuple[bytes, str] | tuple[None, None]:
        """Return the message of what lies past a cursor, and where it ends; None where that is too much."""
        reader = self._reader
        calls = cursors.distance(after, self._end)
        if calls > MANY and calls * len(reader.metrics()) > TOO_MANY:
            return None, None
        page = reader.page(after=after)
        if sum(map(len, page.series)) > MANY:
            page = page.thinned(max(_FEWEST, MANY // len(page.series)))
        message = points_message(reader.id, page.cursor, page.series, after=after, decimated=page.decimated)
        return message, page.cursor


def _light(change: Change) -> CellRecord:
    """Return a cell as pages get it: the HTML is fetched by those that show it; `version` tells when it changed."""
    record = dict(change.record or {})
    if record.get("type") == "html":
        value = record.pop("value", None)
        record["version"] = str(change.revision) if value else ""
    return record


def group_by_run(viewers: Iterable[Viewer]) -> dict[str | None, list[Viewer]]:
    """Return the viewers by what they watch."""
    groups: dict[str | None, list[Viewer]] = {}
    for viewer in viewers:
        groups.setdefault(viewer.run, []).append(viewer)
    return groups
