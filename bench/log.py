"""What one `log` costs its caller, and how fast numbers reach the disk.

    python -m bench.log [--metrics 1 10 100] [--calls 20000] [--points 1000000] [--rounds 3]

Latency: calls back to back, each timed by itself (the clock's own cost is measured and taken off), with the recorder's
thread alive and writing. Ingest: from the first `log` to `finish()` returned, with no server; what is then in the store
is counted. Of several rounds the table shows the median. Two floors stand beside them: appending to a deque, and an
`append` to a run's file without any recorder.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", type=int, nargs="+", default=[1, 10, 100], help="metrics in one call")
    parser.add_argument("--calls", type=int, default=20_000, help="calls timed for a latency")
    parser.add_argument("--points", type=int, default=1_000_000, help="points of an ingest")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| metrics a call | p50 | p99 | p99.9 | worst | bare deque.append p50 |")
    print("|---|---|---|---|---|---|")
    for metrics in arguments.metrics:
        rounds = [latencies(metrics, arguments.calls) for _ in range(arguments.rounds)]
        floor = statistics.median(appends(arguments.calls))
        row = (statistics.median(quantile(each, q) for each in rounds) for q in (0.5, 0.99, 0.999, 1.0))
        print(f"| {metrics} | {' | '.join(micro(each) for each in row)} | {micro(floor)} |", flush=True)
    print()
    print("| metrics a call | calls | log alone | to finish() returned | points/s | straight into the file, points/s |")
    print("|---|---|---|---|---|---|")
    for metrics in arguments.metrics:
        calls = arguments.points // metrics
        times = [ingest(metrics, calls) for _ in range(arguments.rounds)]
        logged, whole = (statistics.median(each[place] for each in times) for place in (0, 1))
        floor = statistics.median(append_columns(metrics, calls) for _ in range(arguments.rounds))
        rates = f"{metrics * calls / whole:,.0f} | {metrics * calls / floor:,.0f}"
        print(f"| {metrics} | {calls:,} | {logged:.2f} s | {whole:.2f} s | {rates} |", flush=True)


@contextlib.contextmanager
def recording():
    """Give a run in a store of its own, and say nothing."""
    import agnez

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        run = agnez.init("bench", dir=folder, server=None)
        try:
            yield run
        finally:
            run.finish()


def values(metrics: int) -> dict[str, float]:
    """Return what a call logs."""
    return {f"metric{number}": number * 0.1 for number in range(metrics)}


def latencies(metrics: int, calls: int) -> list[float]:
    """Return the seconds of each call, sorted."""
    clock = time.perf_counter
    known = values(metrics)
    with recording() as run:
        run.log(known)
        log = run.log
        times = []
        gc.collect()
        for _ in range(calls):
            began = clock()
            log(known)
            times.append(clock() - began)
    own = statistics.median(idle(calls))
    return sorted(max(0.0, each - own) for each in times)


def idle(calls: int) -> list[float]:
    """Return what the clock itself takes."""
    clock = time.perf_counter
    times = []
    for _ in range(calls):
        began = clock()
        times.append(clock() - began)
    return times


def appends(calls: int) -> list[float]:
    """Return the seconds of each append to a deque."""
    queue: deque[object] = deque()
    clock = time.perf_counter
    times = []
    for number in range(calls):
        began = clock()
        queue.append(number)
        times.append(clock() - began)
    own = statistics.median(idle(calls))
    return [max(0.0, each - own) for each in times]


def ingest(metrics: int, calls: int) -> tuple[float, float]:
    """Return the seconds until the last `log` returned, and until `finish` did; check what is in the store."""
    from agnez.store import Store

    known = values(metrics)
    with recording() as run:
        log = run.log
        began = time.perf_counter()
        for _ in range(calls):
            log(known)
        logged = time.perf_counter() - began
        run.finish()
        whole = time.perf_counter() - began
        counts = {each.count for each in Store(Path(run._store.directory)).runs()[0].summary.values()}
        if counts != {calls}:
            raise SystemExit(f"{calls} calls were logged, and {counts} are in the store")
    return logged, whole


def append_columns(metrics: int, calls: int) -> float:
    """Return the seconds that the same points take as ready columns, 250,000 at a time, each in a transaction."""
    import numpy as np

    from agnez.record import Batch, RunInfo
    from agnez.store import Store

    names = tuple(values(metrics))
    at_once = min(calls, max(1, 250_000 // metrics))
    with tempfile.TemporaryDirectory() as folder:
        file = Store(Path(folder)).create_run(RunInfo("abc", "bench", "floor", 1))
        began = time.perf_counter()
        for first in range(0, calls, at_once):
            rows = min(at_once, calls - first)
            batch = Batch(
                names=names,
                metrics=np.tile(np.arange(metrics), rows),
                calls=np.repeat(np.arange(rows), metrics),
                steps=np.repeat(np.arange(first, first + rows), metrics),
                values=np.tile(np.arange(metrics) * 0.1, rows),
                times=np.full(rows * metrics, 1_700_000_000_000_000),
            )
            with file.transaction():
                file.append(batch)
        whole = time.perf_counter() - began
        file.close()
    return whole


def quantile(times: list[float], share: float) -> float:
    """Return a quantile of sorted times."""
    return times[min(len(times) - 1, int(len(times) * share))]


def micro(seconds: float) -> str:
    """Write a time in microseconds."""
    return f"{seconds * 1e6:.2f} µs"


if __name__ == "__main__":
    main()
