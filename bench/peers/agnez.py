"""Agnez, the working tree: its public door, no server and no browser."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bench.peers.driver import LOSS, RUN, Log, Sizes, Tracker, drive, losses, warm

STRETCH = 200_000


class Agnez(Tracker):
    """Record into a store of its own."""

    sizes = Sizes(runs=1000)

    def begin(self, run: str) -> Log:
        """Start a run."""
        import agnez

        self._run = agnez.init("bench", name=run, dir=self.folder, server=None, open_browser=False)
        return self._run.log

    def watched(self, run: str, port: int) -> Log:
        """Start a run that shows itself, as it does by default."""
        import agnez

        self._run = agnez.init("bench", name=run, dir=self.folder, port=port, open_browser=False)
        return self._run.log

    def page(self, port: int) -> None:
        """Serve the store."""
        words = ["-m", "agnez", "server", "--dir", str(self.folder), "--port", str(port)]
        os.execv(sys.executable, [sys.executable, *words])

    def record(self, run: str, values: np.ndarray) -> None:
        """Log in stretches, each written before the next: faster than the disk takes them, some would be dropped."""
        log = self.begin(run)
        for first in range(0, len(values), STRETCH):
            for value in values[first : first + STRETCH].tolist():
                log({LOSS: value})
            self._run.flush(60)
        self.finish()

    def finish(self) -> None:
        """Finish the run, which says what could not be kept."""
        self._run.finish()

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Read a series as arrays."""
        series = self._opened(run).series(metric)
        return series.steps, series.values

    def view(self, run: str, metric: str, most: int) -> np.ndarray:
        """Read at most so many points, true extremes of each bucket among them."""
        return self._opened(run).series(metric, most=most).values

    def fill(self, points: int) -> None:
        """Hand columns to the store, as the recorder does: 10 M calls would take a minute."""
        from agnez.record import Batch, RunInfo
        from agnez.store import Store

        warm(self, metrics=1)
        now, values = time.time_ns() // 1000, losses(points)
        info = RunInfo(id=RUN, project="bench", name=RUN, created=now)
        store = Store(self.folder)
        with store.create_run(info) as file:
            for first in range(0, points, 100_000):
                count = np.arange(min(100_000, points - first))
                batch = Batch(
                    names=(LOSS,),
                    metrics=np.zeros(len(count), dtype=np.int64),
                    calls=count,
                    steps=first + count,
                    values=values[first : first + len(count)],
                    times=now + 1000 * (first + count),
                )
                with file.transaction():
                    file.append(batch)
            with file.transaction():
                file.write_info(replace(info, state="finished", ended=now + 1000 * points))
        store.publish(info)

    def summaries(self) -> Mapping[str, Mapping[str, float]]:
        """List the runs with their summaries."""
        import agnez

        return {
            run.name: {name: summary.last for name, summary in run.summary.items()}
            for run in agnez.open(self.folder).runs()
        }

    def _opened(self, run: str):
        import agnez

        found = [each for each in agnez.open(self.folder).runs() if each.name == run]
        if not found:
            raise LookupError(run)
        return found[0]


if __name__ == "__main__":
    drive(Agnez)
