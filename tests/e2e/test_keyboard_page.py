"""Every action on the page, its runs and what is no chart by the keyboard: no test of this file has a pointer."""

from __future__ import annotations

import re
from pathlib import Path
from subprocess import Popen

import pytest
from keys import at, at_chart, cell, chart, go_to, press, until_drawn, until_told
from playwright.sync_api import Page, expect
from watching import Start, Watched

SCRIPTS = Path(__file__).parent / "scripts"


def line(process: Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: Popen[str], steps: int) -> None:
    assert process.stdin is not None
    for _ in range(steps):
        process.stdin.write("on\n")
        process.stdin.flush()
        assert line(process)


def begin(start: Start, port: int, name: str) -> None:
    assert line(start(SCRIPTS / "many.py", str(port), name)) == "ready"


def watch(watched: Watched, port: int, cells: int) -> Page:
    page = watched.open(f"http://127.0.0.1:{port}/")
    expect(page.get_by_test_id("cell")).to_have_count(cells)
    return page


@pytest.fixture
def media(watched: Watched, start: Start, port: int) -> Page:
    """A run of three steps with one of each kind."""
    training = start(SCRIPTS / "media.py", str(port))
    run = line(training)
    go_on(training, 3)
    watched.page.set_viewport_size({"width": 1440, "height": 1600})
    return watched.open(f"http://127.0.0.1:{port}/?run={run}")


def test_runs_are_filtered_opened_laid_over_and_hidden(watched: Watched, start: Start, port: int) -> None:
    begin(start, port, "first")
    begin(start, port, "second")
    page = watch(watched, port, 9)
    runs = page.get_by_role("navigation", name="Runs")
    until_drawn(page, lines=2)
    at(runs.get_by_role("link", name="first"))  # what can be done with a run is shown once one is there
    go_to(page, runs.get_by_test_id("lay-run"))
    press(page, "Enter")
    until_drawn(page, lines=4)
    go_to(page, runs.get_by_role("button", name="Hide the lines of first"), "Shift+Tab")
    press(page, "Enter")
    until_drawn(page, lines=2)
    press(page, "Enter")
    until_drawn(page, lines=4)
    at(page.get_by_role("searchbox", name="Filter runs"))
    page.keyboard.type("fir")
    expect(runs.get_by_role("link")).to_have_count(1)
    go_to(page, runs.get_by_role("link", name="first"))
    press(page, "Enter")
    expect(page.get_by_test_id("run-name")).to_have_text("first")
    # Where there is no room for the list, it opens.
    page.set_viewport_size({"width": 390, "height": 844})
    at(page.get_by_role("button", name="List of runs"), "Enter")
    go_to(page, page.get_by_role("searchbox", name="Filter runs"))
    press(page, "Escape")
    expect(page.get_by_role("searchbox", name="Filter runs")).not_to_be_visible()
    expect(page.get_by_role("button", name="List of runs")).to_have_attribute("aria-expanded", "false")


def test_sections_are_folded_one_by_one_and_all_at_once(watched: Watched, start: Start, port: int) -> None:
    begin(start, port, "first")
    page = watch(watched, port, 9)
    heading = page.get_by_role("button", name="encoder/ 6")
    at(heading, "Enter")
    expect(heading).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_test_id("cell")).to_have_count(3)
    press(page, "Space")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    press(page, "Shift+F")
    expect(page.get_by_test_id("cell")).to_have_count(3)
    press(page, "Shift+F")
    expect(page.get_by_test_id("cell")).to_have_count(9)


def test_the_view_is_searched_reset_linked_and_taken_back(watched: Watched, start: Start, port: int) -> None:
    begin(start, port, "first")
    page = watch(watched, port, 9)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(page, "/")
    expect(page.get_by_test_id("search")).to_be_focused()
    page.keyboard.type("rew")
    expect(page.get_by_test_id("cell")).to_have_count(1)
    page.keyboard.type("ind")
    go_to(page, page.get_by_test_id("none-found").get_by_role("button", name="Show all"))
    press(page, "Enter")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    press(page, "/")
    page.keyboard.type("rew")
    press(page, "Escape")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    press(page, "Shift+F")
    expect(page.get_by_test_id("cell")).to_have_count(3)
    press(page, "l")
    expect(page.get_by_test_id("told")).to_contain_text("clipboard")
    assert "folded=encoder" in page.evaluate("navigator.clipboard.readText()")
    press(page, "Control+z")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    press(page, "Control+y")
    expect(page.get_by_test_id("cell")).to_have_count(3)
    press(page, "Shift+Escape")
    expect(page.get_by_test_id("cell")).to_have_count(9)
    for command, count in (("undo", 3), ("redo", 9)):  # by the buttons in the bar
        at(page.get_by_test_id(f"do-{command}"), "Enter")
        expect(page.get_by_test_id("cell")).to_have_count(count)


def test_one_goes_on_to_a_run_that_has_begun_meanwhile(watched: Watched, start: Start, port: int) -> None:
    begin(start, port, "first")
    page = watch(watched, port, 9)
    expect(chart(page)).to_have_attribute("data-points", "800")
    at_chart(page, "+")
    until_told(page, "zoom=")
    begin(start, port, "second")
    expect(page.get_by_test_id("newer")).to_contain_text("second")
    at(page.get_by_role("button", name="Show it"), "Enter")
    expect(page.get_by_test_id("run-name")).to_have_text("second")
    press(page, "]")
    expect(page.get_by_test_id("run-name")).to_have_text("second")
    press(page, "[")
    expect(page.get_by_test_id("run-name")).to_have_text("first")
    press(page, "g")
    expect(page.get_by_test_id("run-name")).to_have_text("second")


