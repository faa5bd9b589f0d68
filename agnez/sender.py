"""The sender: the one thread that sends a run to a server elsewhere, while it is recorded here."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from agnez import settings
from agnez.errors import StoreError
from agnez.notice import Progress, say
from agnez.part import EarlyError, Part
from agnez.remote import AwayError, RefusedError, Remote
from agnez.replica import BEAT_SECONDS, Replica, SameStoreError
from agnez.store import Store
from agnez.target import Target

log = logging.getLogger(__name__)

PACE_SECONDS = 0.5
"""The least time between two sendings: points that come meanwhile go together."""

WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""How long the next try waits after a failure, after another, and so on."""

AWAY_SECONDS = 2.0
"""How long the end of a run waits for a server that does not answer."""

END_SECONDS = 30.0
"""How long the end of a run waits at most until the rest is sent."""

_RETRY_SECONDS = 0.25  # at the end
_FAULTS = (StoreError, OSError, sqlite3.Error)
_CURES = {401: ": give its token in the address (?token=) or in AGNEZ_TOKEN", 403: ": is the token the right one?"}

Outcome = Literal["all", "more", "failed"]


class Sender:
    """Send a run, as `Replica` does it, until it ends. The thread that trains is never waited for, and never waits.

    A further `rank` sends its own points, as `Part` does it. `greeted` is called on the sender's thread with how many
    pages the server has open, once it has answered.
    """

    def __init__(
        self,
        store: Store,
        id: str,
        target: Target,
        *,
        name: str,
        rank: int = 0,
        greeted: Callable[[int], None] = lambda pages: None,
    ) -> None:
        self._store = store
        self._id = id
        self._name = name
        self._target = target
        remote = Remote(target)
        self._replica = Part(store, id, remote, rank=rank) if rank else Replica(store, id, remote)
        self._greeted: Callable[[int], None] | None = greeted
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._stopped_at = self._give_up_at = 0.0
        self._left: str | None = "nothing of it was sent yet"
        self._waiting = 0
        self._told: str | None = None
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="agnez-sender", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Have what is new sent. It costs next to nothing."""
        self._news.set()

    def finish(self, timeout: float) -> None:
        """Send the rest, `timeout` seconds at most, and say what could not be sent. Calling it twice does no harm."""
        now = time.monotonic()
        latest = now + min(timeout, END_SECONDS)
        if not self._stopping.is_set():
            self._stopped_at, self._give_up_at = now, latest
        self._give_up_at = min(self._give_up_at, latest)
        self._stopping.set()
        self._news.set()
        progress = Progress()
        while self._thread.is_alive() and (left := self._give_up_at - time.monotonic()) > 0:
            self._thread.join(min(left, 0.25))
            progress.show(f"run {self._name} is being sent, {self._waiting:,} calls are left")
        progress.end()
        left_over, self._left = self._left, None
        if left_over is not None:
            say(f"run {self._name}: {left_over}; `{self._command()}` sends the rest later")

    def _command(self) -> str:
        here = self._store.directory
        there = "" if settings.read().directory == here else f" --dir {here}"
        return f"agnez send {self._id} {self._target.url}{there}"

    def _work(self) -> None:
        try:
            self._send_all()
        except SameStoreError:
            self._left = None
            say(f"run {self._name} is recorded in the very store that {self._target.url} shows: nothing has to be sent")
        except Exception:  # what nobody foresaw must not be silent; the run itself is recorded here
            log.exception("run %s cannot be sent any more", self._name)
            say(f"run {self._name} is not sent to {self._target.url} any more, the log says why; it is recorded here")
        finally:
            with suppress(*_FAULTS):
                self._replica.close()

    def _send_all(self) -> None:
        while True:
            stopping = self._stopping.is_set()  # read first: what was recorded before it is sent in this round
            self._news.clear()
            began = time.monotonic()
            outcome = self._round()
            if stopping and outcome == "all":
                self._left = None
                return
            if stopping and self._gives_up(outcome):
                return
            self._rest(outcome, time.monotonic() - began)

    def _gives_up(self, outcome: Outcome) -> bool:
        now = time.monotonic()
        return now >= self._give_up_at or (outcome == "failed" and now >= self._stopped_at + AWAY_SECONDS)

    def _rest(self, outcome: Outcome, spent: float) -> None:
        if outcome == "more":
            self._stopping.wait(spent)  # half of the time is for others
        elif outcome == "all":
            self._news.wait(BEAT_SECONDS)
            self._stopping.wait(PACE_SECONDS)
        elif self._stopping.is_set():
            time.sleep(_RETRY_SECONDS)
        else:
            self._stopping.wait(WAITS_SECONDS[min(self._failures, len(WAITS_SECONDS)) - 1])

    def _round(self) -> Outcome:
        url = self._target.url
        try:
            more = self._replica.advance()
        except EarlyError as error:
            self._left = f"not all of it was sent: {error}"
            return "failed"
        except AwayError as error:
            self._fail(
                f"{url} does not answer ({error})", "it is recorded here, and sent as soon as that answers", "away"
            )
            return "failed"
        except RefusedError as error:
            self._fail(f"{url} refuses it ({error}){_CURES.get(error.code, '')}", "it is recorded here")
            return "failed"
        except _FAULTS as error:
            self._fail(f"it cannot be read for sending ({error})", "it is tried again")
            return "failed"
        self._succeed()
        self._waiting = self._replica.waiting
        self._left = f"{self._waiting:,} calls were not sent to {url}" if self._waiting else "its end was not sent"
        return "more" if more else "all"

    def _fail(self, what: str, comfort: str, kind: str | None = None) -> None:
        """Note a failure, and say it unless the last one was the same, or of the same kind."""
        self._failures += 1
        self._replica.forget()
        self._left = f"not all of it was sent: {what}"
        if self._told != (kind or what) and not self._stopping.is_set():
            say(f"run {self._name}: {what}; {comfort}")
            self._told = kind or what

    def _succeed(self) -> None:
        if self._told is not None:
            say(f"run {self._name} is sent to {self._target.url} again, and nothing is missing there")
        self._told, self._failures = None, 0
        if self._greeted is not None:
            self._greeted(self._replica.pages)
            self._greeted = None
