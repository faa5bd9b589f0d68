"""Every action by the keyboard: no test of this file has a pointer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from watching import Start, Watched

SCRIPTS = Path(__file__).parent / "scripts"
Act = Callable[[Page], None]


@pytest.fixture
def page(watched: Watched, start: Start, port: int) -> Page:
    for name in ("first", "second"):
        run = start(SCRIPTS / "many.py", str(port), name)
        assert run.stdout is not None and run.stdout.readline().strip() == "ready"
    page = watched.open(f"http://127.0.0.1:{port}/")
    expect(page.get_by_test_id("run-name")).to_have_text("second")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    expect(chart(page)).to_have_attribute("data-points", "800")
    return page


def cell(page: Page, name: str = "Loss") -> Locator:
    return page.locator(f'[data-testid=cell][data-name="{name}"]')


def chart(page: Page, name: str = "Loss") -> Locator:
    return cell(page, name).get_by_test_id("chart")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def at_chart(page: Page, *keys: str, name: str = "Loss") -> None:
    chart(page, name).focus()
    press(page, *keys)


def drawn(page: Page, part: str = "x", name: str = "Loss") -> list[float]:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: dict[str, Any] = json.loads(chart(page, name).get_attribute("data-frame") or "{}")
    return list(found[part])


def menu(page: Page, step: str, name: str = "Loss") -> None:
    """Go through the menu of a cell to one of its entries, as arrows do, and take it."""
    cell(page, name).get_by_test_id("cell-menu").focus()
    press(page, "Enter")
    take(page, step)
    press(page, "Escape")


def take(page: Page, step: str) -> None:
    """Go to an entry of the menu that is open, and take it."""
    wanted = page.get_by_test_id(f"cell-{step}")
    expect(wanted).to_have_count(1)
    for _ in range(20):
        if wanted.evaluate("node => node === document.activeElement"):
            break
        press(page, "ArrowDown")
    expect(wanted).to_be_focused()
    press(page, "Enter")


def test_what_a_chart_shows_is_zoomed_moved_and_shown_whole(page: Page) -> None:
    whole, values = drawn(page), drawn(page, "y")
    at_chart(page, "+")
    drawn(page)  # what is pressed next goes on from what is drawn
    press(page, "+")
    part = drawn(page)
    assert part[1] - part[0] == pytest.approx((whole[1] - whole[0]) / 1.4**2)
    press(page, "PageDown")
    assert drawn(page)[1] > part[1]
    press(page, "PageUp")
    drawn(page)
    press(page, "PageUp")
    assert drawn(page)[0] < part[0]
    press(page, "-")
    press(page, "0")
    assert drawn(page) == whole
    press(page, "Shift+ArrowUp")
    fewer = drawn(page, "y")
    assert fewer[1] - fewer[0] == pytest.approx((values[1] - values[0]) / 1.4)
    press(page, "Shift+PageUp")
    assert drawn(page, "y")[0] > fewer[0]
    press(page, "Shift+PageDown")
    drawn(page, "y")
    press(page, "Shift+PageDown")
    assert drawn(page, "y")[0] < fewer[0]
    press(page, "Escape")
    assert drawn(page, "y") == values
    press(page, "Control+z")
    assert drawn(page, "y")[0] < fewer[0]


def test_values_are_zoomed_on_an_axis_of_powers_too(page: Page) -> None:
    page.evaluate("location.hash = '#v=1&scale=log'")
    page.wait_for_function(
        "node => JSON.parse(node.dataset.frame ?? '{}').scale === 'log'", arg=chart(page).element_handle()
    )
    low, high = drawn(page, "y")
    at_chart(page, "Shift+ArrowUp")
    closer = drawn(page, "y")
    assert 0 < low < closer[0] < closer[1] < high
    assert (closer[1] / closer[0]) == pytest.approx((high / low) ** (1 / 1.4), rel=0.01)


def test_the_cursor_goes_along_lines_and_marks_places(page: Page) -> None:
    at_chart(page, "Home")
    entry = cell(page).locator(".entry").first
    expect(entry).to_contain_text("1.00")
    press(page, "ArrowRight", "ArrowDown", "Enter")
    page.wait_for_function("() => location.hash.includes('pins=1')")
    press(page, "Enter")
    page.wait_for_function("() => !location.hash.includes('pins')")


def test_a_note_is_written_at_the_cursor_or_at_the_newest_point(page: Page) -> None:
    def write(text: str, where: str) -> None:
        press(page, "n")
        expect(page.get_by_test_id("chart-note").get_by_label(where)).to_be_focused()
        page.keyboard.type(text)
        press(page, "Enter")
        expect(page.get_by_test_id("chart-note")).to_have_count(0)
        expect(chart(page)).to_be_focused()

    at_chart(page)
    write("the end", "Note at step 399")
    press(page, "Home", "ArrowRight")
    write("diverges here", "Note at step 1")  # at once: the page may not have heard yet of the first
    page.wait_for_function(
        "node => JSON.parse(node.dataset.frame ?? '{}').notes === 2", arg=chart(page).element_handle()
    )
    press(page, "Home", "ArrowRight")
    expect(cell(page).get_by_test_id("chart-said")).to_have_text(re.compile(r"step 1\. Note: diverges here$"))


def test_the_table_and_the_full_screen_give_the_focus_back(page: Page) -> None:
    at_chart(page, "t")
    expect(page.get_by_test_id("chart-table")).to_be_visible()
    press(page, "Escape")
    expect(page.get_by_test_id("chart-table")).to_have_count(0)
    expect(chart(page)).to_be_focused()
    press(page, "f")
    expect(page.get_by_test_id("stage")).to_be_visible()
    press(page, "Escape")
    expect(page.get_by_test_id("stage")).to_have_count(0)


def test_how_a_chart_is_drawn_is_set(page: Page) -> None:
    cell(page).get_by_test_id("chart-menu").focus()
    press(page, "Enter")
    settings = page.get_by_test_id("chart-settings")
    expect(settings).to_be_visible()
    for _ in range(30):
        here = "document.activeElement?.closest('label')?.textContent ?? ''"
        if "moothing" in str(page.evaluate(here)) and page.evaluate("document.activeElement.tagName") == "SELECT":
            break
        press(page, "Tab")
    page.keyboard.type("Gau")
    page.wait_for_function("() => location.hash.includes('smooth=gauss')")
    press(page, "Escape")
    expect(settings).to_have_count(0)
    expect(cell(page).get_by_test_id("chart-menu")).to_be_focused()


@pytest.mark.parametrize(
    ("step", "name", "said"),
    [
        ("pin", "Reward", "top=reward"),
        ("open", "Loss", "open=loss"),
    ],
)
def test_a_cell_is_pinned_and_opened(page: Page, step: str, name: str, said: str) -> None:
    cell(page, name).get_by_test_id("cell-menu").focus()
    press(page, "Enter")
    take(page, step)
    page.wait_for_function("said => decodeURIComponent(location.hash).includes(said)", arg=said)


def test_cells_are_moved_resized_hidden_and_shown_again(page: Page) -> None:
    def names() -> list[str | None]:
        return [each.get_attribute("data-name") for each in page.get_by_test_id("cell").all()]

    before, box = names(), cell(page).bounding_box()
    menu(page, "later")
    assert names()[0] == before[1]
    menu(page, "wider")
    now = cell(page).bounding_box()
    assert box is not None and now is not None and now["width"] > 1.5 * box["width"]
    menu(page, "hide")
    expect(cell(page)).to_have_count(0)
    press(page, "h")
    expect(page.get_by_test_id("hidden-cells")).to_be_visible()
    press(page, "Enter")
    expect(cell(page)).to_have_count(1)


def test_runs_are_laid_over_and_their_lines_hidden(page: Page) -> None:
    press(page, "p")
    expect(cell(page)).to_contain_text("first")
    page.locator(".entry a[aria-current=page]").focus()
    press(page, "Tab", "Enter")
    page.wait_for_function("() => location.hash.includes('hide=')")
    press(page, "Enter", "p")
    expect(cell(page)).not_to_contain_text("first")


def test_a_cell_goes_to_an_empty_place_of_the_scripts_grid(watched: Watched, start: Start, port: int) -> None:
    script = start(SCRIPTS / "subplots.py", str(port))
    assert script.stdout is not None and script.stdout.readline().strip() == "ready"
    page = watched.open(f"http://127.0.0.1:{port}/")
    expect(page.get_by_test_id("cell")).to_have_count(4)
    before = cell(page, "Reward").bounding_box()
    menu(page, "free", "Reward")
    page.wait_for_function(
        """([name, x, y]) => {
            const box = document.querySelector(`[data-testid=cell][data-name="${name}"]`)?.getBoundingClientRect();
            return box !== undefined && Math.abs(box.x - x) + Math.abs(box.y - y) > 20;
        }""",
        arg=["Reward", before["x"], before["y"]] if before else [],
    )
    page.wait_for_timeout(300)  # what was moved stays there
    page.reload()
    expect(page.get_by_test_id("cell")).to_have_count(4)
    after = cell(page, "Reward").bounding_box()
    assert before is not None and after is not None and (after["x"], after["y"]) != (before["x"], before["y"])
