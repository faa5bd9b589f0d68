"""The figures in a real browser, in a sandboxed frame as the page shows them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import matplotlib
import mpld3
import numpy as np
import pytest
from playwright.sync_api import Browser, Frame, Page

matplotlib.use("agg")

from matplotlib.figure import Figure

from agnez.render import Curves, FrozenFigure, Line, asset_path, figure_parts, freeze, localise, render_job
from agnez.render.tokens import INK, SERIES

EVIL = "</script><script>window.top.postMessage(1,'*');alert(1)</script>"


def loss(last: int = 13) -> Curves:
    epochs = np.arange(1.0, last + 1)
    steps = np.arange(0, last, 0.01)
    values = 2 * np.exp(-epochs / 3)
    values[6] = np.nan
    return Curves(
        f"Loss {EVIL}",
        "epoch",
        (
            Line("batch", steps, 2 * np.exp(-steps / 3) + 0.1 * np.sin(steps * 40), "batch"),
            Line(f"train {EVIL}", epochs, values, "train"),
            Line("val", epochs, values + 0.1, "val"),
        ),
        last,
    )


def theirs(title: str = EVIL) -> Figure:
    figure = Figure()
    ax = figure.add_subplot()
    (points,) = ax.plot([1, 2, 3], [3, float("nan"), 2], "o-", color="#123456", markersize=20, label=title)
    ax.legend()
    ax.set_title(title)
    mpld3.plugins.connect(figure, mpld3.plugins.PointHTMLTooltip(points, ["one", "two", "three"]))
    return figure


def plain(last: int) -> FrozenFigure:
    """Return a user's figure that brings nothing but matplotlib's own."""
    figure = Figure()
    ax = figure.add_subplot()
    ax.plot(range(last + 1))
    ax.set_title(f"plain {last}")
    return FrozenFigure(freeze(figure))


class Handler(BaseHTTPRequestHandler):
    """Serve frames, the page around them, and mpld3's scripts."""

    frames: dict[str, str]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        script = asset_path(path.rpartition("/")[2]) if path.startswith("/assets/mpld3/") else None
        name = path.removeprefix("/frame/")
        if script is not None:
            self.reply(script.read_bytes(), "text/javascript")
        elif path.startswith("/page/"):
            frame = (
                f'<iframe sandbox="allow-scripts" src="/frame/{path[6:]}?{query}" width="400" height="240"></iframe>'
            )
            self.reply(f"<!doctype html><title>page</title>{frame}".encode())
        elif name in self.frames:
            body = f"<body style='margin:0'>{self.frames[name]}"
            self.reply(f'<!doctype html><html data-theme="{query}"><meta charset="utf-8">{body}'.encode())
        else:
            self.reply(b"")

    def reply(self, body: bytes, kind: str = "text/html; charset=utf-8") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    Handler.frames = {
        "ours": render_job(loss()),
        "theirs": render_job(FrozenFigure(freeze(theirs()))),
        "fig_to_html": localise(mpld3.fig_to_html(theirs("a title"))),
        "plain": render_job(plain(3)),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="frames")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """Give a page that fails the test for any complaint, dialog, or request to another host."""
    page = browser.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda request: None if request.url.startswith((address, "data:")) else complaints.append(request.url),
    )
    yield page
    page.close()
    assert complaints == []


def opened(page: Page, url: str) -> Frame:
    page.goto(url)
    frame = page.frames[1]
    frame.wait_for_selector("svg.mpld3-figure .mpld3-yaxis text")
    return frame


def style(frame: Frame, selector: str, name: str) -> str:
    return str(frame.locator(selector).first.evaluate(f"node => getComputedStyle(node)['{name}']"))


def rgb(color: str) -> str:
    return f"rgb({int(color[1:3], 16)}, {int(color[3:5], 16)}, {int(color[5:7], 16)})"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_our_figure_is_drawn_in_the_colours_of_the_theme(page: Page, address: str, theme: str) -> None:
    frame = opened(page, f"{address}/page/ours?{theme}")
    paths = frame.locator(".mpld3-paths > path.mpld3-path")
    strokes = {paths.nth(k).evaluate("node => getComputedStyle(node).stroke") for k in range(paths.count())}
    assert strokes == {rgb(getattr(SERIES[0], theme)), rgb(getattr(SERIES[1], theme))}
    assert style(frame, ".agnez-title", "fill") == rgb(getattr(INK, theme))
    assert frame.locator(".agnez-title").text_content() == f"Loss {EVIL} · epoch 13"
    other = "dark" if theme == "light" else "light"
    frame.evaluate(f"document.documentElement.dataset.theme = '{other}'")
    assert style(frame, ".agnez-title", "fill") == rgb(getattr(INK, other))


