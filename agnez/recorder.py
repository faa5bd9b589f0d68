"""The recorder: bounded queues, and the one thread that writes a run's file."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue

from agnez.calls import FIELDS, Calls, Names, Numbers
from agnez.entries import After, Entry
from agnez.errors import StoreError
from agnez.notice import say
from agnez.spare import Spare
from agnez.writer import PASSING, PUBLISH_SECONDS, Writer

log = logging.getLogger(__name__)

BOUND = 1_000_000
"""Calls that may wait for the recorder's thread; fewer where calls are wide, see `BOUND_POINTS`. Past it new ones are
dropped and counted, and the loop never waits."""

BOUND_POINTS = 10_000_000
"""Points, about, that may wait for the recorder's thread: some 32 bytes each."""

COMMIT_SECONDS = (0.1, 0.4)
"""The least time between two commits: from the one to the other, by what they cost, and the other where processor time
is scarce. After silence the first entry is committed at once."""

COMMIT_SHARE = 1 / 20
"""The share of a processor that commits should take where there is time to spare, as far as the longest time between
two of them allows."""

HEARTBEAT_SECONDS = 5.0
RETRY_SECONDS = 1.0
LOCK_SECONDS = 5.0
"""How long the end waits for a lock that somebody else holds."""

_MOST_FAULTS = 100
_ROUNDS = 8  # that count for the average
_FLOOD = 50_000  # calls that came within a round: then no time is left for a pause
_CHUNK_CALLS = 20_000
_CHUNK_POINTS = 250_000
"""Calls, and points about, that become columns together: a millisecond in which nobody else runs Python."""


