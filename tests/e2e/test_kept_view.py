"""What a user sets of the page stays: through updates, a reload, a restart of the server, and in a link."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from watching import Start, Watched, line, tell

import agnez

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "scripts"


def cell(page: Page, name: str) -> Locator:
    return page.locator(f'[data-testid=cell][data-name="{name}"]')


def names(page: Page) -> list[str]:
    return [str(each.get_attribute("data-name")) for each in page.get_by_test_id("cell").all()]


def drag(page: Page, start: Locator, end: Locator) -> None:
    a, b = start.bounding_box(), end.bounding_box()
    assert a is not None and b is not None
    page.mouse.move(a["x"] + 8, a["y"] + a["height"] / 2)
    page.mouse.down()
    page.mouse.move(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2, steps=8)
    page.mouse.up()


def arrange(page: Page, name: str, *steps: str) -> None:
    cell(page, name).get_by_test_id("cell-menu").focus()
    page.keyboard.press("Enter")
    for step in steps:
        page.get_by_test_id(f"cell-{step}").click()
    page.keyboard.press("Escape")


def until(page: Page, truth: str, arg: object = None) -> None:
    """Wait until something is true of the page; its policy forbids what Playwright's own waiting does."""
    for _ in range(400):
        if page.evaluate(truth, arg):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{truth} with {arg!r} at {page.url}")


def set_much(page: Page) -> None:
    """Set something of every kind."""
    chart = cell(page, "Loss").get_by_test_id("chart")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=5)
    page.mouse.up()
    page.mouse.move(2, 300)
    until(page, "() => location.hash.includes('zoom=')")
    page.get_by_test_id("theme").click()  # light
    page.get_by_test_id("theme").click()  # dark
    arrange(page, "Reward", "pin")
    page.locator('[data-section="encoder/"] h2 button').click()
    until(page, "() => location.hash.includes('folded=encoder/') && location.hash.includes('theme=dark')")


def state(page: Page) -> dict[str, Any]:
    """Return all of the view that can be seen, once the page is at rest."""
    seen: dict[str, Any] = page.evaluate(
        """() => ({
            hash: location.hash.replace(/&of=[^&]*/, ""),
            theme: document.documentElement.dataset.theme,
            scroll: scrollY,
            cells: [...document.querySelectorAll("[data-testid=cell]")].map(cell => {
                const { left, top, width, height } = cell.getBoundingClientRect();
                const board = cell.closest("[data-testid=board]").getBoundingClientRect();
                return [cell.dataset.name, cell.dataset.view, left, top - board.top, width, height];
            }),
            folded: [...document.querySelectorAll("[data-section] h2 button")].map(each => each.ariaExpanded),
        })"""
    )
    return seen


def at_rest(page: Page, wanted: dict[str, Any]) -> None:
    """Wait until the page shows just what it is to show."""
    until(page, "wanted => document.querySelectorAll('[data-testid=cell]').length === wanted", len(wanted["cells"]))
    until(page, "wanted => Math.abs(scrollY - wanted) < 1", wanted["scroll"])
    assert state(page) == wanted


def watch(watched: Watched, port: int) -> Page:
    page = watched.open(f"http://127.0.0.1:{port}/")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")  # so that it hears of the end
    return page


def serve_again(page: Page, run: subprocess.Popen[str], start: Start, port: int) -> None:
    """End the training with its server, and start another server in its place."""
    tell(run, "end")
    assert run.wait(60) == 0
    expect(page.get_by_test_id("ended")).to_be_visible()
    start("-m", "agnez", "server", "--port", str(port))
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=30_000)


def test_the_view_is_kept_exactly_over_updates_a_reload_a_restart_and_in_a_link(
    watched: Watched, browser: Browser, start: Start, port: int
) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    set_much(page)
    page.set_viewport_size({"width": 1440, "height": 500})
    page.mouse.wheel(0, 120)
    until(page, "() => location.hash.includes('at=')")
    before = state(page)
    assert before["scroll"] > 0 and before["theme"] == "dark" and before["folded"] == ["true", "false"]

    for _ in range(5):
        tell(run, 50)
        line(run)
    expect(cell(page, "Loss").get_by_test_id("chart")).to_have_attribute("data-points", str(2 * 650))
    assert state(page) == before

    page.reload()
    at_rest(page, before)

    serve_again(page, run, start, port)
    assert state(page) == before
    page.reload()
    at_rest(page, before)

    other = browser.new_context(viewport={"width": 1440, "height": 500}).new_page()
    other.goto(page.evaluate("() => location.href"))
    at_rest(other, before)
    other.context.close()


