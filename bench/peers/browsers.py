"""Agnez' page and its peers' in the same browser, one after the other.

    python -m bench.peers.browsers [--only agnez trackio …] [--scale 1] [--stores DIR]

Each tracker has its own server on 127.0.0.1, and headless Chromium, which renders in software and reaches no other
host, has its page open. A screencast tells when the pixels of the chart changed, by the clock of the machine.

`steady`: a process logs one metric about once a second, `flood`: 100 metrics 100 times a second, or as often as the
tracker takes them; from just before the call to the first change of the chart's pixels after the page had the point.
`view`: a part of the steady chart is chosen with the mouse, and the axis compared before and after new points, and
before and after a reload. `crowd`: 50 runs of 100,000 points of one metric; from the navigation until the chart stays
as it is with all of its lines. `wall`: the same of the first chart of 50 runs of 2,000 points of 20 metrics each,
`many`: of one run of 20 points of 12,345 metrics. `deep`: one run of 10 million points, or of as many in powers of ten
as the tracker's own calls write in two minutes, with a spike of one; the same, and whether it is seen.

What is recorded for a page to be opened is kept in the folder of `--stores`, if one is named, for the next time;
`--record` only makes it. Results go to bench/results/browsers.json, and `python -m bench.report` makes a table of them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import record
from bench.browser import installed
from bench.latency import WARM, free_port, latencies
from bench.peers.catalogue import PEERS, Peer
from bench.peers.environments import Environment, default_cache, prepare
from bench.peers.film import Box, Film, differ, first_shown, shows_spike
from bench.peers.pages import PAGES, Page
from bench.peers.scripts import lay
from bench.peers.trial import Found, Trial, home_of

CALLS, REDRAWS = 30, 2
"""As much as that has to be seen."""
STEADY_SECONDS = 120.0
PATIENCE = 60.0
"""Seconds until a page that opens is given up."""
REST = 2.5
"""Seconds in which a chart that is drawn does not change."""
DEEP_POINTS = 10_000_000
RECORDING = 120.0
"""Seconds that recording the deep run may take."""
POINTS = {"crowd": 100_000, "wall": 2000, "many": 20}
LIVE = {"steady": "slowly", "flood": "flood"}
LOADS = ("crowd", "wall", "many", "deep")
WINDOW = {"width": 1440, "height": 900}
_ALONE = ["--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


class GivenUpError(Exception):
    """Say why there is no figure."""


def main() -> None:
    """Record what is missing, measure, and write down what was found."""
    arguments = _arguments()
    peers = [peer for peer in PEERS if peer.name in arguments.only]
    environments = prepare((peer.environment for peer in peers), arguments.cache)
    if "visdom" in environments and not environments["visdom"].error:
        lay(environments["visdom"].python)
    if arguments.pictures:
        arguments.pictures.mkdir(parents=True, exist_ok=True)
    found: dict[str, Found] = {}
    with ExitStack() as stack:
        subjects = []
        for peer in peers:
            home = arguments.stores / peer.name if arguments.stores else stack.enter_context(home_of(peer))
            home.mkdir(parents=True, exist_ok=True)
            environment = environments[peer.environment]
            trial = Trial(peer, environment, home, patience=900.0, scale=arguments.scale)
            subjects.append(Subject(peer, environment, trial, home, PAGES[peer.name], arguments.pictures))
        for subject in subjects:
            recorded = {load: subject.recorded(load, arguments.scale) for load in LOADS if load in arguments.loads}
            print(f"{subject.peer.title}: recorded {record.rounded(recorded)}", file=sys.stderr, flush=True)
        for subject in [] if arguments.record else subjects:
            found[subject.peer.name] = measured(subject, arguments.loads, arguments.scale)
            print(f"{subject.peer.title}: {record.rounded(found[subject.peer.name])}", file=sys.stderr, flush=True)
            record.write(arguments.out, {"scale": arguments.scale, "trackers": found})
    print(table({"trackers": found}))


@dataclass(frozen=True, slots=True)
class Subject:
    """Hold what a tracker is driven with."""

    peer: Peer
    environment: Environment
    trial: Trial
    home: Path
    page: Page
    pictures: Path | None = None

    def recorded(self, load: str, scale: float) -> Found:
        """Record what a load is about, if it is not there yet, and tell what it is."""
        note = self.home / f"{load}.json"
        if note.exists():
            noted: Found = json.loads(note.read_text())
            return noted
        shutil.rmtree(self.home / load, ignore_errors=True)
        try:
            with self._writable(load):
                found = self.trial.measure(load, load, **self._size(load, scale))
        except GivenUpError as error:
            return {"error": str(error)}
        if not {"error", "not_offered"} & set(found):
            note.write_text(json.dumps(found))
        return found

    def _size(self, load: str, scale: float) -> dict[str, int]:
        """Return how much is recorded: all of it, or as much as the tracker writes in two minutes."""
        if load in POINTS:
            return {"points": round(POINTS[load] * scale) or 1}
        most = round(DEEP_POINTS * scale)
        with self._writable("rate"):
            rate = self.trial.measure("rate", "rate", points=min(most, 1_000_000))
        shutil.rmtree(self.home / "rate", ignore_errors=True)
        if "error" in rate:
            raise GivenUpError(str(rate["error"]))
        return {"points": fitting(most, float(str(rate["points"])) / float(str(rate["seconds"])))}

    @contextmanager
    def _writable(self, folder: str) -> Iterator[None]:
        """Have the server run, where the tracker cannot record without it."""
        if self.peer.served:
            with self.serving(folder):
                yield
        else:
            yield

    @contextmanager
    def serving(self, folder: str) -> Iterator[str]:
        """Serve a folder, and return the page's address."""
        port = free_port()
        with self.trial.running("page", folder, port=port):
            wait_for(port)
            yield f"http://127.0.0.1:{port}/"