@pytest.mark.parametrize("name", ["theirs", "fig_to_html"])
def test_a_users_figure_is_drawn_in_its_own_colours(page: Page, address: str, name: str) -> None:
    frame = opened(page, f"{address}/page/{name}?dark")
    assert style(frame, ".mpld3-paths path", "stroke") == rgb("#123456")
    title = EVIL if name == "theirs" else "a title"
    assert frame.get_by_text(title, exact=True).count() == 2
    if name == "theirs":
        assert style(frame, ".agnez-figure", "backgroundColor") == "rgb(255, 255, 255)"
        assert frame.evaluate("document.documentElement.scrollHeight <= window.innerHeight")
        frame.locator(".mpld3-paths g path").first.hover()
        assert frame.locator(".mpld3-tooltip").text_content() == "one"


def test_our_figure_fills_its_frame_and_follows_its_size(page: Page, address: str) -> None:
    frame = opened(page, f"{address}/page/ours?light")
    for width, height in ((400, 240), (700, 320), (300, 180)):
        page.locator("iframe").evaluate(f"node => {{ node.width = {width}; node.height = {height} }}")
        frame.wait_for_function(
            f"document.querySelector('svg.mpld3-figure').getAttribute('viewBox') === '0 0 {width} {height}'"
        )
        boxes = frame.locator("svg.mpld3-figure text:visible").all()
        for box in filter(None, (each.bounding_box() for each in boxes)):
            assert box["y"] + box["height"] <= height + page.locator("iframe").bounding_box()["y"] + 4  # type: ignore[index]
    assert frame.locator("head style").count() < 20  # those of earlier drawings are gone
    assert frame.locator("svg.mpld3-figure").count() == 1


def test_the_pointer_tells_the_values(page: Page, address: str) -> None:
    frame = opened(page, f"{address}/page/ours?light")
    frame.locator(".mpld3-axesbg").hover(position={"x": 10, "y": 40}, force=True)
    tip = frame.locator(".agnez-tip")
    assert tip.is_visible()
    assert tip.locator("div").first.text_content().startswith("epoch ")  # type: ignore[union-attr]
    frame.locator(".mpld3-axesbg").hover(position={"x": 348, "y": 40}, force=True)
    names = tip.locator("span").all_text_contents()
    assert {"val", f"train {EVIL}"} <= set(names)
    values = dict(zip(names, tip.locator("b").all_text_contents(), strict=True))
    assert float(values["val"]) == pytest.approx(2 * np.exp(-13 / 3) + 0.1, rel=1e-3)
    frame.locator(".agnez-title").hover()
    assert not tip.is_visible()


def test_zoom_and_its_reset_work(page: Page, address: str) -> None:
    frame = opened(page, f"{address}/page/ours?light")
    frame.locator("svg.mpld3-figure").hover()
    frame.locator(".mpld3-zoombutton").click()
    frame.locator(".mpld3-axesbg").hover(force=True)
    page.mouse.wheel(0, -300)
    frame.wait_for_function("/scale\\((?!1\\))/.test(document.querySelector('.mpld3-paths').getAttribute('transform'))")
    dot = frame.locator(".mpld3-paths g path").last
    assert dot.bounding_box()["width"] < 12  # type: ignore[index]
    frame.locator(".mpld3-resetbutton").click()
    frame.wait_for_function(
        "document.querySelector('.mpld3-paths').getAttribute('transform') === 'translate(0,0) scale(1)'"
    )


_WINDOW = """() => {
    const axes = mpld3.figures.at(-1).axes[0];
    const moved = axes.lastTransform;
    const seen = (scale, invert, pixels) => pixels.map((pixel) => scale.invert(invert.call(moved, pixel)));
    return [...seen(axes.x, moved.invertX, [0, axes.width]), ...seen(axes.y, moved.invertY, [axes.height, 0])];
}"""
"""The part of the data that a figure shows."""


def zoomed(page: Page, address: str) -> Frame:
    frame = opened(page, f"{address}/page/ours?light")
    frame.locator("svg.mpld3-figure").hover()
    frame.locator(".mpld3-zoombutton").click()
    frame.locator(".mpld3-axesbg").hover(force=True, position={"x": 100, "y": 60})
    page.mouse.wheel(0, -300)
    frame.wait_for_function("mpld3.figures.at(-1).axes[0].lastTransform.k > 1")
    frame.evaluate("new Promise((done) => setTimeout(done, 300))")  # until d3 takes the wheel's gesture for ended
    return frame


