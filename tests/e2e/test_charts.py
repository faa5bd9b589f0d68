"""The charts of the page, by hand, by key and as files: what is drawn is what was logged."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from watching import Start, Watched

import agnez

STEPS = 3000
EPOCHS = 6
SPIKE = 1234
DEEP = 400_000
DEEP_SPIKE = 271_828


def loss(step: int) -> float:
    """Return a loss with a spike, a hole and an overflow."""
    special = {SPIKE: 40.0, 1800: math.nan, 2400: math.inf}
    return special.get(step, 0.2 + 2 * math.exp(-step / 700) + 0.05 * math.sin(step * 12.9898))


@dataclass(frozen=True)
class Served:
    """A store with some runs, and the address of its server."""

    address: str
    run: str
    beside: str
    deep: str
    skewed: str
    wide: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("charts")
    run = agnez.init(project="charts", name="charted", dir=folder, server=None)
    for step in range(STEPS):
        numbers = {
            "batch/loss": loss(step),
            "weights/a": 1.0 + step,
            "weights/b": 2.0 + step,
            "zeros": float(step % 10),
        }
        if (step + 1) % (STEPS // EPOCHS) == 0:
            numbers |= {"train/loss": 0.2 + 2 * math.exp(-step / 700), "val/loss": 0.3 + 2 * math.exp(-step / 800)}
        run.log(numbers, step=step)
    run.finish()
    beside = agnez.init(project="charts", name="beside", dir=folder, server=None)
    beside.define_metric("declared", step_metric="tokens")
    for step in range(1000):
        numbers = {"batch/loss": 1.5, "weights/a": -float(step), "tokens": 512 * step, "declared": float(step)}
        beside.log(numbers, step=step)
    beside.finish()
    deep = agnez.init(project="charts", name="deep", dir=folder, server=None)
    for step in range(DEEP):
        deep.log({"loss": 9.0 if step == DEEP_SPIKE else 1.0}, step=step)
    deep.finish()
    skewed = agnez.init(project="charts", name="skewed", dir=folder, server=None)
    for step in range(DEEP):  # of 1 on average, and halfway between its extremes 50
        skewed.log({"loss": 100.0 if step % 100 == 37 else 0.0}, step=step)
    skewed.finish()
    wide = agnez.init(project="charts", name="wide", dir=folder, server=None)
    for step in range(5):
        wide.log({"loss": 1.0 / (step + 1)} | {f"unit{nth:03}": 100.0 * nth + step for nth in range(150)}, step=step)
    wide.finish()
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
    yield Served(f"http://127.0.0.1:{port}/", run.id, beside.id, deep.id, skewed.id, wide.id)
    os.killpg(server.pid, signal.SIGKILL)
    server.communicate()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


Open = Callable[..., Page]


@pytest.fixture
def opened(context: BrowserContext, served: Served) -> Iterator[Open]:
    watched = Watched(context.new_page())

    def open_page(fragment: str = "", run: str | None = None) -> Page:
        page = watched.open(f"{served.address}?run={run or served.run}{fragment}")
        page.wait_for_selector('[data-name="Loss"] [data-testid=chart][data-draws]')
        return page

    yield open_page
    assert watched.errors == []


def chart(page: Page, cell: str = "Loss") -> Locator:
    return page.locator(f'[data-testid=cell][data-name="{cell}"] [data-testid=chart]')


def told(page: Page, cell: str = "Loss") -> dict[str, object]:
    """Return what a chart says of what it shows."""
    found: dict[str, object] = json.loads(chart(page, cell).get_attribute("data-frame") or "{}")
    return found


def frame(page: Page, cell: str = "Loss") -> dict[str, list[float]]:
    """Return where the axes of a chart lie (`box`), and which part of them it shows (`x`, `y`)."""
    return {name: list(value) for name, value in told(page, cell).items() if name in ("box", "x", "y")}  # type: ignore[call-overload]


def shows(page: Page, low: float, high: float, cell: str = "Loss") -> None:
    """Wait until a chart shows a part of the x axis."""
    page.wait_for_function(
        """([node, low, high]) => {
            const [from, to] = JSON.parse(node.dataset.frame).x;
            const near = (a, b) => Math.abs(a - b) < 1e-6 * (high - low);
            return near(from, low) && near(to, high);
        }""",
        arg=[chart(page, cell).element_handle(), low, high],
    )


def place(page: Page, x: float, y: float = 0.5, cell: str = "Loss") -> tuple[float, float]:
    """Return where a share of the axes lies on the page."""
    box = chart(page, cell).bounding_box()
    assert box is not None
    left, top, width, height = frame(page, cell)["box"]
    return box["x"] + left + x * width, box["y"] + top + y * height


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def zoomed(page: Page, cell: str = "Loss") -> tuple[float, float]:
    low, high = frame(page, cell)["x"]
    return low, high


def settled(page: Page) -> None:
    """Wait until what was done has been drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_drag_zooms_all_charts_and_a_double_click_shows_all_again(opened: Open) -> None:
    page = opened()
    whole = zoomed(page)
    assert whole == (0, STEPS - 1)
    drag(page, place(page, 0.25), place(page, 0.5))
    page.wait_for_function("node => JSON.parse(node.dataset.frame).x[0] > 0", arg=chart(page).element_handle())
    low, high = zoomed(page)
    assert low == pytest.approx(0.25 * (STEPS - 1), rel=0.02) and high == pytest.approx(0.5 * (STEPS - 1), rel=0.02)
    shows(page, low, high, "Weight norms")
    page.mouse.dblclick(*place(page, 0.5))
    shows(page, *whole)
    shows(page, *whole, "Weight norms")


