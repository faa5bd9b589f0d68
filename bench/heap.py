"""Whether an open page keeps its size: an hour of live updates, compressed in time.

    python -m bench.heap [--steps 36000]

A process logs 20 metrics at as many steps as ten a second make in an hour, as fast as the page follows: a few hundred
a second; and before those as many as half an hour makes, in which the series of the page grow to their bound. After
each tenth of the hour the page's garbage is collected, and the size of its heap is taken with all that its typed arrays
hold. Ends with 1 if the largest is more than 10 % above the smallest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

from bench.browser import installed
from bench.latency import answer, free_port, hear, tell
from bench.record import RESULTS, write

METRICS = 20
PARTS = 10
WARM = 18_000
RATE = 600
MOST = 1.10


def main() -> None:
    """Measure, or log for who measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=36_000)
    parser.add_argument("--log", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.log:
        log(arguments.steps)
        return
    sizes = measure(arguments.steps)
    grown = max(sizes) / min(sizes)
    write(RESULTS / "heap.json", {"steps": arguments.steps, "metrics": METRICS, "megabytes": sizes, "grown": grown})
    print("| after | heap |\n|---|---|")
    for part, size in enumerate(sizes, 1):
        print(f"| {part * arguments.steps // PARTS:,} steps | {size:.1f} MB |")
    print(f"\nthe largest is {100 * (grown - 1):.1f} % above the smallest")
    sys.exit(grown > MOST)


def log(steps: int) -> None:
    """Log part after part, each when who measures says so."""
    import agnez

    run = agnez.init("heap", "an hour", port=free_port())
    run.log({f"m{nth:02}": 0.0 for nth in range(METRICS)}, step=0)
    tell(run.url)
    ends = [WARM, *(WARM + (part + 1) * steps // PARTS for part in range(PARTS))]
    for first, last in zip([0, *ends], ends, strict=False):
        sys.stdin.readline()
        for step in range(first + 1, last + 1):
            run.log({f"m{nth:02}": (step * (nth + 7)) % 101 / 101 for nth in range(METRICS)}, step=step)
            time.sleep(1 / RATE)
        tell(last)
    sys.stdin.readline()
    run.finish()


def measure(steps: int) -> list[float]:
    """Return the heap's size after each part, in megabytes."""
    from playwright.sync_api import sync_playwright

    own = installed()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        words = [sys.executable, "-m", "bench.heap", "--log", "--steps", str(steps)]
        environment = {**os.environ, "AGNEZ_DIR": folder, "CI": "1"}
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        browser = playwright.chromium.launch(executable_path=own, args=["--disable-background-networking"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(hear(process))
        page.wait_for_selector("[data-testid=chart][data-last*=m00]")
        session = page.context.new_cdp_session(page)
        sizes = []
        for _ in range(1 + PARTS):
            answer(process)
            last = json.dumps({"m00": (hear(process) * 7) % 101 / 101}, separators=(",", ":"))
            page.wait_for_function(
                "last => document.querySelector('[data-testid=chart]').dataset.last === last", arg=last
            )
            for _ in range(2):
                session.send("HeapProfiler.collectGarbage")
            usage = session.send("Runtime.getHeapUsage")
            sizes.append((usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6)
        browser.close()
        answer(process)
        process.wait(30)
    return sizes[1:]


if __name__ == "__main__":
    main()
