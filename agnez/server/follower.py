"""The follower: one thread that watches the store and tells viewers what they lack.

What a viewer lacks is read from the store by the viewer's own cursor. So nothing is queued for a viewer that does not
read: it just lags, and is told all of it once it reads again.
"""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from agnez.errors import NotFoundError, StoreError
from agnez.query import Record
from agnez.record import Json, RunInfo
from agnez.server.followed import FollowedCells, FollowedLoose, FollowedRun, group_by_run, readers_by_run
from agnez.server.news import RunNews
from agnez.server.outlet import Bundle, Outlet, Viewer
from agnez.server.ration import Ration
from agnez.spare import Spare
from agnez.store import RunReader, Store
from agnez.store.catalog import project_record
from agnez.store.life import Observer
from agnez.wire import headline, run_record

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
"""The least time between two looks, on average: after silence a commit of this process is looked at at once, and so is
one that follows a look at something else."""

SCARCE_SECONDS = 1.0
"""The same where processor time is scarce: each look has all open pages draw, the dearest part of watching."""

EPOCHS = 20
"""Ends of epochs that are looked at at once even then: a short training is seen epoch by epoch."""

GLANCE_SECONDS = 0.05
"""The time between two glances at whether another process has written, while somebody watches; half a tick if that is
more. A glance that finds something is followed by a look."""

_LOOKS = 2.0  # that may be taken in a row where there is time

IDLE_SECONDS = 1.0
"""The time between two looks where nothing happens, and between two looks at whether the living still live."""


