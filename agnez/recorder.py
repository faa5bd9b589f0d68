"""The recorder: a bounded queue, and the one thread that writes a run's file."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from agnez.dashboard import Dashboard
from agnez.errors import NotFoundError, StoreError
from agnez.notice import say
from agnez.record import Batch, CellRecord, Finding, Point, RunInfo
from agnez.scalars import Scalar, Tensor, read, read_vector
from agnez.store import Catalog, RunFile, Store

log = logging.getLogger(__name__)

BOUND = 1_000_000
"""Entries that may wait. Past it new ones are dropped and counted: the loop never waits, and memory stays bounded."""

COMMIT_SECONDS = 0.2
"""The least time between two commits. After silence the first entry is committed at once."""

HEARTBEAT_SECONDS = 5.0
PUBLISH_SECONDS = 1.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Numbers:
    """Hold what one `log` call measured, frozen. `time` is microseconds since 1970 (UTC)."""

    time: int
    step: int
    values: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Vector:
    """Hold numbers that rest together in one tensor on a device: one name for each of its elements."""

    time: int
    step: int
    names: tuple[str, ...]
    tensor: Tensor


@dataclass(frozen=True, slots=True)
class CellChange:
    """Hold fields to be merged into a cell, which is made where there is none."""

    id: str
    fields: CellRecord


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold facts of the run that changed: fields of `RunInfo`."""

    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold a sentence that the user should see beside the run."""

    sentence: str


@dataclass(frozen=True, slots=True)
class After:
    """Hold what the recorder's thread calls once everything put before it is committed. It must be quick."""

    call: Callable[[], None]


Entry: TypeAlias = Numbers | Vector | CellChange | Facts | Problem | After


