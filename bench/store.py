"""Measure the store: bytes a point, appending, reading, views.

    python -m bench.store                    1 M and 10 M points
    python -m bench.store --points 100       and 100 M: about 1.1 GB in the temporary folder, and half a minute

Times are the least of some tries, for whatever else the machine does only adds to them; "cpu" is processor time.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from agnez.record import Batch, RunInfo
from agnez.store import RunFile

MILLION = 1_000_000
TRIES = 7


def made(calls: int, metrics: int = 1, first: int = 0) -> Batch:
    """Return noisy losses that fall, a millisecond apart: `metrics` of them in each of `calls`."""
    random = np.random.default_rng(first)
    steps = first + np.arange(calls)
    times = 1_700_000_000_000_000 + 1000 * steps + random.integers(0, 256, calls)
    values = 2 * np.exp(-np.repeat(steps, metrics) / 3e6) + 0.1 * random.normal(size=calls * metrics)
    names = tuple(f"metric/{number}" for number in range(metrics))
    places, numbers = np.tile(np.arange(metrics), calls), np.repeat(np.arange(calls), metrics)
    return Batch(names, places, numbers, np.repeat(steps, metrics), values, np.repeat(times, metrics))


def least(action: Callable[[], object], tries: int = TRIES) -> float:
    """Return the least time of some tries, in milliseconds."""
    spent = []
    for _ in range(tries):
        began = time.perf_counter()
        action()
        spent.append(time.perf_counter() - began)
    return min(spent) * 1e3


def written(path: Path, batches: Sequence[Callable[[], Batch]]) -> tuple[float, float]:
    """Write a file, and return milliseconds of processor and of wall time; making the points does not count."""
    processor = wall = 0.0
    with RunFile(path, create=True) as file:
        with file.transaction():
            file.write_info(RunInfo(id="bench", project="bench", name="bench", created=0))
        for make in batches:
            batch = make()
            began = time.process_time(), time.perf_counter()
            with file.transaction():
                file.append(batch)
            processor, wall = processor + time.process_time() - began[0], wall + time.perf_counter() - began[1]
        began = time.process_time(), time.perf_counter()
    return 1e3 * (processor + time.process_time() - began[0]), 1e3 * (wall + time.perf_counter() - began[1])


def measure_appending(folder: Path) -> None:
    """Print what appending costs, from one batch of a million points to live commits."""
    print(f"{'appending':44} {'cpu ms':>9} {'wall ms':>9} {'us/batch':>9} {'bytes/pt':>9}")
    for name, count, calls, metrics in [
        ("1 M points of one metric, at once", 1, MILLION, 1),
        ("1 M points of one metric, 16 batches", 16, MILLION // 16, 1),
        ("1 M points of 100 metrics, at once", 1, 10_000, 100),
        ("1 M points of 100 metrics, 10 batches", 10, 1000, 100),
        ("1 M points of 100 metrics, 50 batches", 50, 200, 100),
        ("live: 200 calls of 10 metrics, 300 commits", 300, 200, 10),
        ("live: 1 call of 10 metrics, 500 commits", 500, 1, 10),
    ]:
        best = (9e9, 9e9)
        for number in range(3):
            path = folder / f"append-{count}-{calls}-{metrics}-{number}.db"
            makes = [partial(made, calls, metrics, index * calls) for index in range(count)]
            best = min(best, written(path, makes))
        size = path.stat().st_size / (count * calls * metrics)
        print(f"{name:44} {best[0]:9.1f} {best[1]:9.1f} {1e3 * best[0] / count:9.0f} {size:9.2f}")


def measure_reading(folder: Path, millions: int) -> None:
    """Print what reading and views of one long series cost."""
    path, count = folder / f"read-{millions}.db", millions * MILLION
    processor, _ = written(path, [partial(made, MILLION, 1, index * MILLION) for index in range(millions)])
    size = path.stat().st_size / count
    print(f"\n{millions} M points: {size:.2f} bytes a point, appended in {processor:.0f} ms of processor time")
    random = np.random.default_rng(1)
    tenths = iter([int(begin) for begin in random.integers(0, count * 9 // 10, TRIES)])
    print(f"  {'view of all, page cache cold':34} {min(_cold(path) for _ in range(3)):8.1f} ms")
    with RunFile(path) as file:
        look = partial(file.view, "metric/0", most=2000)
        for name, action in [
            ("view of all, in 2,000 points", look),
            ("view of all along the time", partial(look, x="time")),
            ("view of a random tenth", lambda: _part(look, next(tenths), count // 10)),
            ("view of 100,000 points", lambda: _part(look, count // 3, 100_000)),
            ("what came after a cursor (1,000)", lambda: file.series(after=count - 1000)),
            ("1 M points as arrays", lambda: file.read("metric/0", last=MILLION - 1)),
        ]:
            print(f"  {name:34} {least(action):8.1f} ms")


def _part(look: Callable[..., object], first: int, points: int) -> None:
    look(first=first, last=first + points - 1)


def _cold(path: Path) -> float:
    """Return the time of the first view of a file that the page cache does not hold, in milliseconds."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
    with RunFile(path) as file:
        return least(lambda: file.view("metric/0", most=2000), tries=1)


def main() -> None:
    """Measure, in a temporary folder."""
    parser = argparse.ArgumentParser(description="Measure the store.")
    parser.add_argument("--points", type=int, default=10, metavar="M", help="millions of points of the longest series")
    parser.add_argument("--only", choices=["appending", "reading"], help="measure just that")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wishes.folder) as folder:
        if wishes.only != "reading":
            measure_appending(Path(folder))
        for millions in [each for each in (1, 10, 100) if each <= wishes.points and wishes.only != "appending"]:
            measure_reading(Path(folder), millions)


if __name__ == "__main__":
    main()
