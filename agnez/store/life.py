"""Whether a run that says it is running still is.

Where the run's process can be looked for (this machine, not restarted since), that look alone decides, and no clock is
asked: a living process shows its run as running even when its heart has stood still, as over a suspended night, and a
process that is gone shows it as crashed at once. Elsewhere only heartbeats tell, each stamped by the clock of its own
machine. An `Observer` asks whether they *change*, by its own monotonic clock: whatever the clocks say, it knows the
living within a beat and the dead within `SILENCE`. A single look (`seen`) has nothing but the two clocks: it takes a
heartbeat older than `SILENCE` for silence, and one from the future for a clock that runs ahead, up to `AHEAD`; so a
clock set back shows a dead run of another machine as running for a day at most, and only to single looks.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from agnez.notice import say
from agnez.record import RunInfo
from agnez.store import witness

SILENCE = 45_000_000
"""Microseconds without a heartbeat after which a run counts as crashed; the recorder's heart beats every 5 seconds."""

AHEAD = 86_400_000_000
"""Microseconds that a heartbeat may lie in the future."""

_LOOK_SECONDS = 0.25


def seen(info: RunInfo, now: int | None = None) -> RunInfo:
    """Return the run as it is to be shown: crashed when its process is gone, or silent for too long.

    `now` is microseconds since 1970 (UTC). The reason of a crash ends with the last sign of life.
    """
    if info.state != "running":
        return info
    fate = witness.ask(info)
    lives = not _is_silent(info, now) if fate.lives is None else fate.lives
    return info if lives else _crashed(info, fate.reason)


class Observer:
    """Look at runs again and again, without faith in any wall clock. One thread may use it.

    `clock` returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By run: the last beat, when it was first seen, and whether there was another before it.
        self._beats: dict[str, tuple[int | None, float, bool]] = {}

    def seen(self, info: RunInfo, now: int | None = None) -> RunInfo:
        """Return the run as it is to be shown, as the function `seen` does, and better from the second look on."""
        if info.state != "running":
            self._beats.pop(info.id, None)
            return info
        fate = witness.ask(info)
        lives = self._beats_on(info, now) if fate.lives is None else fate.lives
        return info if lives else _crashed(info, fate.reason)

    def has_moved(self, info: RunInfo) -> bool:
        """Tell whether the heart of a run was seen to beat."""
        return info.id in self._beats and self._beats[info.id][2]

    def _beats_on(self, info: RunInfo, now: int | None) -> bool:
        moment = self._clock()
        beat, since, moved = self._beats.get(info.id, (info.heartbeat, moment, False))
        if beat != info.heartbeat:
            beat, since, moved = info.heartbeat, moment, True
        self._beats[info.id] = beat, since, moved
        if (moment - since) * 1e6 > SILENCE:
            return False
        return moved or not _is_silent(info, now)


def settle(
    read: Callable[[], RunInfo],
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> RunInfo:
    """Return a run as it certainly is: one that may live, on another machine, is watched until it beats or is silent.

    That takes a beat of the heart if it lives, and up to `SILENCE` if not. `read` returns the run as its file has it.
    """
    observer = Observer(clock)
    info = read()
    found = observer.seen(info)
    if found.state != "running" or witness.ask(info).lives:
        return found
    say(f"run {info.name} gave a sign of life a moment ago, on {info.host}: waiting until it is known whether it runs")
    while found.state == "running" and not observer.has_moved(found):
        wait(_LOOK_SECONDS)
        found = observer.seen(read())
    return found


def _is_silent(info: RunInfo, now: int | None) -> bool:
    now = time.time_ns() // 1000 if now is None else now
    return not -AHEAD <= now - (info.heartbeat or info.created) <= SILENCE


def _crashed(info: RunInfo, reason: str) -> RunInfo:
    heard = datetime.fromtimestamp((info.heartbeat or info.created) / 1e6, UTC)
    reason = f"{reason}; last heard of {heard:%Y-%m-%d %H:%M:%S} UTC"
    return replace(info, state="crashed", reason=reason, ended=info.heartbeat)


def owned(info: RunInfo) -> RunInfo:
    """Return the run as it stands when this process begins to write it, or goes on with it."""
    return replace(
        info,
        state="running",
        reason=None,
        ended=None,
        heartbeat=time.time_ns() // 1000,
        host=socket.gethostname(),
        pid=os.getpid(),
        machine=witness.facts(),
    )


def posted(info: RunInfo) -> RunInfo:
    """Return the run as it stands when a server begins to record it for a program that posts its points.

    It has no process that could be looked for, on no machine: the program's signs of life alone tell, whoever serves.
    """
    return replace(
        info,
        state="running",
        reason=None,
        ended=None,
        heartbeat=time.time_ns() // 1000,
        host="",
        pid=0,
        machine={},
    )


def is_posted(info: RunInfo) -> bool:
    """Tell whether servers record this run, for a program that posts its points."""
    return not info.host and not info.pid
