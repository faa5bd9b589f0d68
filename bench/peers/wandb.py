"""wandb, offline: its core process writes a transaction log. System metrics and the capture of the terminal are off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.peers.driver import Log, Sizes, Tracker, drive

_BLOCK = 32768
_FRAME = 7  # bytes of a frame's head: checksum (4), length (2), kind (1)
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


class Wandb(Tracker):
    """Log offline. There is no public way to read that log in Python, so a reader of our own stands here."""

    sizes = Sizes(ingest_one=100_000, ingest_many=500_000)

    def begin(self, run: str) -> Log:
        """Start a run."""
        import wandb

        settings = wandb.Settings(console="off", x_disable_stats=True, x_disable_meta=True, save_code=False)
        self._run = wandb.init(project="bench", id=run, mode="offline", dir=str(self.folder), settings=settings)
        return self._run.log

    def finish(self) -> None:
        """Finish the run, which waits for the core."""
        self._run.finish()

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Read the log with wandb's own messages."""
        from wandb.proto.wandb_internal_pb2 import Record

        steps, values = [], []
        for body in frames(self._log(run)):
            record = Record.FromString(body)
            if record.HasField("history"):
                items = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
                if metric in items:
                    steps.append(int(items.get("_step", record.history.step.num)))
                    values.append(float(json.loads(items[metric])))
        return np.array(steps), np.array(values)

    def _log(self, run: str) -> Path:
        found = sorted(self.folder.glob(f"wandb/offline-run-*-{run}/run-{run}.wandb"))
        if not found:
            raise LookupError(run)
        return found[-1]


def frames(path: Path) -> Iterator[bytes]:
    """Yield the records of a log: blocks of 32 kB with framed pieces, as LevelDB's logs are; a torn end is left out."""
    data = path.read_bytes()
    place, pieces = _FRAME, []  # the file has a head as long as a frame's
    while place + _FRAME <= len(data):
        if _BLOCK - place % _BLOCK < _FRAME:
            place += _BLOCK - place % _BLOCK
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        body = data[place + _FRAME : place + _FRAME + length]
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or len(body) < length:
            return
        pieces = [body] if kind in (_FULL, _FIRST) else [*pieces, body]
        if kind in (_FULL, _LAST):
            yield b"".join(pieces)
        place += _FRAME + length


if __name__ == "__main__":
    drive(Wandb)
