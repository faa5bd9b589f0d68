"""Stores with all that the page shows, for its pictures and for the tests of what it looks like.

`fill` records a run in each state; `fill_kinds` one with a cell of each kind, and cells that belong to no run.
"""

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
from matplotlib.figure import Figure

import agnez
from agnez.record import CellRecord, Finding, Json
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


def fill_kinds(directory: Path) -> str:
    """Record a run with a cell of each kind, on a grid that its script laid out, and cells without a run.

    Return the id of the run.
    """
    with agnez.init("kinds", "one of each", dir=directory, server=None) as run:
        board = run.dashboard(rows=2, cols=3)
        board.subplot((1, 2), ["train/loss", "val/loss"], name="Loss of both")
        board.subplot(3, "digit")
        board.subplot(4, "confusion")
        board.subplot(6, "film")
        random = np.random.default_rng(7)
        for epoch in range(1, 5):
            fit = math.exp(-epoch / 2)
            run.log({"train/loss": fit, "val/loss": fit + 0.1, "accuracy": 1 - fit}, step=10 * epoch)
            run.log({**_media(epoch, random), **_more_media(epoch)}, step=10 * epoch)
            run.end_epoch(epoch, step=10 * epoch)
        run.log({"confusion": _figure(), "landscape": _landscape()})
        run.tell("The gradients are not shown: the model hands none out.")  # as the page shows such a sentence
    with Store(directory).cells(run.id) as cells:
        place: CellRecord = {"run": run.id, "pos": 4, "grid": [2, 3]}
        number: CellRecord = {"type": "number", "name": "Accuracy", "value": [], "metrics": ["accuracy"]}
        cells.create({"_id": f"{run.id}.number", **number, **place}, origin="states")
    with Store(directory).cells(None) as cells:
        for pos, (name, kind, value) in enumerate(_LOOSE):
            cells.create({"_id": name, "name": name, "type": kind, "value": value, "pos": pos}, origin="states")
    return run.id


def begin(directory: Path, name: str = "the next") -> None:
    """Record a short run, which is the newest one then."""
    with agnez.init("kinds", name, dir=directory, server=None) as run:
        for step in range(20):
            run.log({"loss": 1 / (1 + step)}, step=step)


_LOOSE: tuple[tuple[str, str, Json], ...] = (
    ("note", "text", "Any program may put **cells** here, by `POST /values`."),
    ("temperature", "number", 71.5),
    ("page", "html", "<h2>Nightly job</h2><p>All 12 checks passed.</p>"),
    ("rows", "table", {"columns": ["machine", "load"], "rows": [["red", 0.25], ["blue", "NaN"]]}),
    ("spectrum", "histogram", {"counts": [1, 4, 9, 3, 1], "edges": [0, 1, 2, 3, 4, 5]}),
    ("missing picture", "img", "pictures/none.png"),
    ("clip", "video", {"src": "pictures/none.mp4"}),
    ("empty", "images", []),
    ("unreadable", "images", 7),
    ("unknown", "hologram", 7),
)
"""Cells that belong to no run, and those of which there is nothing to show: names, types and values."""


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


def _more_media(epoch: int) -> Mapping[str, object]:
    """Return the kinds that `_media` has not."""
    place = np.linspace(-1, 1, 28)
    x, y = np.meshgrid(place, place)
    ring = np.exp(-(((np.hypot(x, y * 0.8) - 0.6) / (0.1 + 0.3 / epoch)) ** 2))
    frames = [np.exp(-((x - turn) ** 2 + y**2) * 6) for turn in np.linspace(-0.8, 0.8, 8)]
    seconds = np.arange(2000) / 8000
    return {
        "digit": agnez.Image(ring, caption=f"a zero at epoch {epoch}"),
        "film": agnez.Video(np.stack(frames), fps=4, caption="from left to right"),
        "tone": agnez.Audio(np.sin(seconds * 2 * np.pi * 220 * epoch) * (1 - seconds / 0.25), sample_rate=8000),
        "page": agnez.Html(f"<h2>Epoch {epoch}</h2><p>Written by the <em>script</em>.</p>"),
    }


def _figure() -> Figure:
    """Draw a figure as a user does, which mpld3 shows."""
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots()
    axes.plot([0, 1, 2, 3], [0.2, 0.6, 0.7, 0.9], marker="o", label="right")
    axes.plot([0, 1, 2, 3], [0.8, 0.4, 0.3, 0.1], marker="s", label="wrong")
    axes.set(title="Guesses", xlabel="digit", ylabel="share")
    axes.legend()
    return figure


def _landscape() -> Figure:
    """Draw a figure that mpld3 cannot show: it becomes a picture."""
    figure = Figure(figsize=(4, 3))
    axes = figure.add_subplot(projection="3d")
    x, y = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
    axes.plot_wireframe(x, y, x**2 - y**2)
    return figure


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
