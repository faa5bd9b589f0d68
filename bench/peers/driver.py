"""What a driver is: the face that each tracker shows to the benchmark, and the measures that are taken through it.

A driver runs in its tracker's own environment, so it knows nothing but NumPy and the tracker:

    <python of that environment> -m bench.peers.trackio ingest --folder /tmp/x --metrics 1

It prints one line of JSON; whatever the tracker has to say goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import sys
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

Log: TypeAlias = Callable[[Mapping[str, float]], object]
"""Log one step; the driver counts the steps where the tracker does not."""

RUN = "main"
WARM_RUN = "warm"  # a short one before it: imports, schemas and caches are not what is measured
LOSS = "loss"
RATE = 1000  # steps a second, until the kill,
PACED = 60_000  # and how many there can be
WARM = 100  # calls that are not counted,
WARM_SECONDS = 1.0  # or what fits in here
CALL_SECONDS = 4.0
READ_SECONDS = 3.0
CROWD = 50
WALL_METRICS = 20
MANY_METRICS = 12_345
LIVE_SECONDS = 600
LIVE = {"slowly": (1, 1.0), "flood": (100, 100.0)}
"""Metrics, and calls a second, of a run that a page follows."""

RATE_SECONDS = 3.0
LISTED_METRICS = 50
LISTED_STEPS = 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """Say how much is measured: calls, points of an ingest, points under a wide view, runs in a list.

    A tracker that would take longer than 20 s has smaller ones.
    """

    calls: int = 200_000
    ingest_one: int = 1_000_000
    ingest_many: int = 1_000_000
    wide: int = 10_000_000
    runs: int = 100

    def scaled(self, scale: float) -> Sizes:
        """Return what a quick try takes: hundreds, for 100 metrics a call to share them."""
        sizes = {name: max(round(size * scale / 100), 1) * 100 for name, size in asdict(self).items()}
        return Sizes(**{**sizes, "runs": max(round(self.runs * scale), 2)})


class NotOfferedError(Exception):
    """Say that a tracker has no such thing, and what it has in its place."""


class Tracker:
    """Stand for a tracker. `folder` is all that it may write to."""

    sizes = Sizes()
    each_is_a_request = False
    """Whether the tracker takes minutes for what others write in a second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def serve(self) -> None:
        """Serve until killed, where the tracker cannot log without a server of its own."""
        raise NotOfferedError("it needs no server")

    def begin(self, run: str) -> Log:
        """Start a run and return what logs to it."""
        raise NotImplementedError

    def finish(self) -> None:
        """Return when all that was logged is where others can read it."""
        raise NotImplementedError

    def record(self, run: str, values: np.ndarray) -> None:
        """Record a whole run of the loss by the tracker's own calls; it may be handed arrays where it takes them."""
        log = self.begin(run)
        for value in values.tolist():
            log({LOSS: value})
        self.finish()

    def settle(self) -> None:
        """Return when what was recorded is where a page finds it; most trackers have nothing left to do."""

    def page(self, port: int) -> None:
        """Serve the tracker's page on 127.0.0.1 until killed."""
        raise NotOfferedError("it has no page")

    def watched(self, run: str, port: int) -> Log:
        """Start a run that a page at that port shows."""
        return self.begin(run)

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Return steps and values of every point, in the order of their steps."""
        raise NotImplementedError

    def view(self, run: str, metric: str, most: int) -> np.ndarray:
        """Return the values of at most `most` points that stand for the series."""
        raise NotOfferedError("it has no view of a series")

    def fill(self, points: int) -> None:
        """Make a warm run, and one with that many points of the loss, by whatever way is fast."""
        raise NotOfferedError("it would take minutes to fill")

    def summaries(self) -> Mapping[str, Mapping[str, float]]:
        """Return the last value of each metric of each run, by their names."""
        raise NotOfferedError("it has no list of runs with their numbers")


def losses(count: int, seed: int = 0) -> np.ndarray:
    """Return a loss as it falls in trainings: an exponential with a floor, and noise of some per cent."""
    draw = np.random.default_rng(seed)
    steps = np.arange(count)
    return (0.2 + 2 * np.exp(-steps / (count / 5))) * np.exp(0.1 * draw.standard_normal(count))


def names(metrics: int) -> list[str]:
    """Return as many names of metrics, the loss first."""
    return [LOSS, *(f"layer{place // 4}/norm{place % 4}" for place in range(metrics - 1))]


# --- the measures ----------------------------------------------------------------------------------------------------


def measure_calls(tracker: Tracker, metrics: int, most: int) -> dict[str, object]:
    """Time single calls, back to back, for some seconds at the most. The clock's own 0.05 µs are in the times."""
    log, keys, clock = tracker.begin(RUN), names(metrics), time.perf_counter_ns
    deadline = clock() + int(WARM_SECONDS * 1e9)
    for value in losses(WARM).tolist():
        log(dict.fromkeys(keys, value))
        if clock() > deadline:
            break
    took = array("q")
    deadline = clock() + int(CALL_SECONDS * 1e9)
    for value in losses(most).tolist():
        row = dict.fromkeys(keys, value)
        begun = clock()
        log(row)
        ended = clock()
        took.append(ended - begun)
        if ended > deadline:
            break
    middle, high = np.percentile(np.array(took), (50, 99)) / 1e3
    return {"p50": middle, "p99": high, "calls": len(took), "unit": "µs"}


