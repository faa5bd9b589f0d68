"""The renderer: takes jobs from any thread, and draws them beside the training."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from agnez.render.curves import Curves, thin
from agnez.render.helper import Helper, HelperDied
from agnez.render.jobs import Job
from agnez.render.pipes import Reply
from agnez.render.worker import answer, failed
from agnez.spare import Spare

_log = logging.getLogger(__name__)

Mode: TypeAlias = Literal["process", "thread"]

_SCARCE = 1 / 4  # of its share of a core, where the training lacks processor time

# The process is the default: with a set of three figures every two seconds, a loop in pure Python or in NumPy's kernels
# is 2 to 4 % slower beside a thread that draws them and under 1 % beside a helper (bench/render.py, 8 rounds on two
# cores that other work kept busy too, so the differences say more than the numbers).


@dataclass(frozen=True, slots=True)
class Result:
    """Tell what came of a job: its HTML, or a sentence. `note` says when the renderer had to change its ways."""

    key: str
    html: str | None
    error: str | None
    epoch: int | None
    note: str | None = None


class Clock(Protocol):
    """Tell the time and wait."""

    def now(self) -> float:
        """Tell the seconds since some moment."""

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        """Wait, inside the condition, until it is notified or `timeout` seconds have gone."""


class _Monotonic:
    def now(self) -> float:
        return time.monotonic()

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        condition.wait(timeout)


class Renderer:
    """Render the newest job of each key, at most one set in `period` seconds, and the last one always.

    A set that is dear to draw makes the next one wait longer, so that drawing takes at most `share` of a core, and a
    quarter of that where processor time is scarce: where two cores share their caches and their clock, what the second
    does slows the first. Four figures of a usual training take about 80 ms, so a set is drawn every 2 seconds, or every
    6 where time is scarce. A `period` of 0 lifts both limits.

    Nothing is started before the first job. `on_result` is called on the renderer's thread. In the mode "process" a
    helper process draws; in "thread" the renderer's own thread does. A process forked from this one can't use it.
    """

    def __init__(
        self,
        on_result: Callable[[Result], None],
        *,
        period: float = 2.0,
        share: float = 1 / 20,
        mode: Mode = "process",
        clock: Clock | None = None,
        spare: Spare | None = None,
    ) -> None:
        self._on_result = on_result
        self._period = period
        self._share = share
        self._clock = clock or _Monotonic()
        self._spare = spare or Spare()
        self._pid = os.getpid()
        self._condition = threading.Condition()
        self._pending: dict[str, Job] = {}
        self._closing = False
        self._thread: threading.Thread | None = None
        self._artist = _Artist(mode)

    @property
    def mode(self) -> Mode:
        """Tell where figures are drawn now: "thread" also after the helper process failed."""
        return self._artist.mode

    @property
    def helper_pid(self) -> int | None:
        """Tell the helper's process id while there is one."""
        return self._artist.helper.pid

    def start(self) -> None:
        """Make ready to draw, so that the first figure needn't wait for it; the first job does it otherwise."""
        self.submit_set({})

    def submit(self, key: str, job: Job) -> None:
        """Ask for one figure; a job of the same key that still waits is dropped."""
        self.submit_set({key: job})

    def submit_set(self, jobs: Mapping[str, Job]) -> None:
        """Ask for figures that belong together, such as those of one epoch.

        Does nothing after `close`, and nothing in a forked child.
        """
        if os.getpid() != self._pid:
            return
        with self._condition:
            if self._closing:
                return
            self._pending.update(jobs)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="agnez-render", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self, timeout: float | None = None) -> bool:
        """Render what waits, then stop; False when `timeout` seconds were too short, and the rest is given up."""
        if os.getpid() != self._pid:
            return True
        with self._condition:
            self._closing = True
            self._condition.notify()
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        if not thread.is_alive():
            return True
        self._artist.give_up()
        return False

    def _run(self) -> None:
        self._artist.start()
        earliest = self._clock.now()
        while (jobs := self._next_set(earliest)) is not None:
            begun, spent = self._clock.now(), self._artist.spent
            for key, job in jobs.items():
                self._deliver(self._artist.render(key, job))
            earliest = begun + self._pause(self._artist.spent - spent)
        self._artist.close()

    def _pause(self, cpu: float) -> float:
        """Tell how long after a set began the next one may."""
        share = self._share * (_SCARCE if self._spare.is_scarce() else 1)
        return max(self._period, cpu / share) if self._period else 0.0

    def _next_set(self, earliest: float) -> dict[str, Job] | None:
        """Wait for jobs and for their time; None at the end."""
        with self._condition:
            while not self._closing:
                wait = earliest - self._clock.now() if self._pending else None
                if wait is not None and wait <= 0:
                    break
                self._clock.wait(self._condition, wait)
            jobs, self._pending = self._pending, {}
            return jobs or None

    def _deliver(self, result: Result) -> None:
        try:
            self._on_result(result)
        except Exception:  # the renderer outlives its listener's faults; the next figure may fare better
            _log.exception("the figure %s was drawn, but could not be handed on", result.key)


class _Artist:
    """Draw one job after another, with the helper process as long as it lives."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.helper = Helper()
        self.spent = 0.0  # seconds of a core
        self._restarts = 1
        self._given_up = False
        self._note: str | None = None

    def start(self) -> None:
        """Start the helper process; without it, a thread has to do."""
        try:
            if self.mode == "process":
                self.helper.start()
        except HelperDied as death:
            self._note = self._after(death)

    def render(self, key: str, job: Job) -> Result:
        """Draw a job, whatever it takes."""
        try:
            reply, note = self._reply(thin(job) if isinstance(job, Curves) else job)
        except Exception as fault:  # the thread has to outlive one figure's fault, whatever it is
            _log.debug("the figure %s can't be drawn", key, exc_info=True)
            reply, note = failed(fault), None
        self.spent += reply.cpu
        error = None if reply.error is None else f"the figure {key} can't be drawn: {reply.error}"
        return Result(key, reply.html, error, job.epoch, note)

    def give_up(self) -> None:
        """Stop the job under way, from another thread, as far as it can be stopped."""
        self._given_up = True
        self.helper.kill()

    def close(self) -> None:
        """End the helper process."""
        self.helper.close()

    def _reply(self, job: Job) -> tuple[Reply, str | None]:
        killed = 0
        note, self._note = self._note, None
        while self.mode == "process" and not self._given_up:
            try:
                reply = self.helper.render(job)
            except HelperDied as death:
                killed += death.ready
                note = self._after(death)
                continue
            return (answer(job), note) if reply.foreign else (reply, note)
        if self._given_up:
            return Reply(error="there was no time left for it"), note
        if killed > 1:  # what ends the helper twice might end the training
            return Reply(error="it ended the process that draws figures, twice"), note
        return answer(job), note

    def _after(self, death: HelperDied) -> str:
        if death.ready and self._restarts > 0:
            self._restarts -= 1
            return f"the process that draws figures ended ({death}) and was started again"
        self.mode = "thread"
        return f"the process that draws figures ended ({death}); a thread of this process draws them now"