class Recorder:
    """Write a run as it happens. Any thread may `put`; nothing that `put` does waits for anyone."""

    def __init__(self, writer: Writer, name: str) -> None:
        self._writer = writer
        self._name = name
        self._listeners: list[Callable[[], None]] = []
        self._calls: list[object] = []  # flat: see `calls.FIELDS`
        self._entries: deque[Entry] = deque()
        self._refused = 0  # past the bound
        self._wake: SimpleQueue[None] = SimpleQueue()  # unlike an Event, a signal's handler may use it at any moment
        self._starting = threading.Lock()
        self._idle = False
        self._stopping = False
        self._stop_before = 0.0
        self._widest = 1  # names in a call
        self._bound = BOUND * FIELDS
        self._spare = Spare()
        self._cost = 0.0  # seconds of processor that a round takes, averaged
        self._committed = False  # in the last round
        self._failing: str | None = None
        self._thread: threading.Thread | None = None

    @property
    def writer(self) -> Writer:
        """Return what writes. While the recorder runs, its thread alone may change it."""
        return self._writer

    @property
    def waiting(self) -> int:
        """Return how many calls are not written yet."""
        return len(self._calls) // FIELDS + self._writer.waiting

    def open(self) -> None:
        """Make the run's file now, where `start` would leave it to the thread.

        Raises:
            StoreError: it cannot be made.
        """
        try:
            self._writer.open()
        except StoreError:
            raise
        except PASSING as error:
            raise StoreError(f"the run cannot be recorded there ({error}): choose another folder with dir=") from error

    def start(self) -> None:
        """Start to write. Starting twice does no harm."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="agnez-recorder", daemon=True)
                self._thread.start()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called on the recorder's thread after each commit. It must be quick."""
        self._listeners.append(listener)

    def record(self, names: Names, time: int, step: int, numbers: Numbers) -> None:
        """Hand a call over; `time` is nanoseconds since 1970 (UTC). It runs at every step, and takes no lock."""
        calls = self._calls
        if len(calls) >= self._bound:
            self._refused += 1
            return
        calls.extend((names, time, step, numbers))  # one call in C: no other thread's comes in between
        if self._idle:
            self._wake.put(None)

    def put(self, entry: Entry) -> None:
        """Hand an entry over; after the end nobody takes it."""
        if self._stopping:
            return
        self._entries.append(entry)
        if self._idle:
            self._wake.put(None)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put before is committed; `timeout` is in seconds. Tell whether it is."""
        committed = threading.Event()
        self.put(After(committed.set))
        self._wake.put(None)
        return self.is_alive() and committed.wait(timeout)

    def close(self, timeout: float, *, watch: Callable[[int], None] = lambda left: None) -> bool:
        """Commit what is left and end the thread. Tell whether all was written. Closing twice does no harm.

        `timeout` is in seconds. `watch` is told a few times a second how many calls wait.
        """
        deadline = time.monotonic() + timeout
        self._stop_before = min(deadline, time.monotonic() + LOCK_SECONDS)
        self._stopping = True
        self._wake.put(None)
        while self._thread is not None and self._thread.is_alive() and (left := deadline - time.monotonic()) > 0:
            self._thread.join(min(left, 0.25))
            watch(self.waiting)
        return not self.is_alive() and not self.waiting

    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def _work(self) -> None:
        while True:
            stopping = self._stopping  # read first: what was put before it is in the queues now
            began, spent = time.monotonic(), time.thread_time()
            done = self._round()
            self._cost += (time.thread_time() - spent - self._cost) / _ROUNDS
            if stopping and (done or not self._can_retry()):
                break
            self._wait(began, done)
        self._writer.close()

    def _can_retry(self) -> bool:
        """Tell whether another try may help at the end: only if the fault is a lock that somebody else holds."""
        return self._failing is not None and "locked" in self._failing and time.monotonic() < self._stop_before

    def _wait(self, began: float, done: bool) -> None:
        """Wait for work. Batches come `COMMIT_SECONDS` apart; after a fault the next try waits longer."""
        pause = self._period() if done else RETRY_SECONDS
        rest = began + pause - time.monotonic()
        flooded = done and len(self._calls) > _FLOOD * FIELDS
        if rest > 0 and (self._committed or not done) and not flooded and not (self._stopping and done):
            self._pause(rest)
        self._idle = True
        if not self._calls and not self._entries and not self._stopping and done:
            self._pause(PUBLISH_SECONDS if self._writer.unpublished else HEARTBEAT_SECONDS)
        self._idle = False

    def _period(self) -> float:
        least, most = COMMIT_SECONDS
        return most if self._spare.is_scarce() else min(max(self._cost / COMMIT_SHARE, least), most)

    def _pause(self, seconds: float) -> None:
        """Gather for a while; `flush` and `close` end it, and while idle whatever comes."""
        with suppress(Empty):
            self._wake.get(timeout=seconds)
            while True:
                self._wake.get_nowait()

    def _round(self) -> bool:
        """Take what waits and commit it. Tell whether it is safe."""
        writer = self._writer
        self._take()
        self._committed = writer.due() or time.monotonic() - writer.beaten >= HEARTBEAT_SECONDS
        if not self._committed:
            writer.publish(now=self._stopping)
            return True
        try:
            done = self._commit()
        except PASSING as error:
            self._fail(str(error))
            return False
        writer.publish(now=self._stopping)
        self._succeed()
        self._tell(done)
        self._tell(self._listeners)
        return True

    def _take(self) -> None:
        """Make of the calls that wait columns. Entries come first: those who wait for calls came after them."""
        entries = [self._entries.popleft() for _ in range(len(self._entries))]
        self._writer.take(entries)
        left = len(self._calls) // FIELDS
        while left > 0:
            count = min(left, _CHUNK_CALLS, max(1, _CHUNK_POINTS // self._widest))
            # Two calls in C: to take items one by one costs more, where the caches are the training's. What other
            # threads append meanwhile comes after these, and stays.
            items = self._calls[: count * FIELDS]
            del self._calls[: count * FIELDS]
            calls = Calls.of(items)
            self._widest = max(self._widest, max(map(len, calls.names)))
            self._bound = min(BOUND, BOUND_POINTS // self._widest) * FIELDS
            left -= count
            self._writer.add(calls)
        if self._refused:
            refused, self._refused = self._refused, 0
            self._writer.lose(refused)

    def _commit(self) -> list[Callable[[], None]]:
        for _ in range(_MOST_FAULTS):
            try:
                return self._writer.commit()
            except PASSING:
                raise
            except Exception as error:  # whatever is wrong with one entry must not end the recording of all others
                log.exception("something could not be recorded")
                say(f"run {self._name}: something could not be recorded: {error}")
                self._writer.give_up(error)
        raise StoreError("too much of it cannot be written")

    def _fail(self, reason: str) -> None:
        if self._failing is None:
            say(
                f"run {self._name} cannot be recorded now ({reason}); "
                "training goes on, and recording resumes as soon as it can"
            )
        self._failing = reason

    def _succeed(self) -> None:
        if self._failing is not None:
            say(f"run {self._name} is recorded again; nothing that waited was lost")
            self._failing = None

    def _tell(self, listeners: Iterable[Callable[[], None]]) -> None:
        for listener in listeners:
            try:
                listener()
            except Exception:  # whoever listens, their fault must not end the recording
                log.exception("a listener of the recorder failed")