def test_what_is_changed_can_be_taken_back_and_made_again(watched: Watched, start: Start, port: int) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    at_first = state(page)
    set_much(page)
    arrange(page, "Accuracy", "wider", "hide")
    expect(cell(page, "Accuracy")).to_have_count(0)
    after = state(page)
    steps = 0
    while page.get_by_test_id("do-undo").count():
        page.get_by_test_id("do-undo").click()
        steps += 1
    assert page.get_by_role("alert").count() == 0  # the server took each change of the layout
    assert steps >= 5  # what comes in a burst, as the colours did, is one
    until(page, "() => location.hash === ''")
    assert state(page)["cells"] == at_first["cells"]
    for _ in range(steps):
        page.keyboard.press("Control+Shift+z")
    expect(cell(page, "Accuracy")).to_have_count(0)
    until(page, "wanted => location.hash.replace(/&of=[^&]*/, '') === wanted", after["hash"])
    assert state(page) == after
    page.get_by_test_id("do-reset").click()
    until(page, "() => !/zoom|folded|top=/.test(location.hash)")


def test_cells_are_moved_by_hand_and_the_next_run_of_the_project_takes_it_over(
    watched: Watched, start: Start, port: int
) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    assert names(page)[:3] == ["Loss", "Accuracy", "Reward"]
    drag(page, cell(page, "Reward").locator("h2"), cell(page, "Loss"))
    expect(page.get_by_test_id("cell").first).to_have_attribute("data-name", "Reward")
    assert names(page)[:3] == ["Reward", "Accuracy", "Loss"]
    arrange(page, "Loss", "wider", "taller")
    corner = cell(page, "Loss").bounding_box()
    plain = cell(page, "Accuracy").bounding_box()
    assert corner is not None and plain is not None
    assert corner["width"] > 1.9 * plain["width"] and corner["height"] > 1.9 * plain["height"]
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and "layout" in answer.url):
        arrange(page, "Accuracy", "hide")
    expect(page.get_by_test_id("show-hidden")).to_be_visible()

    id = page.get_by_test_id("cell").first.get_attribute("data-cell") or ""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/values?_id={id}", timeout=10) as answer:
        record = json.loads(answer.read())
    record = record["data"][0] if isinstance(record, dict) else record[0]
    assert record["pos"] == 0  # where it stands is kept by the service

    second = start(SCRIPTS / "many.py", str(port), "second")
    assert line(second) == "ready"
    expect(page.get_by_test_id("run-name")).to_have_text("second")
    expect(page.get_by_test_id("cell")).to_have_count(8)
    assert names(page)[:2] == ["Reward", "Loss"]
    wide = cell(page, "Loss").bounding_box()
    assert wide is not None and wide["width"] > 1.9 * plain["width"]
    page.get_by_test_id("show-hidden").click()
    page.get_by_test_id("show-cell").click()
    expect(cell(page, "Accuracy")).to_be_visible()
    expect(page.get_by_test_id("sheet")).to_have_count(0)  # no other is hidden


def test_charts_stay_explorable_when_the_training_and_its_server_have_ended(
    watched: Watched, start: Start, port: int
) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    tell(run, "end")
    assert run.wait(60) == 0
    expect(page.get_by_test_id("ended")).to_be_visible()
    cell(page, "Loss").get_by_test_id("chart-menu").click()
    expect(page.get_by_test_id("chart-settings")).to_be_visible()
    page.keyboard.press("Escape")
    cell(page, "Loss").get_by_test_id("chart").focus()
    page.keyboard.press("t")
    expect(page.get_by_test_id("chart-table")).to_be_visible()