class Follower:
    """Follow a store and feed an outlet.

    `origin` names the server whose own changes are announced already; it holds `announcing` from a change until that is
    announced, and so does the follower, so that all clients hear of changes in their order. `news` tells of runs.
    """

    def __init__(
        self, store: Store, outlet: Outlet, origin: str, announcing: AbstractContextManager[object], news: RunNews
    ) -> None:
        self._store = store
        self._outlet = outlet
        self._origin = origin
        self._announcing = announcing
        self._wake = threading.Event()
        self._spare = Spare(trainings=self._trainings)
        self._host = socket.gethostname()
        self._alone = False
        self._stopped = threading.Event()
        self._hurry = threading.Event()
        self._epochs = EPOCHS
        self._looks = Ration(_LOOKS)
        self._runs: dict[str, RunInfo] = {}
        self._shown: dict[str, RunInfo] = {}
        self._living: set[str] = set()
        self._observer = Observer()
        self._observed = -IDLE_SECONDS
        self._catalog = store.catalog()
        self._catalog_version = -1
        self._news = news
        self._catalog_revision = 0
        self._followed: dict[str | None, FollowedCells] = {}
        self._thread = threading.Thread(target=self._work, name="agnez-follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def wake(self) -> None:
        """Have a look now, if anybody is there to be told; any thread may ask, and it costs next to nothing."""
        if not self._alone:
            self._wake.set()

    def welcome(self) -> None:
        """Have a look now: somebody came."""
        self._hurry.set()
        self._wake.set()

    def see_epoch(self) -> None:
        """Have a look: an epoch ended. The first few are seen at once, however scarce time is."""
        if self._alone:
            return
        if self._epochs > 0:
            self._epochs -= 1
            self._hurry.set()
        self._wake.set()

    def finish(self, timeout: float) -> None:
        """Have one more whole look, so that viewers have everything that is in the store; then end."""
        self._stopped.set()
        self._hurry.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _work(self) -> None:
        while True:
            stopping = self._stopped.is_set()
            self._count_look()
            try:
                self._tick()
            except Exception:  # a fault with one file or viewer must not blind all others; the next look may do better
                log.exception("the follower stumbled")
            if stopping:
                break
            self._rest()
        for followed in self._followed.values():
            followed.close()
        self._catalog.close()

    def _count_look(self) -> None:
        """Take a look off those that may be taken in a row; one more may be with each tick."""
        self._looks.use(self._tick_seconds(), 1.0 if self._spare.is_scarce() else _LOOKS)

    def _tick_seconds(self) -> float:
        return SCARCE_SECONDS if self._spare.is_scarce() else TICK_SECONDS

    def _trainings(self) -> set[int]:
        """Return the ids of the processes on this machine that write living runs."""
        living = [self._runs[id] for id in self._living if id in self._runs]
        return {info.pid for info in living if info.pid and info.host == self._host}

    def _rest(self) -> None:
        """Rest until the next look may be taken; whoever is welcomed, or the end, waits for `TICK_SECONDS` only."""
        tick, looked = self._tick_seconds(), self._looks.last
        others = looked + 1.5 * (time.monotonic() - looked)  # a third of the time is for others
        due = self._looks.due(tick)
        for event, then in ((self._stopped, min(due, looked + TICK_SECONDS)), (self._hurry, due)):
            event.wait(max(0.0, then - time.monotonic()))
        self._hurry.clear()
        self._alone = not self._outlet.has_clients()
        last = max(looked + IDLE_SECONDS, others)
        glance = last if self._alone else min(max(due, others), last)
        while not self._wake.wait(max(0.0, glance - time.monotonic())) and glance < last and not self._is_news():
            glance = min(time.monotonic() + max(GLANCE_SECONDS, tick / 2), last)
        self._wake.clear()

    def _is_news(self) -> bool:
        """Tell whether anything was written since the last look."""
        try:
            return self._catalog.version() != self._catalog_version or any(
                followed.is_news() for followed in self._followed.values()
            )
        except (StoreError, sqlite3.Error):  # the next look sees what is the matter
            return True

    def _tick(self) -> None:
        viewers = self._reading()
        fresh = [viewer for viewer in viewers if viewer.fresh]
        changed, gone = self._look_at_runs()
        self._tell_runs(viewers, changed, gone)
        by_run, readers, bundle = group_by_run(viewers), readers_by_run(viewers), Bundle()
        try:
            for run in self._to_follow([*by_run, *readers]):
                self._follow(run, by_run.get(run, []), [] if run is None else readers.get(run, []), bundle)
        finally:  # whatever goes wrong with one run: those whose marks were moved must get their points
            bundle.send(self._outlet)
        for viewer in fresh:
            viewer.fresh = False

    def _projects(self) -> Iterable[Record]:
        return map(project_record, self._catalog.projects())

    def _reading(self) -> list[Viewer]:
        """Return the viewers that take what they are sent. The others will be told everything afresh once they do."""
        reading = []
        for viewer in self._outlet.viewers():
            if self._outlet.reads(viewer):
                reading.append(viewer)
            else:
                viewer.fresh, viewer.listed = True, False
        return reading

    # --- the list of runs ---------------------------------------------------------------------------------------------

    def _look_at_runs(self) -> tuple[list[RunInfo], list[str]]:
        """Tell the clients of the services of runs; return what looks different, for the pages.

        A change of one run that has to wait for the disk keeps none of the others: the next look sees what is new.
        """
        wait = -1 if self._stopped.is_set() else TICK_SECONDS
        if not self._news.announcing.acquire(timeout=wait):
            return [], []
        try:
            changed, gone = self._look_at_catalog()
            self._news.look(changed, gone, time.monotonic(), self._projects)
            return changed, gone
        finally:
            self._news.announcing.release()

    def _look_at_catalog(self) -> tuple[list[RunInfo], list[str]]:
        """Return the runs that look different from when viewers were last told of them, and the ids of those gone."""
        version, now, gone = self._catalog.version(), time.monotonic(), list[str]()
        rests = (
            now - self._observed < IDLE_SECONDS and not self._stopped.is_set()
        )  # the last look takes in all there is
        if version == self._catalog_version and rests:
            return [], []
        self._observed = now
        if version != self._catalog_version:
            self._catalog_version = version
            self._catalog_revision, infos, gone = self._catalog.changes(self._catalog_revision)
            self._runs.update((info.id, info) for info in infos)
            self._living.update(info.id for info in infos)
        for id in gone:
            self._runs.pop(id, None)
            self._shown.pop(id, None)
            self._living.discard(id)
        return list(self._changed()), gone

    def _changed(self) -> Iterable[RunInfo]:
        for id in list(self._living):  # the others have ended, and look as they did
            info = self._observer.seen(self._runs[id])
            if info.state != "running":
                self._living.discard(id)
            if self._shown.get(id) != info:
                self._shown[id] = info
                yield info

    def _tell_runs(self, viewers: Sequence[Viewer], changed: Sequence[RunInfo], gone: list[str]) -> None:
        if gone and viewers:
            self._outlet.send(viewers, "gone", list[Json](gone))
        listed = [viewer for viewer in viewers if viewer.listed]
        for run, group in group_by_run(listed).items():
            self._send_runs([viewer for viewer in group if not viewer.fresh], changed, run)
            fresh = [info for info in changed if info.id != run]
            fresh += [self._shown[run]] if run in self._shown else []
            self._send_runs([viewer for viewer in group if viewer.fresh], fresh, run)
        for run, group in group_by_run(viewer for viewer in viewers if not viewer.listed).items():
            for viewer in group:
                viewer.listed = True  # first: it may go on to watch another run as soon as it has heard
            self._send_runs(group, self._shown.values(), run)

    def _send_runs(self, viewers: Sequence[Viewer], infos: Iterable[RunInfo], watched: str | None) -> None:
        records: Json = [_record(info, info.id == watched) for info in infos] if viewers else []
        if records:
            self._outlet.send(viewers, "runs", records)

    # --- what is followed ---------------------------------------------------------------------------------------------

    def _to_follow(self, watched: Iterable[str | None]) -> list[str | None]:
        """Return the runs to look at: the living, for clients of the service, and those that somebody watches."""
        wanted: dict[str | None, None] = {None: None}
        wanted.update(dict.fromkeys(self._living))
        wanted.update(dict.fromkeys(watched))
        for run in [run for run in self._followed if run not in wanted]:
            self._follow(run, [], [], Bundle())  # its last words
            self._forget(run)
        return list(wanted)

    def _follow(self, run: str | None, viewers: list[Viewer], readers: list[Viewer], bundle: Bundle) -> None:
        try:
            followed = self._followed.get(run) or self._open(run)
            followed.look(viewers, readers, bundle)
        except (StoreError, NotFoundError, sqlite3.Error) as error:  # a run that was deleted, or is damaged
            log.warning("run %s cannot be followed: %s", run, error)
            self._forget(run)
            if isinstance(error, NotFoundError) and run is not None:
                self._tell_missing(run, readers)

    def _tell_missing(self, run: str, readers: list[Viewer]) -> None:
        """Answer those who wait for points of a run that is not there."""
        waiting = [viewer for viewer in readers if any(mark.fresh for mark in viewer.marks.pop(run, []))]
        self._outlet.send(waiting, "gone", [run])

    def _open(self, run: str | None) -> FollowedCells:
        followed: FollowedCells
        ways = (self._outlet, self._origin, self._announcing)
        if run is None:
            followed = FollowedLoose(self._store.open_loose_cells(), *ways)
        else:
            followed = FollowedRun(RunReader(self._store, run), *ways)
        if run is None or self._is_old(run):  # what was there before this server came is no news
            followed.skip_past()
        self._followed[run] = followed
        return followed

    def _is_old(self, run: str) -> bool:
        info = self._runs.get(run)
        return info is None or info.created < self._news.began

    def _forget(self, run: str | None) -> None:
        followed = self._followed.pop(run, None)
        if followed is not None:
            followed.close()


def _record(info: RunInfo, watched: bool) -> Json:
    """Return a run record; only that of the run on show has its configuration, and the summaries that lists tell."""
    record: Json = run_record(
        replace(info, summary=headline(info.summary)) if watched else replace(info, summary={}, config={})
    )
    return record
