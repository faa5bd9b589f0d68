"""What the page shows beyond the numbers: colours, cursors, axes of time, frames that do not flicker, and the tab."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from watching import Start, Watched, line, tell

import agnez

SCRIPTS = Path(__file__).parent / "scripts"

FLAT = "abcdef"
"""The names of lines that stand at the heights 0, 10, 20 and so on."""

RUNS = 21
NOON = 1_715_063_400
"""Noon in Kolkata on the 7th of May 2024: half past six by UTC."""
MOMENTS = (0, 60, 600, 1500, 5400)
"""The seconds after noon at which points were logged."""


@dataclass(frozen=True)
class Served:
    """A store with some runs, and the address of its server."""

    folder: Path
    address: str
    flat: str
    timed: str
    many: tuple[str, ...]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("shown")
    with agnez.init("shown", "flat", dir=folder, server=None) as flat:
        for step in range(100):
            numbers = {f"weights/{name}": 10.0 * nth for nth, name in enumerate(FLAT)}
            flat.log({**numbers, "loss": 1 / (step + 1)}, step=step)
    with agnez.init("shown", "timed", dir=folder, server=None) as timed, pytest.MonkeyPatch.context() as clock:
        for number, moment in enumerate(MOMENTS):
            clock.setattr("agnez.run._nanoseconds", lambda moment=moment: (NOON + moment) * 10**9)
            timed.log({"loss": float(number)}, step=number)
    many = []
    for nth in range(RUNS):
        with agnez.init("colours", f"run{nth:02}", dir=folder, server=None) as run:
            for step in range(3):
                run.log({"loss": float(nth), "reward": float(-nth)}, step=step)
        many.append(run.id)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "agnez", "server", "--dir", str(folder), "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    while str(port) not in (line := server.stdout.readline()):
        assert line, "the server ended"
    yield Served(folder, f"http://127.0.0.1:{port}/", flat.id, timed.id, tuple(many))
    os.killpg(server.pid, signal.SIGKILL)
    server.communicate()


def cell(page: Page, name: str) -> Locator:
    return page.locator(f'[data-testid=cell][data-name="{name}"]')


def chart(page: Page, name: str = "Loss") -> Locator:
    return cell(page, name).get_by_test_id("chart")


def told(of: Locator) -> dict[str, Any]:
    """Return what a chart says of what it shows."""
    found: dict[str, Any] = json.loads(of.get_attribute("data-frame") or "{}")
    return found


def settled(page: Page) -> None:
    """Wait until what was done has been drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page: Page, truth: Callable[..., bool], *of: object) -> None:
    """Wait until something is true of the page, or of what is named."""
    for _ in range(400):
        if truth(*of):
            return
        page.wait_for_timeout(25)
    raise AssertionError(page.url)


def place(of: Locator, x: float, y: float = 0.5) -> tuple[float, float]:
    """Return where a share of a chart's axes lies on the page."""
    box = of.bounding_box()
    assert box is not None
    left, top, width, height = told(of)["box"]
    return box["x"] + left + x * width, box["y"] + top + y * height


def drag(page: Page, of: Locator, start: float, end: float) -> None:
    """Select from one share of the x axis to another."""
    page.mouse.move(*place(of, start))
    page.mouse.down()
    page.mouse.move(*place(of, (start + end) / 2))
    page.mouse.move(*place(of, end))
    page.mouse.up()
    settled(page)


def switch(page: Page, of: Locator, *names: str) -> None:
    """Switch settings of a chart's menu, by their names."""
    of.hover()
    of.locator("xpath=ancestor::article").get_by_test_id("chart-menu").click()
    for name in names:
        page.get_by_test_id(name).click()
    page.keyboard.press("Escape")
    settled(page)


def open_chart(watched: Watched, address: str, name: str = "Loss") -> Page:
    page = watched.open(address)
    expect(chart(page, name)).to_have_attribute("data-draws", re.compile("."))
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    return page