def test_pinned_cells_change_places_and_nothing_leaves_its_section(watched: Watched, start: Start, port: int) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    for name in ("Reward", "Accuracy", "Loss"):
        arrange(page, name, "pin")
    rest = names(page)[3:]
    assert names(page) == ["Reward", "Accuracy", "Loss", *rest]
    drag(page, cell(page, "Loss").locator("h2"), cell(page, "Reward"))
    expect(page.get_by_test_id("cell").first).to_have_attribute("data-name", "Loss")
    assert names(page) == ["Loss", "Accuracy", "Reward", *rest]
    arrange(page, "Loss", "later", "later", "earlier")  # the menu stays, whatever moves
    assert names(page) == ["Accuracy", "Loss", "Reward", *rest]
    drag(page, cell(page, "Loss").locator("h2"), cell(page, rest[0]))
    assert names(page) == ["Accuracy", "Loss", "Reward", *rest]
    for _ in range(20):
        if names(page)[0] == "Reward":
            break
        page.keyboard.press("Control+z")
    arrange(page, "Reward", "pin")  # back to where it stood: no place of its own was changed
    arrange(page, "Accuracy", "pin")
    arrange(page, "Loss", "pin")
    assert names(page)[:3] == ["Loss", "Accuracy", "Reward"]


def test_a_cell_is_resized_by_its_corner(watched: Watched, start: Start, port: int) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    box = cell(page, "Loss").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] - 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 1.9 * box["width"], box["y"] + 1.9 * box["height"], steps=12)
    page.mouse.up()
    until(page, "() => document.querySelector('[data-testid=do-undo]') !== null")
    large = cell(page, "Loss").bounding_box()
    assert large is not None and large["width"] > 1.9 * box["width"] and large["height"] > 1.9 * box["height"]
    page.keyboard.press("Control+z")
    until(page, "() => document.querySelector('[data-testid=do-undo]') === null")
    assert cell(page, "Loss").bounding_box() == box