def test_a_drag_upright_zooms_the_values_of_one_chart(opened: Open) -> None:
    page = opened()
    before = frame(page)["y"]
    other = frame(page, "Weight norms")["y"]
    drag(page, place(page, 0.5, 0.5), place(page, 0.5, 0.9))
    page.wait_for_function(
        "([node, top]) => JSON.parse(node.dataset.frame).y[1] < top", arg=[chart(page).element_handle(), before[1]]
    )
    low, high = frame(page)["y"]
    assert low == pytest.approx(before[1] * 0.1, abs=0.6) and high == pytest.approx(before[1] * 0.5, abs=0.6)
    assert frame(page, "Weight norms")["y"] == other


def test_the_wheel_scrolls_the_page_and_zooms_only_with_control(opened: Open) -> None:
    page = opened()
    page.set_viewport_size({"width": 1440, "height": 420})
    whole = zoomed(page)
    page.mouse.move(*place(page, 0.5))
    page.mouse.wheel(0, 80)
    page.wait_for_function("() => scrollY > 0")
    assert zoomed(page) == whole
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(*place(page, 0.5))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.wait_for_function("node => JSON.parse(node.dataset.frame).x[0] > 0", arg=chart(page).element_handle())
    low, high = zoomed(page)
    assert (low + high) / 2 == pytest.approx((whole[0] + whole[1]) / 2, rel=0.02)
    assert page.evaluate("scrollY") == 0


def test_a_zoomed_chart_is_moved_with_shift_held(opened: Open) -> None:
    page = opened()
    drag(page, place(page, 0.4), place(page, 0.6))
    page.wait_for_function("node => JSON.parse(node.dataset.frame).x[0] > 0", arg=chart(page).element_handle())
    low, high = zoomed(page)
    page.keyboard.down("Shift")
    drag(page, place(page, 0.6), place(page, 0.1))
    page.keyboard.up("Shift")
    shows(page, low + 0.5 * (high - low), high + 0.5 * (high - low))


def test_one_cursor_stands_over_all_charts_with_the_values_of_its_place(opened: Open) -> None:
    page = opened()
    chart(page).hover(position={"x": 5, "y": 5})
    page.mouse.move(*place(page, 1000 / (STEPS - 1)))
    legend = page.locator('[data-testid=cell][data-name="Weight norms"] [data-metric="weights/b"] b')
    expect(legend).to_have_text(re.compile(r"^100\d$"))
    page.mouse.move(5, 5)
    expect(legend).to_have_text("3001")


