"""The stream of a rank's points: what a server lacks of them, read from the rank's own files and sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from agnez.record import Batch
from agnez.remote import Remote
from agnez.server import posting
from agnez.store import RunFile, Store

PORTION = 50_000
"""Points, about, that are sent together."""

OWN = "main"
"""The writer that stands for a rank's own file; those of further processes bear their names."""

_LOOK_SECONDS = 1.0


class Stream:
    """Send the points of a rank's files. One thread may use it."""

    def __init__(self, store: Store, id: str, remote: Remote, *, rank: int = 0) -> None:
        self.files: dict[str, RunFile] = {}
        self.sent: dict[str, int] = {}
        """By writer: the last call that the server has, as far as that was asked."""
        self._store = store
        self._id = id
        self._remote = remote
        self._rank = rank
        self._place = f"&rank={rank}" if rank else ""
        self._looked = 0.0

    def close(self) -> None:
        """Let go of the files. Closing twice does no harm."""
        for file in self.files.values():
            file.close()
        self.files.clear()

    @property
    def waiting(self) -> int:
        """Return how many calls are in the files and not on the server, as far as that is known."""
        self.look()
        return sum(max(0, file.cursor() - self.sent.get(writer, 0)) for writer, file in self.files.items())

    def look(self) -> None:
        """Look for the rank's files, every so often."""
        now = time.monotonic()
        if self.files and now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        if not self._rank and OWN not in self.files:
            self.files[OWN] = self._store.open_run(self._id)
        for path in self._store.files(self._id, self._rank):
            if _writer(path) not in self.files:
                self.files[_writer(path)] = RunFile(path)

    def ask(self, writer: str) -> None:
        """Ask the server how far a writer is there."""
        answer = self._remote.call("GET", f"runs/{self._id}/points?writer={writer}{self._place}")
        last = answer.get("last") if isinstance(answer, dict) else None
        self.sent[writer] = last if isinstance(last, int) else 0

    def send(self, begin: Callable[[int, bool], None]) -> bool:
        """Send some points of each file; tell whether more is left.

        `begin` is told of the first call that goes, and whether a start of the program begins with it.
        """
        left = False
        for writer, file in list(self.files.items()):
            if writer not in self.sent:
                self.ask(writer)
            left |= self._send(writer, file, begin)
        return left

    def _send(self, writer: str, file: RunFile, begin: Callable[[int, bool], None]) -> bool:
        sent, last = self.sent[writer], file.cursor()
        if sent >= last:
            return False
        begins = [each.first_call for each in file.segments()[1:]]
        begin(sent + 1, sent + 1 in begins)
        batch = self._portion(file, sent, min([last, *(call - 1 for call in begins if call > sent + 1)]))
        path = f"runs/{self._id}/points?writer={writer}&sequence={sent + 1}{self._place}"
        if self._rank:
            path += f"&segment={sum(call <= sent + 1 for call in begins)}"
        self._remote.call("POST", path, posting.message(self._id, batch), posting.BINARY)
        self.sent[writer] = sent + int(batch.calls[-1]) + 1
        return self.sent[writer] < last

    def _portion(self, file: RunFile, sent: int, last: int) -> Batch:
        """Return points past the calls that are sent, up to the call `last`, which has some: neither many nor none."""
        stride = max(1, PORTION // max(1, len(file.metrics())))
        until = sent
        while True:
            until = min(last, until + stride)
            batch = file.logged(sent, until)
            if len(batch) or until >= last:
                return batch


def _writer(path: Path) -> str:
    """Return the name under which a file is sent."""
    return path.stem.partition(".")[2] or OWN
