"""What drawing figures costs a training loop: in a thread of its process, and in a helper process.

Run `python -m bench.render [rounds]`. In each window one set of three figures is drawn. The window is shorter than the
renderer's period (2 s), for the effect to stand out of the noise; the table also gives the share of a whole period,
which is the most that figures can cost. Off, thread and process take turns; the figures are medians.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from agnez.render import Curves, Line, Mode, Renderer, Result
from agnez.render.curves import Role

WINDOW = 0.5  # seconds
PERIOD = 2.0
EPOCHS, BATCHES = 100, 2000
Load = Callable[[int], None]


def figures() -> dict[str, Curves]:
    """Make the numbers of loss, accuracy and weight norms after 100 epochs."""
    noise = np.random.default_rng(0)
    epochs = np.arange(1.0, EPOCHS + 1)
    steps = np.linspace(0, EPOCHS, BATCHES)

    def line(label: str, x: np.ndarray, role: Role, scale: float = 1.0) -> Line:
        return Line(label, x, scale * (np.exp(-x / 20) + 0.05 * noise.random(len(x))), role)

    curves = (line("batch", steps, "batch"), line("train", epochs, "train"), line("val", epochs, "val"))
    norms = tuple(line(f"layer {k}", epochs, "other", k + 1.0) for k in range(8))
    return {
        "loss": Curves("Loss", "epoch", curves, EPOCHS),
        "accuracy": Curves("Accuracy", "epoch", curves, EPOCHS, percent=True),
        "weights": Curves("Weight norms", "epoch", norms, EPOCHS),
    }


def python_loop(count: int) -> None:
    """Hold the GIL, as a data pipeline in Python does."""
    total = 0
    for number in range(count * 1000):
        total += number & 7


def matmul(count: int) -> None:
    """Release the GIL for most of the time, as a framework's kernels do."""
    matrix = np.ones((192, 192), dtype=np.float32)
    for _ in range(count):
        matrix @ matrix


class Drawer:
    """Draw sets with one renderer, and time them."""

    def __init__(self, mode: Mode) -> None:
        self._left = threading.Semaphore(0)
        self._first = 0.0
        self._renderer = Renderer(self._take, period=0.0, mode=mode)
        self._jobs = figures()
        self.begin()
        self.finish()  # imports, and the helper's start, are paid once a run

    def begin(self) -> None:
        """Ask for one set."""
        self._first = 0.0
        self._begun = time.perf_counter()
        self._renderer.submit_set(self._jobs)

    def finish(self) -> tuple[float, float]:
        """Wait for the set; tell the seconds to its first and to its last figure."""
        for _ in self._jobs:
            self._left.acquire()
        return self._first - self._begun, self._last - self._begun

    def close(self) -> None:
        """Stop the renderer."""
        self._renderer.close()

    def _take(self, result: Result) -> None:
        if result.html is None or result.note is not None:
            raise SystemExit(result.error or result.note)
        self._last = time.perf_counter()
        self._first = self._first or self._last
        self._left.release()


def calibrated(load: Load) -> int:
    """Find how much of a load fills the window."""
    count = 50
    while (took := timed(load, count)) < 0.2:
        count *= 2
    return int(count * WINDOW / took)


def timed(load: Load, count: int) -> float:
    """Tell how many seconds a load takes."""
    begun = time.perf_counter()
    load(count)
    return time.perf_counter() - begun


def measure(load: Load, drawers: dict[str, Drawer | None], rounds: int) -> list[str]:
    """Measure one load with and without figures; give the lines of the table."""
    count = calibrated(load)
    took: dict[str, list[float]] = {name: [] for name in drawers}
    sets: dict[str, list[tuple[float, float]]] = {name: [] for name in drawers}
    for turn in range(rounds):
        names = list(drawers)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            drawer = drawers[name]
            if drawer is not None:
                drawer.begin()
            took[name].append(timed(load, count))
            if drawer is not None:
                sets[name].append(drawer.finish())
    lines = []
    for name in drawers:
        slower = median(on / off - 1 for on, off in zip(took[name], took["off"], strict=True))
        first, last = (
            (f"{median(each[k] for each in sets[name]) * 1000:.0f} ms" if sets[name] else "") for k in (0, 1)
        )
        share = slower * median(took["off"]) / PERIOD
        cost = f"{slower * 100:+.1f} % | {share * 100:+.1f} %" if sets[name] else " | "
        lines.append(f"| {load.__name__} | {name} | {median(took[name]):.3f} s | {cost} | {first} | {last} |")
    return lines


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    begun = time.perf_counter()
    process = Drawer("process")
    started = time.perf_counter() - begun
    begun = time.perf_counter()
    thread = Drawer("thread")
    imported = time.perf_counter() - begun
    print("| load | figures | window | slower in the window | in a period | first figure | set of three |")
    print("|---|---|---|---|---|---|---|")
    for load in (python_loop, matmul):
        for line in measure(load, {"off": None, "thread": thread, "process": process}, rounds):
            print(line)
    print(f"\nFirst set, once a run: process {started:.2f} s, thread {imported:.2f} s. {rounds} rounds.")
    process.close()
    thread.close()


if __name__ == "__main__":
    main()