def test_hidden_cells_are_shown_again_one_by_one(watched: Watched, start: Start, port: int) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    everything = names(page)
    for name in ("Accuracy", "Loss", "Reward"):
        arrange(page, name, "hide")
    expect(page.get_by_test_id("cell")).to_have_count(6)
    # By keys alone: the sheet, the second of its list, and out again.
    page.keyboard.press("h")
    shown = page.get_by_test_id("show-cell")
    expect(shown.first).to_be_focused()
    assert [each.get_attribute("data-name") for each in shown.all()] == ["Loss", "Accuracy", "Reward"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(cell(page, "Accuracy")).to_have_count(1)
    expect(shown).to_have_count(2)
    expect(shown.nth(1)).to_be_focused()  # the next
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("sheet")).to_have_count(0)
    assert page.get_by_test_id("show-hidden").text_content() == "2 hidden · show"
    page.keyboard.press("Control+z")
    expect(cell(page, "Accuracy")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    expect(cell(page, "Accuracy")).to_have_count(1)
    # By the palette, one and all.
    page.keyboard.press("Control+k")
    expect(page.get_by_test_id("palette")).to_be_focused()
    page.keyboard.type("show loss again")
    page.keyboard.press("Enter")
    expect(cell(page, "Loss")).to_have_count(1)
    page.keyboard.press("Control+k")
    expect(page.get_by_test_id("palette")).to_be_focused()
    page.keyboard.type("show all hidden")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    assert names(page) == everything and page.get_by_test_id("show-hidden").count() == 0


def test_metrics_are_searched_by_words_and_by_expressions(watched: Watched, start: Start, port: int) -> None:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    page = watch(watched, port)
    page.keyboard.press("/")
    expect(page.get_by_test_id("search")).to_be_focused()
    page.keyboard.type("SCALE encoder/a")
    expect(page.get_by_test_id("cell")).to_have_count(1)
    page.get_by_test_id("search").fill("/^(val.loss|reward)$/")
    expect(page.get_by_test_id("cell")).to_have_count(2)
    page.get_by_test_id("search").fill("/(/")
    expect(page.get_by_test_id("none-found")).to_contain_text("egular expression")
    page.get_by_test_id("search").press("Escape")
    expect(page.get_by_test_id("cell")).to_have_count(9)


def test_a_run_is_laid_over_by_its_button_and_the_one_before_by_a_key(
    watched: Watched, start: Start, port: int
) -> None:
    for name in ("first", "second"):
        run = start(SCRIPTS / "many.py", str(port), name)
        assert line(run) == "ready"
    page = watch(watched, port)
    expect(page.get_by_test_id("run-name")).to_have_text("second")
    chart = cell(page, "Loss").get_by_test_id("chart")
    expect(chart).to_have_attribute("data-points", "800")
    page.keyboard.press("p")
    expect(page.get_by_test_id("lay-run")).to_have_attribute("aria-pressed", "true")
    expect(cell(page, "Loss")).to_contain_text("first")
    until(page, "() => location.hash.includes('over=')")
    page.reload()
    expect(cell(page, "Loss")).to_contain_text("first")
    page.get_by_test_id("lay-run").click()
    expect(cell(page, "Loss")).not_to_contain_text("first")
    assert watched.errors == [] and {urlsplit(page.url).netloc} == watched.hosts


def test_a_script_lays_its_dashboard_out_as_subplots(watched: Watched, start: Start, port: int) -> None:
    script = start(SCRIPTS / "subplots.py", str(port))
    assert line(script) == "ready"
    page = watched.open(f"http://127.0.0.1:{port}/")
    expect(page.get_by_test_id("cell")).to_have_count(4)
    boxes = {name: cell(page, name).bounding_box() for name in ("Both", "Accuracy", "Reward", "Speed")}
    both, accuracy, reward, speed = (boxes[name] for name in ("Both", "Accuracy", "Reward", "Speed"))
    assert both and accuracy and reward and speed
    assert both["width"] > 1.9 * accuracy["width"]
    assert accuracy["y"] == both["y"] and accuracy["x"] > both["x"]
    assert reward["x"] == accuracy["x"] and reward["y"] > both["y"] + both["height"]  # place 6; 4 and 5 are empty
    assert speed["y"] > reward["y"] + reward["height"]  # what has no place stands below


def shown(page: Page) -> dict[str, Any]:
    """Return what all settings come to: what the charts draw, where sliders stand, what fills the screen."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: dict[str, Any] = page.evaluate(
        """() => {
            const all = (selector, say) => [...document.querySelectorAll(selector)].map(say);
            const isSeen = (node) => node.getBoundingClientRect().top < innerHeight; // what is not is not drawn
            return {
                hash: location.hash,
                theme: document.documentElement.dataset.theme,
                scroll: scrollY,
                cells: all("[data-section] [data-testid=cell]", (each) => each.dataset.name),
                sections: all("[data-section]", (each) => each.dataset.section),
                open: document.querySelector("[data-testid=stage] [data-name]")?.dataset.name,
                sliders: all("input[type=range]", (each) => each.ariaValueText ?? each.value),
                searches: all("input[type=search]", (each) => each.value),
                histograms: all("[data-testid=histogram]", (each) => each.dataset.shown),
                muted: all(".entry.off", (each) => [each.closest("[data-name]").dataset.name, each.textContent.trim()]),
                charts: all("[data-testid=chart][data-frame]", (each) => {
                    const { x, y, unit, scale, lines } = JSON.parse(each.dataset.frame);
                    return isSeen(each) && [each.closest("[data-name]").dataset.name, x, y, unit, scale, lines];
                }).filter(Boolean),
                runs: all("nav .name", (each) => each.firstChild.textContent),
                laid: all("[data-testid=lay-run]", (each) => each.ariaPressed),
                hidden: all("[data-testid=hide-run]", (each) => each.ariaPressed),
            };
        }"""
    )
    figure = cell(page, "drawing").locator("iframe[data-testid=figure]").element_handle().content_frame()
    assert figure is not None
    found["figure"] = [round(place, 6) for place in figure.evaluate(_PART)]
    return found


_PART = """() => {
    const [{ x, y, width, height, lastTransform: zoom }] = mpld3.figures.at(-1).axes;
    const across = [0, width].map((end) => x.invert(zoom.invertX(end)));
    return [...across, ...[0, height].map((end) => y.invert(zoom.invertY(end)))];
}"""
"""The part of its axes that a figure shows."""


def until_shown(page: Page, wanted: dict[str, Any]) -> None:
    for _ in range(200):
        if shown(page) == wanted:
            return
        page.wait_for_timeout(50)
    assert shown(page) == wanted


SAID = {
    "zoom": r"&zoom=[\d.]+~[\d.]+~399&",
    "y": r"&chart:loss=[^&]*y~",
    "x": r"&x=step&",
    "smoothing": r"&smooth=gauss~0.6&",
    "scale": r"&scale=log&",
    "robust": r"&robust=1&",
    "follow": r"&follow=0&",
    "muted": r"&chart:loss=[^&]*mute~val/loss",
    "pins": r"&pins=[\d.]+&",
    "linked": r"&linked=0&",
    "overlays": r"&over=\w+,\w+&",
    "hidden": r"&hide=\w+&",
    "filter": r"&runs=before&",
    "search": r"&search=[^&]+&",
    "collapsed": r"&folded=encoder/&",
    "pinned": r"&top=reward&",
    "open": r"&open=reward&",
    "theme": r"&theme=dark&",
    "scroll": r"&at=\d+~-?\d+~reward&",
    "charts": r"&chart:loss=zoom~",
    "views": r"&view:spread=heat&",
    "sliders": r"&slide:digit=1&",
    "figures": r"&fig:drawing=[^&]+&",
}
"""How the address says of each field of `Outlook` that it is set; a range of values and muted lines are of a chart."""


def fields() -> list[str]:
    """Return the names of all that can be set of a page."""
    source = (ROOT / "frontend" / "src" / "state" / "outlook.ts").read_text("utf-8")
    (defaults,) = re.findall(r"export const DEFAULTS: Outlook = \{\n(.*?)\n\};", source, re.DOTALL)
    return re.findall(r"^  (\w+):", defaults, re.MULTILINE)


def set_all(page: Page) -> None:
    """Set every field by hand."""
    loss, reward = (cell(page, name).get_by_test_id("chart") for name in ("Loss", "Reward"))
    menu(page, loss)
    page.get_by_test_id("smoothing").select_option("gauss")
    page.get_by_test_id("x-axis").select_option("step")
    page.get_by_test_id("scale-log").click()
    page.get_by_test_id("robust").check()
    page.get_by_role("button", name="this chart").click()
    page.get_by_test_id("scale-linear").click()
    page.keyboard.press("Escape")
    select(page, reward, 0.5, 1.1)  # with the newest point in it
    menu(page, reward)
    page.get_by_test_id("follow").uncheck()
    page.get_by_test_id("linked").uncheck()
    page.keyboard.press("Escape")
    select(page, loss, 0.2, 0.4)
    loss.focus()
    page.keyboard.press("Shift+ArrowUp")
    place = reward.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + 0.4 * place["width"], place["y"] + 60)
    cell(page, "Loss").locator('[data-metric="val/loss"]').click()
    cell(page, "spread").get_by_role("button", name="heat").click()
    cell(page, "digit").get_by_role("slider").fill("1")
    figure = cell(page, "drawing").frame_locator("iframe[data-testid=figure]").locator(".agnez-figure")
    figure.hover()
    figure.focus()
    page.keyboard.press("+")
    until(page, "() => location.hash.includes('&fig:')")
    runs = page.get_by_role("navigation", name="Runs")
    for name in ("before 1", "before 2"):
        runs.get_by_text(name).hover()
        page.get_by_role("button", name=f"Lay {name} over the charts").click()
    runs.get_by_text("before 1").hover()
    page.get_by_role("button", name="Hide the lines of before 1").click()
    page.get_by_role("searchbox", name="Filter runs").fill("before")
    arrange(page, "Reward", "pin")
    page.locator('[data-section="encoder/"] h2 button').click()
    page.keyboard.press("/")
    page.get_by_test_id("search").fill("/loss|reward|drawing|spread|digit|encoder/")
    page.get_by_test_id("search").blur()
    for _ in ("light", "dark"):
        page.get_by_test_id("theme").click()
    page.evaluate("scrollTo(0, 90)")
    until(page, "() => location.hash.includes('&at=90')")
    reward.hover()
    cell(page, "Reward").get_by_test_id("chart-large").click()
    page.get_by_test_id("stage").wait_for()
    page.mouse.move(2, 2)
    for name in fields():
        until(page, "said => new RegExp(said).test(`${location.hash}&`)", SAID[name])


def menu(page: Page, chart: Locator) -> None:
    chart.hover()
    chart.locator("xpath=ancestor::article").get_by_test_id("chart-menu").click()


def select(page: Page, chart: Locator, start: float, end: float) -> None:
    """Select a part of the x axis, in shares of what is shown."""
    box = chart.bounding_box()
    left, _, width, _ = json.loads(chart.get_attribute("data-frame") or "{}")["box"]
    assert box is not None
    page.mouse.move(box["x"] + left + start * width, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + left + end * width, box["y"] + 60, steps=5)
    page.mouse.up()


def test_all_that_can_be_set_is_kept_over_a_thousand_messages_a_reload_a_restart_and_in_a_link(
    watched: Watched, browser: Browser, start: Start, port: int, store_directory: Path
) -> None:
    for name in ("before 1", "before 2"):
        with agnez.init("every", name, dir=store_directory, server=None) as earlier:
            for step in range(400):
                earlier.log({"train/loss": 0.5, "reward": 1 + step / 400}, step=step)
    run = start(SCRIPTS / "each.py", str(port))
    assert line(run) == "ready"
    messages: list[bytes] = []
    watched.page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived", lambda payload: messages.append(payload) if isinstance(payload, bytes) else None
        ),
    )
    page = watched.open(f"http://127.0.0.1:{port}/")
    expect(page.get_by_test_id("run-name")).to_have_text("now")
    expect(cell(page, "Loss").get_by_test_id("chart")).to_have_attribute("data-points", "800")
    assert sorted(SAID) == sorted(fields())  # what is new in it is to be set here, too
    set_all(page)
    before = shown(page)
    assert before["open"] == "Reward" and before["theme"] == "dark" and before["scroll"] == 90
    assert before["cells"][0] == "Reward" and "Accuracy" not in before["cells"]
    assert before["muted"] == [["Loss", "val"]] and before["histograms"] == ["heat"]
    assert before["sections"] == ["pinned", "", "encoder/"] and before["runs"] == ["before 2", "before 1"]

    messages.clear()
    held = 400
    while len(messages) < 1000:
        tell(run, 250)
        held += 250
        assert line(run) == str(held) and held < 10_000
        until(
            page,
            "held => document.querySelector('[data-name=Loss] table td:last-child').textContent === held",
            str(held - 1),
        )
    assert shown(page) == before

    page.reload()
    until_shown(page, before)
    serve_again(page, run, start, port)
    assert shown(page) == before
    page.reload()
    until_shown(page, before)

    other = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    other.goto(page.evaluate("() => location.href"))
    until_shown(other, before)
    other.keyboard.press("Escape")
    other.keyboard.press("Shift+Escape")  # all of it was understood: nothing is left but what is no matter of the view
    until(other, r"() => /^#v=1&theme=dark(&at=[\d~\w-]+)?(&of=\w+)?$/.test(location.hash)")
    other.context.close()


def test_a_run_that_begins_while_one_looks_closely_at_another_takes_nothing_away(
    watched: Watched, start: Start, port: int
) -> None:
    first = start(SCRIPTS / "many.py", str(port), "first")
    assert line(first) == "ready"
    page = watch(watched, port)
    set_much(page)
    before = state(page)
    second = start(SCRIPTS / "many.py", str(port), "second")
    assert line(second) == "ready"
    expect(page.get_by_test_id("newer")).to_contain_text("second")
    expect(page.get_by_test_id("run-name")).to_have_text("first")
    tops = [cells[:3] for cells in state(page)["cells"]]
    assert tops == [cells[:3] for cells in before["cells"]] and state(page)["hash"] == before["hash"]
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_test_id("run-name")).to_have_text("second")
    expect(page.get_by_test_id("newer")).to_have_count(0)


SEEN = """() => [...document.querySelectorAll("[data-testid=cell]")]
    .find(cell => cell.getBoundingClientRect().bottom > innerHeight / 4)?.dataset.name ?? ''"""


@pytest.mark.parametrize("cells", [9, 90])
def test_a_link_goes_to_the_same_cell_in_a_window_of_another_width(
    watched: Watched, browser: Browser, start: Start, port: int, cells: int
) -> None:
    with agnez.init("digits", "one", server=None) as run:
        for step in range(3):
            run.log({f"metric{nth}": step * nth for nth in range(cells)}, step=step)
    server = start("-m", "agnez", "server", "--port", str(port))
    assert "dashboard" in line(server)
    watched.page.set_viewport_size({"width": 1440, "height": 500})
    page = watched.open(f"http://127.0.0.1:{port}/")
    expect(cell(page, "Metric0")).to_be_visible()
    page.mouse.wheel(0, 42 * cells)
    until(page, "() => /at=.*~metric/.test(location.hash)")  # the cells there are made first
    name, top = page.evaluate(SEEN), page.evaluate("() => scrollY")
    assert name not in ("", "Metric0")
    narrow = browser.new_context(viewport={"width": 390, "height": 500}).new_page()
    narrow.goto(page.url)
    until(narrow, f"name => ({SEEN})() === name", name)
    assert narrow.evaluate("() => scrollY") > 1.5 * top  # cells stand below each other there
    narrow.context.close()
