"""MLflow on SQLite: as it comes, and with batches made by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import numpy as np

from bench.peers.driver import Log, Sizes, Tracker, drive


class MLflow(Tracker):
    """Log with `log_metric` and `log_metrics`, which return when the database has it."""

    sizes = Sizes(calls=5000, ingest_one=3000, ingest_many=50_000, runs=50)

    def begin(self, run: str) -> Log:
        """Start a run."""
        mlflow = self._mlflow()
        mlflow.start_run(run_name=run)
        step = -1

        def log(values: Mapping[str, float]) -> None:
            nonlocal step
            step += 1
            if len(values) == 1:
                for name, value in values.items():
                    mlflow.log_metric(name, value, step=step)
            else:
                mlflow.log_metrics(values, step=step)

        return log

    def finish(self) -> None:
        """End the run."""
        self._mlflow().end_run()

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Ask for the metric's history."""
        history = self._mlflow().MlflowClient().get_metric_history(self._id(run), metric)
        steps = np.array([each.step for each in history])
        order = np.argsort(steps, kind="stable")  # it sorts by milliseconds
        return steps[order], np.array([each.value for each in history])[order]

    def view(self, run: str, metric: str, most: int) -> np.ndarray:
        """Ask the store for evenly picked points, as its page does."""
        from mlflow.tracking._tracking_service.utils import _get_store

        self._mlflow()
        found = _get_store().get_metric_history_bulk_interval([self._id(run)], metric, most, None, None)
        return np.array([each.value for each in found])

    def summaries(self) -> Mapping[str, Mapping[str, float]]:
        """Search all runs."""
        runs = self._mlflow().search_runs(output_format="list", max_results=10_000)
        return {run.info.run_name: run.data.metrics for run in runs}

    def _id(self, run: str) -> str:
        runs = self._mlflow().search_runs(output_format="list", filter_string=f"attributes.run_name = '{run}'")
        if not runs:
            raise LookupError(run)
        return runs[0].info.run_id

    def _mlflow(self):
        import mlflow

        uri = f"sqlite:///{self.folder}/mlflow.db"
        if os.environ.get("MLFLOW_TRACKING_URI") != uri:
            os.environ["MLFLOW_TRACKING_URI"] = uri
            mlflow.set_tracking_uri(uri)
            mlflow.set_experiment("bench")
        return mlflow


class MLflowBatches(MLflow):
    """Gather 1,000 points by hand, the most that `log_batch` takes."""

    sizes = Sizes(calls=20_000, ingest_one=100_000, ingest_many=50_000, runs=50)

    def begin(self, run: str) -> Log:
        """Start a run."""
        from mlflow.entities import Metric

        mlflow = self._mlflow()
        self._run_id = mlflow.start_run(run_name=run).info.run_id
        self._client = mlflow.MlflowClient()
        self._waiting: list[Metric] = []
        step = -1

        def log(values: Mapping[str, float]) -> None:
            nonlocal step
            step += 1
            now = time.time_ns() // 1_000_000
            self._waiting += [Metric(name, value, now, step) for name, value in values.items()]
            if len(self._waiting) >= 1000:
                self._flush()

        return log

    def finish(self) -> None:
        """Send what is left, and end the run."""
        self._flush()
        super().finish()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._client.log_batch(self._run_id, metrics=waiting)


if __name__ == "__main__":
    drive(MLflow, MLflowBatches)
