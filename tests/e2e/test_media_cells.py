"""Each kind of cell in a real browser, over a run that logs one of each."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from watching import Start, Watched

SCRIPT = Path(__file__).parent / "scripts" / "media.py"


class Training:
    """A run that goes one step on when it is told to."""

    def __init__(self, process: Popen[str], port: int) -> None:
        self.process = process
        self.port = port
        self.id = self.said()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self, steps: int = 1) -> None:
        assert self.process.stdin is not None
        for _ in range(steps):
            self.process.stdin.write("on\n")
            self.process.stdin.flush()
            assert self.said().startswith("logged")

    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?run={self.id}"


@pytest.fixture
def training(start: Start, port: int) -> Training:
    return Training(start(SCRIPT, str(port)), port)


@pytest.fixture
def page(watched: Watched, training: Training) -> Iterator[Page]:
    training.go_on(4)
    watched.page.set_viewport_size({"width": 1440, "height": 1600})
    yield watched.open(training.address())
    assert watched.errors == [] and watched.hosts == {f"127.0.0.1:{training.port}"}


def cell(page: Page, name: str) -> Locator:
    return page.locator(f'[data-testid=cell][data-name="{name}"]')


PIXELS = """image => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return Array.from({ length: data.length / 4 }, (_, nth) => data[4 * nth]);
}"""


def test_a_picture_is_shown_pixel_by_pixel_and_its_slider_walks_the_steps(page: Page, training: Training) -> None:
    from sklearn.datasets import load_digits

    images, _ = load_digits(return_X_y=True)
    picture, walk = cell(page, "digit").locator("img"), cell(page, "digit").get_by_test_id("walk")
    expect(walk).to_have_attribute("data-step", "30")
    expect(picture).to_be_visible()
    slider = cell(page, "digit").get_by_role("slider")
    for step in (3, 1, 0, 2):
        slider.fill(str(step))
        expect(walk).to_have_attribute("data-step", str(10 * step))
        expected = [round(value / 16 * 255) for value in images[step]]
        page.wait_for_function(
            f"([image, wanted]) => String(({PIXELS})(image)) === String(wanted)",
            arg=[picture.element_handle(), expected],
        )
    training.go_on()  # what comes meanwhile does not move it
    expect(slider).to_have_attribute("max", "4")
    expect(walk).to_have_attribute("data-step", "20")
    page.wait_for_function("() => location.hash.includes('slide:digit=2')")
    page.reload()
    expect(walk).to_have_attribute("data-step", "20")
    cell(page, "digit").get_by_role("button", name="newest").click()
    expect(walk).to_have_attribute("data-step", "40")
    training.go_on()
    expect(walk).to_have_attribute("data-step", "50")


def test_steps_play_by_themselves_to_the_newest(page: Page) -> None:
    walk = cell(page, "digit").get_by_test_id("walk")
    expect(walk).to_have_attribute("data-step", "30")
    walk.get_by_role("button", name="Play").click()
    expect(walk).to_have_attribute("data-step", "10")
    expect(walk).to_have_attribute("data-step", "30", timeout=10_000)
    expect(walk.get_by_role("button", name="Play")).to_be_visible()


def test_a_grid_has_every_picture_and_all_fit(page: Page) -> None:
    grid = cell(page, "filters").get_by_test_id("pictures")
    expect(grid.get_by_role("img")).to_have_count(10)
    room = cell(page, "filters").bounding_box()
    assert room is not None
    for tile in grid.get_by_role("img").all():
        box = tile.bounding_box()
        assert box is not None and box["width"] >= 18
        assert room["x"] <= box["x"] and box["x"] + box["width"] <= room["x"] + room["width"]
        assert box["y"] + box["height"] <= room["y"] + room["height"]


def test_a_film_moves_and_can_be_stopped(page: Page, browser: Browser, training: Training) -> None:
    film = cell(page, "film")
    expect(film.locator("img")).to_be_visible()
    film.get_by_role("button", name="Stop film").click()
    expect(film.locator("canvas")).to_be_visible()
    expect(film.locator("img")).to_have_count(0)
    calm = browser.new_page(reduced_motion="reduce")
    calm.goto(training.address())
    expect(cell(calm, "film").locator("canvas")).to_be_visible()
    cell(calm, "film").get_by_role("button", name="Play film").click()
    expect(cell(calm, "film").locator("img")).to_be_visible()
    calm.close()


def test_a_sound_can_be_played(page: Page) -> None:
    audio = cell(page, "tone").locator("audio")
    page.wait_for_function("audio => audio.readyState >= 1", arg=audio.element_handle())
    assert audio.evaluate("audio => audio.duration") == 1.0
    audio.evaluate("audio => { audio.muted = true; return audio.play(); }")
    page.wait_for_function("audio => audio.currentTime > 0", arg=audio.element_handle())
    assert cell(page, "tone").locator("path.rest").get_attribute("d").count("M") == 240  # type: ignore[union-attr]


def test_a_text_is_read_as_markdown_and_no_html_in_it_acts(page: Page) -> None:
    text = cell(page, "note").get_by_test_id("text")
    expect(text.get_by_role("heading", name="Step 3")).to_be_visible()
    expect(text.get_by_role("listitem")).to_have_count(2)
    expect(text.locator("blockquote")).to_have_text("<script>alert(3)</script>")
    expect(text.get_by_role("link", name="two")).to_have_attribute("rel", "noopener noreferrer")
    expect(text.locator("pre")).to_have_text("run.log(x)")
    assert text.locator("script").count() == 0


HOSTILE = """\
<img src=x onerror="document.title='hacked'"> [a](javascript:alert(1)) [b](  JaVaScRiPt:alert(1))
![c](http://127.0.0.1:1/x.png) <svg onload=alert(1)> [d](data:text/html,<script>alert(1)</script>) &lt;b&gt;
**bold <i>x</i>** <iframe src=//example.org></iframe>

<style>body { display: none }</style>
"""


def test_a_hostile_text_stays_text(page: Page, training: Training) -> None:
    record = {"type": "text", "name": "hostile", "value": HOSTILE, "run": training.id, "pos": 50}
    request = urllib.request.Request(
        f"http://127.0.0.1:{training.port}/values", json.dumps(record).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()
    text = cell(page, "hostile").get_by_test_id("text")
    expect(text.locator("strong")).to_have_text("bold <i>x</i>")
    expect(text).to_contain_text("<b>")
    assert text.locator("img, svg, iframe, style, script, object").count() == 0
    assert text.locator("a").evaluate_all("links => links.map(link => link.protocol)") == ["http:"]  # of the picture
    assert page.title() != "hacked"


def test_a_table_is_sorted_scrolled_and_never_whole_in_the_page(page: Page) -> None:
    table = cell(page, "guesses").get_by_test_id("table")
    expect(table.locator("table")).to_have_attribute("aria-rowcount", "501")
    rows = table.locator("tbody tr[data-row]")
    assert rows.count() < 80
    header = table.get_by_role("columnheader", name="label")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    expect(rows.first.locator("td").first).to_have_text("9")
    header.get_by_role("button").click()
    expect(rows.first.locator("td").first).to_have_text("0")
    page.wait_for_function("() => location.hash.includes('view:guesses=up-')")
    page.reload()
    expect(rows.first.locator("td").first).to_have_text("0")
    expect(header).to_have_attribute("aria-sort", "ascending")
    table.focus()
    page.keyboard.press("End")
    expect(table.locator('tr[aria-rowindex="501"]')).to_be_visible()
    assert rows.count() < 80
    expect(table.locator('tr[aria-rowindex="501"] td').first).to_have_text("9")


def test_histograms_stand_over_the_steps_as_ridges_and_as_a_map(page: Page, training: Training) -> None:
    plot = cell(page, "weights").get_by_test_id("histogram")
    expect(plot.locator("path")).to_have_count(4)
    training.go_on(2)
    expect(plot.locator("path")).to_have_count(6)
    label = plot.get_by_role("application").get_attribute("aria-label") or ""
    assert label.startswith("weights: 6 histograms from step 0 to step 50, values between ")
    plot.get_by_role("button", name="heat").click()
    expect(plot.locator("canvas")).to_have_attribute("width", "6")
    training.go_on()
    expect(plot.locator("canvas")).to_have_attribute("width", "7")
    page.wait_for_function("() => location.hash.includes('view:weights=heat')")
    page.reload()
    expect(plot).to_have_attribute("data-shown", "heat")


def test_html_of_each_step_is_shown_in_a_sandbox(page: Page) -> None:
    frame = page.frame_locator(f"{watched_cell('page')} iframe[data-testid=figure]")
    expect(frame.get_by_text("drawn 3")).to_be_visible()
    cell(page, "page").get_by_role("slider").fill("1")
    expect(frame.get_by_text("drawn 1")).to_be_visible()
    assert page.locator(f"{watched_cell('page')} iframe").first.get_attribute("sandbox") == "allow-scripts"


def watched_cell(name: str) -> str:
    return f'[data-testid=cell][data-name="{name}"]'


def test_any_program_makes_cells_of_these_types(page: Page, training: Training) -> None:
    records = [
        {"name": "a number", "type": "number", "value": 0.875},
        {"name": "a metric", "type": "number", "value": [], "metrics": ["accuracy"]},
        {"name": "rows", "type": "table", "value": {"columns": ["x", "y"], "rows": [[1, "a"], ["NaN", "b"]]}},
        {"name": "nothing", "type": "histogram", "value": []},
        {"name": "wrong", "type": "images", "value": 7},
        {"name": "unknown", "type": "hologram", "value": 7},
    ]
    for pos, record in enumerate(records):
        request = urllib.request.Request(
            f"http://127.0.0.1:{training.port}/values",
            json.dumps({**record, "run": training.id, "pos": 60 + pos}).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request).close()
    expect(cell(page, "a number")).to_contain_text("0.875")
    expect(cell(page, "a metric").locator(".remark")).to_contain_text("best")
    expect(cell(page, "rows").get_by_test_id("table").locator("tbody td")).to_have_text(["1", "a", "NaN", "b"])
    expect(cell(page, "nothing")).to_contain_text("waiting for a value")
    expect(cell(page, "wrong")).to_contain_text("cannot be read")
    expect(cell(page, "unknown")).to_contain_text("cannot show a cell of type “hologram”")
