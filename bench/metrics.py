"""How long the page of a run with very many metrics takes to open, and to search.

Run `python -m bench.metrics [metrics [rounds]]`: 12,345 metrics of 20 points each by default, served by `agnez server`
of a process of its own and opened in headless Chromium, each round in a fresh context (nothing cached). Told are
medians: from the navigation, or from the change of the search's text, to the frame that shows the result.
"""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

import agnez
from bench.browser import installed
from bench.record import RESULTS, write

METRICS = 12_345
ROUNDS = 5
STEPS = 20
OPEN_MS, SEARCH_MS = 2000.0, 100.0
"""The bars: more than that is a page that is waited for."""

REST_MS = 2000
"""What is told of the run once it is shown has come by then."""

_USABLE = """() => new Promise(done => {
    const look = () => {
        const charts = [...document.querySelectorAll("[data-testid=cell] [data-testid=chart]")]
            .filter(chart => chart.getBoundingClientRect().top < innerHeight);
        const drawn = charts.length > 0 && charts.every(chart => Number(chart.dataset.points) > 0);
        if (drawn) requestAnimationFrame(() => done(performance.now()));
        else requestAnimationFrame(look);
    };
    look();
})"""

_SEARCH = """([text, wanted]) => new Promise(done => {
    const input = document.querySelector("[data-testid=search]");
    const began = performance.now();
    input.value = text;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    const look = () => {
        const first = document.querySelector("[data-testid=cell]");
        if (first?.dataset.name === wanted) requestAnimationFrame(() => done(performance.now() - began));
        else requestAnimationFrame(look);
    };
    look();
})"""


def main() -> None:
    """Measure, and end with 1 where a bar is missed."""
    metrics = int(sys.argv[1]) if len(sys.argv) > 1 else METRICS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), metrics)
        with serving(Path(folder)) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=installed())
            found = [measure(browser, address, metrics) for _ in range(rounds)]
            browser.close()
    opened, *searches = (median(each) for each in zip(*found, strict=True))
    slowest = max(searches)
    told = f"open to usable {opened:,.0f} ms, the slowest of {len(searches)} searches {slowest:.0f} ms"
    print(f"{metrics:,} metrics: {told}")
    if metrics == METRICS:
        write(
            RESULTS / "metrics.json",
            {"metrics": metrics, "opened_ms": [each[0] for each in found], "search_ms": searches},
        )
    if metrics == METRICS and (opened > OPEN_MS or slowest > SEARCH_MS):
        sys.exit(1)


def fill(folder: Path, metrics: int) -> None:
    """Record a run with so many metrics."""
    names = [f"layer{number // 100:03d}/unit{number % 100:02d}" for number in range(metrics)]
    chance = random.Random(0)
    run = agnez.init("many", "wide", dir=folder, server=None)
    for step in range(STEPS):
        run.log({name: 1 / (step + 1) + 0.1 * chance.random() for name in names})
    run.finish()


def measure(browser: Browser, address: str, metrics: int) -> tuple[float, ...]:
    """Return the milliseconds that opening took, and each of some searches."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.goto(address, wait_until="commit")
    opened = float(page.evaluate(_USABLE))
    page.wait_for_timeout(REST_MS)
    last = metrics - 1
    found = [
        search(page, f"unit{last % 100:02d} layer{last // 100:03d}", last),
        search(page, "unit07", 7),
        search(page, "/unit.9$/", 9),
        search(page, "", 0),
    ]
    page.context.close()
    return opened, *found


def search(page: Page, text: str, number: int) -> float:
    """Return the milliseconds until what is searched for is shown."""
    wanted = f"Layer{number // 100:03d} / unit{number % 100:02d}"
    return float(page.evaluate(_SEARCH, [text, wanted]))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a store from a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    server = subprocess.Popen(
        [sys.executable, "-m", "agnez", "server", "--port", str(port), "--dir", str(folder)], stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{address}about", timeout=5).read()
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
