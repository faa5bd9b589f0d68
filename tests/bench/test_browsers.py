"""What the benchmark in browsers rests on: its film of a real page, its judgement of pictures, its table."""

from __future__ import annotations

import doctest
import time
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bench.peers import browsers, film
from bench.peers.film import Film

PAGE = """<body style="margin: 0; background: white">
<div id="chart" style="position: absolute; width: 200px; height: 100px"></div>
<div id="other" style="position: absolute; top: 200px; width: 200px; height: 100px"></div>"""
CHART = (0, 0, 200, 100)
_CLOCKS = 0.05
"""Seconds by which the clocks of the browser's frames, of its page and ours may differ."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 400, "height": 400})
    page = context.new_page()
    page.set_content(PAGE)
    yield page
    context.close()


def paint(page: Page, node: str, colour: str) -> float:
    """Paint a part of the page, and return when that was asked for."""
    asked: float = page.evaluate(
        "([id, to]) => { document.getElementById(id).style.background = to; return Date.now() / 1000; }", [node, colour]
    )
    return asked


def filmed(page: Page, seen: Film, colour: tuple[int, int, int], x: int, y: int) -> None:
    """Wait until the newest frame has a colour at a place."""
    for _ in range(200):
        picture = seen.last((x, y, x + 1, y + 1))
        if picture is not None and np.abs(picture[0, 0] - np.array(colour)).max() < 40:
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"no frame came with {colour}")


def test_a_film_tells_when_the_chart_changed_and_nothing_of_what_changed_beside_it(page: Page) -> None:
    seen = Film(page)
    filmed(page, seen, (255, 255, 255), 50, 50)
    paint(page, "other", "blue")
    filmed(page, seen, (0, 0, 255), 50, 250)
    began = paint(page, "chart", "red")
    filmed(page, seen, (255, 0, 0), 50, 50)
    ended = time.time()
    paint(page, "other", "lime")
    filmed(page, seen, (0, 255, 0), 50, 250)

    changes = seen.changes(CHART)

    assert len(changes) == 1
    assert began - _CLOCKS <= changes[0] <= ended + _CLOCKS
    assert seen.at_rest_since(CHART) == changes[0]


BLUE, SLATE = (30, 110, 220), (69, 81, 107)


def chart(colour: tuple[int, int, int], *, spike: bool, fills: bool) -> np.ndarray:
    """Draw a line along the bottom, or from top to bottom, on white with grey text and a grey mark."""
    picture = np.full((100, 300, 3), 255, dtype=np.int16)
    picture[5:10, 20:60] = 90
    picture[3:98, 288] = 60
    picture[3 if fills else 95 : 98, 10:280] = colour
    if spike:
        picture[3:98, 196:198] = colour
    return picture


@pytest.mark.parametrize("colour", [BLUE, SLATE])
def test_a_spike_is_seen_only_where_the_line_rises_in_few_columns(colour: tuple[int, int, int]) -> None:
    assert film.shows_spike(chart(colour, spike=True, fills=False))
    assert not film.shows_spike(chart(colour, spike=False, fills=False))
    assert not film.shows_spike(chart(colour, spike=False, fills=True))


def test_the_table_says_why_there_is_no_figure() -> None:
    steady = {"p50": 41.2, "p95": 55.0}
    deep = {"points": 1_000_000, "opened_ms": 1234.0, "spike": False}
    view = {"zooms": True, "kept_updated": True, "kept_reloaded": False}
    crowd = {"error": "not within 60 s"}
    found = {
        "title": "Other",
        "steady": steady,
        "crowd": crowd,
        "wall": {"opened_ms": 2000.0},
        "deep": deep,
        "view": view,
    }

    row = browsers.table({"trackers": {"other": found}}).splitlines()[-1]

    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == [
        "Other",
        "41 ms, 55 ms",
        "–",
        "not within 60 s",
        "not within 60 s",
        "2.0 s",
        "–",
        "1,000,000: 1.2 s",
        "lost",
        "yes",
        "no",
    ]


@pytest.mark.parametrize("module", [browsers, film], ids=lambda module: module.__name__)
def test_its_examples_hold(module: ModuleType) -> None:
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0
