"""trackio, as it comes: a thread that writes to SQLite twice a second. Its monitor of the processor is off."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from bench.peers.driver import Log, Sizes, Tracker, drive


class Trackio(Tracker):
    """Log to trackio's own folder, no Space and no server."""

    sizes = Sizes(ingest_one=500_000)

    def begin(self, run: str) -> Log:
        """Start a run."""
        os.environ["TRACKIO_DIR"] = str(self.folder)
        import trackio

        self._run = trackio.init("bench", name=run, auto_log_cpu=False, auto_log_gpu=False, embed=False)
        return self._run.log

    def finish(self) -> None:
        """Finish the run."""
        self._run.finish()

    def page(self, port: int) -> None:
        """Show the folder's projects."""
        os.environ["TRACKIO_DIR"] = str(self.folder)
        import trackio

        trackio.show(open_browser=False, host="127.0.0.1", server_port=port, share=False, block_thread=True)

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Ask what `trackio get metric` asks."""
        rows = self._storage().get_metric_values("bench", run, metric)
        steps = np.array([row["step"] for row in rows])
        order = np.argsort(steps, kind="stable")  # by default they come in the order of their commits' times
        return steps[order], np.array([row["value"] for row in rows])[order]

    def view(self, run: str, metric: str, most: int) -> np.ndarray:
        """Ask for evenly picked points, as its page does."""
        return np.array([row[metric] for row in self._storage().get_logs("bench", run, max_points=most)])

    def summaries(self) -> Mapping[str, Mapping[str, float]]:
        """Take the last of each run's logs: there are no summaries."""
        storage = self._storage()
        return {run: self._last(storage.get_logs("bench", run)) for run in storage.get_runs("bench")}

    def _last(self, logs: list[dict[str, object]]) -> dict[str, float]:
        return {key: value for key, value in logs[-1].items() if key not in ("step", "timestamp")}

    def _storage(self):
        os.environ["TRACKIO_DIR"] = str(self.folder)
        from trackio.sqlite_storage import SQLiteStorage

        return SQLiteStorage


if __name__ == "__main__":
    drive(Trackio)