INK = """(canvas, [column, row]) => {
    const ratio = canvas.width / canvas.clientWidth;
    const [left, top] = [Math.round(column * ratio), Math.round(row * ratio) - 2];
    const { data } = canvas.getContext("2d").getImageData(left, top, 1, 5);
    return Array.from({ length: 5 }, (_, nth) => [...data.slice(4 * nth, 4 * nth + 4)]);
}"""
"""The colours around a place of a canvas, from above to below, each with its strength."""


def test_the_line_nearest_to_the_pointer_stands_out_and_its_name_is_marked(watched: Watched, served: Served) -> None:
    page = open_chart(watched, f"{served.address}?run={served.flat}", "Weight norms")
    norms = chart(page, "Weight norms")
    marked = cell(page, "Weight norms").locator(".entry.near")
    base, above = (norms.locator("canvas").nth(nth) for nth in (0, 1))
    low, high = told(norms)["y"]
    left, top, width, height = told(norms)["box"]

    def row(name: str) -> float:
        return float((high - 10 * FLAT.index(name)) / (high - low))

    def ink(canvas: Locator, name: str) -> list[int]:
        rows: list[list[int]] = canvas.evaluate(INK, [left + 0.25 * width, top + row(name) * height])
        return max(rows, key=lambda colour: colour[3])

    for name in "cae":
        page.mouse.move(*place(norms, 0.6, row(name) + 0.02))
        expect(marked).to_have_attribute("data-metric", f"weights/{name}")
        settled(page)
        red, green, blue, strength = ink(above, name)
        assert strength == 255 and [red, green, blue] == ink(base, name)[:3]
        for other in FLAT.replace(name, ""):  # a veil lies over them
            *colour, veil = ink(above, other)
            assert 140 < veil < 170 and colour != ink(base, other)[:3]
    page.mouse.move(5, 5)
    expect(marked).to_have_count(0)
    settled(page)
    assert above.evaluate("canvas => canvas.width") == 0


def test_a_range_is_of_one_chart_or_of_all_as_the_switch_says(watched: Watched, served: Served) -> None:
    page = open_chart(watched, f"{served.address}?run={served.flat}", "Weight norms")
    loss, norms = chart(page), chart(page, "Weight norms")
    whole = told(loss)["x"]
    switch(page, loss, "linked")
    drag(page, loss, 0.2, 0.5)
    one = told(loss)["x"]
    assert whole[0] < one[0] < one[1] < whole[1] and told(norms)["x"] == whole
    drag(page, norms, 0.6, 0.9)
    other = told(norms)["x"]
    assert other[0] > one[1] and told(loss)["x"] == one
    switch(page, loss, "linked")
    drag(page, norms, 0.3, 0.4)
    both = told(norms)["x"]
    assert both == told(loss)["x"] and both not in (whole, one, other)
    assert watched.errors == []


def test_with_follow_off_a_range_stays_where_it_is_and_goes_on_from_there(
    watched: Watched, start: Start, port: int
) -> None:
    training = start(SCRIPTS / "wait.py", str(port), "live")
    assert line(training) == "ready"
    for _ in range(20):
        tell(training, "")
    page = open_chart(watched, f"http://127.0.0.1:{port}/#v=1&x=step")
    loss = chart(page)
    held = 21

    def log(count: int) -> None:
        nonlocal held
        held += count
        for _ in range(count):
            tell(training, "")
        expect(loss).to_have_attribute("data-points", str(held))
        settled(page)

    log(0)
    switch(page, loss, "follow")
    drag(page, loss, 0.5, 1.05)
    low, high = told(loss)["x"]
    assert 9 < low < 11 and high == 20  # the newest point is in it
    log(7)
    assert told(loss)["x"] == [low, high]
    page.reload()
    expect(loss).to_have_attribute("data-points", str(held))
    until(page, lambda: told(loss).get("x") == [low, high])
    page.evaluate("location.hash = '#v=1&x=step&follow=0&zoom=20~30~27'")  # with the head in it again
    until(page, lambda: told(loss)["x"] == [20, 30])
    log(2)
    assert told(loss)["x"] == [20, 30]
    switch(page, loss, "follow")
    assert told(loss)["x"] == [20, 30]
    log(4)
    assert told(loss)["x"] == [24, 34]


