"""The backlog: batches that the disk has not taken yet."""

from __future__ import annotations

import pickle
import tempfile
from collections import deque
from typing import IO

from agnez.record import Batch

MEMORY = 64 * 1024**2
"""Bytes of batches that wait in memory. What comes past them waits in a temporary file."""

SPILL = 1024**3
"""Bytes of that file. What comes past them is dropped."""

PORTION = 1_000_000
"""Points, about, that are handed out to be written together."""

_POINT_BYTES = 40  # five columns


class Backlog:
    """Hold batches in their order until they are written. Nothing here ever waits for room.

    The file rests in the system's folder for temporary files, which is most often not on the disk that refuses; it has
    no name there (on Windows: until it is closed), so nothing of it is left when the process is killed.
    """

    def __init__(self, memory: int = MEMORY, spill: int = SPILL) -> None:
        self.calls = 0
        self._memory = memory
        self._spill = spill
        self._batches: deque[Batch] = deque()  # the oldest
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._filed: deque[int] = deque()  # the lengths of those in the file, all newer
        self._read_at = self._write_at = 0

    def __len__(self) -> int:
        """Return how many batches wait."""
        return len(self._batches) + len(self._filed)

    def add(self, batch: Batch) -> bool:
        """Take a batch; tell whether there was room for it."""
        size = len(batch) * _POINT_BYTES
        if self._filed or (self._batches and self._bytes + size > self._memory):
            if not self._file_away(batch):
                return False
        else:
            self._batches.append(batch)
            self._bytes += size
        self.calls += _calls(batch)
        return True

    def portion(self) -> list[Batch]:
        """Return the oldest batches, as many as should be written together; `forget` them once they are."""
        self._refill()
        found: list[Batch] = []
        points = 0
        for batch in self._batches:
            found.append(batch)
            points += len(batch)
            if points >= PORTION:
                break
        return found

    def forget(self, count: int) -> None:
        """Drop the oldest `count` batches, which are written."""
        for _ in range(count):
            batch = self._batches.popleft()
            self._bytes -= len(batch) * _POINT_BYTES
            self.calls -= _calls(batch)

    def close(self) -> None:
        """Let go of the file, and of what still waits in it. Closing twice does no harm."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._filed.clear()

    def _file_away(self, batch: Batch) -> bool:
        body = pickle.dumps(batch, protocol=5)
        if self._write_at + len(body) > self._spill:
            return False
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="agnez-")  # noqa: SIM115  # `close` closes it
            self._file.seek(self._write_at)
            self._file.write(body)
            self._file.flush()
        except OSError:  # this disk is full, too
            return False
        self._write_at += len(body)
        self._filed.append(len(body))
        return True

    def _refill(self) -> None:
        """Bring back from the file what has room in memory."""
        while self._filed and self._file is not None and self._bytes < self._memory:
            self._file.seek(self._read_at)
            batch: Batch = pickle.loads(self._file.read(self._filed[0]))  # our own, of a file nobody else can open
            self._read_at += self._filed.popleft()
            self._batches.append(batch)
            self._bytes += len(batch) * _POINT_BYTES
        if not self._filed and self._file is not None:
            self._file.close()
            self._file = None
            self._read_at = self._write_at = 0


def _calls(batch: Batch) -> int:
    return int(batch.calls[-1]) + 1 if len(batch) else 0
