"""What the clients of the services hear of runs, projects and findings, whoever changed them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from agnez.query import Record
from agnez.record import Json, Progress, RunInfo
from agnez.server.service import Announce
from agnez.wire import run_record

PROGRESS_SECONDS = 5.0
"""The least time between two events of a run that only got further."""


def announce_cell(announce: Announce, event: str, record: Record, run: Json, before: Json = None) -> None:
    """Tell the clients of `values` of a change of a cell, and those of the cells of the run that it says it is of.

    `before` is the run that it said so of earlier: what goes to another is gone from there, and new here.
    """
    announce("values", event, record)
    moved = event in ("patched", "updated") and before != run
    if moved and isinstance(before, str) and before:
        announce(f"runs/{before}/cells", "removed", record)
    if isinstance(run, str) and run:
        announce(f"runs/{run}/cells", "created" if moved else event, record)


class RecordNews:
    """Tell of the records of one service what became of them since they were last looked at."""

    def __init__(self, path: str, announce: Announce) -> None:
        self._path = path
        self._announce = announce
        self._known: Mapping[str, Record] | None = None

    def look(self, records: Iterable[Record], *, silently: bool = False) -> None:
        """Take the records as they are now; `silently` tells of none."""
        now = {str(record["_id"]): record for record in records}
        before, self._known = self._known or {}, now
        if silently:
            return
        for id, record in now.items():
            if id not in before:
                self._announce(self._path, "created", record)
            elif record != before[id]:
                self._announce(self._path, "patched", record)
        for id in before.keys() - now.keys():
            self._announce(self._path, "removed", before[id])


class RunNews:
    """Tell the clients of `runs` and `projects` what became of them.

    What a person or the run's end changes is told at once, its progress and summaries every `PROGRESS_SECONDS`, and a
    heartbeat alone never. What the server itself changes it tells one by one (`tell`, `tell_removed`); what others
    changed is told as it looks when it is looked at. Runs that are older than `began`, in microseconds since 1970, are
    no news when they are first seen. Hold `announcing` from a change, or from reading the runs, until it was told.
    """

    def __init__(self, announce: Announce, began: int) -> None:
        self.announcing = threading.RLock()
        self._announce = announce
        self._project_news = RecordNews("projects", announce)
        self.began = began
        self._known: dict[str, RunInfo] = {}
        self._told: dict[str, float] = {}
        self._owed: dict[str, None] = {}
        self._first = True
        self._any_told = False
        self._lists_changed = True

    def tell(self, event: str, info: RunInfo, record: Record) -> None:
        """Tell of a run that this server has just `created` or `patched`: `record` is what it answers with."""
        before = self._known.get(info.id)
        self._lists_changed |= before is None or before.project != info.project
        self._known[info.id] = info
        is_unseen = before is None and info.created >= self.began
        if is_unseen and event != "created":  # another process has made it
            self._tell("created", info, time.monotonic())
        self._tell(event, info, time.monotonic(), record)

    def tell_removed(self, info: RunInfo, record: Record) -> None:
        """Tell of a run that this server has just removed."""
        self._forget(info.id)
        self._announce("runs", "removed", record)

    def look(
        self, changed: Sequence[RunInfo], gone: Sequence[str], now: float, projects: Callable[[], Iterable[Record]]
    ) -> None:
        """Take runs that look different, and the ids of those gone; `now` is a monotonic time in seconds.

        `projects` is asked for their records where they may look different, too.
        """
        for info in changed:
            self._look_at(info, now)
        for info in filter(None, map(self._forget, gone)):
            self._announce("runs", "removed", run_record(info))
        for id in [id for id in self._owed if now - self._told[id] >= PROGRESS_SECONDS]:
            self._tell("patched", self._known[id], now)
        if self._lists_changed:
            self._project_news.look(projects(), silently=self._first and not self._any_told)
        self._first = self._lists_changed = False

    def _look_at(self, info: RunInfo, now: float) -> None:
        before = self._known.get(info.id)
        self._known[info.id] = info
        self._lists_changed |= before is None or before.project != info.project
        if before is None:
            if self._first and info.created < self.began:
                self._told[info.id] = now
            else:
                self._tell("created", info, now)
        elif _lasting(info) != _lasting(before):
            self._tell("patched", info, now)
        elif (info.progress, info.summary) != (before.progress, before.summary):
            self._owed[info.id] = None

    def _forget(self, id: str) -> RunInfo | None:
        """Return the run, if it was known."""
        self._lists_changed = True
        self._told.pop(id, None)
        self._owed.pop(id, None)
        return self._known.pop(id, None)

    def _tell(self, event: str, info: RunInfo, now: float, record: Record | None = None) -> None:
        self._any_told = True
        self._told[info.id] = now
        self._owed.pop(info.id, None)
        self._announce("runs", event, run_record(info) if record is None else record)


def _lasting(info: RunInfo) -> RunInfo:
    """Return what of a run does not change by itself while it runs."""
    return replace(info, heartbeat=None, progress=Progress(), summary={})