def drawing(page: Page, of: Locator) -> ElementTree.Element:
    """Return the drawing of a chart as it is saved."""
    of.hover()
    of.locator("xpath=ancestor::article").get_by_test_id("chart-menu").click()
    with page.expect_download() as download:
        page.get_by_test_id("save-svg").click()
    page.keyboard.press("Escape")
    return ElementTree.parse(download.value.path()).getroot()


def places(drawn: ElementTree.Element) -> tuple[dict[str, float], list[float]]:
    """Return where the ticks of the x axis stand, by what they say, and the points of the longest line."""
    svg = "{http://www.w3.org/2000/svg}"
    middle = [each for each in drawn.iter(f"{svg}text") if each.get("text-anchor") == "middle"]
    ticks = {each.text or "": float(each.get("x") or "nan") for each in middle}
    paths: list[list[str]] = [re.findall(r"[ML]([\d.-]+) ", each.get("d") or "") for each in drawn.iter(f"{svg}path")]
    longest: list[str] = max(paths, key=len)
    return ticks, [float(x) for x in longest]


@pytest.mark.parametrize(
    ("axis", "read", "first", "last"),
    [
        ("time", lambda hours, minutes: 3600 * (int(hours) - 12) + 60 * int(minutes), "12:00:00", "13:30:00"),
        (
            "relative",
            lambda hours, minutes: 3600 * int(hours or 0) + 60 * int(minutes or 0),
            "0\u2009s",
            "1\u2009h 30\u2009m",
        ),
    ],
    ids=["time", "relative"],
)
def test_points_stand_where_the_clock_was(
    browser: Browser, served: Served, axis: str, read: Callable[[str, str], int], first: str, last: str
) -> None:
    context = browser.new_context(timezone_id="Asia/Kolkata", accept_downloads=True)
    page = open_chart(Watched(context.new_page()), f"{served.address}?run={served.timed}#v=1&x={axis}")
    shown = told(chart(page))
    since = NOON if axis == "time" else 0
    assert shown["unit"] == axis and shown["x"] == [since, since + MOMENTS[-1]]
    ticks, points = places(drawing(page, chart(page)))
    words = re.compile(r"(\d\d):(\d\d)$" if axis == "time" else r"(?:(\d+)h)? ?(?:(\d+)m)?$")
    seconds = {read(*match.groups()): at for text, at in ticks.items() if text and (match := words.match(text))}
    assert len(seconds) >= 4 and len(points) == len(MOMENTS)
    (one, x), (other, far) = min(seconds.items()), max(seconds.items())
    scale = (far - x) / (other - one)
    for moment, at in [*zip(MOMENTS, points, strict=True), *seconds.items()]:
        assert at == pytest.approx(x + (moment - one) * scale, abs=0.05)
    said = cell(page, "Loss").get_by_test_id("chart-said")
    for key, words_of in {"Home": f"loss 0, {axis} {first}", "End": f"loss 4.00, {axis} {last}"}.items():
        chart(page).press(key)
        expect(said).to_have_text(words_of)
    context.close()