class Recorder:
    """Write a run as it happens. Any thread may `put`; nothing that `put` does waits for anyone.

    `examine` looks at each batch of points and says what the findings of the run now are. A batch that could not be
    written is shown to it again.
    """

    def __init__(
        self,
        store: Store,
        info: RunInfo,
        dashboard: Dashboard,
        examine: Callable[[Sequence[Point]], list[Finding]] = lambda points: [],
    ) -> None:
        self._store = store
        self._info = info
        self._dashboard = dashboard
        self._examine = examine
        self._listeners: list[Callable[[], None]] = []
        self._queue: deque[Entry] = deque()
        self._waiting: list[Entry] = []  # taken from the queue, not yet committed
        self._done: list[Entry] = []  # committed, those who wait for it not yet told
        self._wake = threading.Event()
        self._idle = False
        self._stopping = False
        self.dropped = 0
        self._known: set[str] = set()
        self._new_cells: list[CellRecord] = []
        self._findings: list[Finding] = []
        self._published = self._beaten = 0.0
        self._unpublished = self._urgent = False
        self._catalog: Catalog | None = None
        self._failing: str | None = None
        self._pid = os.getpid()
        self._file: RunFile | None = None
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> RunInfo:
        """Return the facts of the run as last committed."""
        return self._info

    def start(self) -> None:
        """Make the run's file and start to write.

        Raises:
            StoreError: the file cannot be made.
        """
        try:
            self._file = self._store.create_run(self._info)
            self._catalog = self._store.catalog()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"{self._store.directory} cannot be written ({error}): choose another with dir="
            ) from error
        self._thread = threading.Thread(target=self._work, name="agnez-recorder", daemon=True)
        self._thread.start()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called on the recorder's thread after each commit. It must be quick."""
        self._listeners.append(listener)

    def put(self, entry: Entry) -> None:
        """Hand an entry over. Past the bound it is dropped and counted; after the end nobody takes it."""
        if self._stopping or not self.owned():
            return
        if len(self._queue) + len(self._waiting) >= BOUND:
            self.dropped += 1
            return
        self._queue.append(entry)
        if self._idle:
            self._wake.set()

    def owned(self) -> bool:
        """Tell whether this process records: a forked child has the recorder's memory and not its thread."""
        return os.getpid() == self._pid

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put before is committed; `timeout` is in seconds. Tell whether it is."""
        committed = threading.Event()
        self.put(After(committed.set))
        self._wake.set()
        return self._alive() and committed.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Commit what is left and end the thread. Tell whether all was written. Closing twice does no harm."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
        return not self._alive() and not self._queue and not self._waiting

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _work(self) -> None:
        assert self._file is not None
        while True:
            stopping = self._stopping  # read first: what was put before it is in the queue now
            began = time.monotonic()
            done = self._round()
            if stopping and (done or not self._can_retry()):
                break
            self._wait(began, done)
        self._file.close()
        if self._catalog is not None:
            self._catalog.close()

    def _can_retry(self) -> bool:
        """Tell whether another try may help at the end: only if the fault is a lock that somebody else holds."""
        return self._failing is not None and "locked" in self._failing

    def _wait(self, began: float, done: bool) -> None:
        """Wait for work. Batches come `COMMIT_SECONDS` apart; after a fault the next try waits longer."""
        pause = COMMIT_SECONDS if done else RETRY_SECONDS
        if not self._stopping:
            rest = began + pause - time.monotonic()
            if rest > 0:
                self._pause(rest)
        self._idle = True
        if not self._queue and not self._stopping and done:
            self._wake.wait(PUBLISH_SECONDS if self._unpublished else HEARTBEAT_SECONDS)
        self._idle = False
        self._wake.clear()

    def _pause(self, seconds: float) -> None:
        """Gather for a while; `flush` and `close` end it."""
        self._wake.wait(seconds)
        self._wake.clear()

    def _round(self) -> bool:
        """Take what waits and commit it. Tell whether it is safe."""
        queue = self._queue
        self._waiting.extend(queue.popleft() for _ in range(len(queue)))
        if not self._waiting and not self._due():
            self._publish()
            return True
        try:
            self._commit_what_can_be()
        except _PASSING as error:
            self._fail(str(error))
            return False
        self._publish()
        self._succeed()
        return True

    def _commit_what_can_be(self) -> None:
        """Commit what waits; if something among it can never be written, then all but that."""
        try:
            self._commit(self._waiting)
            self._done, self._waiting = self._waiting, []
            return
        except _PASSING:
            raise
        except Exception:  # whatever is wrong with one entry must not end the recording of all others
            log.exception("an entry could not be recorded")
        while self._waiting:
            try:
                self._commit(self._waiting[:1])
            except _PASSING:
                raise
            except Exception as error:  # this is the one at fault: it is dropped, counted, and named
                self._lose(self._waiting[0], error)
            self._done.append(self._waiting.pop(0))

    def _lose(self, entry: Entry, error: Exception) -> None:
        self.dropped += 1
        names = set(entry.values if isinstance(entry, Numbers) else entry.names if isinstance(entry, Vector) else ())
        self._new_cells = [cell for cell in self._new_cells if not names.intersection(_metrics(cell))]
        sentence = f"something could not be recorded: {error}"
        if sentence not in self._info.problems and len(self._info.problems) < _MOST_PROBLEMS:
            say(f"run {self._info.name}: {sentence}")
            self._info = replace(self._info, problems=(*self._info.problems, sentence))

    def _commit(self, entries: Sequence[Entry]) -> None:
        assert self._file is not None
        points = _points(entries)
        info, findings = self._next_info(entries), self._findings_after(points)
        self._place(points)
        with self._file.transaction():
            self._file.append(Batch.of(points))
            for cell in self._new_cells:
                self._write_cell(str(cell["_id"]), {"metrics": cell["metrics"]}, cell)
            for entry in entries:
                if isinstance(entry, CellChange):
                    self._write_cell(entry.id, entry.fields)
            if findings != self._findings:
                self._file.write_findings(findings)
            self._file.write_info(info)
        self._urgent = self._urgent or _is_news(self._info, info)
        self._info, self._findings = info, findings
        self._new_cells.clear()
        self._unpublished = True
        self._beaten = time.monotonic()

    def _findings_after(self, points: Sequence[Point]) -> list[Finding]:
        try:
            return self._examine(points)
        except Exception:  # a rule that stumbles must not cost the numbers it looked at
            log.exception("a rule of the diagnosis failed")
            return self._findings

    def _publish(self) -> None:
        """Bring the lists of runs up to date: at once for news, every so often for what counts up all the time."""
        now = time.monotonic()
        if not self._unpublished or not (self._urgent or self._stopping or now - self._published >= PUBLISH_SECONDS):
            return
        assert self._file is not None and self._catalog is not None
        try:
            self._catalog.put(replace(self._info, summary=self._file.summaries()))
        except sqlite3.Error as error:  # the run's own file has it all: the next round tries again
            log.warning("the list of runs could not be brought up to date: %s", error)
            return
        self._published, self._unpublished, self._urgent = now, False, False

    def _place(self, points: Sequence[Point]) -> None:
        """Give cells to metrics seen for the first time. They wait here until they are committed."""
        new = {point.metric: None for point in points if point.metric not in self._known}
        if new:
            self._known.update(new)
            self._new_cells.extend(self._dashboard.place(new))

    def _write_cell(self, id: str, changes: CellRecord, whole: CellRecord | None = None) -> None:
        """Change a cell, or make it; the origin "" says that no server has told of it yet."""
        assert self._file is not None
        try:
            self._file.cells.patch(id, changes, origin="")
        except NotFoundError:
            self._file.cells.create(whole or self._blank_cell(id, changes), origin="")

    def _blank_cell(self, id: str, fields: CellRecord) -> CellRecord:
        blank: CellRecord = {"name": "", "type": "html", "value": [], "description": "", "run": self._info.id}
        return {**blank, "pos": self._dashboard.next_place(), **fields, "_id": id}

    def _next_info(self, entries: Sequence[Entry]) -> RunInfo:
        info = replace(self._info, heartbeat=time.time_ns() // 1000)
        for entry in entries:
            if isinstance(entry, Facts):
                info = replace(info, **entry.changes)
            elif isinstance(entry, Problem) and entry.sentence not in info.problems:
                info = replace(info, problems=(*info.problems, entry.sentence))
        if self.dropped:
            kept = tuple(each for each in info.problems if not each.endswith(_DROPPED))
            info = replace(info, problems=(*kept, f"{self.dropped} {_DROPPED}"))
        return info

    def _due(self) -> bool:
        return time.monotonic() - self._beaten >= HEARTBEAT_SECONDS

    def _fail(self, reason: str) -> None:
        if self._failing is None:
            say(
                f"run {self._info.name} cannot be recorded now ({reason}) in {self._store.directory}; "
                "training goes on, and recording resumes as soon as it can"
            )
        self._failing = reason

    def _succeed(self) -> None:
        if self._failing is not None:
            say(f"run {self._info.name} is recorded again; nothing that waited was lost")
            self._failing = None
        done, self._done = self._done, []
        self._tell([entry.call for entry in done if isinstance(entry, After)])
        self._tell(self._listeners)

    def _tell(self, listeners: Sequence[Callable[[], None]]) -> None:
        for listener in listeners:
            try:
                listener()
            except Exception:  # whoever listens, their fault must not end the recording
                log.exception("a listener of the recorder failed")


_PASSING = (sqlite3.OperationalError, OSError, StoreError)
"""Faults of the disk, or of a lock, that pass: what waits is kept and tried again."""

_MOST_PROBLEMS = 20
_DROPPED = "entries were dropped: they came too fast, or could not be written"


def _metrics(cell: CellRecord) -> list[str]:
    metrics = cell["metrics"]
    return [str(each) for each in metrics] if isinstance(metrics, list) else []


def _points(entries: Sequence[Entry]) -> list[Point]:
    """Read all numbers of the entries, tensors in one transfer a device, and keep their order."""
    names: list[tuple[str, int, int]] = []
    scalars: list[Scalar] = []
    for entry in entries:
        if isinstance(entry, Numbers):
            names.extend((name, entry.step, entry.time) for name in entry.values)
            scalars.extend(entry.values.values())
        elif isinstance(entry, Vector):
            names.extend((name, entry.step, entry.time) for name in entry.names)
            scalars.extend(read_vector(entry.tensor))
    return [
        Point(name, step, value, when)
        for (name, step, when), value in zip(names, read(scalars), strict=True)
        if value is not None
    ]


def _is_news(before: RunInfo, after: RunInfo) -> bool:
    """Tell whether lists must learn of it now: of anything but the beating of the heart and the counting of epochs."""
    return replace(before, heartbeat=None, progress=after.progress) != replace(after, heartbeat=None)
