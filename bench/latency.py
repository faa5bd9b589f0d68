"""How long a number takes from `run.log` to a pixel: a real process logs, and a real browser shows it.

    python -m bench.latency [--seconds 40]

A process logs metrics with Agnez as it comes; headless Chromium has the page open that this process serves. In the page
the canvas of the first chart is looked at in each frame after something drew on it: as soon as its pixels differ, all
calls are visible up to the newest that the chart says it shows. A call's latency is the time from just before its `log`
to that moment, by the clock of the machine that both run on. A frame lasts 17 ms, so that much is the grain.

`steady` logs one metric about once a second, each pause another one between 0.7 and 1.3 s. `flood` logs 100 metrics 100
times a second. The first three seconds do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from bench.browser import installed
from bench.record import RESULTS, write

WARM = 3.0
LOADS = {"steady": (1, 1.0), "flood": (100, 100.0)}
"""Metrics, and calls a second."""

_HOOK = """
for (const name of ["stroke", "fill", "fillRect", "clearRect", "fillText", "drawImage", "putImageData"]) {
  const drawn = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...given) {
    this.canvas.touched = true;
    return drawn.apply(this, given);
  };
}
"""

_LOOK = """(metric) => {
  const chart = document.querySelector("[data-testid=chart]");
  window.seen = [];
  let before = 0;
  const look = () => {
    requestAnimationFrame(look);
    const canvas = chart.querySelector("canvas");
    if (!canvas.touched || canvas.width === 0) return;
    canvas.touched = false;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let hash = 0;
    for (const pixel of new Uint32Array(data.buffer)) hash = (Math.imul(hash, 31) + pixel) | 0;
    if (hash === before) return;
    before = hash;
    const shown = JSON.parse(chart.dataset.last)[metric];
    if (shown !== undefined) window.seen.push([Date.now() / 1000, shown]);
  };
  look();
}"""


def main() -> None:
    """Measure, or log for who measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--loads", nargs="+", default=list(LOADS), choices=list(LOADS))
    parser.add_argument("--log", choices=list(LOADS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.log:
        log(arguments.log, arguments.seconds)
        return
    found = {load: measure(load, arguments.seconds) for load in arguments.loads}
    write(RESULTS / "latency.json", {"agnez": found})
    print("| load | calls | p50 | p95 | p99 | worst | redraws a second |\n|---|---|---|---|---|---|---|")
    for load, of in found.items():
        times = " | ".join(f"{of[name]:.0f} ms" for name in ("p50", "p95", "p99", "worst"))
        print(f"| {load} | {of['calls']:.0f} | {times} | {of['redraws']:.1f} |")


# --- the process that logs -------------------------------------------------------------------------------------------


def log(load: str, seconds: float) -> None:
    """Log each call's number, and say when each was logged."""
    import agnez

    metrics, rate = LOADS[load]
    names = [f"m{nth:02}" for nth in range(metrics)]
    run = agnez.init("latency", load, port=free_port())
    tell(run.url)
    sys.stdin.readline()
    times = []
    end = time.monotonic() + WARM + seconds
    due = time.monotonic()
    while time.monotonic() < end:
        numbers = dict.fromkeys(names, float(len(times)))
        times.append(time.time())
        run.log(numbers)
        due += random.uniform(0.7, 1.3) / rate
        time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(1)
    tell(times)
    sys.stdin.readline()
    run.finish()


def tell(value: object) -> None:
    """Say something to who measures."""
    print(json.dumps(value), flush=True)


def free_port() -> int:
    """Return a port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- the browser -----------------------------------------------------------------------------------------------------


def measure(load: str, seconds: float) -> dict[str, float]:
    """Return the latencies of one load, in milliseconds."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        process = start(load, seconds, folder)
        url = hear(process)
        own = installed()
        browser = playwright.chromium.launch(executable_path=own, args=["--disable-background-networking"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(_HOOK)
        page.goto(url)
        page.wait_for_selector("[data-testid=connection][data-state=live]", state="attached")
        answer(process)
        page.wait_for_selector("[data-testid=chart]")
        page.evaluate(_LOOK, "m00")
        logged = hear(process)
        seen = page.evaluate("window.seen")
        browser.close()
        answer(process)
        process.wait(30)
    return latencies(logged, seen)


def start(load: str, seconds: float, folder: str) -> subprocess.Popen[str]:
    """Start the process that logs."""
    words = [sys.executable, "-m", "bench.latency", "--log", load, "--seconds", str(seconds)]
    environment = {**os.environ, "AGNEZ_DIR": folder, "CI": "1"}
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def hear(process: subprocess.Popen[str]) -> Any:
    """Return what the process that logs says next; lines of others are let pass."""
    assert process.stdout is not None
    for line in process.stdout:
        try:
            return json.loads(line)
        except ValueError:
            continue
    raise SystemExit("the process that logs has ended")


def answer(process: subprocess.Popen[str]) -> None:
    """Let the process that logs go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def latencies(logged: list[float], seen: list[list[float]]) -> dict[str, float]:
    """Return percentiles of the time from each call to the first pixels that show it, in milliseconds."""
    found, nth = [], 0
    for call, when in enumerate(logged):
        while nth < len(seen) and seen[nth][1] < call:
            nth += 1
        if nth == len(seen):
            raise SystemExit(f"{len(logged) - call} calls were never shown")
        if when - logged[0] > WARM:
            found.append(1000 * (seen[nth][0] - when))
    cuts = statistics.quantiles(found, n=100)
    span = seen[-1][0] - seen[0][0]
    ends = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "worst": max(found)}
    return {"calls": len(found), **ends, "redraws": (len(seen) - 1) / span}


if __name__ == "__main__":
    main()
