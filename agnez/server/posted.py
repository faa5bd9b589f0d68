"""Posted runs: those that the server itself records, for programs that post their points."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from agnez.dashboard import Dashboard, cell_id, medium_cell, read_layout
from agnez.diagnosis import Examiner
from agnez.errors import ConflictError, NotFoundError, StoreError
from agnez.record import CellRecord, Json, Medium, RunInfo
from agnez.server.posting import Posting, Refusal
from agnez.store import RunFile, Store, life, rundir

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 1.0
"""The least time between two entries in the list of runs, where nothing but numbers is new."""

IDLE_SECONDS = 30.0
"""How long the file of a run that nobody posts to stays open."""

MOST_METRICS = 100_000
"""Metrics that a posted run may have: most have a cell."""

MOST_RANK = 100_000
"""The greatest number of a rank."""

MOST_SEGMENTS = 1000
"""Starts of a rank's program that are told apart."""

_STRIPES = 32
_MOST_OPEN = 2  # of a stripe
_FAULTS = (sqlite3.Error, OSError, StoreError)


@dataclass(frozen=True, slots=True)
class Sent:
    """Say where in a program's stream a body stands: its first point is number `sequence` of that writer."""

    writer: str
    sequence: int


@dataclass(frozen=True, slots=True)
class OfRank:
    """Say that a body is of a further rank, and of which start of its program, counted from 0."""

    rank: int
    segment: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """Say what became of a body's points."""

    taken: int
    repeated: int
    refused: Sequence[Refusal]

    def record(self) -> dict[str, Json]:
        """Return it as the wire has it."""
        refused: list[Json] = [{"index": each.index, "message": each.message} for each in self.refused]
        return {"taken": self.taken, "repeated": self.repeated, "refused": refused}


