"""What the clients of the services hear of runs, projects and findings, whoever changed them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from agnez.query import Record
from agnez.record import Progress, RunInfo
from agnez.server.service import Announce
from agnez.wire import run_record

PROGRESS_SECONDS = 5.0
"""The least time between two events of a run that only got further."""


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
    heartbeat alone never. Runs that are older than `began` are no news when they are first seen.
    """

    def __init__(self, announce: Announce, projects: Callable[[], Iterable[Record]], began: int) -> None:
        self._announce = announce
        self._projects = projects
        self._project_news = RecordNews("projects", announce)
        self._began = began
        self._known: dict[str, RunInfo] = {}
        self._told: dict[str, float] = {}
        self._owed: dict[str, None] = {}
        self._first = True

    def look(self, changed: Sequence[RunInfo], gone: Sequence[str], now: float) -> None:
        """Take runs that look different, and the ids of those gone; `now` is a monotonic time in seconds."""
        lists_changed = [self._look_at(info, now) for info in changed]
        lists_changed += [self._forget(id) for id in gone]
        for id in [id for id in self._owed if now - self._told[id] >= PROGRESS_SECONDS]:
            self._tell("patched", self._known[id], now)
        if any(lists_changed) or self._first:
            self._project_news.look(self._projects(), silently=self._first and not self._told)
        self._first = False

    def _look_at(self, info: RunInfo, now: float) -> bool:
        """Return whether the lists of projects look different by it."""
        before = self._known.get(info.id)
        self._known[info.id] = info
        if before is None:
            if self._first and info.created < self._began:
                self._told[info.id] = now
            else:
                self._tell("created", info, now)
            return True
        if _lasting(info) != _lasting(before):
            self._tell("patched", info, now)
        elif (info.progress, info.summary) != (before.progress, before.summary):
            self._owed[info.id] = None
        return info.project != before.project

    def _forget(self, id: str) -> bool:
        info = self._known.pop(id, None)
        self._told.pop(id, None)
        self._owed.pop(id, None)
        if info is not None:
            self._announce("runs", "removed", run_record(info))
        return info is not None

    def _tell(self, event: str, info: RunInfo, now: float) -> None:
        self._told[info.id] = now
        self._owed.pop(info.id, None)
        self._announce("runs", event, run_record(info))


def _lasting(info: RunInfo) -> RunInfo:
    """Return what of a run does not change by itself while it runs."""
    return replace(info, heartbeat=None, progress=Progress(), summary={})