def test_a_chart_out_of_sight_is_drawn_only_once_it_is_seen_again(watched: Watched, start: Start, port: int) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    watched.page.set_viewport_size({"width": 1440, "height": 420})
    page = open_chart(watched, f"http://127.0.0.1:{port}/#v=1&x=step")
    seen, unseen = chart(page), page.get_by_test_id("cell").last.get_by_test_id("chart")
    for each, points in ((seen, 800), (unseen, 400)):
        expect(each).to_have_attribute("data-points", str(points))
    settled(page)
    assert page.evaluate("scrollY") == 0 and (unseen.bounding_box() or {"y": 0})["y"] > 420

    def draws(of: Locator) -> int:
        return int(of.get_attribute("data-draws") or 0)

    before = draws(seen), draws(unseen)
    for steps in range(410, 460, 10):
        tell(run, 10)
        assert line(run) == str(steps)
        expect(seen).to_have_attribute("data-points", str(2 * steps))
        expect(unseen).to_have_attribute("data-points", str(steps))  # it has heard of them
        settled(page)
    assert draws(seen) >= before[0] + 5 and draws(unseen) == before[1]
    unseen.scroll_into_view_if_needed()
    until(page, lambda: draws(unseen) > before[1])
    assert told(unseen)["points"] == 450 and told(unseen)["x"] == told(seen)["x"]
    assert told(unseen)["x"][1] >= 449


_NOTE_FRAMES = """() => {
    const ready = new Set();
    addEventListener("message", ({ data, source }) => data?.agnez === "ready" && ready.add(source));
    const isSeen = (frame) => getComputedStyle(frame).visibility === "visible" && frame.offsetHeight > 100;
    window.noted = {};
    window.look = (on) => {
        window.looks = on;
        const look = () => {
            if (!window.looks) return;
            for (const cell of document.querySelectorAll("[data-testid=cell]")) {
                const seen = [...cell.querySelectorAll("iframe")].filter(isSeen);
                const top = seen.at(-1); // one that is being made may stand behind it
                const whole = seen.length <= 2 && ready.has(top?.contentWindow);
                (window.noted[cell.dataset.name] ??= []).push([whole, top?.dataset.version]);
            }
            requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    };
}"""
"""Note, frame by frame, whether what stands uppermost in each cell is a document that said that it is ready."""

_NOTE_FIGURE = """() => {
    window.blank = 0;
    const look = () => {
        window.blank += document.querySelectorAll("svg.mpld3-figure path").length === 0;
        requestAnimationFrame(look);
    };
    look();
}"""


def test_what_stands_in_frames_does_not_flicker_as_new_versions_come(watched: Watched, start: Start, port: int) -> None:
    training = start(SCRIPTS / "frames.py", str(port))
    run = line(training)
    tell(training, "red")
    assert line(training) == "0"
    page = watched.page
    page.add_init_script(f"({_NOTE_FRAMES})()")
    watched.open(f"http://127.0.0.1:{port}/?run={run}")
    page.set_viewport_size({"width": 1440, "height": 1300})

    def frame(name: str) -> Any:
        return cell(page, name).locator("iframe[data-testid=figure]")

    cells = {"Loss": "epoch {}", "drawing": "drawn {}", "page": "written {}"}

    def shows(step: int) -> None:
        for name, words in cells.items():
            expect(frame(name)).to_have_count(1, timeout=20_000)
            document = frame(name).content_frame
            expect(document.locator("body")).to_contain_text(words.format(step + (name == "Loss")), timeout=20_000)

    shows(0)
    for name in ("Loss", "drawing"):
        frame(name).element_handle().content_frame().evaluate(_NOTE_FIGURE)
    watching = page.context.new_cdp_session(page)
    pictures: dict[float, bytes] = {}

    def keep(picture: dict[str, Any]) -> None:
        pictures[picture["metadata"]["timestamp"]] = base64.b64decode(picture["data"])
        watching.send("Page.screencastFrameAck", {"sessionId": picture["sessionId"]})

    watching.on("Page.screencastFrame", keep)
    watching.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
    page.evaluate("look(true)")
    for step, colour in enumerate(("lime", "red"), 1):
        tell(training, colour)
        assert line(training) == str(step)
        shows(step)
    page.evaluate("look(false)")
    watching.send("Page.stopScreencast")
    noted = page.evaluate("noted")
    assert set(noted) == set(cells)
    for name, looks in noted.items():
        assert all(whole for whole, _ in looks), (name, looks)
        assert len(dict.fromkeys(version for _, version in looks)) >= 3, name  # it was looked at all the while
    for name in ("Loss", "drawing"):
        assert frame(name).element_handle().content_frame().evaluate("blank") == 0
    box = frame("page").bounding_box()
    assert box is not None
    spot = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6
    colours = [colour_at(picture, *spot) for _, picture in sorted(pictures.items())]  # they come in no order
    assert [colour for colour, _ in groupby(colours)] == [(255, 0, 0), (0, 255, 0), (255, 0, 0)]
    assert watched.errors == []