class PostedRun:
    """Record one run. One thread at a time may use it; other servers of the store may write to it meanwhile.

    All that decides anything is read from the file inside the transaction that writes, so whoever else wrote before is
    heeded. After an error it is to be thrown away: what it knows may run ahead of the file.
    """

    def __init__(self, store: Store, id: str) -> None:
        self.id = id
        self.used = time.monotonic()
        self._store = store
        self._path = store.run_path(id)
        self._file: RunFile = store.open_run(id)
        self._place_on_disk = self._path.stat().st_ino
        self._dashboard = Dashboard(id)
        self._dashboard.adopt(read_layout(store, self._file.info().project))
        self._metrics: set[str] = set()
        self._examine = Examiner(id)
        self._earlier = self._found = self._file.findings()
        self._published = 0.0
        self._unpublished = False

    def close(self) -> None:
        """Bring the lists up to date, and close the file. Closing twice does no harm."""
        self.publish(now=True)
        self._file.close()

    def is_there(self) -> bool:
        """Tell whether the file is still that of the run: it may have been deleted, even restored, by now."""
        try:
            return self._path.stat().st_ino == self._place_on_disk
        except OSError:
            return False

    def sent(self, writer: str, rank: int = 0) -> int | None:
        """Return the number of the last point that a writer of a rank sent; None where it sent none."""
        if not rank:
            return self._file.sent(writer)
        if rank not in self._store.ranks(self.id):
            return None
        with self._store.open_rank(self.id, rank, self._own_facts()) as file:
            return file.sent(writer)

    def take(self, posting: Posting, sent: Sent | None) -> Reply:
        """Write the points of a body that are new. What is returned is durable.

        Raises:
            ConflictError: the run has ended, a process records it, or the writer left numbers out.
        """
        with self._file.transaction():
            info = self._own_facts()
            skip = _skipped(self._file, posting.count, sent)
            repeated = skip - sum(each.index < skip for each in posting.refused)
            if skip < posting.count or not posting.count:
                self._check_running(info)
            self._append(posting, skip)
            if sent is not None and skip < posting.count:
                self._file.note_sent(sent.writer, sent.sequence + posting.count - 1)
            self._beat(info)
        self.publish(now=False)
        return Reply(posting.count - repeated - len(posting.refused), repeated, posting.refused)

    def take_of_rank(self, posting: Posting, sent: Sent | None, of: OfRank) -> Reply:
        """Write the points of a further rank that are new, into a file of its own. What is returned is durable.

        They may come after the run's end: ranks end each for itself.

        Raises:
            ConflictError: a process records the run, or the writer left numbers out.
        """
        info = replace(self._own_facts(), forked_from=None)  # the rank sends the past that it shares, too
        with self._store.open_rank(self.id, of.rank, info) as file, file.transaction():
            skip = _skipped(file, posting.count, sent)
            repeated = skip - sum(each.index < skip for each in posting.refused)
            greatest = file.greatest_step()
            batch = posting.settled(skip=skip, next_step=0 if greatest is None else greatest + 1, now=_now())
            if len({*file.metrics(), *batch.names}) > MOST_METRICS:
                raise ConflictError(f"a rank may have {MOST_METRICS} metrics; with these it would have more")
            for _ in range(min(of.segment, MOST_SEGMENTS) + 1 - len(file.segments()) if len(batch) else 0):
                file.begin_segment()
            file.append(batch)
            if sent is not None and skip < posting.count:
                file.note_sent(sent.writer, sent.sequence + posting.count - 1)
        return Reply(posting.count - repeated - len(posting.refused), repeated, posting.refused)

    def take_media(self, media: Sequence[Medium], sent: Sent | None) -> Reply:
        """Write the media that are new, and show of each name the newest in its cell. What is returned is durable.

        They may come after the run's end, as cells may: what is drawn of the last step often does.

        Raises:
            ConflictError: a process records the run, or the writer left numbers out.
        """
        with self._file.transaction():
            info = self._own_facts()
            skip = _skipped(self._file, len(media), sent)
            new = media[skip:]
            if new:
                self._file.album.add(new)
                self._show(new)
            if sent is not None and new:
                self._file.note_sent(sent.writer, sent.sequence + len(media) - 1)
            self._beat(info)
        return Reply(len(new), skip, ())

    def _show(self, media: Sequence[Medium]) -> None:
        for name, newest in {each.name: each for each in media}.items():
            fields = medium_cell(newest, self._file.album.count(name))
            id = cell_id(self.id, name)
            try:
                self._file.cells.patch(id, fields, origin="")
            except NotFoundError:
                self._dashboard.resume(self._file.cells.find())
                place: CellRecord = {"_id": id, "run": self.id, **self._dashboard.blank(id)}
                self._file.cells.create(place | fields, origin="")

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change facts that the program tells of its run. A run that goes on begins a new segment.

        Raises:
            ConflictError: a process records the run.
        """
        with self._file.transaction():
            info = self._own_facts()
            state = changes.get("state", info.state)
            if state == "running" and life.seen(info).state != "running":
                self._file.begin_segment()
                info = life.posted(info)
            elif state != "running" and "ended" not in changes and info.state == "running":
                changes = {**changes, "ended": _now()}
            self._beat(replace(info, **changes))
        self._unpublished = True
        self.publish(now=True)

    def publish(self, *, now: bool) -> None:
        """Bring the lists of runs up to date, if it is time to."""
        moment = time.monotonic()
        if not self._unpublished or (not now and moment - self._published < PUBLISH_SECONDS) or not self.is_there():
            return
        try:
            self._store.publish(self._file.info())
        except _FAULTS as error:  # the run's own file has it all: the next time brings it
            log.warning("the list of runs could not be brought up to date: %s", error)
            return
        self._published, self._unpublished = moment, False

    def _own_facts(self) -> RunInfo:
        info = rundir.facts(self._file)
        if not life.is_posted(info):
            raise ConflictError(
                f"run {self.id} is recorded by process {info.pid} on {info.host}, not by this server: log there, or "
                "create a run of your own with POST /runs"
            )
        return info

    def _check_running(self, info: RunInfo) -> None:
        if info.state != "running":
            raise ConflictError(
                f'run {self.id} has ended ({info.state}): PATCH /runs/{self.id} with {{"state": "running"}} goes on '
                "with it"
            )

    def _append(self, posting: Posting, skip: int) -> None:
        greatest = self._file.greatest_step()
        batch = posting.settled(skip=skip, next_step=0 if greatest is None else greatest + 1, now=_now())
        if not len(batch):
            return
        self._place(batch.names)
        self._file.append(batch)
        found = [*self._earlier, *(each for each in self._examine(batch) if each not in self._earlier)]
        if found != self._found:
            self._file.write_findings(found)
            self._found = found
        self._unpublished = True

    def _place(self, names: Sequence[str]) -> None:
        """Give cells to metrics seen for the first time."""
        if self._metrics.issuperset(names):
            return
        self._dashboard.resume(self._file.cells.find())  # others may have made some
        known = self._file.metrics()
        self._dashboard.place(known)
        if len({*known, *names}) > MOST_METRICS:
            raise ConflictError(f"a posted run may have {MOST_METRICS} metrics; with these it would have more")
        self._metrics = {*known, *names}
        for cell in self._dashboard.place(names):
            self._write_cell(cell)

    def _write_cell(self, cell: CellRecord) -> None:
        """Make a cell, or tell one that is there of its metrics; the origin "" says that no server has told of it."""
        id = str(cell["_id"])
        try:
            if self._file.cells.get(id).get("metrics") != cell["metrics"]:
                self._file.cells.patch(id, {"metrics": cell["metrics"]}, origin="")
        except NotFoundError:
            self._file.cells.create(cell, origin="")

    def _beat(self, info: RunInfo) -> None:
        self._file.write_info(replace(info, heartbeat=_now()))
        self._unpublished = True


def _skipped(file: RunFile, count: int, sent: Sent | None) -> int:
    """Return how many of `count` at the beginning of a body the writer has sent before."""
    last = None if sent is None else file.sent(sent.writer)
    if sent is None or last is None:
        return 0
    if sent.sequence > last + 1:
        raise ConflictError(
            f"the next number of writer {sent.writer} is {last + 1}, not {sent.sequence}: those between are missing"
        )
    return min(last + 1 - sent.sequence, count)


class Posted:
    """Hold the posted runs that are open, each for one thread at a time. Those that rest for long are closed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._open: list[dict[str, PostedRun]] = [{} for _ in range(_STRIPES)]
        self._tidying = threading.Lock()
        self._tidier: threading.Thread | None = None

    @contextmanager
    def run(self, id: str) -> Iterator[PostedRun]:
        """Lend a run to this thread.

        Raises:
            NotFoundError: there is no such run.
        """
        stripe = hash(id) % _STRIPES
        with self._stripes[stripe]:
            run = self._opened(stripe, id)
            try:
                yield run
            except BaseException:
                self._close(stripe, id)
                raise
            run.used = time.monotonic()
        self._keep_tidy()

    def release(self, id: str) -> None:
        """Close a run, if it is open."""
        stripe = hash(id) % _STRIPES
        with self._stripes[stripe]:
            self._close(stripe, id)

    def close(self) -> None:
        """Close all runs."""
        for stripe, lock in enumerate(self._stripes):
            with lock:
                for id in list(self._open[stripe]):
                    self._close(stripe, id)

    def _opened(self, stripe: int, id: str) -> PostedRun:
        there = self._open[stripe]
        if id in there and not there[id].is_there():
            self._close(stripe, id)
        if id not in there:
            for oldest in sorted(there, key=lambda each: there[each].used)[: len(there) - _MOST_OPEN + 1]:
                self._close(stripe, oldest)
            there[id] = PostedRun(self._store, id)
        return there[id]

    def _close(self, stripe: int, id: str) -> None:
        run = self._open[stripe].pop(id, None)
        if run is not None:
            with suppress(*_FAULTS):
                run.close()

    def _keep_tidy(self) -> None:
        with self._tidying:
            if self._tidier is None:
                self._tidier = threading.Thread(target=self._tidy, name="agnez-posted", daemon=True)
                self._tidier.start()

    def _tidy(self) -> None:
        """Publish what waits for it and close what rests, until nothing is open."""
        while True:
            time.sleep(PUBLISH_SECONDS)
            for stripe, lock in enumerate(self._stripes):
                with lock:
                    try:
                        self._tidy_stripe(stripe)
                    except Exception:  # one run that cannot be closed must not keep the others from it
                        log.exception("a posted run could not be tidied")
            with self._tidying:
                if not any(self._open):
                    self._tidier = None
                    return

    def _tidy_stripe(self, stripe: int) -> None:
        for id, run in list(self._open[stripe].items()):
            if time.monotonic() - run.used > IDLE_SECONDS or not run.is_there():
                self._close(stripe, id)
            else:
                with suppress(*_FAULTS):
                    run.publish(now=False)


def _now() -> int:
    return time.time_ns() // 1000
