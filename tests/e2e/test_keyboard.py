"""Every action on charts and their cells by the keyboard: no test of this file has a pointer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from keys import at, at_chart, cell, chart, drawn, go_to, menu, press, take, until_drawn, until_told
from playwright.sync_api import Page, expect
from watching import Start, Watched

SCRIPTS = Path(__file__).parent / "scripts"


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
    until_drawn(page, scale="log")
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
    until_drawn(page, notes=2)
    press(page, "Home", "ArrowRight")
    expect(cell(page).get_by_test_id("chart-said")).to_have_text(re.compile(r"step 1\. Note: diverges here$"))
    press(page, "n")
    expect(page.get_by_test_id("chart-note").get_by_role("textbox")).to_have_value("diverges here")
    press(page, "Delete", "Enter")  # what is written there is selected
    until_drawn(page, notes=1)
    expect(chart(page)).to_be_focused()


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
    settings = page.get_by_test_id("chart-settings")
    at(cell(page).get_by_test_id("chart-menu"), "Enter")
    expect(settings.get_by_role("button", name="all charts")).to_be_focused()
    go_to(page, page.get_by_test_id("smoothing"))
    page.keyboard.type("Gau")
    until_told(page, "smooth=gauss")
    go_to(page, page.get_by_test_id("amount"))
    press(page, "End")
    until_told(page, "smooth=gauss~0.999")
    go_to(page, page.get_by_test_id("x-axis"))
    page.keyboard.type("time s")
    until_drawn(page, unit="relative")
    until_drawn(page, "Accuracy", unit="relative")
    for name, said in (
        ("scale-log", "scale=log"),
        ("robust", "robust=1"),
        ("follow", "follow=0"),
        ("linked", "linked=0"),
    ):
        go_to(page, page.get_by_test_id(name))
        press(page, "Space")
        until_told(page, said)
    until_drawn(page, "Accuracy", scale="log")
    press(page, "Escape")
    expect(settings).to_have_count(0)
    expect(cell(page).get_by_test_id("chart-menu")).to_be_focused()


def test_a_chart_is_drawn_as_no_other_and_again_as_all_are(page: Page) -> None:
    settings = page.get_by_test_id("chart-settings")
    at(cell(page).get_by_test_id("chart-menu"), "Enter")
    go_to(page, settings.get_by_role("button", name="this chart"))
    press(page, "Enter")
    go_to(page, page.get_by_test_id("scale-log"))
    press(page, "Enter")
    until_drawn(page, scale="log")
    until_told(page, "chart:loss=scale~log")
    until_drawn(page, "Accuracy", scale="linear")
    go_to(page, settings.get_by_role("button", name="as all are"), "Shift+Tab")
    press(page, "Enter")
    until_drawn(page, scale="linear")
    expect(settings.get_by_role("button", name="all charts")).to_be_focused()  # the other button is gone
    press(page, "Escape")
    expect(cell(page).get_by_test_id("chart-menu")).to_be_focused()


def test_a_chart_is_saved_copied_and_shown_as_a_table(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    at(cell(page).get_by_test_id("chart-menu"), "Enter")
    for kind, begins in (("png", b"\x89PNG"), ("svg", b"<svg"), ("csv", b"metric,step,")):
        go_to(page, page.get_by_test_id(f"save-{kind}"))
        with page.expect_download() as saved:
            press(page, "Enter")
        assert saved.value.suggested_filename == f"Loss.{kind}"
        assert saved.value.path().read_bytes().startswith(begins)
    go_to(page, page.get_by_test_id("copy"))
    press(page, "Enter")
    expect(page.get_by_test_id("copy")).to_have_text("copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("metric\tstep\t")
    go_to(page, page.get_by_test_id("open-table"))
    press(page, "Enter")
    table = page.get_by_test_id("chart-table")
    go_to(page, table.get_by_role("button", name="copy"))
    press(page, "Enter")
    expect(table.get_by_role("button", name="copied")).to_be_focused()
    go_to(page, table.get_by_role("button", name="Close the table"))
    press(page, "Enter")
    expect(table).to_have_count(0)
    expect(cell(page).get_by_test_id("chart-menu")).to_be_focused()
    press(page, "Enter")
    go_to(page, page.get_by_test_id("note"))
    press(page, "Enter")
    expect(page.get_by_test_id("chart-note").get_by_label("Note at step 399")).to_be_focused()
    press(page, "Escape")
    expect(chart(page)).to_be_focused()


def test_a_line_is_switched_off_and_on_at_its_name(page: Page) -> None:
    entry = cell(page).locator('.legend [data-metric="train/loss"]')
    at(entry, "Enter")
    until_drawn(page, lines=1)
    expect(entry).to_have_attribute("aria-pressed", "false")
    expect(entry).to_be_focused()  # though the name stands elsewhere now
    press(page, "Enter")
    until_drawn(page, lines=2)
    expect(entry).to_be_focused()
    press(page, "Shift+Enter")
    until_told(page, "mute~val/loss")
    press(page, "Shift+Enter")
    until_drawn(page, lines=2)


def test_all_is_shown_again_by_the_button_that_stands_there_then(page: Page) -> None:
    whole = drawn(page)
    at_chart(page, "+")
    assert drawn(page) != whole
    go_to(page, cell(page).get_by_test_id("show-all"), "Shift+Tab")
    press(page, "Enter")
    assert drawn(page) == whole
    expect(chart(page)).to_be_focused()


def test_a_cell_is_pinned_and_fills_the_screen(page: Page) -> None:
    dots = cell(page, "Reward").get_by_test_id("cell-menu")
    for said in (False, True):
        at(dots, "Enter")
        take(page, "pin")
        until_told(page, "top=reward", absent=said)
        expect(dots).to_be_focused()  # though the cell stands elsewhere now
    press(page, "Enter")
    take(page, "open")
    until_told(page, "open=reward")
    expect(page.get_by_test_id("stage-close")).to_be_focused()
    press(page, "Enter")
    expect(page.get_by_test_id("stage")).to_have_count(0)
    expect(dots).to_be_focused()
    at(cell(page, "Reward").get_by_test_id("chart-large"), "Enter")
    expect(page.get_by_test_id("stage")).to_be_visible()


def test_cells_are_moved_resized_hidden_and_shown_again(page: Page) -> None:
    def names() -> list[str | None]:
        return [each.get_attribute("data-name") for each in page.get_by_test_id("cell").all()]

    def size(side: str, name: str = "Loss") -> float:
        box = cell(page, name).bounding_box()
        assert box is not None
        return float(box[side])  # type: ignore[literal-required]

    before = names()
    menu(page, "later")
    assert names()[0] == before[1]
    menu(page, "earlier")
    assert names() == before
    for there, back, side in (("wider", "narrower", "width"), ("taller", "lower", "height")):
        was = size(side)
        menu(page, there)
        assert size(side) > 1.5 * was
        menu(page, back)
        assert size(side) == was
    over = "Encoder / a / scale"
    top = size("y", over)
    menu(page, "down", over)
    assert size("y", over) > top
    menu(page, "up", over)
    assert size("y", over) == top
    menu(page, "hide")
    expect(cell(page)).to_have_count(0)
    expect(cell(page, str(before[1])).get_by_test_id("cell-menu")).to_be_focused()  # the next cell has the focus
    press(page, "h")
    expect(page.get_by_test_id("hidden-cells")).to_be_visible()
    press(page, "Enter")
    expect(cell(page)).to_have_count(1)
    menu(page, "hide")
    menu(page, "hide", "Reward")
    at(page.get_by_test_id("show-hidden"), "Enter")
    go_to(page, page.get_by_test_id("show-all-hidden"))
    press(page, "Enter")
    expect(page.get_by_test_id("cell")).to_have_count(9)


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