def test_a_click_pins_a_place_and_another_takes_the_pin_away(opened: Open) -> None:
    page = opened()
    page.mouse.click(*place(page, 0.5))
    page.wait_for_function("() => location.hash.includes('pins')")
    legend = page.locator('[data-testid=cell][data-name="Weight norms"] [data-metric="weights/a"] b')
    page.mouse.move(5, 5)
    expect(legend).to_have_text(re.compile(r"^15\d\d$"))
    page.mouse.click(*place(page, 0.5))
    page.wait_for_function("() => !location.hash.includes('pins')")


def test_a_chart_with_an_axis_of_its_own_has_pins_of_its_own(opened: Open, served: Served) -> None:
    page = opened(run=served.beside)
    page.mouse.click(*place(page, 0.5, cell="Declared"))
    page.wait_for_function("() => location.hash.includes('chart:declared=pins~')")
    page.reload()
    page.wait_for_selector('[data-name="Declared"] [data-testid=chart][data-draws]')
    entry = page.locator('[data-testid=cell][data-name="Declared"] .entry b')
    expect(entry).to_have_text(re.compile(r"^(49|50)\d$"))
    assert page.locator('[data-testid=cell][data-name="Loss"] .entry b').inner_text() == "1.50"
    page.mouse.click(*place(page, 0.5, cell="Declared"))
    page.wait_for_function("() => !location.hash.includes('pins')")
    page.mouse.move(5, 5)
    expect(entry).to_have_text("999")


def test_of_many_metrics_the_one_for_the_axis_is_named(opened: Open, served: Served) -> None:
    page = opened(run=served.wide)
    page.locator('[data-testid=cell][data-name="Loss"] [data-testid=chart-menu]').click()
    settings = page.get_by_test_id("chart-settings")
    settings.get_by_role("button", name="this chart").click()
    settings.get_by_test_id("x-axis").select_option("a metric…")
    name = settings.get_by_test_id("x-metric")
    expect(name).to_be_focused()
    assert settings.locator("datalist option").count() == 150
    name.fill("unit1")
    name.press("Enter")
    assert name.evaluate("node => node.validity.valid") is False
    name.fill("unit149")
    name.press("Enter")
    shows(page, 14_900, 14_904)
    settings.get_by_test_id("x-axis").select_option("step")
    expect(name).to_have_count(0)
    shows(page, 0, 4)


def test_the_keyboard_does_all_that_the_pointer_does(opened: Open) -> None:
    page = opened()
    said = page.locator('[data-testid=cell][data-name="Weight norms"] [data-testid=chart-said]')
    node = chart(page, "Weight norms")
    whole = zoomed(page, "Weight norms")
    node.focus()
    node.press("Home")
    expect(said).to_have_text("a 1.00, step 0")
    node.press("Shift+ArrowRight")
    expect(said).to_have_text(re.compile(r"^a 1\d\.0, step 1\d$"))
    value, step = re.findall(r"[\d.]+", said.inner_text())
    assert float(value) == 1 + int(step)
    node.press("ArrowDown")
    expect(said).to_have_text(f"b {float(value) + 1:.1f}, step {step}")
    node.press("End")
    expect(said).to_have_text("b 3001, step 2\u2009999")
    node.press("+")
    page.wait_for_function("node => JSON.parse(node.dataset.frame).x[0] > 0", arg=node.element_handle())
    node.press("Enter")
    page.wait_for_function("() => location.hash.includes('pins')")
    node.press("0")
    shows(page, *whole, "Weight norms")
    height = "node => JSON.parse(node.dataset.frame).y.reduce((low, high) => high - low)"
    before = node.evaluate(height)
    node.press("Shift+ArrowUp")
    page.wait_for_function(f"([node, before]) => ({height})(node) < before", arg=[node.element_handle(), before])
    node.press("0")
    page.wait_for_function(f"([node, before]) => ({height})(node) === before", arg=[node.element_handle(), before])


