"""Take the pictures of docs/pictures/: the real page over a real training, `agnez demo`, and each of its states.

`python tools/screenshots.py --states DIR` takes the states alone, each as a file of its own too, into a folder.
"""

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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, sync_playwright
from states import STATES, begin, fill, fill_kinds

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SIZES = {"": (1440, 900), "-narrow": (390, 844)}
PATIENCE = 300.0  # seconds until the demo has to have trained
ALL, LOOK = "may-do-all-of-it", "may-look-at-it-only"  # tokens


def main() -> None:
    """Train, and take the pictures of the finished run; words of the command line go to `agnez demo`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if sys.argv[1:2] == ["--states"]:
        with sync_playwright() as playwright:
            take_states(playwright.chromium.launch(executable_path=chromium()), Path(sys.argv[2]))
        return
    with demo(sys.argv[1:]) as (child, address), sync_playwright() as playwright:
        run = finished_run(child, address)
        browser = playwright.chromium.launch(executable_path=chromium())
        for theme in ("light", "dark"):
            for suffix in SIZES:
                take(browser, f"{address}/?run={run}", theme, suffix)
        with tempfile.TemporaryDirectory() as folder:
            take_states(browser, Path(folder))
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
        has_touch=suffix == "-narrow",
        is_mobile=suffix == "-narrow",
    )
    page.goto(address)
    page.get_by_test_id("chart").first.wait_for()
    page.wait_for_timeout(2000)  # a picture of what a viewer sees, fonts and lines drawn; nothing is measured here
    file = FOLDER / f"dashboard-{theme}{suffix}.png"
    page.screenshot(path=file)
    page.close()
    with Image.open(file) as picture:
        write(picture.convert("RGB"), file)


def write(picture: Image.Image, file: Path) -> None:
    """Write a picture in few colours, which the page has anyway."""
    picture.quantize(255, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE).save(file, optimize=True)
    print(file.relative_to(FOLDER.parent.parent))


# --- states ----------------------------------------------------------------------------------------------------------


def take_states(browser: Browser, folder: Path) -> None:
    """Take every state of the page in both themes, wide and narrow, and put those of a theme on one sheet."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        store, nothing, others = (Path(temporary) / name for name in ("states", "nothing", "kinds"))
        ids, kinds = fill(store), fill_kinds(others)
        address, empty, other = (stack.enter_context(serving(each))[1] for each in (store, nothing, others))
        _, guarded = stack.enter_context(serving(store, "--token", ALL, "--read-token", LOOK))
        page_of = {name: f"{address}/?run={ids[name]}" for name in STATES}
        shots = page_of | {"empty": empty, "unknown run": f"{address}/?run=nobody"}
        shots |= {name: page_of["finished"] + f"#v=1&{view}".format(**ids) for name, view in VIEWS.items()}
        shots |= dict.fromkeys([*FAULTS, *ACTS], page_of["finished"])
        shots |= dict.fromkeys(["subplots", *SCROLLS], f"{other}/?run={kinds}")
        shots |= {"cells without a run": f"{other}/?run=none", "locked": f"{guarded}/"}
        shots["look only"] = f"{guarded}/?token={LOOK}&run={ids['finished']}"
        for theme in ("light", "dark"):
            for suffix in SIZES:
                ends = f"-{theme}{suffix}.png"
                for name, place in shots.items():
                    act = ACTS.get(name) or SCROLLS.get(name)
                    take_state(browser, name, place, folder / f"{name.replace(' ', '-')}{ends}", act)
                take_ended(browser, store, ids["finished"], folder / f"ended{ends}")
                take_newer(browser, Path(temporary) / f"newer{ends}", folder / f"newer-run{ends}")
            sheet(folder, theme, [*shots, "ended", "newer run"])


def take_ended(browser: Browser, store: Path, run: str, file: Path) -> None:
    """Write the picture of a page whose server ends."""
    with serving(store) as (server, address):
        take_state(browser, "ended", f"{address}/?run={run}", file, lambda _: server.send_signal(signal.SIGINT))


def take_newer(browser: Browser, store: Path, file: Path) -> None:
    """Write the picture of a page at which a run begins while somebody looks closely at another."""
    begin(store, "looked at")
    with serving(store) as (_, address):
        take_state(browser, "newer run", f"{address}/#v=1&zoom=2~9", file, lambda _: begin(store, "the next"))


VIEWS = {
    "runs over each other": "over={failed},{stalled}",
    "lines hidden": "over={failed}&hide={finished}",
    "zoomed and smoothed": "zoom=3~8&smooth=ema~0.8&pins=5",
    "axes of powers": "scale=log&x=step",
    "full screen": "open=loss",
    "nothing found": "search=nothing-is-called-so",
    "folded": "folded=weights/",
    "figure of a chart": "view:loss=figure",
}
"""What the address alone says."""

FAULTS: dict[str, int | None] = {"loading": None, "error": 500, "not allowed": 403}
"""What becomes of the points that the page asks for: None leaves it waiting."""


def lose(page: Page) -> None:
    """Take the network away."""
    page.context.set_offline(True)
    page.evaluate("() => dispatchEvent(new Event('offline'))")


def at_chart(key: str) -> Callable[[Page], None]:
    """Return what presses a key at the first chart."""

    def press(page: Page) -> None:
        page.get_by_test_id("chart").first.focus()
        page.keyboard.press(key)

    return press


def open_settings(page: Page) -> None:
    """Open the settings of the first chart."""
    page.get_by_test_id("chart").first.scroll_into_view_if_needed()
    page.get_by_test_id("chart-menu").first.focus()
    page.keyboard.press("Enter")