def hand_over(page: Page, job: Curves | FrozenFigure, version: str) -> None:
    """Hand a figure to the frame as the page does, and wait until it is drawn."""
    page.evaluate(
        """([figure, version]) => new Promise((done) => {
            addEventListener("message", ({ data }) => {
                if (data.agnez === "drawn" && data.version === version) done();
            });
            document.querySelector("iframe").contentWindow.postMessage({ ...figure, agnez: "figure", version }, "*");
        })""",
        [figure_parts(render_job(job)), version],
    )


def test_the_next_figure_keeps_what_the_user_zoomed_to_exactly(page: Page, address: str) -> None:
    frame = zoomed(page, address)
    window = frame.evaluate(_WINDOW)
    assert 0 < window[1] - window[0] < 13
    for last in (14, 20, 40):
        hand_over(page, loss(last), str(last))
        assert frame.evaluate(_WINDOW) == pytest.approx(window, rel=1e-9)
        assert frame.locator(".agnez-title").text_content() == f"Loss {EVIL} · epoch {last}"
        assert "pressed" in (frame.locator(".mpld3-zoombutton").get_attribute("class") or "")
    page.locator("iframe").evaluate("node => { node.width = 640; node.height = 300 }")
    frame.wait_for_function("mpld3.figures.at(-1).width === 640")
    assert frame.evaluate(_WINDOW)[:2] == pytest.approx(window[:2], rel=0.02)  # the numbers' margin takes some pixels
    frame.locator(".mpld3-resetbutton").click()
    frame.wait_for_function("mpld3.figures.at(-1).axes[0].x.domain()[1] >= 40")  # and then all of the newest is there


def test_a_figure_that_nobody_zoomed_shows_all_of_the_next(page: Page, address: str) -> None:
    frame = opened(page, f"{address}/page/ours?light")
    hand_over(page, loss(30), "30")
    assert frame.evaluate(_WINDOW)[1] >= 30
    assert frame.locator("svg.mpld3-figure").count() == 1


def test_a_figure_of_the_users_is_replaced_in_its_place_and_zoomed_to_what_was_kept(page: Page, address: str) -> None:
    frame = opened(page, f"{address}/page/plain?light")
    hand_over(page, plain(7), "7")
    assert frame.locator("svg.mpld3-figure").text_content().count("plain 7") == 1  # type: ignore[union-attr]
    assert frame.evaluate(_WINDOW)[1] > 7
    page.evaluate(
        """() => document.querySelector("iframe").contentWindow.postMessage(
            { agnez: "zoom", axes: [[2, -0.5, 0, 0, 8, 0, 8]] }, "*")"""
    )
    frame.wait_for_function("mpld3.figures.at(-1).axes[0].lastTransform.k === 2")
    assert frame.evaluate(_WINDOW)[:2] == pytest.approx([2, 6])
    hand_over(page, plain(9), "9")
    assert frame.evaluate(_WINDOW)[:2] == pytest.approx([2, 6])


def test_a_hand_at_the_figure_is_not_disturbed(page: Page, address: str) -> None:
    frame = zoomed(page, address)
    box = frame.locator(".mpld3-axesbg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 130, box["y"] + 60, steps=3)
    page.evaluate(
        """figure => document.querySelector("iframe").contentWindow.postMessage(
            { ...figure, agnez: "figure", version: "x" }, "*"
        )""",
        figure_parts(render_job(loss(20))),
    )
    page.mouse.move(box["x"] + 160, box["y"] + 60, steps=3)
    assert "epoch 13" in (frame.locator(".agnez-title").text_content() or "")
    window = frame.evaluate(_WINDOW)
    page.mouse.up()
    frame.wait_for_function("document.querySelector('.agnez-title').textContent.includes('epoch 20')")
    assert frame.evaluate(_WINDOW) == pytest.approx(window, rel=1e-9)


def test_only_figures_of_our_drawing_are_taken_apart() -> None:
    parts = figure_parts(render_job(loss()))
    assert parts is not None and parts["own"] and parts["background"] == "transparent"
    assert parts["label"] == f"Figure: Loss {EVIL} · epoch 13"
    plain = Figure()
    plain.add_subplot().plot([1, 2])
    kept = figure_parts(render_job(FrozenFigure(freeze(plain))))
    assert kept is not None and not kept["own"] and kept["background"] == "#ffffffff"
    for other in (
        render_job(FrozenFigure(freeze(theirs()))),  # its plugin brings a style of its own
        mpld3.fig_to_html(theirs("a title")),
        "<b>hello</b>",
        render_job(loss()) + "<script>alert(1)</script>",
    ):
        assert figure_parts(other) is None