def fitting(most: int, rate: float) -> int:
    """Return the largest power of ten that is recorded in two minutes.

    >>> fitting(10_000_000, 250_000), fitting(10_000_000, 12_000), fitting(1000, 12_000)
    (10000000, 1000000, 1000)
    """
    return min(most, 10 ** int(math.log10(max(rate * RECORDING, 1))))


def wait_for(port: int) -> None:
    """Wait until something listens there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise GivenUpError("its server did not start")


# --- the measures ----------------------------------------------------------------------------------------------------


def measured(subject: Subject, loads: list[str], scale: float) -> Found:
    """Take all measures of a tracker."""
    found: Found = {"title": subject.peer.title, "versions": subject.environment.versions}
    if subject.environment.error:
        return {**found, "error": subject.environment.error}
    for load in LIVE:
        if load in loads:
            found |= tried(lambda load=load: followed(subject, load), load)
    for load in LOADS:
        if load in loads:
            found |= tried(lambda load=load: {load: opened(subject, load, scale)}, load)
    return found


def tried(measure: Callable[[], Found], name: str) -> Found:
    """Take a measure, or tell why it was given up."""
    from playwright.sync_api import Error
    from playwright.sync_api import TimeoutError as Late

    try:
        return measure()
    except GivenUpError as error:
        return {name: {"error": str(error)}}
    except Late:
        return {name: {"error": f"not within {PATIENCE:.0f} s"}}
    except Error as error:
        return {name: {"error": f"the page failed: {error.message.splitlines()[0]}"[:120]}}


def followed(subject: Subject, load: str) -> Found:
    """Measure how long a point takes to the screen, then, where few come, what becomes of the user's view."""
    folder, journal = load, subject.home / f"{load}.journal"
    shutil.rmtree(subject.home / folder, ignore_errors=True)
    journal.unlink(missing_ok=True)
    with ExitStack() as stack:
        if subject.peer.name == "agnez":  # the run shows itself
            port = free_port()
            address = f"http://127.0.0.1:{port}/"
        else:
            address = stack.enter_context(subject.serving(folder))
            port = int(address.rstrip("/").rsplit(":", 1)[1])
        stack.enter_context(subject.trial.running(LIVE[load], folder, port=port, journal=journal))
        wait_for(port)
        until(lambda: journal.exists() and len(journal.read_text().splitlines()) >= 3, "nothing was logged")
        seen = stack.enter_context(watching(subject.page, STEADY_SECONDS + 3 * PATIENCE))
        seen.page.goto(address + subject.page.address(subject.home / folder, 0), wait_until="commit")
        seen.until_shown()
        found: Found = {load: pace(seen, journal)}
        return found | ({"view": view(seen)} if load == "steady" else {})


