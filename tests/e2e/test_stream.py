"""What streams to the page: through restarts and sleeps, of several runs at once, and of what is in view only."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect
from test_dashboard import about, go_on, line, open_page
from watching import Start, Watched

SCRIPTS = Path(__file__).parent / "scripts"

_NOTE_STATES = """() => {
    window.states = [];
    const node = document.querySelector("[data-testid=connection]");
    const note = () => {
        if (window.states.at(-1) !== node.dataset.state) window.states.push(node.dataset.state);
    };
    new MutationObserver(note).observe(node, { attributes: true });
    note();
}"""


class Stand:
    """A run in a process of its own."""

    def __init__(self, start: Start, store: Path, name: str) -> None:
        self.process: Popen[str] = start(SCRIPTS / "stand.py", store, name)
        self.id = line(self.process)

    def do(self, *words: object) -> None:
        go_on(self.process, " ".join(map(str, words)))
        assert line(self.process) in ("done", "ended")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def serve(start: Start, store: Path, port: int) -> Callable[[], Popen[str]]:
    def serve() -> Popen[str]:
        return start("-m", "agnez", "server", "--dir", store, "--port", str(port))

    return serve


def chart(watched: Watched, cell: str) -> str:
    return f"{watched.cell(cell)} [data-testid=chart]"


def shows(page: Page, selector: str, points: int) -> None:
    expect(page.locator(selector)).to_have_attribute("data-points", str(points), timeout=20_000)


def kill(server: Popen[str]) -> None:
    os.killpg(server.pid, signal.SIGKILL)
    server.wait(20)


def test_a_page_catches_up_after_restarts_of_its_server_without_a_gap_or_a_duplicate(
    watched: Watched, start: Start, serve: Callable[[], Popen[str]], store: Path, port: int
) -> None:
    run = Stand(start, store, "steady")
    run.do("log", "loss", 100)
    server = serve()
    page = open_page(watched, port)
    selector = chart(watched, "Loss")
    shows(page, selector, 100)
    page.evaluate(_NOTE_STATES)
    for restart in range(2):
        kill(server)
        expect(page.locator("[data-testid=connection][data-state=lost]")).to_be_attached()
        run.do("log", "loss", 50)
        server = serve()
        run.do("log", "loss", 50)
        shows(page, selector, 200 + 100 * restart)
        expect(page.locator("[data-testid=connection][data-state=live]")).to_be_attached(timeout=20_000)
    run.do("log", "loss", 1)
    shows(page, selector, 301)
    assert json.loads(watched.value(selector, "data-last")) == {"loss": 300.0}
    assert page.evaluate("window.states") == ["live", *2 * ["lost", "catching up", "live"]]


def test_a_connection_that_died_in_its_sleep_is_made_anew(
    watched: Watched, start: Start, serve: Callable[[], Popen[str]], store: Path, port: int
) -> None:
    run = Stand(start, store, "asleep")
    run.do("log", "loss", 10)
    server = serve()
    page = open_page(watched, port)
    shows(page, chart(watched, "Loss"), 10)
    os.killpg(server.pid, signal.SIGSTOP)  # from here on it hears of nothing, as after a sleep or in another network
    try:
        page.evaluate("window.dispatchEvent(new Event('online'))")
        expect(page.locator("[data-testid=connection][data-state=lost]")).to_be_attached(timeout=20_000)
        run.do("log", "loss", 10)
    finally:
        os.killpg(server.pid, signal.SIGCONT)
    shows(page, chart(watched, "Loss"), 20)
    expect(page.locator("[data-testid=connection][data-state=live]")).to_be_attached(timeout=20_000)


def test_what_an_address_names_is_read_while_the_page_is_still_being_connected(
    watched: Watched, start: Start, serve: Callable[[], Popen[str]], store: Path, port: int
) -> None:
    run = Stand(start, store, "early")
    run.do("log", "loss", 10)
    serve()
    while about(port) is None:
        watched.page.wait_for_timeout(100)
    watched.page.route_web_socket("**/socket.io/**", lambda socket: None)  # opened, and never answered
    page = watched.open(f"http://127.0.0.1:{port}/?run={run.id}")
    tile = page.locator("[data-testid=number][data-metric=loss]")
    expect(tile).not_to_have_attribute("data-value", "", timeout=20_000)
    expect(page.locator("[data-testid=connection][data-state=connecting]")).to_be_attached()
    assert watched.errors == []


def test_runs_laid_over_are_followed_as_the_shown_one_is(
    watched: Watched, start: Start, serve: Callable[[], Popen[str]], store: Path, port: int
) -> None:
    over, done, shown = (Stand(start, store, name) for name in ("over", "done", "shown"))
    for run, count in ((over, 30), (done, 20), (shown, 10)):
        run.do("log", "loss", count)
    done.do("end")
    serve()
    while about(port) is None:
        watched.page.wait_for_timeout(100)
    watched.open(f"http://127.0.0.1:{port}/?run={shown.id}#v=1&over={over.id},{done.id}")
    page, selector = watched.page, chart(watched, "Loss")
    shows(page, selector, 60)
    over.do("log", "loss", 5)
    shows(page, selector, 65)
    shown.do("log", "loss", 3)
    over.do("log", "loss", 2)
    shows(page, selector, 70)
    assert watched.errors == []


def test_of_thousands_of_metrics_only_those_in_view_are_read_and_followed(
    watched: Watched, start: Start, serve: Callable[[], Popen[str]], store: Path, port: int
) -> None:
    asked: set[str] = set()
    watched.page.on(
        "request",
        lambda request: asked.update(parse_qs(urlsplit(request.url).query).get("metric", [])),
    )
    run = Stand(start, store, "wide")
    run.do("wide", 3000)
    serve()
    page = open_page(watched, port)
    first, late = chart(watched, "Wide00000"), chart(watched, "Wide02999")
    shows(page, first, 1)
    assert len(asked) < 200
    assert "wide02999" not in asked
    run.do("wide", 3000)
    shows(page, first, 2)
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    shows(page, late, 2)
    run.do("wide", 3000)
    shows(page, late, 3)
    assert "wide02999" in asked and len(asked) < 400
    assert watched.errors == []


_LINE = """canvas => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const ink = (x) => Array.from({ length: height }, (_, y) => data[4 * (y * width + x) + 3]).some(Boolean);
    return Array.from({ length: width }, (_, x) => x).filter(ink).length / width;
}"""


def test_main_numbers_have_their_line_however_many_metrics_there_are(
    watched: Watched, start: Start, serve: Callable[[], Popen[str]], store: Path, port: int
) -> None:
    run = Stand(start, store, "wide")
    run.do("wide", 150)  # a page reads the first hundred of its own accord
    run.do("log", "val/loss", 40)
    serve()
    page = open_page(watched, port)
    tile = page.locator("[data-testid=number][data-metric='val/loss']")
    expect(tile).to_have_attribute("data-value", "39")
    for line_of in (tile, page.get_by_role("navigation", name="Runs")):
        spark = line_of.locator("canvas.spark")
        expect(spark).to_have_count(1)
        for _ in range(200):
            if spark.evaluate(_LINE) > 0.9:  # a line over all the width, drawn once a second
                break
            page.wait_for_timeout(50)
        assert spark.evaluate(_LINE) > 0.9
    assert watched.errors == []