def test_a_chart_has_a_name_a_summary_and_a_table_of_its_values(opened: Open) -> None:
    page = opened()
    node = page.get_by_role("application", name=re.compile("^Weight norms: a 3000, b 3001"))
    expect(node).to_be_visible()
    assert (
        page.locator('[data-testid=cell][data-name="Weight norms"] table').first.locator("td").first.inner_text()
        == "3000"
    )


def test_the_spike_of_one_point_is_drawn_however_wide_the_chart_is(opened: Open) -> None:
    page = opened()
    for width in (1440, 800, 480):
        page.set_viewport_size({"width": width, "height": 900})
        settled(page)
        assert frame(page)["y"][1] >= loss(SPIKE)


def test_what_is_not_finite_is_marked(opened: Open) -> None:
    page = opened()
    assert told(page)["gaps"] == [{"x": 1800, "kind": "nan"}, {"x": 2400, "kind": "up"}]


def menu(page: Page, cell: str = "Loss") -> Locator:
    chart(page, cell).hover()
    page.locator(f'[data-testid=cell][data-name="{cell}"] [data-testid=chart-menu]').click()
    found = page.get_by_test_id("chart-settings")
    expect(found).to_be_visible()
    return found


def test_outliers_can_be_left_outside_and_it_is_said(opened: Open) -> None:
    page = opened()
    settings = menu(page)
    settings.get_by_test_id("robust").check()
    page.wait_for_function("node => JSON.parse(node.dataset.frame).y[1] < 5", arg=chart(page).element_handle())
    assert told(page)["above"] == pytest.approx(40.0)
    settings.get_by_test_id("robust").uncheck()
    page.wait_for_function("node => JSON.parse(node.dataset.frame).y[1] >= 40", arg=chart(page).element_handle())


def test_powers_have_a_place_for_zero(opened: Open) -> None:
    page = opened()
    menu(page, "Zeros").get_by_test_id("scale-log").click()
    page.wait_for_function(
        "node => JSON.parse(node.dataset.frame).scale === 'log'", arg=chart(page, "Zeros").element_handle()
    )
    assert frame(page, "Zeros")["y"] == [0, 10]


def test_settings_are_for_all_charts_or_for_one(opened: Open) -> None:
    page = opened()
    settings = menu(page)
    settings.get_by_role("button", name="this chart").click()
    settings.get_by_test_id("scale-log").click()
    page.wait_for_function("node => JSON.parse(node.dataset.frame).scale === 'log'", arg=chart(page).element_handle())
    assert told(page, "Weight norms")["scale"] == "linear"


def test_time_since_the_start_and_another_metric_can_be_the_axis(opened: Open) -> None:
    page = opened()
    settings = menu(page)
    settings.get_by_test_id("x-axis").select_option("metric:weights/a")
    shows(page, 1, STEPS)
    settings.get_by_test_id("x-axis").select_option("relative")
    page.wait_for_function(
        "node => JSON.parse(node.dataset.frame).unit === 'relative'", arg=chart(page).element_handle()
    )
    low, high = zoomed(page)
    assert low == 0 and 0 < high < 120


def saved(page: Page, kind: str) -> Path:
    settings = page.get_by_test_id("chart-settings")
    with page.expect_download() as download:
        settings.get_by_test_id(f"save-{kind}").click()
    assert download.value.suggested_filename == f"Weight-norms.{kind}"
    return Path(download.value.path())


def test_numbers_and_pictures_are_saved_as_they_are_shown(opened: Open) -> None:
    page = opened("#v=1&zoom=0~30")
    shows(page, 0, 30)
    menu(page, "Weight norms")
    rows = list(csv.DictReader(io.StringIO(saved(page, "csv").read_text())))
    assert {row["metric"] for row in rows} == {"weights/a", "weights/b"}
    assert rows[0]["step"] == "0" and all(int(row["step"]) <= 30 for row in rows)
    for row in rows:
        assert float(row["value"]) == int(row["step"]) + (1 if row["metric"] == "weights/a" else 2)
    with Image.open(saved(page, "png")) as picture:
        assert picture.size == (1920, 960)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20
    drawing = saved(page, "svg").read_text()
    assert drawing.count("<path") >= 2 and "Weight norms" in drawing


