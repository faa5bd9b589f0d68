"""How often something may be done: so often on average, and a little of what was not done at once."""

from __future__ import annotations

import time
from collections.abc import Callable


class Ration:
    """Count what is done against what may be: one more with each `tick` (seconds), of which `saved` are kept.

    Whoever does it in a hurry, before it is due, runs into no debt: the next is due a tick later.
    """

    def __init__(self, saved: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = saved
        self._clock = clock
        self.last = clock()
        """When it was done last."""

    def use(self, tick: float, saved: float) -> None:
        """Note that it is done now."""
        now = self._clock()
        self._left = max(0.0, min(saved, self._left + (now - self.last) / tick) - 1)
        self.last = now

    def due(self, tick: float) -> float:
        """Return when it may be done next, on the clock."""
        return self.last + max(0.0, 1 - self._left) * tick