def pace(seen: Watched, journal: Path) -> dict[str, float]:
    """Follow the calls, and return the percentiles of their latencies."""
    film, box = Film(seen.page), seen.box()
    seen.page.evaluate(f"() => {_NOTE % (seen.of.newest, seen.of.moment)}")
    began = time.time()
    deadline = began + STEADY_SECONDS
    while time.time() < deadline:
        seen.page.wait_for_timeout(500)
        known = seen.ask("window.known")
        if len(known) > REDRAWS and counted(logged_in(journal), began, known[-1][1]) > CALLS:
            break
    seen.page.wait_for_timeout(1000 * REST)
    film.stop()
    known = seen.ask("window.known")
    shown = first_shown([(moment, step) for moment, step in known], film.changes(box))
    logged = logged_in(journal)
    if len(shown) < 2:
        raise GivenUpError(f"hardly a new point was shown within {STEADY_SECONDS:.0f} s")
    first = next(call for call, when in enumerate(logged) if when > began)
    last = int(shown[-1][1])
    return latencies(logged[first : last + 1], [[moment, step - first] for moment, step in shown])


def logged_in(journal: Path) -> list[float]:
    """Return when each call was made; a line that is being written does not count."""
    return [float(line) for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]


def counted(logged: list[float], began: float, newest: int) -> int:
    """Return how many calls are shown that count: those some seconds after the beginning.

    >>> counted([0.0, 1.0, 2.0, 6.0, 7.0], began=0.5, newest=3)
    1
    """
    return sum(when > began + WARM + 1 for when in logged[: int(newest) + 1])


def view(seen: Watched) -> dict[str, object]:
    """Choose a part of the chart with the mouse, and tell whether it stays."""
    whole = seen.ask(seen.of.axis)
    seen.drag()
    chosen = seen.ask(seen.of.axis)
    if not narrowed(whole, chosen):
        return {"zooms": False, "axes": [whole, chosen]}
    newest = seen.ask(seen.of.newest)
    until(lambda: seen.ask(seen.of.newest) >= newest + 2, "no new points came", seen.page)
    seen.page.wait_for_timeout(1500)
    updated = seen.ask(seen.of.axis)
    seen.page.reload(wait_until="commit")
    seen.until_shown()
    seen.page.wait_for_timeout(3000)
    axes = [whole, chosen, updated, seen.ask(seen.of.axis)]
    return {"zooms": True, "kept_updated": same(*axes[1:3]), "kept_reloaded": same(chosen, axes[3]), "axes": axes}


def narrowed(whole: object, chosen: object) -> bool:
    """Tell whether an axis shows a part of what it showed; one that grows by itself does not.

    >>> narrowed([0, 40], [16, 28]), narrowed([0, 40], [0, 42]), narrowed(None, [16, 28]), narrowed(["0"], ["16"])
    (True, False, True, True)
    """
    if isinstance(whole, list) and isinstance(chosen, list) and all(isinstance(each, int | float) for each in whole):
        return abs(float(chosen[-1]) - float(chosen[0])) < 0.7 * abs(float(whole[-1]) - float(whole[0]))
    return chosen is not None and not same(whole, chosen)


def same(before: object, now: object) -> bool:
    """Tell whether two axes show the same: numbers to a hundredth of their span, labels by their text.

    >>> same([0, 100], [0.5, 100]), same([0, 100], [0, 120]), same(["1", "2"], ["1", "2"]), same([0, 1], None)
    (True, False, True, False)
    """
    if not isinstance(before, list) or not isinstance(now, list) or len(before) != len(now):
        return False
    if all(isinstance(each, int | float) for each in (*before, *now)):
        most = 0.01 * abs(before[-1] - before[0])
        return all(abs(a - b) <= most for a, b in zip(before, now, strict=True))
    return before == now