def test_values_are_copied_for_a_spreadsheet(opened: Open) -> None:
    page = opened()
    menu(page, "Weight norms").get_by_test_id("copy").click()
    expect(page.get_by_test_id("copy")).to_have_text("copied")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[0].split("\t") == ["metric", "step", "time", "value"]
    assert lines[1].split("\t")[:2] == ["weights/a", "0"]


def test_the_table_tells_how_many_points_there_are_and_makes_few_rows(opened: Open) -> None:
    page = opened()
    menu(page, "Weight norms").get_by_test_id("open-table").click()
    table = page.get_by_test_id("chart-table")
    expect(table).to_contain_text(re.compile(r"[1-9][\d,]+ points"))
    assert table.locator("tbody tr").count() < 60
    region = table.get_by_role("region")
    region.evaluate("node => node.scrollTo(0, node.scrollHeight)")
    expect(table.locator("tbody tr").last).to_contain_text("3001")
    page.keyboard.press("Escape")
    expect(table).to_have_count(0)


def test_a_note_is_kept_with_the_run(opened: Open, served: Served) -> None:
    page = opened()
    menu(page, "Weight norms").get_by_test_id("note").click()
    page.get_by_role("textbox", name=re.compile("Note at step")).fill("the rate was halved")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name=re.compile("Note at step"))).to_have_count(0)
    cells = page.evaluate("fetch('/values').then(answer => answer.json())")
    listed = cells if isinstance(cells, list) else cells["data"]
    notes = [cell["notes"] for cell in listed if (cell["name"], cell.get("run")) == ("Weight norms", served.run)]
    assert notes == [[{"step": 2999, "text": "the rate was halved"}]]
    page.reload()
    page.wait_for_function(
        "node => JSON.parse(node.dataset.frame ?? '{}').notes === 1", arg=chart(page, "Weight norms").element_handle()
    )


def test_a_line_can_be_switched_off_and_on(opened: Open) -> None:
    page = opened()
    entry = page.locator('[data-testid=cell][data-name="Weight norms"] [data-metric="weights/a"]')
    entry.click()
    page.wait_for_function(
        "node => !('weights/a' in JSON.parse(node.dataset.last))", arg=chart(page, "Weight norms").element_handle()
    )
    page.locator('[data-testid=cell][data-name="Weight norms"] [aria-pressed=false]').last.click()
    page.wait_for_function(
        "node => 'weights/a' in JSON.parse(node.dataset.last)", arg=chart(page, "Weight norms").element_handle()
    )


def test_zooming_in_reads_finer_points_until_each_is_there(opened: Open, served: Served) -> None:
    page = opened(run=served.deep)
    node = chart(page).element_handle()
    seen = []
    width = float(DEEP)
    while width > 50:
        low = max(0.0, DEEP_SPIKE - width / 3)
        page.evaluate("range => location.hash = `#v=1&zoom=${range[0]}~${range[1]}`", [low, low + width])
        shows(page, low, low + width)
        page.wait_for_function(
            "node => JSON.parse(node.dataset.frame).y[1] >= 9", arg=node
        )  # the spike is there at once
        width /= 12
        seen.append(told(page)["points"])
    shown = math.floor(low + width * 12) - math.ceil(low) + 1
    page.wait_for_function(
        "([node, count]) => Math.abs(JSON.parse(node.dataset.frame).points - count) <= 2", arg=[node, shown]
    )
    assert not told(page)["thinned"], seen
    chart(page).focus()
    chart(page).press("Home")
    first = page.locator('[data-testid=cell][data-name="Loss"] [data-testid=chart-said]')
    step = f"{math.ceil(low):,}".replace(",", "\u2009")
    expect(first).to_have_text(f"loss 1.00, step {step}")


