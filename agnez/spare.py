"""How much processor time the machine has to spare: where there is little, it is the training's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

SCARCE = 1.05
"""Processors without work below which time is scarce, and"""

PLENTY = 1.25
"""above which it is so no more: what is saved in between must not count as plenty at once."""

WORKING = 0.3
"""Processors that a training must use for it to lack anything: what a browser alone takes is nobody's loss."""

_LOOK_SECONDS = 2.0


class Spare:
    """Tell whether processor time is scarce. It looks every two seconds at most, and costs nothing between."""

    def __init__(
        self,
        idle: Callable[[], float | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        trainings: Callable[[], Iterable[int]] = lambda: (os.getpid(),),
        used: Callable[[int], float] | None = None,
    ) -> None:
        """`idle` returns the seconds that the processors have idled so far, together; None where nobody can tell.

        `trainings` returns the ids of the processes that train, and `used` the seconds that one has used so far.
        """
        self._idle = idle or idle_seconds
        self._clock = clock
        self._trainings = trainings
        self._used = used or used_seconds
        self._scarce = (os.cpu_count() or 1) <= 2
        self._seen: tuple[float, float, Mapping[int, float]] | None = None

    def is_scarce(self) -> bool:
        """Tell whether somebody trains and leaves less than a processor or so; at first, whether there are just two."""
        now = self._clock()
        if self._seen is not None and now - self._seen[0] < _LOOK_SECONDS:
            return self._scarce
        idle = self._idle()
        if idle is None:
            return self._scarce
        used = {process: self._used(process) for process in self._trainings()}
        if self._seen is not None:
            then, idled, before = self._seen
            spare = (idle - idled) / (now - then)
            work = sum(seconds - before[process] for process, seconds in used.items() if process in before)
            working = work / (now - then) >= WORKING
            self._scarce = working and spare < (PLENTY if self._scarce else SCARCE)
        self._seen = now, idle, used
        return self._scarce


def idle_seconds(stat: Path = Path("/proc/stat")) -> float | None:
    """Return the seconds that the processors open to this process have idled since the start, as Linux counts them."""
    try:
        mine = os.sched_getaffinity(0)
        ticks = os.sysconf("SC_CLK_TCK")
        lines = [line.split() for line in stat.read_text().splitlines() if line.startswith("cpu")]
    except (AttributeError, OSError, ValueError):  # another system
        return None
    rows = [line for line in lines if line[0][3:].isdigit() and int(line[0][3:]) in mine]
    return sum(int(row[4]) + int(row[5]) for row in rows) / ticks if rows else None


def used_seconds(process: int) -> float:
    """Return the seconds of a processor that all threads of a process have used so far, as Linux counts them."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError, IndexError):  # it has ended, or this is another system
        return 0.0
