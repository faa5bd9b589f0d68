"""Figures of our own drawing in the real page: one document that lasts, and the user's zoom with it."""

from __future__ import annotations

from pathlib import Path
from subprocess import Popen

import pytest
from playwright.sync_api import Frame, Page, expect
from watching import Start, Watched

SCRIPT = Path(__file__).parent / "scripts" / "epochs.py"
CELL = '[data-testid=cell][data-name="Loss"]'
FRAME = f"{CELL} iframe[data-testid=figure]"

_WINDOW = """() => {
    const axes = mpld3.figures.at(-1).axes[0];
    return [0, axes.width].map((pixel) => axes.x.invert(axes.lastTransform.invertX(pixel)));
}"""


def epoch(training: Popen[str]) -> None:
    assert training.stdin is not None and training.stdout is not None
    training.stdin.write("on\n")
    training.stdin.flush()
    assert training.stdout.readline().startswith("epoch")


def shows(frame: Frame, words: str) -> None:
    frame.wait_for_function(
        "words => document.querySelector('.agnez-title')?.textContent.includes(words)", arg=words, timeout=20_000
    )


def document(page: Page) -> Frame:
    frame = page.wait_for_selector(FRAME).content_frame()
    assert frame is not None
    return frame


@pytest.fixture
def training(start: Start, port: int) -> Popen[str]:
    return start(SCRIPT, str(port))


def test_a_zoom_outlives_updates_in_one_document_that_follows_theme_and_size(
    watched: Watched, training: Popen[str], port: int
) -> None:
    assert training.stdout is not None
    run = training.stdout.readline().strip()
    epoch(training)
    epoch(training)
    asked: list[str] = []
    watched.page.on("request", lambda request: asked.append(request.url))
    page = watched.open(f"http://127.0.0.1:{port}/?run={run}")
    frame = document(page)
    shows(frame, "epoch 2")
    for name in ("mpld3/d3", "mpld3/mpld3"):  # what a page without figures never asks for
        assert any(name in url for url in asked), asked
    frame.locator("svg.mpld3-figure").hover()
    frame.locator(".mpld3-zoombutton").click()
    frame.locator(".mpld3-axesbg").hover(force=True, position={"x": 150, "y": 60})
    page.mouse.wheel(0, -200)
    frame.wait_for_function("() => mpld3.figures.at(-1).axes[0].lastTransform.k > 1")
    window = frame.evaluate(_WINDOW)
    frame.evaluate("document.mark = 'the same'")
    for nth in (3, 4, 5):
        version = page.locator(FRAME).get_attribute("data-version")
        epoch(training)
        shows(frame, f"epoch {nth}")
        expect(page.locator(FRAME)).not_to_have_attribute("data-version", str(version))
        assert frame.evaluate(_WINDOW) == pytest.approx(window, rel=1e-9)
    assert frame.evaluate("document.mark") == "the same"
    assert page.locator(f"{CELL} iframe").count() == 1
    theme = frame.evaluate("document.documentElement.dataset.theme")
    page.emulate_media(color_scheme="light" if theme == "dark" else "dark")
    frame.wait_for_function("before => document.documentElement.dataset.theme !== before", arg=theme)
    page.set_viewport_size({"width": 1100, "height": 800})
    frame.wait_for_function("() => mpld3.figures.at(-1).width === innerWidth")
    assert frame.evaluate(_WINDOW) == pytest.approx(window, rel=0.02)
    page.wait_for_function("() => location.hash.includes('fig:')")
    window = frame.evaluate(_WINDOW)
    page.reload()
    frame = document(page)
    shows(frame, "epoch 5")
    frame.wait_for_function("() => mpld3.figures.at(-1).axes[0].lastTransform.k > 1")
    assert frame.evaluate(_WINDOW) == pytest.approx(window, rel=0.02)
    page.mouse.move(2, 2)
    frame.locator("svg.mpld3-figure").hover()
    frame.locator(".mpld3-resetbutton").click()
    page.wait_for_function("() => !location.hash.includes('fig:')")
    frame.locator(".agnez-figure").press("Control+z")  # a key that is pressed in the frame
    frame.wait_for_function("() => mpld3.figures.at(-1).axes[0].lastTransform.k > 1")
    assert frame.evaluate(_WINDOW) == pytest.approx(window, rel=0.02)
    page.locator("body").press("Control+Shift+Z")
    frame.wait_for_function("() => mpld3.figures.at(-1).axes[0].lastTransform.k === 1")
    frame.wait_for_function("() => mpld3.figures.at(-1).axes[0].x.domain()[1] > 4.9")
    figure = frame.locator(".agnez-figure")
    figure.focus()
    whole = frame.evaluate(_WINDOW)
    for key, part in {"+": (0.1, 0.9), "ArrowRight": (0.18, 0.98), "-": (0.08, 1.08), "0": (0, 1)}.items():
        figure.press(key)
        low, high = frame.evaluate(_WINDOW)
        wide = whole[1] - whole[0]
        assert [(low - whole[0]) / wide, (high - whole[0]) / wide] == pytest.approx(part, abs=1e-6), key
    assert watched.errors == []
