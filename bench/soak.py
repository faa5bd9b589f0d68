"""A long run: 10,000 points a second, and the memory of the process that logs them.

    python -m bench.soak [--seconds 600] [--metrics 10] [--server]

The promise: memory stays flat, and every point is in the store. Memory is flat when the median of the last third is no
more than 4 MB above that of the middle third. Ends with 1 where the promise is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import record
from bench.peers.driver import losses, names

RATE = 10_000  # points a second
FLAT = 4.0  # MB
_VALUES = 10_000  # different values, which come again and again: a list of all would be memory of the benchmark's own
_BUCKETS = 100_000  # of 0.1 µs each, for the times of the calls


def main() -> None:
    """Let a process log, and watch its memory."""
    arguments = _arguments()
    if arguments.folder:
        work(Path(arguments.folder), arguments.seconds, arguments.metrics, served=arguments.server)
        return
    found = measure(arguments.seconds, arguments.metrics, served=arguments.server)
    print(table(found))
    record.write(arguments.out, found)
    sys.exit(0 if kept(found) else 1)


def measure(seconds: float, metrics: int, *, served: bool) -> dict[str, object]:
    """Start the process, sample its memory, and compare what it says with what can be read."""
    import agnez

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.soak", "--folder", folder, "--seconds", str(seconds)]
        command += ["--metrics", str(metrics), *(["--server"] if served else [])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=record.ROOT) as worker:
            worker.stdout.readline()  # it is ready
            begun, samples = time.monotonic(), []
            while worker.poll() is None and time.monotonic() < begun + seconds:
                samples.append(resident(worker.pid))
                time.sleep(max(seconds / 300, 0.1))
            answer = json.loads(worker.communicate()[0].splitlines()[-1])
        run = agnez.open(folder).runs()[0]
        counts = [len(run.series(name)) for name in run.metrics]
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    third = max(len(samples) // 3, 1)
    return {
        "seconds": seconds,
        "metrics": metrics,
        "served": served,
        "memory": samples,
        "middle": float(np.median(samples[third : 2 * third])),
        "last": float(np.median(samples[2 * third :])),
        "points": answer["steps"] * metrics,
        "missing": answer["steps"] * metrics - sum(counts),
        "bytes_per_point": size / max(sum(counts), 1),
        "problems": list(run.problems),
        **answer,
    }


def resident(pid: int) -> float:
    """Return the memory of a process in MB, as `ps` says it on every system of the Unix kind."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
    return int(said.stdout.strip() or 0) / 1024


def work(folder: Path, seconds: float, metrics: int, *, served: bool) -> None:
    """Log at the rate, with no memory of its own that grows."""
    import agnez

    run = agnez.init("bench", dir=folder, server="thread" if served else None, open_browser=False)
    values, counts = losses(_VALUES).tolist(), [0] * _BUCKETS
    keys, log, clock = names(metrics), run.log, time.perf_counter_ns
    steps, period = int(RATE * seconds) // metrics, metrics / RATE
    print("ready", flush=True)
    begun = time.monotonic()
    for step in range(steps):
        wait = begun + step * period - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        row = dict.fromkeys(keys, values[step % _VALUES])
        before = clock()
        log(row)
        counts[min((clock() - before) // 100, _BUCKETS - 1)] += 1
    ended = time.monotonic()
    run.finish()
    below = np.cumsum(counts) / steps
    p50, p99 = (float(np.searchsorted(below, share) + 1) / 10 for share in (0.5, 0.99))
    answer = {"steps": steps, "took": ended - begun, "p50": p50, "p99": p99, "finish": time.monotonic() - ended}
    print(json.dumps(answer), flush=True)


def kept(found: dict[str, object]) -> bool:
    """Tell whether the promise was kept."""
    return not found["missing"] and not found["problems"] and found["last"] - found["middle"] <= FLAT


def table(found: dict[str, object]) -> str:
    """Return what was found as a table."""
    rows = {
        "points, seconds": f"{found['points']:,}, {found['took']:.0f}",
        "missing": found["missing"],
        "memory, middle third and last": f"{found['middle']:.1f} MB, {found['last']:.1f} MB",
        "`log`: p50, p99": f"{found['p50']:.1f} µs, {found['p99']:.1f} µs",
        "bytes a point": f"{found['bytes_per_point']:.1f}",
        "`finish`": f"{found['finish']:.2f} s",
    }
    lines = ["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join([*lines, *found["problems"]])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--metrics", type=int, default=10, help="in each call; there are fewer calls then")
    parser.add_argument("--server", action="store_true", help="with the server in its thread")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "soak.json")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
