"""The encoder: one thread that makes files of what was logged beside numbers, so that no commit waits for a picture."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from agnez.entries import Entry, Lost, Problem
from agnez.errors import BadValueError
from agnez.media import Frozen
from agnez.record import Medium
from agnez.store import media

log = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000
"""Media that may wait to be encoded. Past it new ones are dropped and counted, and the loop never waits."""

MOST_BYTES: Final = 512 * 1024**2
"""What they may weigh, about."""

RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Taken:
    """Hold a value as `log` took it. `time` is microseconds since 1970 (UTC)."""

    name: str
    kind: str
    step: int
    time: int
    frozen: Frozen


class Encoder:
    """Keep media in a run's folder, in the order they were logged, and hand over what is to be written of each.

    Any thread may `put`; nothing that `put` does waits for anyone. The thread starts with the first.
    """

    def __init__(self, folder: Path, run: str, hand_over: Callable[[Entry], None]) -> None:
        self._folder = folder
        self._run = run
        self._hand_over = hand_over
        self._waiting: deque[Taken | threading.Event] = deque()
        self._weight = 0
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._putting = threading.RLock()  # a signal's handler may log, too
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._told = False

    def put(self, taken: Taken) -> None:
        """Hand a value over."""
        if self._stopping:
            return
        with self._putting:
            if len(self._waiting) < MOST_WAITING and self._weight + taken.frozen.weight <= MOST_BYTES:
                self._weight += taken.frozen.weight
                self._push(taken)
                return
        self._hand_over(Lost(1, f"{taken.name!r} came faster than it could be encoded: log it less often"))

    def flush(self, timeout: float) -> bool:
        """Wait until all that was put before is handed over; `timeout` is in seconds. Tell whether it is."""
        if self._thread is None:
            return True
        done = threading.Event()
        self._push(done)
        return done.wait(timeout)

    def close(self, timeout: float) -> int:
        """Hand over what waits and end the thread; `timeout` is in seconds. Return how many are left, and lost."""
        self._stopping = True
        self._wake.put(None)
        if self._thread is not None:
            self._thread.join(timeout)
        return sum(isinstance(each, Taken) for each in list(self._waiting))

    def _push(self, item: Taken | threading.Event) -> None:
        self._waiting.append(item)
        self._wake.put(None)
        with self._putting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="agnez-encoder", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            while self._waiting:
                if not self._take(self._waiting[0]):
                    if self._stopping:
                        return
                    self._pause(RETRY_SECONDS)
                    continue
                self._waiting.popleft()
            if self._stopping:
                return
            self._pause(None)

    def _pause(self, seconds: float | None) -> None:
        with suppress(Empty):
            self._wake.get(timeout=seconds)

    def _take(self, item: Taken | threading.Event) -> bool:
        """Deal with the next in line. Tell whether that is done; a disk that takes no file is tried again."""
        if isinstance(item, threading.Event):
            item.set()
            return True
        try:
            value = item.frozen.kept(self._keep)
        except OSError as error:
            if not self._told:
                self._hand_over(Problem(f"{item.name!r} cannot be kept now ({error}): it is tried again"))
            self._told = True
            return False
        except BadValueError as error:
            self._hand_over(Lost(1, f"{item.name!r}: {error}"))
        except Exception as error:  # a device, or a value's own code: of any kind, and no reason to lose what follows
            log.exception("something could not be encoded")
            self._hand_over(Lost(1, f"{item.name!r} could not be encoded: {error}"))
        else:
            self._told = False
            self._hand_over(Medium(item.name, item.kind, item.step, item.time, value, item.frozen.caption))
        with self._putting:
            self._weight -= item.frozen.weight
        return True

    def _keep(self, content: bytes, extension: str) -> str:
        return media.address(self._run, media.put(self._folder, content, extension))


def taken_now(name: str, kind: str, step: int, frozen: Frozen) -> Taken:
    """Return a value with the time that it is."""
    return Taken(name, kind, step, time.time_ns() // 1000, frozen)