def test_the_evidence_of_a_finding_is_looked_at(watched: Watched, start: Start, port: int) -> None:
    assert line(start(SCRIPTS / "wrong.py", str(port))) == "ready"
    page = watch(watched, port, 2)
    at(page.get_by_test_id("evidence"), "Enter")
    expect(page.get_by_test_id("stage").get_by_test_id("large-cell")).to_have_attribute("data-name", "Loss")
    press(page, "Escape")
    expect(page.get_by_test_id("stage")).to_have_count(0)
    expect(page.get_by_test_id("evidence")).to_be_focused()


def test_a_cell_is_shown_live_and_as_its_figure(watched: Watched, start: Start, port: int) -> None:
    training = start(SCRIPTS / "epochs.py", str(port))
    line(training)
    go_on(training, 1)
    page = watch(watched, port, 1)
    for view in ("live", "figure"):
        at(cell(page).get_by_test_id(f"switch-{view}"), "Enter")
        expect(cell(page)).to_have_attribute("data-view", view)
        expect(chart(page)).to_be_visible(visible=view == "live")
    go_to(page, cell(page).locator("iframe[data-testid=figure]"))
    frame = page.frame_locator("iframe[data-testid=figure]").locator(".agnez-figure")
    expect(frame).to_be_focused()
    press(page, "+")
    until_told(page, "fig:loss=")
    press(page, "0")
    until_told(page, "fig:", absent=True)


def test_films_sounds_and_steps_play_and_stop(media: Page) -> None:
    film, walk = cell(media, "film"), cell(media, "digit").get_by_test_id("walk")
    expect(film.locator("img")).to_be_visible()
    at(film.get_by_role("button", name="Stop film"), "Enter")
    expect(film.locator("canvas")).to_be_visible()
    press(media, "Enter")
    expect(film.locator("img")).to_be_visible()

    audio = cell(media, "tone").locator("audio")
    media.wait_for_function(
        "audio => { audio.muted = audio.loop = true; return audio.readyState >= 3; }", arg=audio.element_handle()
    )
    at(audio, "Space")
    media.wait_for_function("audio => audio.currentTime > 0 && !audio.paused", arg=audio.element_handle())
    press(media, "Space")
    media.wait_for_function("audio => audio.paused", arg=audio.element_handle())

    expect(walk).to_have_attribute("data-step", "20")
    walk.evaluate(
        """walk => {
            window.steps = [];
            const told = new MutationObserver(() => window.steps.push(walk.dataset.step));
            told.observe(walk, { attributeFilter: ["data-step"] });
        }"""
    )
    at(walk.get_by_role("button", name="Play"), "Enter")
    media.wait_for_function("() => window.steps.join() === '0,10,20'")
    expect(walk.get_by_role("button", name="Play")).to_be_focused()
    media.evaluate("setInterval = () => 0")  # it stays where it is until it is stopped
    press(media, "Enter", "Enter")
    expect(walk.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")
    expect(walk).to_have_attribute("data-step", "0")
    at(walk.get_by_role("slider"), "ArrowRight")
    expect(walk).to_have_attribute("data-step", "10")
    at(walk.get_by_role("button", name="Show the newest"), "Enter")
    expect(walk).to_have_attribute("data-step", "20")
    expect(walk.get_by_role("slider")).to_be_focused()


def test_a_table_is_sorted(media: Page) -> None:
    header = cell(media, "guesses").get_by_role("columnheader", name="label")
    at(header.get_by_role("button"), "Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    press(media, "Enter")
    expect(header).to_have_attribute("aria-sort", "ascending")
    press(media, "Enter")
    expect(header).to_have_attribute("aria-sort", "none")


@pytest.mark.parametrize("shown", ["ridges", "heat"])
def test_the_histograms_of_all_steps_are_walked_through(media: Page, shown: str) -> None:
    weights = cell(media, "weights")
    plot, said = weights.get_by_role("application"), weights.get_by_test_id("histogram-said")
    at(weights.get_by_role("button", name=shown), "Enter")
    expect(weights.get_by_test_id("histogram")).to_have_attribute("data-shown", shown)
    marked = weights.locator("path.marked" if shown == "ridges" else ".column")

    def leftmost() -> float:
        box = marked.bounding_box()
        assert box is not None
        return box["y"] if shown == "ridges" else box["x"]

    at(plot)
    expect(said).to_have_text("")
    places = []
    for key, step in (
        ("End", 20),
        ("ArrowLeft", 10),
        ("ArrowUp", 0),
        ("ArrowLeft", 0),
        ("ArrowRight", 10),
        ("Home", 0),
    ):
        press(media, key)
        expect(said).to_have_text(re.compile(rf"^step {step}: mean −?[\d.e−]+, −[\d.e−]+ to [\d.e−]+$"))
        places.append((step, leftmost()))
    assert len(set(places)) == 3 and len({place for _, place in places}) == 3
    press(media, "ArrowDown", "Escape")
    expect(said).to_have_text("")
    expect(plot).to_be_focused()
    press(media, "End")
    expect(said).to_contain_text("step 20")
    press(media, "Tab")
    expect(said).to_have_text("")


def test_what_a_page_without_runs_offers_is_copied(watched: Watched, start: Start, port: int) -> None:
    assert line(start("-m", "agnez", "server", "--port", str(port)))
    page = watched.open(f"http://127.0.0.1:{port}/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    at(page.get_by_role("button", name="Copy the Keras lines"), "Enter")
    expect(page.get_by_role("button", name="Copy the Keras lines")).to_have_text("Copied")
    assert "agnez.AgnezCallback()" in page.evaluate("navigator.clipboard.readText()")