def test_another_run_is_laid_over_in_its_own_colour(opened: Open, served: Served) -> None:
    page = opened(f"#v=1&over={served.beside}")
    entry = page.locator('[data-testid=cell][data-name="Weight norms"] .entry').filter(has_text="beside")
    expect(entry).to_have_count(1)
    expect(entry.locator("b")).to_have_text("−999")
    assert frame(page, "Weight norms")["y"][0] <= -999
    colour = entry.locator("line").get_attribute("stroke")
    loss_entry = page.locator('[data-testid=cell][data-name="Loss"] .entry').filter(has_text="beside")
    expect(loss_entry.locator("line")).to_have_attribute("stroke", colour or "")
    own = page.locator('[data-testid=cell][data-name="Loss"] .entry').first.locator("line").get_attribute("stroke")
    dot = page.locator('.entry a[aria-current="page"] i').get_attribute("style")
    assert own != colour and own is not None and own in str(dot)  # colours tell runs apart: each has that of its dot
    menu(page, "Weight norms")
    rows = list(csv.DictReader(io.StringIO(saved(page, "csv").read_text())))
    assert {(row["run"], row["metric"]) for row in rows} == {
        ("", "weights/a"),
        ("", "weights/b"),
        ("beside", "weights/a"),
    }


def test_metrics_are_drawn_over_the_axis_that_the_run_declares(opened: Open, served: Served) -> None:
    page = opened(run=served.beside)
    assert told(page, "Declared")["unit"] == "metric"
    assert frame(page, "Declared")["x"] == [0, 999 * 512]
    drag(page, place(page, 0.2, cell="Declared"), place(page, 0.6, cell="Declared"))
    moved = "node => JSON.parse(node.dataset.frame).x[0] > 0"
    page.wait_for_function(moved, arg=chart(page, "Declared").element_handle())
    assert zoomed(page) == (0, 999)  # what counts otherwise has a range of its own


def test_the_zoom_of_a_chart_on_an_axis_of_its_own_is_kept_and_can_be_taken_back(opened: Open, served: Served) -> None:
    page = opened(run=served.beside)
    whole, others = zoomed(page, "Declared"), zoomed(page)
    chart(page, "Declared").scroll_into_view_if_needed()
    drag(page, place(page, 0.25, cell="Declared"), place(page, 0.5, cell="Declared"))
    settled(page)
    part = zoomed(page, "Declared")
    assert whole[0] < part[0] < part[1] < whole[1] and zoomed(page) == others
    page.keyboard.press("Control+z")
    shows(page, *whole, "Declared")
    page.keyboard.press("Control+Shift+z")
    shows(page, *part, "Declared")
    page.wait_for_function("() => location.hash.includes('zoom')")
    page.reload()
    shows(page, *part, "Declared")
    assert zoomed(page) == others


def test_a_range_with_the_newest_point_moves_on_and_any_other_stays(
    context: BrowserContext, start: Start, port: int
) -> None:
    training = start(Path(__file__).parent / "scripts" / "wait.py", str(port), "live")
    assert training.stdout is not None and training.stdin is not None
    assert training.stdout.readline().strip() == "ready"

    def log(count: int) -> None:
        assert training.stdin is not None
        training.stdin.write("\n" * count)
        training.stdin.flush()

    log(20)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/")
    expect(chart(page)).to_have_attribute("data-points", "21")
    page.evaluate("location.hash = '#v=1&x=step'")
    shows(page, 0, 20)
    drag(page, place(page, 0.5), place(page, 1.05))
    settled(page)
    low, high = zoomed(page)
    assert 9 < low < 11 and high == 20
    log(5)
    shows(page, low + 5, 25)
    page.reload()  # the address says how it goes on
    shows(page, low + 5, 25)
    log(5)
    shows(page, low + 10, 30)
    page.evaluate("location.hash = '#v=1&x=step&zoom=2~8'")
    shows(page, 2, 8)
    log(5)
    expect(chart(page)).to_have_attribute("data-points", "36")
    settled(page)
    assert zoomed(page) == (2, 8)


