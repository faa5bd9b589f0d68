"""Batches in the order of their numbers, whatever threads bring them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_MOST = 64
"""Batches that may wait for an earlier one. Keras' pool has at most 32 threads, so a later one will not come."""


class InOrder(Generic[Item]):
    """Pass on what comes with the number of its batch, in the order of the numbers.

    Numbers grow by `stride`, the first is `stride - 1`: Keras tells of the last batch of each execution.
    """

    def __init__(self, stride: int, emit: Callable[[int, Item], None]) -> None:
        self._stride = stride
        self._emit = emit
        self._next = stride - 1
        self._waiting: dict[int, Item] = {}
        self._lock = threading.Lock()
        self.count = 0
        """How many batches there were: one more than the highest number."""

    def put(self, batch: int, item: Item) -> None:
        """Pass an item on, after those of the batches before it. Any thread may call it."""
        with self._lock:
            self._waiting[batch] = item
            self.count = max(self.count, batch + 1)
            while self._next in self._waiting:
                self._pass_on(self._next)
            if len(self._waiting) > _MOST:
                self._pass_on_all()

    def flush(self) -> None:
        """Pass on all that waits: no earlier batch will come."""
        with self._lock:
            self._pass_on_all()

    def _pass_on_all(self) -> None:
        for batch in sorted(self._waiting):
            self._pass_on(batch)

    def _pass_on(self, batch: int) -> None:
        self._next = batch + self._stride
        self._emit(batch, self._waiting.pop(batch))
