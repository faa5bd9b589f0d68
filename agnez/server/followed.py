"""One run, or the cells without one, as the follower keeps up with it: each look tells viewers what they lack."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

import numpy as np

from agnez.record import CellRecord, Finding, Json, Series
from agnez.server.news import RecordNews, announce_cell
from agnez.server.outlet import Bundle, Mark, Outlet, Viewer
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
_NEVER = object()
_USUAL: dict[str, Json] = {"value": [], "description": "", "view": "live"}
_Standing = tuple[str, frozenset[str] | None]
"""A cursor, and the metrics that are wanted from there on."""


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
        self._known: dict[str, Json] = {}  # cells, and which run each says that it is of

    def close(self) -> None:
        """Let go of the files."""

    def skip_past(self) -> None:
        """Take what is there for known: it is no news to anyone."""
        past = self._cells.changes(0)
        self._revision = max((change.revision for change in past), default=0)
        self._known = {change.id: change.record.get("run") for change in past if change.record is not None}

    def is_news(self) -> bool:
        """Tell whether anything was written since the last look."""
        return self._version() != self._seen_version

    def look(self, viewers: Sequence[Viewer], readers: Sequence[Viewer] = (), bundle: Bundle | None = None) -> None:
        """Tell the clients of the service, and the `viewers` that show it, what is new.

        The points that `readers` lack go into the `bundle`.
        """
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
            known, before = change.id in self._known, self._known.pop(change.id, None)
            if change.record is not None:
                self._known[change.id] = change.record.get("run")
            if change.origin == self._origin:
                continue
            if change.record is not None:
                event, run = ("patched" if known else "created"), change.record.get("run")
                announce_cell(self._outlet.announce, event, change.record, run, before)
            elif known:
                announce_cell(self._outlet.announce, "removed", {"_id": change.id, "run": before}, before)

    def _tell_cells(self, viewers: Sequence[Viewer], changes: list[Change]) -> None:
        self._outlet.send(viewers, "cells", cells_message(self.run, changes))


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

    def is_news(self) -> bool:
        """Tell whether anything was written since the last look, be it by another process of the run."""
        return super().is_news() or (self._watched and self._others() != self._versions[1:])

    def look(self, viewers: Sequence[Viewer], readers: Sequence[Viewer] = (), bundle: Bundle | None = None) -> None:
        """Tell the clients of the services, the `viewers` that show it and the `readers` of its points what is new."""
        moved = self._look_at_cells(viewers)
        self._look_at_findings(viewers, moved)
        if bool(readers) != self._watched:
            self._watched = bool(readers)
            self._reader.keep_recent(self._watched)
        if readers and bundle is not None:
            self._tell_points(readers, bundle)

    def _look_at_findings(self, viewers: Sequence[Viewer], moved: bool) -> None:
        findings = tuple(self._reader.own.findings()) if moved else self._findings
        news, self._findings = findings != self._findings, findings
        if news:
            self._findings_news.look(map(finding_record, findings))
        lacking = [viewer for viewer in viewers if news or viewer.fresh]
        if lacking:
            self._outlet.send(lacking, "findings", [finding_record(each) for each in self._findings])

    def _tell_points(self, readers: Sequence[Viewer], bundle: Bundle) -> None:
        """Send each reader what lies past its marks; what stands alike shares one message."""
        self._look_for_files(readers)
        versions = (self._seen_version, *self._others())
        if versions != self._versions:
            self._versions, self._end = versions, self._reader.cursor()
        for (after, metrics), group in self._lacking(readers).items():
            message, cursor = self._points(after, metrics)
            if message is None or cursor is None:
                self._have_read_afresh(list(group))
                continue
            bundle.add(group, message)
            for marks in group.values():
                for mark in marks:
                    mark.cursor, mark.fresh = cursor, False

    def _others(self) -> tuple[int, ...]:
        """Return the versions of the files of further processes."""
        _, *others = self._reader.files(0).values()
        return tuple(file.version() for file in others)

    def _lacking(self, readers: Sequence[Viewer]) -> dict[_Standing, dict[Viewer, list[Mark]]]:
        """Return who stands where, of those that lack something or wait for an answer."""
        standing: dict[_Standing, dict[Viewer, list[Mark]]] = {}
        for viewer in readers:
            marks = _joined(viewer.marks.get(self._reader.id, []))
            if self._reader.id in viewer.marks:
                viewer.marks[self._reader.id] = marks
            for mark in marks:
                if mark.cursor != self._end or (mark.fresh and mark.metrics is not None):
                    standing.setdefault((mark.cursor, mark.metrics), {}).setdefault(viewer, []).append(mark)
        return standing

    def _look_for_files(self, readers: Sequence[Viewer]) -> None:
        """Look every so often for files of further processes, and for a branch: then what readers hold is wrong."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        self._reader.files(0, look=True)
        branches = self._reader.branches()
        if self._branches is not None and branches != self._branches:
            self._have_read_afresh(readers)
        self._branches = branches

    def _have_read_afresh(self, readers: Sequence[Viewer]) -> None:
        self._outlet.send(readers, "resync", {"run": self.run})
        for viewer in readers:
            viewer.marks.pop(self._reader.id, None)

    def _points(self, after: str, metrics: frozenset[str] | None) -> tuple[bytes, str] | tuple[None, None]:
        """Return the message of what lies past a cursor, and where it ends; None where that is too much."""
        reader = self._reader
        calls = cursors.distance(after, self._end)
        if calls > MANY and calls * len(reader.metrics() if metrics is None else metrics) > TOO_MANY:
            return None, None
        page = reader.page(None if metrics is None else sorted(metrics), after=after)
        if sum(map(len, page.series)) > MANY:
            page = page.thinned(max(_FEWEST, MANY // len(page.series)))
        series = page.series if metrics is None else _with_empty(page.series, metrics)
        message = points_message(reader.id, page.cursor, series, after=after, decimated=page.decimated)
        return message, page.cursor


def _joined(marks: list[Mark]) -> list[Mark]:
    """Return marks with those made one that stand alike and were told so."""
    if len(marks) < 2:
        return marks
    alike: dict[str, list[Mark]] = {}
    for mark in marks:
        alike.setdefault(mark.cursor, []).append(mark)
    joined = []
    for cursor, group in alike.items():
        names = [mark.metrics for mark in group]
        metrics = None if None in names else frozenset[str]().union(*(each for each in names if each is not None))
        joined.append(Mark(metrics, cursor, fresh=any(mark.fresh for mark in group)))
    return joined


def _with_empty(series: Sequence[Series], metrics: Iterable[str]) -> list[Series]:
    """Return a series for each metric: a message says of those that it names that there is nothing else."""
    found = {each.metric: each for each in series}
    return [found.get(metric) or _no_points(metric) for metric in sorted(metrics)]


def _no_points(metric: str) -> Series:
    whole, numbers = np.empty(0, dtype=np.int64), np.empty(0)
    return Series(metric, whole, numbers, numbers, whole)


def cells_message(run: str | None, changes: Sequence[Change]) -> dict[str, Json]:
    """Return what pages are told of cells."""
    changed: Json = [_light(change) for change in changes if change.record is not None]
    removed: Json = [change.id for change in changes if change.record is None]
    return {"run": run, "changed": changed, "removed": removed}


def _light(change: Change) -> CellRecord:
    """Return a cell as pages get it: the HTML is fetched by those that show it; `version` tells when it changed."""
    record = dict(change.record or {})
    if record.get("type") == "html":
        value = record.pop("value", None)
        record["version"] = str(change.revision) if value else ""
    # There may be thousands: what a page takes for granted is left out.
    return {name: value for name, value in record.items() if value != _USUAL.get(name, _NEVER)}


def group_by_run(viewers: Iterable[Viewer]) -> dict[str | None, list[Viewer]]:
    """Return the viewers by what they show."""
    groups: dict[str | None, list[Viewer]] = {}
    for viewer in viewers:
        groups.setdefault(viewer.run, []).append(viewer)
    return groups


def readers_by_run(viewers: Iterable[Viewer]) -> dict[str, list[Viewer]]:
    """Return the viewers by the runs whose points they want."""
    groups: dict[str, list[Viewer]] = {}
    for viewer in viewers:
        for run in viewer.marks:
            groups.setdefault(run, []).append(viewer)
    return groups