def opened(subject: Subject, load: str, scale: float) -> dict[str, object]:
    """Open the page on what was recorded, and tell when the chart was drawn and what it has."""
    recorded = subject.recorded(load, scale)
    if "not_offered" in recorded:
        raise GivenUpError(f"not measured: {recorded['not_offered']}")
    if "error" in recorded:
        raise GivenUpError(f"could not be recorded: {recorded['error']}")
    runs, points = int(str(recorded.get("runs", 1))), int(str(recorded["points"]))
    with subject.serving(load) as server, watching(subject.page, PATIENCE + 15) as seen:
        begun = time.monotonic()
        subject.page.loaded(server, runs, points)
        read = time.monotonic() - begun
        film = Film(seen.page)
        seen.page.goto(server + subject.page.address(subject.home / load, runs), wait_until="commit")
        drawn = 1000 * seen.until_at_rest(film, runs) - seen.ask("performance.timeOrigin")
        if drawn < 0:
            raise GivenUpError("not measured: no picture of the chart came")
        if drawn > 1000 * PATIENCE:
            raise GivenUpError(f"not within {PATIENCE:.0f} s")
        last = film.last(seen.box())
        if subject.pictures:
            (subject.pictures / f"{subject.peer.name}-{load}.jpg").write_bytes(film.frames[-1][1])
        spike = {"spike": bool(last is not None and shows_spike(last))} if load == "deep" else {}
        shown = {"shown": seen.ask(seen.of.points), "lines": seen.ask(seen.of.lines)}
        return {**recorded, "read_s": read, "opened_ms": drawn, **shown, **spike}


# --- the browser -----------------------------------------------------------------------------------------------------

_NOTE = """{
  window.known = [];
  const look = () => {
    requestAnimationFrame(look);
    const step = %s;
    if (step !== (window.known.at(-1)?.[1] ?? -1)) {
      window.known.push([(%s) / 1000, step]);
    }
  };
  look();
}"""


class Watched:
    """A page that is looked at."""

    def __init__(self, page: Any, of: Page) -> None:
        self.page = page
        self.of = of

    def ask(self, expression: str) -> Any:
        """Return the value of an expression."""
        return self.page.evaluate(f"() => ({expression})")

    def box(self) -> Box:
        """Return where the chart is."""
        found = self.page.locator(self.of.chart).first.bounding_box()
        assert found is not None
        left, top = max(0, math.ceil(found["x"])), max(0, math.ceil(found["y"]))
        right, bottom = found["x"] + found["width"], found["y"] + found["height"]
        return left, top, min(math.floor(right), WINDOW["width"]), min(math.floor(bottom), WINDOW["height"])

    def until_shown(self) -> None:
        """Wait until the chart is there and has points."""
        self.page.locator(self.of.chart).first.wait_for(timeout=1000 * PATIENCE)
        until(lambda: self.ask(self.of.newest) >= 0, "the chart stayed empty", self.page)

    def until_at_rest(self, film: Film, lines: int) -> float:
        """Wait until the chart has its lines and stays as it is, and return since when."""
        while True:
            self.page.locator(self.of.chart).first.wait_for(timeout=1000 * PATIENCE)
            box, before = self.box(), film.last(self.box())
            self.page.wait_for_timeout(1000 * REST)
            complete = self.ask(self.of.lines) >= lines
            self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            self.page.wait_for_timeout(300)
            now = film.last(box)
            still = before is not None and now is not None and not differ(before, now)
            if still and complete and self.box() == box and (since := film.at_rest_since(box)) is not None:
                return since

    def drag(self) -> None:
        """Choose a part of the chart that lies behind its newest point: one that holds it may move on with it."""
        left, top, right, bottom = self.box()

        def at(across: float, down: float) -> tuple[float, float]:
            return left + across * (right - left), top + down * (bottom - top)

        self.page.mouse.move(*at(0.15, 0.4))
        self.page.mouse.down()
        self.page.mouse.move(*at(0.3, 0.5), steps=5)
        self.page.mouse.move(*at(0.4, 0.6), steps=5)
        self.page.mouse.up()
        self.page.mouse.move(2, 2)
        self.page.wait_for_timeout(1500)


