"""What logging costs a loop of steps of one millisecond, logging and not in turn, while a browser watches.

    python -m bench.loop [--pairs 40] [--steps 1000] [--loops python native]

Each step works for a millisecond, in Python alone or in a call that releases the interpreter's lock, and then logs ten
metrics. One process, one run, one page open on it all the time: blocks of steps alternate, in one they log, in the next
they do not and the page stands still; before that all that was logged is written, sent and shown. The first steps of a
block do not count: by then silence is over. Each block that logs is compared with the mean of the two around it: the
ratios' median with its bootstrapped 95 % interval is the cost. The same of each block that does not is the control:
what the machine does by itself. The last column is what the threads beside the loop take while it logs. `--without`
leaves the browser, or the server too, out.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.browser import installed
from bench.overhead import against_neighbours, free_port, hear, tell, told

METRICS = 10
WARM = 200  # steps at the beginning of a block that do not count
SETTLE = 0.6  # seconds until the last of what was logged is on the page
_ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure, or run loops for who measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--steps", type=int, default=1000, help="steps in a block, a millisecond each")
    parser.add_argument("--loops", nargs="+", default=["python", "native"], choices=["python", "native"])
    parser.add_argument("--without", choices=["browser", "server"], help="leave this out")
    parser.add_argument("--run", choices=["python", "native"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        run(arguments.run, arguments.pairs, arguments.steps, served=arguments.without != "server")
        return
    print("| loop | pairs | step without | slower | 95 % interval | control | 95 % interval | threads beside it |")
    print("|---|---|---|---|---|---|---|---|")
    for loop in arguments.loops:
        blocks = measure(loop, arguments)
        steps = [block["step"] for block in blocks]
        cost = against_neighbours(steps, range(1, len(steps), 2), 1)
        control = against_neighbours(steps, range(2, len(steps) - 1, 2), 2)
        beside = ", ".join(
            f"{name} {statistics.median(block['threads'].get(name, 0.0) for block in blocks[1::2]):.2%}"
            for name in sorted(set().union(*(block["threads"] for block in blocks[1::2])))
        )
        row = f"| {loop} | {len(cost)} | {statistics.median(steps[::2]) * 1e3:.3f} ms | {told(cost)} | {told(control)}"
        print(f"{row} | {beside} |", flush=True)


# --- the loops, in a process of their own ----------------------------------------------------------------------------


def run(loop: str, pairs: int, steps: int, *, served: bool) -> None:
    """Run the loop in blocks, off, on, off …, and say the times of each."""
    import agnez

    work = {"python": count, "native": hashed}[loop]
    amount = calibrated(work)
    port = free_port()
    run = agnez.init("bench", port=port, server="thread" if served else None)
    run.log(measured(0))
    tell(sys.stdout, port)
    sys.stdin.readline()
    block(work, amount, steps, run.log)  # the page warms up
    for number in range(2 * pairs + 1):
        run.flush(5)
        settle(work, amount)
        before, began = threads(), time.perf_counter()
        seconds = block(work, amount, steps, run.log if number % 2 else ignore)
        whole = time.perf_counter() - began
        beside = {name: (spent - before.get(name, 0.0)) / whole for name, spent in threads().items()}
        tell(sys.stdout, {"step": seconds / steps, "threads": {name: s for name, s in beside.items() if s > 2e-4}})
    run.finish()


def block(work: Callable[[int], None], amount: int, steps: int, log: Callable[[dict[str, float]], None]) -> float:
    """Return the seconds of a block, without its first steps."""
    gc.collect()
    began = 0.0
    for step in range(-WARM, steps):
        if step == 0:
            began = time.perf_counter()
        work(amount)
        log(measured(step))
    return time.perf_counter() - began


def settle(work: Callable[[int], None], amount: int) -> None:
    """Work on, and log nothing, until the page stands still: an idle processor would have Agnez take more of it."""
    until = time.perf_counter() + SETTLE
    while time.perf_counter() < until:
        work(amount)


def ignore(values: dict[str, float]) -> None:
    """Log nothing."""


def count(amount: int) -> None:
    """Work in Python alone."""
    total = 0
    for number in range(amount):
        total += number & 3


def hashed(amount: int) -> None:
    """Work in a call that releases the interpreter's lock."""
    hashlib.sha256(_BYTES[:amount]).digest()


_BYTES = memoryview(bytes(1 << 24))


def calibrated(work: Callable[[int], None]) -> int:
    """Return how much work takes a millisecond."""
    amount, best = 10_000, 1.0
    for _ in range(200):
        began = time.perf_counter()
        work(amount)
        best = min(best, time.perf_counter() - began)
    return int(amount * 1e-3 / best)


def measured(step: int) -> dict[str, float]:
    """Return what a step measured."""
    return {f"train/metric{number}": (step * 37 + number) % 1000 / 1000 for number in range(METRICS)}


def threads() -> dict[str, float]:
    """Return the seconds of processor that each thread beside the loop took so far, where the system tells."""
    found: dict[str, float] = {}
    for thread in threading.enumerate():
        path = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        if thread is not threading.main_thread() and path.exists():
            name = thread.name if thread.name.startswith("agnez") else "sockets"
            found[name] = found.get(name, 0.0) + int(path.read_text().split()[0]) / 1e9
    return found


# --- the browser -----------------------------------------------------------------------------------------------------


def measure(loop: str, arguments: argparse.Namespace) -> list[dict]:
    """Return the blocks, the first without logging."""
    from playwright.sync_api import sync_playwright

    browser_path = installed()
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    command = [sys.executable, "-m", "bench.loop", "--run", loop]
    command += ["--steps", str(arguments.steps), "--pairs", str(arguments.pairs)]
    command += ["--without", arguments.without] if arguments.without else []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        environ = {**os.environ, "AGNEZ_DIR": f"{folder}/store", "CI": "1", "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ, cwd=_ROOT
        ) as child:
            port = hear(child)
            if arguments.without is None:
                browser = playwright.chromium.launch(executable_path=browser_path, args=quiet)
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                page.goto(f"http://127.0.0.1:{port}/")
                page.wait_for_selector("[data-testid=run-state]")
            tell(child.stdin, "go")
            return [hear(child) for _ in range(2 * arguments.pairs + 1)]


if __name__ == "__main__":
    main()
