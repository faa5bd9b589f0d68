"""Take the pictures of docs/pictures/: the real page over a real training, `agnez demo`, in both themes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SIZES = {"": (1440, 900), "-narrow": (390, 844)}
PATIENCE = 300.0  # seconds until the demo has to have trained


def main() -> None:
    """Train, and take the pictures of the finished run; words of the command line go to `agnez demo`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with demo(sys.argv[1:]) as (child, address), sync_playwright() as playwright:
        run = finished_run(child, address)
        browser = playwright.chromium.launch(executable_path=chromium())
        for theme in ("light", "dark"):
            for suffix in SIZES:
                take(browser, f"{address}/?run={run}", theme, suffix)
        browser.close()


@contextmanager
def demo(arguments: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `agnez demo` with a store and a port of its own; give the process and its address."""
    with tempfile.TemporaryDirectory() as store, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [str(Path(sys.executable).with_name("agnez")), "demo", "--no-browser", *arguments]
        child = subprocess.Popen(command, env={**os.environ, "AGNEZ_DIR": store, "AGNEZ_PORT": str(port)})
        try:
            yield child, f"http://127.0.0.1:{port}"
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(30)


def finished(address: str) -> str | None:
    """Return the id of the run that has finished, if there is one by now."""
    try:
        with urllib.request.urlopen(f"{address}/runs", timeout=10) as answer:
            runs: list[dict[str, Any]] = json.load(answer)
    except urllib.error.URLError:
        return None  # the server is still to come
    return next((run["_id"] for run in runs if run["state"] == "finished"), None)


def finished_run(child: subprocess.Popen[bytes], address: str) -> str:
    """Wait for the demo's run to finish, and return its id."""
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        if run := finished(address):
            return run
        time.sleep(0.5)
    sys.exit(f"the demo ended, or did not finish its run within {PATIENCE:.0f} seconds")


def take(browser: Browser, address: str, theme: str, suffix: str) -> None:
    """Write one picture."""
    width, height = SIZES[suffix]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        device_scale_factor=2,
    )
    page.goto(address)
    page.get_by_test_id("chart").first.wait_for()
    page.wait_for_timeout(2000)  # a picture of what a viewer sees, fonts and lines drawn; nothing is measured here
    file = FOLDER / f"dashboard-{theme}{suffix}.png"
    page.screenshot(path=file)
    page.close()
    print(file.relative_to(FOLDER.parent.parent))


def chromium() -> str | None:
    """Return the machine's Chromium; None is Playwright's own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


if __name__ == "__main__":
    main()
