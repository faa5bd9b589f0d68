"""Aim, as it comes. Its monitor of the system and its capture of the terminal are off."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from bench.peers.driver import Log, Sizes, Tracker, drive


class Aim(Tracker):
    """Track in a repository of its own."""

    sizes = Sizes(calls=20_000, ingest_one=100_000, ingest_many=50_000)

    def begin(self, run: str) -> Log:
        """Start a run."""
        from aim import Run

        self._run = Run(
            repo=str(self.folder),
            experiment=run,
            system_tracking_interval=None,
            log_system_params=False,
            capture_terminal_logs=False,
        )
        (self.folder / f"{run}.hash").write_text(self._run.hash)
        track = self._run.track
        step = -1

        def log(values: Mapping[str, float]) -> None:
            nonlocal step
            step += 1
            track(values, step=step)

        return log

    def finish(self) -> None:
        """Close the run."""
        self._run.close()

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Read a metric as arrays."""
        steps, (values,) = self._metric(run, metric).data.view("val").numpy()
        return steps, values

    def view(self, run: str, metric: str, most: int) -> np.ndarray:
        """Take a sample, as its page does: it rests in the order of a hash."""
        _, (values,) = self._metric(run, metric).data.view("val").sample(most).numpy()
        return values

    def summaries(self) -> Mapping[str, Mapping[str, float]]:
        """Take the last value of each metric of each run."""
        return {
            run.hash: {metric.name: metric.values.last_value() for metric in run.metrics()}
            for run in self._indexed().iter_runs()
        }

    def _metric(self, run: str, metric: str):
        from aim.storage.context import Context

        found = self._indexed().get_run((self.folder / f"{run}.hash").read_text())
        series = found and found.get_metric(metric, Context({}))
        if not series:
            raise LookupError(run)
        return series

    @cache  # noqa: B019  # the tracker lives as long as its process
    def _indexed(self):
        """Make the index of runs, which else its server makes in the background."""
        from aim import Repo

        repo = Repo(str(self.folder))
        repo._recreate_index()
        return Repo(str(self.folder))


if __name__ == "__main__":
    drive(Aim)