def colour_at(picture: bytes, x: float, y: float) -> tuple[int, ...]:
    with Image.open(io.BytesIO(picture)) as image:
        scale = image.width / 1440
        pixel = image.convert("RGB").getpixel((round(x * scale), round(y * scale)))
    assert isinstance(pixel, tuple)
    return pixel


_RECORD = """async (kinds) => {
    const kind = kinds.find((each) => MediaRecorder.isTypeSupported(each));
    if (kind === undefined) return null;
    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
    const context = canvas.getContext("2d");
    const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: kind });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    const ended = new Promise((done) => (recorder.onstop = done));
    recorder.start();
    for (let frame = 0; frame < 20; frame++) {
        context.fillStyle = `hsl(120 100% ${40 + (frame % 2)}%)`;
        context.fillRect(0, 0, 64, 48);
        await new Promise((done) => setTimeout(done, 33));
    }
    recorder.stop();
    await ended;
    const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""
"""Make a green film of two thirds of a second of the first of these kinds that the browser can make."""

_GREEN = """video => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
    canvas.getContext("2d").drawImage(video, 0, 0, 1, 1);
    const [red, green, blue] = canvas.getContext("2d").getImageData(0, 0, 1, 1).data;
    return video.currentTime > 0.1 && green > 150 && red < 60 && blue < 60;
}"""


@pytest.mark.parametrize(
    ("kind", "kinds"),
    [("mp4", ["video/mp4;codecs=avc1", "video/mp4;codecs=vp9", "video/mp4"]), ("webm", ["video/webm"])],
    ids=["mp4", "webm"],
)
def test_a_film_from_a_file_is_played(
    watched: Watched, served: Served, tmp_path: Path, kind: str, kinds: list[str]
) -> None:
    page = watched.page
    film = page.evaluate(_RECORD, kinds)
    if film is None:
        pytest.skip(f"this browser makes no {kind}")
    path = tmp_path / f"film.{kind}"
    path.write_bytes(base64.b64decode(film))
    with agnez.init("films", kind, dir=served.folder, server=None) as run:
        run.log({"film": agnez.Video(path, caption="green")})
    with page.expect_response(lambda answer: answer.headers.get("content-type") == f"video/{kind}"):
        watched.open(f"{served.address}?run={run.id}")
    video = cell(page, "film").locator("video")
    expect(video).to_have_attribute("controls", "")
    expect(video).to_have_js_property("videoWidth", 64)
    video.evaluate("video => { video.muted = true; void video.play(); }")
    until(page, lambda: bool(video.evaluate(_GREEN)))
    assert watched.errors == []


def icon(page: Page) -> str:
    return unquote(page.locator("link[rel=icon]").get_attribute("href") or "")


@pytest.mark.parametrize(
    ("ending", "title", "far", "dot"),
    [("end", "finished 4/4", "17.00", "#9299a3"), ("fail", "failed 2/4", "8.50", "#f0766a")],
    ids=["finished", "failed"],
)
def test_the_tab_tells_how_far_a_training_is_and_how_it_ends(
    watched: Watched, start: Start, served: Served, ending: str, title: str, far: str, dot: str
) -> None:
    training = start(SCRIPTS / "progress.py", str(served.folder))
    page = watched.open(f"{served.address}?run={line(training)}")
    bar = 'd="M3.5 20.5h{}" stroke="#fff"/>'.format
    expect(page).to_have_title("1/4 · going – Agnez")
    until(page, lambda: bar("0.00") in icon(page))
    assert "<circle" not in icon(page)
    for epoch, length in enumerate(("4.25", "8.50"), 1):
        tell(training, "")
        assert line(training) == str(epoch)
        expect(page).to_have_title(f"{epoch + 1}/4 · going – Agnez")
        until(page, lambda length: bar(length) in icon(page), length)
    assert "<circle" not in icon(page)
    if ending == "end":
        for epoch in (3, 4):
            tell(training, "")
            assert line(training) == str(epoch)
    tell(training, ending)
    expect(page).to_have_title(f"{title} · going – Agnez", timeout=20_000)
    until(page, lambda: f'fill="{dot}"' in icon(page) and bar(far) in icon(page))
    size = """() => { const image = new Image(); image.src = document.querySelector("link[rel=icon]").href;
                      return image.decode().then(() => image.naturalWidth); }"""
    assert page.evaluate(size) > 0  # it is a picture


_LOOKS = """(stage) => Object.fromEntries([...stage.querySelectorAll(".entry[data-metric]")].map((entry) => {
    const bead = entry.querySelector("rect");
    const look = bead === null ? "none" : bead.getAttribute("rx") === "0" ? "square" : "ring";
    const name = entry.firstElementChild.nextSibling.textContent.trim();
    return [name, [getComputedStyle(entry.querySelector("line")).stroke, look]];
}))"""

_DOTS = """() => Object.fromEntries([...document.querySelectorAll("nav .entry")].map((entry) => {
    const dot = entry.querySelector("i");
    const probe = document.body.appendChild(document.createElement("b"));
    probe.style.color = dot.style.getPropertyValue("--colour");
    const colour = getComputedStyle(probe).color;
    probe.remove();
    const look = ["none", "ring", "square"].find((name) => dot.classList.contains(name));
    return [entry.querySelector(".name").firstChild.textContent.trim(), [colour, look]];
}))"""


def test_a_run_has_one_look_in_the_list_in_legends_and_in_charts_among_more_than_there_are_looks(
    browser: Browser, served: Served
) -> None:
    *over, shown = served.many
    context = browser.new_context(viewport={"width": 1440, "height": 900}, device_scale_factor=2)
    watched = Watched(context.new_page())
    for name, sign in (("loss", 1), ("reward", -1)):
        page = watched.open(f"{served.address}?run={shown}#v=1&over={','.join(over)}&open={name}&at=0")
        large = page.get_by_test_id("stage").get_by_test_id("chart")
        expect(large).to_have_attribute("data-points", str(3 * RUNS))
        until(page, lambda chart: told(chart).get("lines") == RUNS, large)
        legend, dots = page.get_by_test_id("stage").evaluate(_LOOKS), page.evaluate(_DOTS)
        legend[f"run{RUNS - 1:02}"] = legend.pop(name)  # the run that is shown bears the metric's name
        assert legend == {run: dots[run] for run in legend} and len(legend) == RUNS
        first = [f"run{nth:02}" for nth in (RUNS - 1, *range(17))]
        assert len({tuple(legend[run]) for run in first}) == 18  # no two of as many as there are looks
        low, high = told(large)["y"]
        left, top, width, height = told(large)["box"]
        for nth in range(RUNS):
            row = top + height * (high - sign * nth) / (high - low)
            colours = large.locator("canvas").first.evaluate(INK, [left + 0.3 * width, row])
            wanted = [int(each) for each in re.findall(r"\d+", legend[f"run{nth:02}"][0])]
            assert any(colour == pytest.approx([*wanted, 255], abs=3) for colour in colours), (name, nth)
    assert watched.errors == []
    context.close()
