"""tensorboardX to write and TensorBoard to read, as they come."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import numpy as np

from bench.peers.driver import Log, Sizes, Tracker, drive


class TensorBoard(Tracker):
    """Write event files, and read them with TensorBoard's accumulator."""

    sizes = Sizes(ingest_one=200_000, ingest_many=100_000)

    def begin(self, run: str, **settings: object) -> Log:
        """Start an event file."""
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(self.folder / run), **settings)
        add_scalar = self._writer.add_scalar
        step = -1

        def log(values: Mapping[str, float]) -> None:
            nonlocal step
            step += 1
            for name, value in values.items():
                add_scalar(name, value, step)

        return log

    def finish(self) -> None:
        """Close the event file."""
        self._writer.close()

    def watched(self, run: str, port: int) -> Log:
        """Start an event file that is written out each second: by default that is each 120."""
        return self.begin(run, flush_secs=1)

    def page(self, port: int) -> None:
        """Serve the folder, and look for news each second: by default that is each five."""
        words = ["-m", "tensorboard.main", "--logdir", str(self.folder), "--host", "127.0.0.1", "--port", str(port)]
        os.execv(sys.executable, [sys.executable, *words, "--reload_interval", "1"])

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Read every point of the run."""
        events = self._accumulated(run, most=0).Scalars(metric)
        return np.array([event.step for event in events]), np.array([event.value for event in events])

    def view(self, run: str, metric: str, most: int) -> np.ndarray:
        """Keep a random sample while reading all, which is what its page shows."""
        return np.array([event.value for event in self._accumulated(run, most).Scalars(metric)])

    def summaries(self) -> Mapping[str, Mapping[str, float]]:
        """Read all runs, and take the last of each series."""
        from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

        multiplexer = EventMultiplexer().AddRunsFromDirectory(str(self.folder))
        multiplexer.Reload()
        return {
            run: {tag: multiplexer.Scalars(run, tag)[-1].value for tag in tags["scalars"]}
            for run, tags in multiplexer.Runs().items()
        }

    def _accumulated(self, run: str, most: int):
        from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

        accumulator = EventAccumulator(str(self.folder / run), size_guidance={SCALARS: most})
        return accumulator.Reload()


if __name__ == "__main__":
    drive(TensorBoard)
