"""What the page's charts cost the browser that shows them, with many runs laid over each other and with long ones.

    python -m bench.page [--seconds 12]

A process logs with Agnez, `agnez server` shows its store, and headless Chromium has the page open. The process says
that it is another machine: for a training of this one the server would hold back what it sends where processor time is
scarce. All that is logged before is in the store when the clock starts, and the server answers.

Each load is opened nine times in an empty tab of a browser that has run for a few seconds, each time in a profile of
its own that knows nothing: the median. Beside it stands the same of a browser that was started just before, which is
busy with itself.

`crowd`: 50 runs with 100,000 points of one metric each, laid over one chart: from the navigation until all lines are
drawn; then all go on at 10 points a second, and the script's processor time is divided by the frames in which the
chart was drawn. `wall`: 50 runs with 2,000 points of 20 metrics each, all going on at 10 steps a second, with as many
charts as the window shows: tasks of more than 50 ms, and how often each chart was drawn.
`deep`: 10 million points of one run with a spike of one: from the navigation until it is drawn; from letting go of the
pointer until the finer picture of the part around the spike is drawn; from the last move of the pointer that moves that
part along until the same; and whether the spike was in the picture all the way.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from agnez.spare import used_seconds
from bench.browser import installed
from bench.record import RESULTS, write

RUNS = 50
OPENINGS = 9
WARM_MS = 2500
SETTLE_MS = 3000
DEEP = 10_000_000
SPIKE = 6_543_210
LOADS = ("crowd", "wall", "deep")

_WATCH = """
window.tasks = [];
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries()) window.tasks.push([startTime, duration]);
}).observe({ type: "longtask", buffered: true });
"""

_DRAWN = """(lines) => new Promise((done) => {
  const look = () => {
    const node = document.querySelector("[data-testid=chart][data-frame]");
    if (node && JSON.parse(node.dataset.frame).lines >= lines) done(performance.now());
    else requestAnimationFrame(look);
  };
  look();
})"""

_DRAWS = """() => [...document.querySelectorAll("[data-testid=chart]")]
  .filter((node) => { const box = node.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; })
  .map((node) => Number(node.dataset.draws))"""

_FOLLOW = """() => {
  const node = document.querySelector("[data-testid=chart]");
  window.frames_ = [];
  new MutationObserver(() => {
    const { x, y, points, thinned } = JSON.parse(node.dataset.frame);
    window.frames_.push([performance.now(), x, y[1], points, thinned]);
  }).observe(node, { attributeFilter: ["data-frame"] });
  node.addEventListener("pointerup", () => (window.let_go = performance.now()), true);
  node.addEventListener("pointermove", () => (window.moved = performance.now()), true);
}"""


def main() -> None:
    """Measure, or log for who measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--loads", nargs="+", default=list(LOADS), choices=LOADS)
    parser.add_argument("--log", choices=LOADS, help=argparse.SUPPRESS)
    parser.add_argument("--dir", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.log:
        log(arguments.log, arguments.dir)
        return
    found = {load: measured(load, arguments.seconds) for load in arguments.loads}
    write(RESULTS / "page.json", {"agnez": found})
    for load, of in found.items():
        print(f"{load}: " + ", ".join(f"{name} {_said(value)}" for name, value in of.items()))


def _said(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def log(load: str, folder: Path) -> None:
    """Log what a load asks for, tell the runs' ids, and go on with them once a line comes in, until the next."""
    socket.gethostname = lambda: "elsewhere"
    import agnez

    if load == "deep":
        run = agnez.init(project="bench", name="deep", dir=folder, server=None)
        for step in range(DEEP):
            run.log({"loss": 50.0 if step == SPIKE else 1.0 + (step % 7) / 10}, step=step)
            if step % 200_000 == 0:
                run.flush()  # faster than the disk takes it, some would be dropped
        run.finish()
        print(json.dumps([run.id]), flush=True)
        sys.stdin.readline()
        return
    metrics, length = (["loss"], 100_000) if load == "crowd" else ([f"metric{nth:02}" for nth in range(20)], 2000)
    chance = random.Random(1)
    runs = [agnez.init(project="bench", name=f"run-{nth:02}", dir=folder, server=None) for nth in range(RUNS)]
    for nth, run in enumerate(runs):
        for step in range(length):
            run.log({metric: _value(nth, step, length, chance) for metric in metrics})
        run.flush()
    print(json.dumps([run.id for run in runs]), flush=True)
    sys.stdin.readline()
    step, due = length, time.monotonic()
    os.set_blocking(sys.stdin.fileno(), False)
    while not sys.stdin.readline():
        for nth, run in enumerate(runs):
            run.log({metric: _value(nth, step, length, chance) for metric in metrics})
        step, due = step + 1, due + 0.1
        time.sleep(max(0.0, due - time.monotonic()))
    for run in runs:
        run.finish()


def _value(run: int, step: int, length: int, chance: random.Random) -> float:
    return 0.2 + 0.01 * run + 2 / (1 + 8 * step / length) + 0.1 * chance.random()


def measured(load: str, seconds: float) -> dict[str, Any]:
    """Return what one load came to."""
    from playwright.sync_api import sync_playwright

    folder = Path(tempfile.mkdtemp(prefix="agnez-page-"))
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str | Path) -> subprocess.Popen[str]:
        processes.append(
            subprocess.Popen(
                [sys.executable, "-u", *map(str, words)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        )
        return processes[-1]

    try:
        logger = start("-m", "bench.page", "--log", load, "--dir", folder)
        assert logger.stdout is not None
        ids: list[str] = json.loads(logger.stdout.readline())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        start("-m", "agnez", "server", "--dir", folder, "--port", str(port))
        _wait(port)
        with sync_playwright() as playwright:
            own = installed()
            over = f"#v=1&over={','.join(ids[1:])}" if len(ids) > 1 else ""
            address = f"http://127.0.0.1:{port}/?run={ids[0]}{over}"
            started: list[float] = []
            opened: list[float] = []
            while True:
                browser = playwright.chromium.launch(executable_path=own, args=["--disable-background-networking"])
                page = _open(browser, address, len(ids), started)
                page.context.close()
                page = _open(browser, address, len(ids), opened, rest=SETTLE_MS)
                if len(opened) == OPENINGS:
                    break
                browser.close()
            found: dict[str, Any] = {"opened_ms": statistics.median(opened), "opened": sorted(map(round, opened))}
            found |= {"just_started_ms": statistics.median(started), "just_started": sorted(map(round, started))}
            if load == "deep":
                found |= _explore(page)
            else:
                found |= _follow(page, processes, seconds)
            browser.close()
        return found
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def _open(browser: Any, address: str, lines: int, took: list[float], *, rest: float = 0) -> Any:
    """Open the page in a profile that knows nothing, after `rest` milliseconds; note how long it took to be drawn."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.add_init_script(_WATCH)
    page.wait_for_timeout(rest)
    page.goto(address)
    took.append(page.evaluate(_DRAWN, lines))
    return page


def _wait(port: int) -> None:
    for _ in range(200):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/about"):
            return
        time.sleep(0.05)
    raise SystemExit("no server came")


def _follow(page: Any, processes: Sequence[subprocess.Popen[str]], seconds: float) -> dict[str, Any]:
    """Return what it costs to follow runs that go on; the processes are the one that logs, and the server."""
    logger, server = processes
    assert logger.stdin is not None
    logger.stdin.write("go\n")
    logger.stdin.flush()
    page.wait_for_timeout(WARM_MS)
    session = page.context.new_cdp_session(page)
    # The thread's own time: what else the machine does meanwhile is no cost of the page.
    session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    session.send("Performance.enable")
    before, draws = _metrics(session), page.evaluate(_DRAWS)
    began = page.evaluate("performance.now()")
    used = [used_seconds(each.pid) for each in (logger, server)]
    page.wait_for_timeout(1000 * seconds)
    after, later = _metrics(session), page.evaluate(_DRAWS)
    spent = (page.evaluate("performance.now()") - began) / 1000
    logging, serving = (used_seconds(each.pid) - before for each, before in zip((logger, server), used, strict=True))
    counts = [b - a for a, b in zip(draws, later, strict=True)]
    tasks = [length for at, length in page.evaluate("window.tasks") if at >= began]
    logger.stdin.write("end\n")
    logger.stdin.flush()
    frames = max(1, max(counts))
    return {
        "charts": len(counts),
        "redraws_per_second": min(counts) / spent,
        "script_cpu_ms_per_frame": 1000 * (after["ScriptDuration"] - before["ScriptDuration"]) / frames,
        "task_cpu_ms_per_frame": 1000 * (after["TaskDuration"] - before["TaskDuration"]) / frames,
        "long_tasks": len(tasks),
        "longest_task_ms": max(tasks, default=0.0),
        "processors_of_logging": logging / spent,
        "processors_of_server": serving / spent,
        "processors_of_page": (after["TaskDuration"] - before["TaskDuration"]) / spent,
    }


def _metrics(session: Any) -> dict[str, float]:
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def _explore(page: Any) -> dict[str, Any]:
    """Zoom to the spike in steps, move along, and return how long each took."""
    chart = page.locator("[data-testid=chart]").first
    page.evaluate(_FOLLOW)
    zooms, pans, kept = [], [], True

    def frame() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(chart.get_attribute("data-frame"))
        return found

    def pixel(place: float) -> float:
        shown, box = frame(), chart.bounding_box()
        low, high = shown["x"]
        return float(box["x"] + shown["box"][0] + (place - low) / (high - low) * shown["box"][2])

    box = chart.bounding_box()
    row = box["y"] + 80
    while (shown := frame())["x"][1] - shown["x"][0] > 400:
        low, high = shown["x"]
        width = (high - low) / 10
        start = pixel(max(low, SPIKE - width / 2))
        end = pixel(min(high, SPIKE + width / 2))
        page.mouse.move(start, row)
        page.mouse.down()
        page.mouse.move((start + end) / 2, row)
        page.mouse.move(end, row)
        page.evaluate("window.frames_ = []")
        page.mouse.up()
        page.wait_for_timeout(700)
        seen = page.evaluate("window.frames_")
        zooms.append(seen[-1][0] - page.evaluate("window.let_go"))
        kept &= all(top >= 50 for _, _, top, _, _ in seen)
        if seen[-1][1][1] - seen[-1][1][0] > (high - low) / 2:
            break
    for _ in range(3):
        left, top = pixel(SPIKE), row
        page.keyboard.down("Shift")
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(left - 30, top)
        page.evaluate("window.frames_ = []")
        page.mouse.move(left - 60, top)
        page.wait_for_timeout(700)
        seen = page.evaluate("window.frames_")
        pans.append(seen[-1][0] - page.evaluate("window.moved"))
        page.mouse.up()
        page.keyboard.up("Shift")
        page.mouse.dblclick(left - 60, top)
        page.wait_for_timeout(700)
        page.mouse.move(pixel(SPIKE - 5e5), row)
        page.mouse.down()
        page.mouse.move(pixel(SPIKE), row)
        page.mouse.move(pixel(SPIKE + 5e5), row)
        page.mouse.up()
        page.wait_for_timeout(700)
    return {
        "zoom_ms_median": statistics.median(zooms),
        "zoom_ms_worst": max(zooms),
        "zooms": len(zooms),
        "pan_ms_median": statistics.median(pans),
        "spike_always_drawn": bool(kept),
    }


if __name__ == "__main__":
    main()