def measure_ingest(tracker: Tracker, metrics: int, points: int) -> dict[str, object]:
    """Log a run and finish it: points a second, and the bytes that the folder grew by."""
    warm(tracker, metrics)
    before = folder_bytes(tracker.folder)
    log = tracker.begin(RUN)
    seconds = _timed_one(tracker, log, points) if metrics == 1 else _timed_many(tracker, log, metrics, points)
    bytes_ = folder_bytes(tracker.folder) - before
    return {"points_per_s": points / seconds, "points": points, "seconds": seconds, "bytes_per_point": bytes_ / points}


def warm(tracker: Tracker, metrics: int) -> None:
    """Record a short run."""
    log = tracker.begin(WARM_RUN)
    for value in losses(10).tolist():
        log(dict.fromkeys(names(metrics), value))
    tracker.finish()


def _timed_one(tracker: Tracker, log: Log, points: int) -> float:
    values = losses(points).tolist()
    begun = time.perf_counter()
    for value in values:
        log({LOSS: value})
    tracker.finish()
    return time.perf_counter() - begun


def _timed_many(tracker: Tracker, log: Log, metrics: int, points: int) -> float:
    keys = names(metrics)
    table = losses(points).reshape(-1, metrics).tolist()
    rows = [dict(zip(keys, row, strict=True)) for row in table]
    begun = time.perf_counter()
    for row in rows:
        log(row)
    tracker.finish()
    return time.perf_counter() - begun