def open_menu(page: Page) -> None:
    """Open the menu of the first cell."""
    page.get_by_test_id("cell-menu").first.focus()
    page.keyboard.press("Enter")


def open_hidden(page: Page) -> None:
    """Hide two cells, without the server hearing of it, and open the list of those that are hidden."""
    page.route("**/values*", lambda route: route.fulfill(json=[]))
    for _ in range(2):
        open_menu(page)
        page.get_by_test_id("cell-hide").click()
    page.keyboard.press("h")


def hide_first(page: Page) -> None:
    """Hide the first cell."""
    open_menu(page)
    page.get_by_test_id("cell-hide").click()


def scroll_to(name: str) -> Callable[[Page], None]:
    """Return what scrolls to a cell."""

    def scroll(page: Page) -> None:
        cell = page.locator(f"[data-testid=cell][data-name='{name}']")
        cell.evaluate("cell => scrollBy(0, cell.getBoundingClientRect().top - 64)")

    return scroll


def holding_back() -> Callable[[WebSocketRoute], None]:
    """Return what passes on all that server and page say, but for what a second connection tells of runs and points."""
    connections: list[WebSocketRoute] = []
    told = ("42", "45")  # as Socket.IO marks its events

    def connect(socket: WebSocketRoute) -> None:
        connections.append(socket)
        server, late = socket.connect_to_server(), len(connections) > 1

        def pass_on(said: str | bytes) -> None:
            if not late or (isinstance(said, str) and not said.startswith(told)):
                socket.send(said)

        server.on_message(pass_on)

    return connect


def lose_shortly(page: Page) -> None:
    """Lose the connection, and have it again at once."""
    page.evaluate("() => dispatchEvent(new Event('offline'))")


ACTS: dict[str, Callable[[Page], None]] = {
    "palette": lambda page: page.keyboard.press("Control+k"),
    "keys": lambda page: page.keyboard.press("?"),
    "settings of a chart": open_settings,
    "menu of a cell": open_menu,
    "table": at_chart("t"),
    "note": at_chart("n"),
    "cursor": at_chart("Home"),
    "hidden cells": open_hidden,
    "disconnected": lose,
    "catching up": lose_shortly,
    "look only": hide_first,
}
"""What is done on the page."""

SCROLLS = {"pictures": scroll_to("conv1/filters"), "sound": scroll_to("notes"), "html": scroll_to("page")}
"""What is done on the page of a run with a cell of each kind."""


def take_state(
    browser: Browser, name: str, address: str, file: Path, act: Callable[[Page], None] | None = None
) -> None:
    """Write one picture of one state, once `act` has done what leads to it."""
    width, height = SIZES["-narrow" if "-narrow" in file.name else ""]
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if "-dark" in file.name else "light",
        reduced_motion="reduce",
        has_touch="-narrow" in file.name,
        is_mobile="-narrow" in file.name,
    )
    held = list[Route]()

    def answer(route: Route) -> None:
        if status is None:
            held.append(route)
        else:
            route.fulfill(status=status, body="{}")

    if name in FAULTS:
        status = FAULTS[name]
        page.route("**/series?*", answer)
    if name == "catching up":
        page.route_web_socket("**/socket.io/**", holding_back())
    page.goto(address)
    page.wait_for_timeout(2000)  # what a viewer sees; nothing is measured here
    if act is not None:
        act(page)
        page.wait_for_timeout(1200)
    page.screenshot(path=file)
    for route in held:
        route.abort()
    page.close()


def sheet(folder: Path, theme: str, names: list[str]) -> None:
    """Put the pictures of a theme on one sheet, small and in few colours."""
    wide, narrow, gap, head = (480, 300), (139, 300), 14, 22
    across = 3
    ground, ink = ("#f6f5f2", "#1d2025") if theme == "light" else ("#121417", "#e8e9eb")
    cell = (wide[0] + gap + narrow[0] + 2 * gap, wide[1] + head + gap)
    whole = Image.new("RGB", (across * cell[0] + gap, -(-len(names) // across) * cell[1] + gap), ground)
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(13)
    for nth, name in enumerate(names):
        left, top = gap + (nth % across) * cell[0], gap + (nth // across) * cell[1]
        draw.text((left, top), name, fill=ink, font=font)
        for suffix, size, aside in (("", wide, 0), ("-narrow", narrow, wide[0] + gap)):
            with Image.open(folder / f"{name.replace(' ', '-')}-{theme}{suffix}.png") as picture:
                small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
                whole.paste(small, (left + aside, top + head))
            box = (left + aside, top + head, left + aside + size[0], top + head + size[1])
            draw.rectangle(box, outline="#8884" if theme == "light" else "#555")
    write(whole, FOLDER / f"states-{theme}.png")


@contextmanager
def serving(store: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Serve a store with `agnez server` on a port of its own; give the process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("agnez")), "server", "--port", str(port), *options]
    child = subprocess.Popen(command, env={**os.environ, "AGNEZ_DIR": str(store)})
    try:
        wait_for(f"http://127.0.0.1:{port}/about")
        yield child, f"http://127.0.0.1:{port}"
    finally:
        child.send_signal(signal.SIGINT)
        child.wait(30)


def wait_for(address: str) -> None:
    """Wait until somebody answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.HTTPError:  # it asks for a token
            return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"nobody answers at {address}")


def chromium() -> str | None:
    """Return the machine's Chromium; None is Playwright's own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


if __name__ == "__main__":
    main()
