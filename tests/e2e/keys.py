"""What the tests share that have a keyboard and no pointer."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect


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


def at(wanted: Locator, *keys: str) -> None:
    """Press keys at what is on the page."""
    wanted.focus()
    expect(wanted).to_be_focused()
    press(wanted.page, *keys)


def go_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Go from where one is to what is wanted, by Tab or another key."""
    expect(wanted).to_have_count(1)
    for _ in range(40):
        if wanted.evaluate("node => node === document.activeElement"):
            break
        press(page, key)
    expect(wanted).to_be_focused()


def drawn(page: Page, part: str = "x", name: str = "Loss") -> list[float]:
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: dict[str, Any] = json.loads(chart(page, name).get_attribute("data-frame") or "{}")
    return list(found[part])


def until_drawn(page: Page, name: str = "Loss", **wanted: object) -> None:
    """Wait until a chart says of itself what is wanted."""
    page.wait_for_function(
        """([node, wanted]) => {
            const frame = JSON.parse(node.dataset.frame ?? "{}");
            return Object.entries(wanted).every(([key, value]) => frame[key] === value);
        }""",
        arg=[chart(page, name).element_handle(), wanted],
    )


def until_told(page: Page, *words: str, absent: bool = False) -> None:
    """Wait until the address says all of these words, or none of them."""
    page.wait_for_function(
        "([words, absent]) => words.every(word => decodeURIComponent(location.hash).includes(word) !== absent)",
        arg=[list(words), absent],
    )


def menu(page: Page, step: str, name: str = "Loss") -> None:
    """Go through the menu of a cell to one of its entries, as arrows do, and take it."""
    cell(page, name).get_by_test_id("cell-menu").focus()
    press(page, "Enter")
    take(page, step)
    press(page, "Escape")


def take(page: Page, step: str) -> None:
    """Go to an entry of the menu that is open, and take it."""
    go_to(page, page.get_by_test_id(f"cell-{step}"), "ArrowDown")
    press(page, "Enter")
