"""The page on a phone: all that can be done is within reach of a finger, and the page scrolls where it is to scroll."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from watching import Start

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def watch(phone: Page, start: Start, port: int) -> subprocess.Popen[str]:
    run = start(SCRIPTS / "many.py", str(port), "first")
    assert line(run) == "ready"
    phone.goto(f"http://127.0.0.1:{port}/")
    expect(phone.get_by_test_id("cell")).to_have_count(9)
    return run


def names(page: Page) -> list[str]:
    return [str(each.get_attribute("data-name")) for each in page.get_by_test_id("cell").all()]


def cell(page: Page, name: str) -> Locator:
    return page.locator(f'[data-testid=cell][data-name="{name}"]')


class Finger:
    """A finger on the glass."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def down(self, x: float, y: float) -> None:
        self._send("touchStart", [{"x": x, "y": y}])

    def move(self, start: tuple[float, float], end: tuple[float, float], steps: int = 8) -> None:
        for nth in range(1, steps + 1):
            share = nth / steps
            place = {"x": start[0] + share * (end[0] - start[0]), "y": start[1] + share * (end[1] - start[1])}
            self._send("touchMove", [place])

    def up(self) -> None:
        self._send("touchEnd", [])

    def swipe(self, x: float, y: float, up: float) -> None:
        """Move at once, as a finger that scrolls."""
        self.down(x, y)
        self.move((x, y), (x, y - up))
        self.up()

    def _send(self, kind: str, points: list[dict[str, float]]) -> None:
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def middle(locator: Locator) -> tuple[float, float]:
    box: Any = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_cell_is_moved_by_a_finger_that_rests_on_its_head(phone: Page, start: Start, port: int) -> None:
    watch(phone, start, port)
    assert names(phone)[:2] == ["Loss", "Accuracy"]
    cell(phone, "Loss").scroll_into_view_if_needed()
    head, target = middle(cell(phone, "Loss").locator("h2")), middle(cell(phone, "Accuracy"))
    finger, before = Finger(phone), phone.evaluate("scrollY")
    finger.down(*head)
    expect(cell(phone, "Loss")).to_have_class(re.compile("moving"))
    finger.move(head, target)
    expect(cell(phone, "Accuracy")).to_have_class(re.compile("aimed"))
    assert phone.evaluate("scrollY") == before  # the page stood still under it
    finger.up()
    expect(phone.get_by_test_id("cell").first).to_have_attribute("data-name", "Accuracy")
    assert names(phone)[:2] == ["Accuracy", "Loss"]
    phone.get_by_test_id("do-undo").tap()
    expect(phone.get_by_test_id("cell").first).to_have_attribute("data-name", "Loss")


def test_a_finger_that_moves_at_once_scrolls_and_moves_no_cell(phone: Page, start: Start, port: int) -> None:
    watch(phone, start, port)
    order = names(phone)
    finger = Finger(phone)
    for place in (middle(cell(phone, "Loss").locator("h2")), middle(cell(phone, "Loss").get_by_test_id("chart"))):
        phone.evaluate("() => scrollTo(0, 0)")
        finger.swipe(*place, up=240)
        phone.wait_for_function("() => scrollY > 100")
    assert names(phone) == order
    assert phone.get_by_test_id("do-undo").count() == 0


def test_a_cell_is_arranged_by_its_menu_and_resized_by_its_corner(phone: Page, start: Start, port: int) -> None:
    watch(phone, start, port)
    loss = cell(phone, "Loss")
    before: Any = loss.bounding_box()
    loss.get_by_test_id("cell-menu").tap()
    items = phone.get_by_role("menuitem")
    expect(items).to_have_text(["Fill the screen", "Pin to the top", "Move down", "Taller", "Hide"])
    phone.get_by_test_id("cell-taller").tap()
    expect(items).to_have_text(["Fill the screen", "Pin to the top", "Move down", "Taller", "Lower", "Hide"])
    phone.get_by_test_id("cell-lower").tap()
    phone.get_by_test_id("cell-later").tap()
    expect(phone.get_by_test_id("cell").first).to_have_attribute("data-name", "Accuracy")
    phone.keyboard.press("Escape")
    loss.scroll_into_view_if_needed()
    corner = middle(loss.locator(".corner"))
    finger = Finger(phone)
    finger.down(*corner)
    finger.move(corner, (corner[0] - 100, corner[1] + 230))
    finger.up()
    phone.wait_for_function(
        "least => document.querySelector('[data-name=Loss][data-testid=cell]').offsetHeight > least", arg=400
    )
    after: Any = loss.bounding_box()
    assert after["height"] > 1.9 * before["height"] and after["width"] == before["width"]


def test_a_tap_marks_a_place_and_another_takes_the_mark_away(phone: Page, start: Start, port: int) -> None:
    watch(phone, start, port)
    chart = cell(phone, "Loss").get_by_test_id("chart")
    expect(chart).to_have_attribute("data-points", "800")
    finger, (x, y) = Finger(phone), middle(chart)
    finger.swipe(x, y, 30)
    phone.wait_for_timeout(400)
    assert "pins" not in phone.evaluate("location.hash")
    for marked, aside in ((True, 0), (False, 10)):
        x, y = middle(chart)
        phone.touchscreen.tap(x + aside, y)
        phone.wait_for_function("marked => location.hash.includes('pins') === marked", arg=marked)
        phone.wait_for_timeout(300)  # no double tap


def test_all_commands_are_within_reach_of_a_finger(phone: Page, start: Start, port: int) -> None:
    watch(phone, start, port)
    phone.get_by_test_id("open-palette").tap()
    expect(phone.get_by_role("option").first).to_be_visible()
    shown = " ".join(each.text_content() or "" for each in phone.get_by_role("option").all())
    for command in ("Show all keys", "Copy a link to this view", "Search metrics", "Change the colours"):
        assert command in shown
    assert min(each.bounding_box()["height"] for each in phone.get_by_role("option").all()[:5]) >= 44  # type: ignore[index]
    assert not phone.get_by_test_id("palette").evaluate("input => input === document.activeElement")  # no keyboard
    phone.get_by_role("option", name="Show all keys").tap()
    expect(phone.get_by_test_id("keys")).to_be_visible()
    phone.get_by_test_id("sheet-close").tap()
    expect(phone.get_by_test_id("sheet")).to_have_count(0)


def test_the_bar_keeps_its_height_while_the_server_is_away(phone: Page, start: Start, port: int) -> None:
    run = watch(phone, start, port)
    bar = phone.locator("header").first
    before: Any = bar.bounding_box()
    assert before["width"] == 390
    run.kill()
    expect(phone.get_by_test_id("connection")).to_have_attribute("data-state", "lost")
    expect(phone.get_by_test_id("connection")).to_be_visible()
    assert bar.bounding_box() == before
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