@contextmanager
def watching(of: Page, seconds: float) -> Iterator[Watched]:
    """Open a browser with an empty page; it is killed when the time is over, and what waits for it fails."""
    from playwright.sync_api import Error, sync_playwright

    own = installed()
    over = threading.Event()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=own, args=_ALONE)
        listed = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
        pid = next(each["id"] for each in listed if each["type"] == "browser")

        def give_up() -> None:
            over.set()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        timer = threading.Timer(seconds, give_up)
        timer.start()
        try:
            page = browser.new_page(viewport=WINDOW)
            page.add_init_script(of.before)
            yield Watched(page, of)
        except Error as error:
            if over.is_set():
                raise GivenUpError(f"not within {PATIENCE:.0f} s") from error
            raise
        finally:
            timer.cancel()
            with suppress(Error):
                browser.close()


def until(truth: Callable[[], bool], otherwise: str, page: Any = None) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not truth():
        if time.monotonic() > deadline:
            raise GivenUpError(otherwise)
        if page is None:
            time.sleep(0.1)
        else:
            page.wait_for_timeout(100)


# --- the table -------------------------------------------------------------------------------------------------------


def table(found: Mapping[str, Any]) -> str:
    """Write what was found, a tracker a line."""
    from bench import report

    head = ["", "`log` to pixels: median, 95 %", "in a flood", "50 runs × 100,000", "points shown"]
    head += ["50 runs × 2,000 × 20", "12,345 metrics", "one long run", "its spike"]
    head += ["zoom kept over new points", "over a reload"]
    return report.table(head, [_line(each) for each in found["trackers"].values()])


def _line(found: Mapping[str, Any]) -> list[str]:
    title = f"**{found['title']}**" if found["title"] == "Agnez" else str(found["title"])
    steady, flood, crowd, wall, many, deep = (found.get(name, {"error": "–"}) for name in (*LIVE, *LOADS))
    view_ = found.get("view", {})
    drawn = _said(deep, lambda: f"{deep['points']:,}: {_time(deep['opened_ms'])}")
    return [
        title,
        _said(steady, lambda: f"{_time(steady['p50'])}, {_time(steady['p95'])}"),
        _said(flood, lambda: f"{_time(flood['p50'])}, {_time(flood['p95'])}"),
        _said(crowd, lambda: _time(crowd["opened_ms"])),
        _said(crowd, lambda: f"{crowd['shown']:,}"),
        _said(wall, lambda: _time(wall["opened_ms"])),
        _said(many, lambda: _time(many["opened_ms"])),
        drawn,
        _said(deep, lambda: "seen" if deep["spike"] else "lost"),
        _yes(view_, "kept_updated"),
        _yes(view_, "kept_reloaded"),
    ]


def _said(found: Mapping[str, Any], write: Callable[[], str]) -> str:
    return str(found["error"]) if "error" in found else write()


def _yes(found: Mapping[str, Any], name: str) -> str:
    if not found:
        return "–"
    return "does not zoom" if not found["zooms"] else "yes" if found[name] else "no"


def _time(milliseconds: float) -> str:
    """Write a time.

    >>> _time(84.6), _time(12345.6)
    ('85 ms', '12.3 s')
    """
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers.browsers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names, loads = list(PAGES), [*LIVE, *LOADS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="TRACKER", help=", ".join(names))
    parser.add_argument("--loads", nargs="+", choices=loads, default=loads, metavar="LOAD", help=", ".join(loads))
    parser.add_argument("--scale", type=float, default=1.0, help="of the long runs; 0.01 for a quick try")
    parser.add_argument("--stores", type=Path, help="where what is recorded is kept for the next time")
    parser.add_argument("--record", action="store_true", help="only record it")
    parser.add_argument("--pictures", type=Path, help="where the last frame of each page goes, for who wants to look")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where the environments are kept")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "browsers.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
