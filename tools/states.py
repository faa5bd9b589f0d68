"""A store with a run in each state that the page shows, for its pictures and for the tests of what it looks like."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import agnez
from agnez.record import Finding
from agnez.store import Store, witness

STATES = ("live", "stalled", "finished", "interrupted", "failed", "crashed")
_EPOCHS, _BATCHES = 12, 40


def fill(directory: Path) -> dict[str, str]:
    """Record a run for each of `STATES` below `directory`, and return their ids by these words."""
    ids = {}
    for nth, state in enumerate(STATES):
        with agnez.init("digits", f"{state}-{nth + 1}", dir=directory, server=None) as run:
            _train(run, seed=nth, last=_EPOCHS if state == "finished" else _EPOCHS - 3)
        ids[state] = run.id
        _settle(Store(directory), run.id, state)
    return ids


def _train(run: agnez.Run, seed: int, last: int) -> None:
    random = np.random.default_rng(seed)
    run.report(epochs=_EPOCHS, steps_per_epoch=_BATCHES)
    step = 0
    for epoch in range(1, last + 1):
        for _ in range(_BATCHES):
            step += 1
            fit = math.exp(-step / (90 + 12 * seed))
            run.log({"batch/loss": 2.2 * fit + 0.12 + 0.05 * random.normal(), "learning_rate": 1e-3 * fit}, step=step)
        values = {"loss": 2.2 * fit + 0.12, "accuracy": 0.985 - 0.8 * fit}
        run.log({f"train/{name}": value for name, value in values.items()}, step=step)
        run.log({"val/loss": 2.2 * fit + 0.19, "val/accuracy": 0.96 - 0.78 * fit}, step=step)
        norms = {f"weights/{layer}": 3 + place + epoch / 9 for place, layer in enumerate(("conv1", "conv2", "head"))}
        run.log({**norms, **_media(epoch, random)}, step=step)
        run.end_epoch(epoch, step=step)
        run.report(step=step)


def _media(epoch: int, random: np.random.Generator) -> Mapping[str, object]:
    place = np.linspace(-1, 1, 7)
    x, y = np.meshgrid(place, place)
    turns = np.linspace(0, np.pi, 24, endpoint=False)
    noise = random.normal(size=(24, 7, 7)) / (1 + epoch)
    filters = np.stack([np.sin(4 * (x * np.cos(turn) + y * np.sin(turn))) for turn in turns]) + noise
    words = ["three", "five", "eight", "nine"]
    return {
        "conv1/filters": agnez.Images(filters, normalize=True),
        "dense1/weights": agnez.Histogram(random.normal(0.02 * epoch, 0.35 - 0.02 * epoch, 4000)),
        "mistakes": agnez.Table(
            {
                "digit": words,
                "taken for": words[::-1],
                "confidence": (0.5 + 0.4 * random.random(4)).round(3),
                "times": random.integers(1, 20, 4),
            }
        ),
        "notes": agnez.Text(f"**Epoch {epoch}.** The filters of `conv1` settle; *three* is still taken for *nine*."),
    }


def _settle(store: Store, id: str, state: str) -> None:
    """Say of a run that it is in a state: those that cannot be told from its end are told by its facts."""
    now = time.time_ns() // 1000
    changes: dict[str, Any] = {}
    if state in ("live", "stalled"):
        changes = {"state": "running", "ended": None, "pid": os.getpid(), "machine": witness.facts()}
        changes["heartbeat"] = now + 3_600_000_000 if state == "live" else now - 600_000_000
        changes["created"] = now - 700_000_000
    elif state == "crashed":
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        changes = {"state": "running", "ended": None, "pid": gone.pid, "heartbeat": now - 90_000_000}
        changes["machine"] = {**witness.facts(), "process": "gone"}
    elif state == "interrupted":
        changes = {"state": "interrupted"}
    elif state == "failed":
        changes = {"state": "failed", "reason": "ValueError: loss is NaN"}
    with store.open_run(id) as file:
        with file.transaction():
            file.write_info(replace(file.facts(), host=socket.gethostname(), **changes))
            if state == "failed":
                file.write_findings([_finding(id)])
        store.publish(file.info())


def _finding(id: str) -> Finding:
    return Finding(
        run=id,
        kind="non_finite",
        severity="error",
        sentence="The loss stops to be a number at step 360.",
        advice="Lower the learning rate, or clip the gradients.",
        metric="batch/loss",
        first_step=350,
        last_step=360,
    )