def measure_check(tracker: Tracker, metrics: int, points: int) -> dict[str, object]:
    """Read back what was ingested, of many metrics three, and tell what is missing or wrong. 32 bits will do."""
    logged = losses(points).reshape(-1, metrics)
    read = {place: tracker.read(RUN, names(metrics)[place]) for place in {0, metrics // 2, metrics - 1}}
    missing = sum(len(logged) - len(values) for _, values in read.values())
    wrong = sum(_wrong(steps, values, logged[:, place]) for place, (steps, values) in read.items())
    return {"missing": missing, "wrong": wrong}


def _wrong(steps: np.ndarray, values: np.ndarray, logged: np.ndarray) -> int:
    """Count the values that are not those of their steps, whatever number the first step has."""
    known = steps - steps[0] if len(steps) else steps
    inside = known < len(logged)
    difference = np.abs(values[inside] - logged[known[inside]])
    return int((~inside).sum() + (difference > 1e-6 * np.abs(logged[known[inside]])).sum())


def measure_read(tracker: Tracker, points: int) -> dict[str, object]:
    """Read a series as arrays, again and again for some seconds."""
    tracker.read(WARM_RUN, LOSS)
    took, found = _repeat(lambda: tracker.read(RUN, LOSS)[1])
    return {"seconds": took, "points": points, "missing": points - found}


def measure_view(tracker: Tracker, points: int, most: int = 2000) -> dict[str, object]:
    """View a series in 2,000 points, again and again for some seconds."""
    tracker.view(WARM_RUN, LOSS, most)
    took, shown = _repeat(lambda: tracker.view(RUN, LOSS, most))
    return {"seconds": took, "points": points, "shown": shown}


def _repeat(read: Callable[[], np.ndarray]) -> tuple[list[float], int]:
    took: list[float] = []
    read_begun = time.perf_counter()
    while not took or (len(took) < 10 and time.perf_counter() - read_begun < READ_SECONDS):
        begun = time.perf_counter()
        found = read()
        took.append(time.perf_counter() - begun)
    return took, len(found)


def make_library(tracker: Tracker, runs: int) -> dict[str, object]:
    """Record many short runs, where the tracker can list them."""
    if type(tracker).summaries is Tracker.summaries:
        tracker.summaries()
    keys = names(LISTED_METRICS)
    for run in range(runs):
        log = tracker.begin(f"run-{run}")
        for value in losses(LISTED_STEPS, seed=run).tolist():
            log(dict.fromkeys(keys, value))
        tracker.finish()
    return {"runs": runs}


def measure_list(tracker: Tracker, runs: int) -> dict[str, object]:
    """List the runs with a number of each metric."""
    numbers = sum(map(len, tracker.summaries().values()))
    took, listed = _repeat(lambda: np.array([len(each) for each in tracker.summaries().values()]))
    return {"seconds": took, "runs": runs, "missing": max(runs - listed, runs * LISTED_METRICS - numbers)}


def pace(tracker: Tracker, journal: Path, most: int) -> dict[str, object]:
    """Log steps at their rate until killed; the journal says which calls have returned, and when."""
    log = tracker.begin(RUN)
    values = losses(most).tolist()
    with journal.open("wb") as file:
        file.write(bytes(8 * (most + 1)))
    with journal.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        returned = memoryview(memory).cast("d")  # how many calls, then the moment of each; it outlives the process
        begun = time.monotonic()
        for step, value in enumerate(values):
            wait = begun + step / RATE - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            log({LOSS: value})
            returned[step + 1] = time.monotonic()
            returned[0] = step + 1
        returned.release()
    return {"steps": most}


def survivors(tracker: Tracker) -> dict[str, object]:
    """Tell which steps can be read."""
    try:
        steps, _ = tracker.read(RUN, LOSS)
    except (LookupError, OSError):  # nothing of the run came to the disk
        return {"steps": []}
    return {"steps": steps.astype(int).tolist()}


def record_crowd(tracker: Tracker, runs: int, points: int) -> dict[str, object]:
    """Record many runs of one metric that lie over each other."""
    begun = time.perf_counter()
    for run in range(runs):
        tracker.record(f"run-{run:02}", losses(points, seed=run) * (1 + run / runs))
    tracker.settle()
    return {"runs": runs, "points": points, "seconds": time.perf_counter() - begun}


def record_wall(tracker: Tracker, runs: int, points: int) -> dict[str, object]:
    """Record many runs of some metrics each."""
    begun = time.perf_counter()
    for run in range(runs):
        record_rows(tracker, f"run-{run:02}", names(WALL_METRICS), losses(points, seed=run) * (1 + run / runs))
    return {"runs": runs, "points": points, "seconds": time.perf_counter() - begun}


def record_many(tracker: Tracker, metrics: int, points: int) -> dict[str, object]:
    """Record one run of very many metrics."""
    begun = time.perf_counter()
    record_rows(
        tracker, RUN, [LOSS, *(f"layer{nth // 100:03}/unit{nth % 100:02}" for nth in range(1, metrics))], losses(points)
    )
    return {"metrics": metrics, "points": points, "seconds": time.perf_counter() - begun}


def record_rows(tracker: Tracker, run: str, keys: list[str], values: np.ndarray) -> None:
    """Record a run whose metrics all have the same values."""
    if tracker.each_is_a_request:
        raise NotOfferedError("each point is a request of its own")
    log = tracker.begin(run)
    for value in values.tolist():
        log(dict.fromkeys(keys, value))
    tracker.finish()


def measure_rate(tracker: Tracker, most: int) -> dict[str, object]:
    """Find how fast a run is recorded: longer and longer ones, until one takes some seconds."""
    points, took = 100, 0.0
    while took < RATE_SECONDS and points * 10 <= most:
        points *= 10
        begun = time.perf_counter()
        tracker.record(f"{WARM_RUN}-{points}", plain(points))
        tracker.settle()
        took = time.perf_counter() - begun
    return {"points": points, "seconds": took}


def record_deep(tracker: Tracker, points: int) -> dict[str, object]:
    """Record one long run with a spike of one point."""
    begun = time.perf_counter()
    tracker.record(RUN, spiked(points))
    tracker.settle()
    return {"points": points, "seconds": time.perf_counter() - begun}


def plain(points: int) -> np.ndarray:
    """Return values that stay between 1 and 1.6."""
    return 1 + np.arange(points) % 7 / 10


def spiked(points: int) -> np.ndarray:
    """Return the same with one that is 50."""
    values = plain(points)
    values[int(points * 0.654321)] = 50
    return values


def log_live(tracker: Tracker, port: int, journal: Path, load: str) -> dict[str, object]:
    """Log the numbers 0, 1, 2 … at the rate of a load until killed; a line of the journal is when each was logged."""
    metrics, rate = LIVE[load]
    calls = round(LIVE_SECONDS * rate)
    keys, due = names(metrics), time.monotonic()
    log = tracker.watched(RUN, port)
    draw = random.Random(1)
    with journal.open("w") as file:
        for call in range(calls):
            began = time.time()
            log(dict.fromkeys(keys, float(call)))
            file.write(f"{began!r}\n")
            file.flush()
            due = max(due + draw.uniform(0.7, 1.3) / rate, time.monotonic() - 1 / rate)
            time.sleep(max(0.0, due - time.monotonic()))
    return {"calls": calls}


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --- the command -----------------------------------------------------------------------------------------------------


def drive(*trackers: type[Tracker]) -> None:
    """Take one measure, as the command line says, and print what was found as JSON."""
    arguments = _arguments()
    kind = next(each for each in trackers if each.__name__ == (arguments.tracker or trackers[0].__name__))
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the tracker prints
    try:
        found = _measure(kind(arguments.folder), arguments)
    except NotOfferedError as error:
        found = {"not_offered": str(error)}
    answer.write(json.dumps(found) + "\n")
    answer.flush()
    sys.stdout.flush()
    if arguments.measure == "call":
        os._exit(0)  # what is still queued need not be written


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--tracker", help="the name of the class, where a driver has several")
    parser.add_argument("--metrics", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes, for a quick try")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--points", type=int, default=0, help="of each run that a page is to show")
    parser.add_argument("--port", type=int, default=0, help="of the page's server")
    return parser.parse_args()


def _measure(tracker: Tracker, arguments: argparse.Namespace) -> dict[str, object]:
    sizes = tracker.sizes.scaled(arguments.scale)
    return MEASURES[arguments.measure](tracker, sizes, arguments) or {}


def _ingested(sizes: Sizes, given: argparse.Namespace) -> int:
    return sizes.ingest_one if given.metrics == 1 else sizes.ingest_many


MEASURES: Mapping[str, Callable[[Tracker, Sizes, argparse.Namespace], dict[str, object] | None]] = {
    "call": lambda tracker, sizes, given: measure_calls(tracker, given.metrics, sizes.calls),
    "ingest": lambda tracker, sizes, given: measure_ingest(tracker, given.metrics, _ingested(sizes, given)),
    "check": lambda tracker, sizes, given: measure_check(tracker, given.metrics, _ingested(sizes, given)),
    "read": lambda tracker, sizes, given: measure_read(tracker, sizes.ingest_one),
    "view": lambda tracker, sizes, given: measure_view(tracker, sizes.ingest_one),
    "fill": lambda tracker, sizes, given: tracker.fill(sizes.wide),
    "wide": lambda tracker, sizes, given: measure_view(tracker, sizes.wide),
    "library": lambda tracker, sizes, given: make_library(tracker, sizes.runs),
    "list": lambda tracker, sizes, given: measure_list(tracker, sizes.runs),
    "pace": lambda tracker, sizes, given: pace(tracker, given.journal, PACED),
    "survivors": lambda tracker, sizes, given: survivors(tracker),
    "serve": lambda tracker, sizes, given: tracker.serve(),
    "page": lambda tracker, sizes, given: tracker.page(given.port),
    "crowd": lambda tracker, sizes, given: record_crowd(tracker, CROWD, given.points),
    "rate": lambda tracker, sizes, given: measure_rate(tracker, given.points),
    "deep": lambda tracker, sizes, given: record_deep(tracker, given.points),
    "wall": lambda tracker, sizes, given: record_wall(tracker, CROWD, given.points),
    "many": lambda tracker, sizes, given: record_many(tracker, MANY_METRICS, given.points),
    "slowly": lambda tracker, sizes, given: log_live(tracker, given.port, given.journal, "slowly"),
    "flood": lambda tracker, sizes, given: log_live(tracker, given.port, given.journal, "flood"),
}
"""What a driver can be asked for; each answers with what it found."""
