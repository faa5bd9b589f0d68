"""The trackers that are measured side by side."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """Name a tracker: `driver` is its module here, `tracker` the class in it, `environment` what it needs installed.

    A floor is no tracker, but what a machine does at the least. A `served` one needs a server of its own. With one that
    `gathers`, the user's own code fills a list and hands it over, so that a call says nothing of the tracker. A
    `timeless` one keeps no wall times.
    """

    name: str
    title: str
    driver: str
    tracker: str
    environment: str
    floor: bool = False
    served: bool = False
    gathers: bool = False
    timeless: bool = False


PEERS = (
    Peer("agnez", "Agnez", "agnez", "Agnez", "agnez"),
    Peer("tensorboard", "TensorBoard", "tensorboard", "TensorBoard", "tensorboard"),
    Peer("trackio", "trackio", "trackio", "Trackio", "trackio"),
    Peer("wandb", "wandb offline", "wandb", "Wandb", "wandb"),
    Peer("mlflow", "MLflow", "mlflow", "MLflow", "mlflow"),
    Peer("mlflow-batches", "MLflow batches", "mlflow", "MLflowBatches", "mlflow", gathers=True),
    Peer("aim", "Aim", "aim", "Aim", "aim"),
    Peer("visdom", "visdom", "visdom", "Visdom", "visdom", served=True, timeless=True),
    Peer("deque", "deque.append", "floors", "Deque", "floors", floor=True),
    Peer("file", "one write(2)", "floors", "RawFile", "floors", floor=True),
    Peer("sqlite", "SQLite rows", "floors", "Rows", "floors", floor=True),
)
