"""The share of a training's time that measuring may take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """Put measurements off until those before them have cost no more than a share of the time.

    What a measurement cost is compared with the one before it, and the lesser counts: so a warm-up, or a hiccup of the
    machine, does not silence it for long.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._began = self._cost = self._cost_before = 0.0

    def allows(self) -> bool:
        """Tell whether it is time for another measurement."""
        return time.perf_counter() >= self._began + min(self._cost, self._cost_before) / self._share

    def begin(self) -> None:
        """Begin another measurement."""
        self._began, self._cost_before, self._cost = time.perf_counter(), self._cost, 0.0

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time inside as spent on the measurement begun last."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._cost += time.perf_counter() - began