def test_two_fingers_zoom_as_they_part_and_move_along(browser: Browser, served: Served) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{served.address}?run={served.run}")
    chart(page).scroll_into_view_if_needed()
    page.wait_for_selector('[data-name="Loss"] [data-testid=chart][data-draws]')
    low, high = zoomed(page)
    (left, row), (right, _) = place(page, 0.4), place(page, 0.6)
    session = context.new_cdp_session(page)

    def touch(kind: str, *places: float) -> None:
        points = [{"x": x, "y": row, "id": finger} for finger, x in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", left, right)
    touch("touchMove", left - 50, right + 50)
    touch("touchEnd")
    page.wait_for_function("node => JSON.parse(node.dataset.frame).x[0] > 0", arg=chart(page).element_handle())
    start, end = zoomed(page)
    assert (start + end) / 2 == pytest.approx((low + high) / 2, rel=0.03)
    assert end - start == pytest.approx((high - low) * (right - left) / (right - left + 100), rel=0.03)
    # Together they move what is zoomed.
    touch("touchStart", left, right)
    touch("touchMove", left + 40, right + 40)
    touch("touchEnd")
    page.wait_for_function(
        "([node, start]) => JSON.parse(node.dataset.frame).x[0] < start", arg=[chart(page).element_handle(), start]
    )
    again, until = zoomed(page)
    assert until - again == pytest.approx(end - start, rel=0.03) and again < start
    context.close()


def test_copying_works_where_the_browser_gives_no_clipboard(opened: Open, context: BrowserContext) -> None:
    """As on a page that came from another machine without TLS."""
    page = opened()
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    read = """async () => {
        delete navigator.clipboard;
        const text = await navigator.clipboard.readText();
        Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true });
        return text;
    }"""
    page.keyboard.press("l")
    expect(page.get_by_text("A link to this view is in the clipboard")).to_be_visible()
    assert page.evaluate(read) == page.url
    chart(page).focus()
    page.keyboard.press("t")
    page.get_by_test_id("chart-table").get_by_role("button", name="copy").click()
    expect(page.get_by_test_id("chart-table").get_by_role("button", name="copied")).to_be_visible()
    assert page.evaluate(read).splitlines()[0].split("\t")[0] == "metric"


@pytest.mark.parametrize("way", ["gauss~0.9", "time~0.99", "ema~0.999"])
def test_what_is_smoothed_is_every_point_also_of_a_series_too_long_to_be_sent(
    opened: Open, served: Served, way: str
) -> None:
    def says_the_mean() -> None:
        page.wait_for_function(
            """() => {
                const said = document.querySelector("[data-name=Loss] .entry i")?.textContent ?? "";
                return Math.abs(Number(said.replace("~", "")) - 1) < 0.6;
            }"""
        )

    page = opened(f"#v=1&smooth={way}", run=served.skewed)
    says_the_mean()
    with page.expect_response(lambda answer: "means=" in answer.url and "from=" in answer.url):
        drag(page, place(page, 0.4), place(page, 0.6))  # a part of it, too
    settled(page)
    page.mouse.move(*place(page, 0.5))
    says_the_mean()


def test_a_chart_that_fills_the_screen_shows_the_extremes_of_each_of_its_pixels(
    browser: Browser, served: Served
) -> None:
    context = browser.new_context(viewport={"width": 1920, "height": 1000}, device_scale_factor=2)
    page = context.new_page()
    page.goto(f"{served.address}?run={served.deep}#v=1&open=loss")
    large = page.get_by_test_id("stage").get_by_test_id("chart")
    page.wait_for_function(
        """node => {
            const { box, points } = JSON.parse(node.dataset.frame ?? '{"box": [0, 0, 1e9], "points": 0}');
            return points >= 2 * box[2] * devicePixelRatio;
        }""",
        arg=large.element_handle(),
    )
    page.wait_for_timeout(300)  # and it stays so
    frame = json.loads(large.get_attribute("data-frame") or "{}")
    assert frame["points"] >= 4 * frame["box"][2] and frame["y"][1] >= 9
    context.close()
