"""Many processes with one store: each logs 1,000 points a second into a run of its own.

    python -m bench.processes [--processes 32] [--seconds 60] [--metrics 1]

The promise: nothing is lost, no error, and the 99th percentile of `log` is 20 µs at the most. Ends with 1 where it is
broken. As many processes that wake up as often and just append to a deque are the floor: the machine by itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from array import array
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from bench import record
from bench.peers.driver import losses, names

RATE = 1000  # points a second
PROMISED = 20.0  # µs


def main() -> None:
    """Let the processes log, and count what is in the store."""
    arguments = _arguments()
    if arguments.worker:
        work(arguments.worker, Path(arguments.folder), arguments.seconds, arguments.metrics)
        return
    found = measure(arguments.processes, arguments.seconds, arguments.metrics)
    print(table(found))
    record.write(arguments.out, found)
    sys.exit(0 if kept(found) else 1)


def measure(processes: int, seconds: float, metrics: int) -> dict[str, object]:
    """Start the processes, let them go at once, and compare what they say with what can be read."""
    import agnez

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        command = [sys.executable, "-m", "bench.processes", "--folder", folder]
        command += ["--seconds", str(seconds), "--metrics", str(metrics)]
        workers = {}
        for number in range(processes):
            name = f"worker-{number}"
            workers[name] = stack.enter_context(
                subprocess.Popen(
                    [*command, "--worker", name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=record.ROOT,
                )
            )
        for worker in workers.values():
            worker.stdout.readline()  # it is ready
        begun = time.monotonic()
        for worker in workers.values():
            worker.stdin.write("go\n")
            worker.stdin.flush()
        said = {name: worker.communicate() for name, worker in workers.items()}
        took = time.monotonic() - begun
        errors = [
            f"{name}: {said[name][1].strip().splitlines()[-1]}" for name, each in workers.items() if each.returncode
        ]
        answers = {name: json.loads(out.splitlines()[-1]) for name, (out, _) in said.items() if out.strip()}
        runs = {run.name: run for run in agnez.open(folder).runs()}
        wrong = [name for name, answer in answers.items() if not _whole(runs.get(name), answer["steps"], metrics)]
        times, floor = (
            np.concatenate([np.fromfile(Path(folder) / f"{name}.{what}", dtype=np.int64) for name in answers])
            for what in ("times", "floor")
        )
        problems = sorted({problem for run in runs.values() for problem in run.problems})
    middle, high, higher = np.percentile(times, (50, 99, 99.9)) / 1e3
    return {
        "processes": processes,
        "seconds": seconds,
        "took": took,
        "metrics": metrics,
        "points": sum(answer["steps"] for answer in answers.values()) * metrics,
        "behind": max(answer["behind"] for answer in answers.values()),
        "slowest_finish": max(answer["finish"] for answer in answers.values()),
        "p50": middle,
        "p99": high,
        "p999": higher,
        "worst": times.max() / 1e3,
        "floor": (np.percentile(floor, (50, 99, 99.9)) / 1e3).tolist(),
        "errors": errors + problems,
        "wrong": wrong,
    }


def _whole(run, steps: int, metrics: int) -> bool:
    """Tell whether a run holds every step of every metric, once, and the values that were logged."""
    if run is None or run.state != "finished":
        return False
    read = [run.series(name) for name in names(metrics)]
    same = all(np.array_equal(series.steps, np.arange(steps)) for series in read)
    return same and all(np.array_equal(series.values, losses(steps)) for series in read)


def work(name: str, folder: Path, seconds: float, metrics: int) -> None:
    """Log at the rate, and tell how long each call took; then do nothing else at the same rate, for the floor."""
    import agnez

    run = agnez.init("bench", name=name, dir=folder, server=None)
    steps = int(RATE * seconds) // metrics
    values = losses(steps).tolist()
    print("ready", flush=True)
    sys.stdin.readline()
    took, behind = paced(run.log, values, metrics)
    ended = time.monotonic()
    run.finish()
    finish = time.monotonic() - ended
    (folder / f"{name}.times").write_bytes(took.tobytes())
    floor, _ = paced(deque[dict[str, float]]().append, values[: steps // 4], metrics)
    (folder / f"{name}.floor").write_bytes(floor.tobytes())
    print(json.dumps({"steps": steps, "behind": behind, "finish": finish}), flush=True)


def paced(log: Callable[[dict[str, float]], object], values: list[float], metrics: int) -> tuple[array, float]:
    """Hand values over at the rate; return how long each call took (ns), and how far it fell behind (s)."""
    keys, clock, took = names(metrics), time.perf_counter_ns, array("q")
    begun, period, behind = time.monotonic(), metrics / RATE, 0.0
    for step, value in enumerate(values):
        wait = begun + step * period - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        behind = max(behind, -wait)
        row = dict.fromkeys(keys, value)
        before = clock()
        log(row)
        took.append(clock() - before)
    return took, behind


def kept(found: dict[str, object]) -> bool:
    """Tell whether the promise was kept."""
    return not found["errors"] and not found["wrong"] and float(str(found["p99"])) <= PROMISED


def table(found: dict[str, object]) -> str:
    """Return what was found as a table."""
    rows = {
        "processes, points logged": f"{found['processes']}, {found['points']:,}",
        "runs with a point missing or wrong": len(found["wrong"]),
        "errors": len(found["errors"]),
        "`log`: p50, p99, p99.9": f"{found['p50']:.1f} µs, {found['p99']:.1f} µs, {found['p999']:.1f} µs",
        "floor, `deque.append`: p50, p99, p99.9": ", ".join(f"{each:.1f} µs" for each in found["floor"]),
        "slowest `finish`": f"{found['slowest_finish']:.2f} s",
    }
    lines = ["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join([*lines, *found["errors"]])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--metrics", type=int, default=1, help="in each call; there are fewer calls then")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "processes.json")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
