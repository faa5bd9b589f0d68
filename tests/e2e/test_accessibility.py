"""Every page and state of it, in both themes: axe-core finds nothing, and nothing is out of the keyboard's reach."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, Route, expect
from watching import Start

from agnez.server.inline import InlineFrame

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"

sys.path.append(str(ROOT / "tools"))
from screenshots import at_chart, holding_back, lose_shortly, open_menu  # noqa: E402  # the repository's tools
from states import STATES, fill, fill_kinds  # noqa: E402  # are modules, and no package

pytestmark = pytest.mark.states

THEMES = ("light", "dark")
SIZES = ((1440, 900), (390, 844))
TALL = 6000  # so that all cells are in view, and their frames are loaded


@pytest.fixture(scope="session")
def axe() -> str:
    if not AXE.is_file():
        subprocess.run([sys.executable, ROOT / "build_backend" / "agnez_page.py", "root"], check=True)
    return AXE.read_text("utf-8")


def violations(page: Page, axe: str, seen: str = "", *, frames: int = 0) -> list[str]:
    """Return a line for each rule that axe-core finds broken, wide and narrow; what is `seen` has to be there in both.

    `frames` says how many there are, which are tested too. Those of cells are sandboxed: scripts run in them, and so
    does axe-core, but it hears of them only where it takes the word of an origin that nobody can name.
    """
    found: list[str] = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": TALL if frames else height})
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if seen:
            expect(page.get_by_test_id(seen).first).to_be_visible()
        found += [f"{width}: {each}" for each in _violations(page, axe, frames)]
    page.set_viewport_size({"width": SIZES[0][0], "height": TALL if frames else SIZES[0][1]})
    return found


def _violations(page: Page, axe: str, frames: int = 0) -> list[str]:
    documents: list[Page | Frame] = [page]
    if frames:
        expect(page.locator("iframe")).to_have_count(frames)
        expect(page.locator("iframe[style*='visibility: hidden']")).to_have_count(0)  # so they are while they load
        documents += filter(None, (each.content_frame() for each in page.query_selector_all("iframe")))
    for each in documents:
        each.evaluate(axe)
        each.evaluate("""() => axe.configure({ allowedOrigins: ["<unsafe_all_origins>"] })""")
    found, inside = page.evaluate(
        """async (iframes) => {
            const resultTypes = iframes ? ["violations", "passes"] : ["violations"];
            const options = { iframes, resultTypes, pingWaitTime: 30_000 }; // a frame may be slow to answer
            const { violations, passes } = await axe.run(document, options);
            const targets = passes.flatMap(({ nodes }) => nodes.map(({ target }) => String(target.slice(0, -1))));
            return [violations, new Set(targets).size];
        }""",
        frames > 0,
    )
    assert inside == 1 + frames  # something was looked at in each document
    return [f"{each['id']} × {len(each['nodes'])}: {each['nodes'][0]['html'][:160]}" for each in found]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    directory = tmp_path_factory.mktemp("states") / "store"
    return directory, fill(directory)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("kinds") / "store"
    return directory, fill_kinds(directory)


@pytest.fixture
def server(start: Start, port: int, runs: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AGNEZ_DIR", str(runs[0]))
    return serve(start, port)


def serve(start: Start, port: int) -> str:
    process = start("-m", "agnez", "server", "--port", str(port))
    assert process.stdout is not None
    process.stdout.readline()
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    yield page
    page.close()


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_any_state_of_a_run(
    page: Page, server: str, runs: tuple[Path, dict[str, str]], axe: str, theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    found: dict[str, list[str]] = {}
    for state in STATES:
        page.goto(f"{server}/?run={runs[1][state]}")
        expect(page.get_by_test_id("run-state")).to_have_text(state, timeout=30_000)
        settle(page)
        found[state] = violations(page, axe)
    page.goto(f"{server}/?run={runs[1]['failed']}")
    page.get_by_test_id("evidence").click()  # a finding's chart, with the range that it speaks of
    expect(page.get_by_test_id("stage").get_by_test_id("large-cell")).to_have_attribute("data-name", "Loss")
    found["evidence"] = violations(page, axe, "stage")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="List of runs").click()
    found["list of runs"] = _violations(page, axe)
    assert {state: faults for state, faults in found.items() if faults} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_what_a_view_shows(
    page: Page, server: str, runs: tuple[Path, dict[str, str]], axe: str, theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    shown, over = runs[1]["finished"], runs[1]["failed"]
    found: dict[str, list[str]] = {}
    for name, fragment in (
        ("runs over each other", f"over={over}"),
        ("lines that are hidden", f"over={over}&hide={shown}"),
        ("smoothed, on an axis of powers", "smooth=ema~0.9&scale=log&zoom=1~3&pins=2"),
        ("nothing found", "search=nothing-is-called-so"),
    ):
        page.goto("about:blank")
        page.goto(f"{server}/?run={shown}#v=1&{fragment}")
        page.get_by_test_id("none-found" if name == "nothing found" else "chart").first.wait_for()
        page.wait_for_function("() => document.querySelector('[data-testid=connection]')?.dataset.state === 'live'")
        found[name] = violations(page, axe)
    page.goto(f"{server}/api")
    found["the contract"] = violations(page, axe)
    assert {state: faults for state, faults in found.items() if faults} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_cells_of_any_kind_nor_in_their_frames(
    page: Page, start: Start, port: int, kinds: tuple[Path, str], axe: str, theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    monkeypatch.setenv("AGNEZ_DIR", str(kinds[0]))
    server = serve(start, port)
    page.set_viewport_size({"width": 1440, "height": TALL})
    page.goto(f"{server}/?run={kinds[1]}")
    shown = page.get_by_test_id("cell")
    expect(page.get_by_test_id("figure")).to_have_count(3)  # two of matplotlib, and a page
    types = set(shown.evaluate_all("cells => cells.map((cell) => cell.dataset.type)"))
    assert types == {"html", "img", "images", "video", "audio", "text", "table", "histogram", "number"}
    for kind in ("picture", "pictures", "histogram", "table", "text"):
        page.get_by_test_id(kind).first.wait_for()
    found = {"kinds": violations(page, axe, frames=3)}
    page.locator("[data-name='Loss of both']").get_by_test_id("switch-figure").click()
    expect(page.get_by_test_id("figure")).to_have_count(4)
    found["a chart's figure"] = violations(page, axe, frames=4)
    page.goto(f"{server}/?run=none")
    for words in ("could not be loaded", "waiting for a value", "cannot be read", "cannot show a cell", "71.5"):
        expect(shown.filter(has_text=words)).to_be_visible()
    expect(page.get_by_test_id("run-name")).to_have_text("Cells without a run")
    expect(page.get_by_test_id("figure")).to_have_count(1)
    found["cells without a run"] = violations(page, axe, frames=1)
    assert {state: faults for state, faults in found.items() if faults} == {}


NOTEBOOK = """<!doctype html><html lang="en"><title>A notebook</title>
<style>@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #eee }} }}</style>
<body><main aria-label="The notebook"><h1>A notebook</h1>{}</main></body></html>"""


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_the_frame_of_a_notebook(
    page: Page, start: Start, server: str, runs: tuple[Path, dict[str, str]], axe: str, theme: str, tmp_path: Path
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    frame = InlineFrame(f"{server}/?run={runs[1]['finished']}")
    (tmp_path / "notebook.html").write_text(NOTEBOOK.format(frame._repr_html_()), "utf-8")
    host = start("-m", "http.server", "0", "--bind", "127.0.0.1")  # it serves where it is started: there
    assert host.stdout is not None
    port = host.stdout.readline().split("port ")[1].split()[0]
    page.goto(f"http://127.0.0.1:{port}/notebook.html")
    page.frame_locator("iframe").get_by_test_id("chart").first.wait_for()
    page.frame_locator("iframe").locator("[data-testid=connection][data-state=live]").wait_for(state="attached")
    assert violations(page, axe, frames=1) == []


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_a_page_that_asks_for_a_token_nor_in_what_is_said_of_runs_and_rights(
    page: Page, start: Start, port: int, axe: str, theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    run = start(Path(__file__).parent / "scripts" / "many.py", str(port), "ending")
    assert run.stdout is not None and run.stdin is not None and run.stdout.readline().strip() == "ready"
    page.goto(f"http://127.0.0.1:{port}/#v=1&zoom=50~200")
    settle(page)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    newer = start(Path(__file__).parent / "scripts" / "many.py", str(port), "newer")
    page.get_by_test_id("newer").wait_for()
    found = {"newer": violations(page, axe, "newer")}
    newer.communicate("end\n", 60)
    run.stdin.write("end\n")
    run.stdin.flush()
    page.get_by_test_id("ended").wait_for()
    found["ended"] = violations(page, axe, "ended")
    run.wait(60)
    server = start("-m", "agnez", "server", "--port", str(port), "--token", "a" * 24, "--read-token", "b" * 24)
    assert server.stdout is not None and "dashboard" in server.stdout.readline()
    page.goto(f"http://127.0.0.1:{port}/?token=wrong")
    page.locator("form").wait_for()
    found["locked"] = violations(page, axe)
    page.goto(f"http://127.0.0.1:{port}/?token={'b' * 24}")
    page.get_by_test_id("chart").first.wait_for()
    open_menu(page)
    page.get_by_test_id("cell-hide").click()
    page.get_by_test_id("show-hidden").click()
    page.get_by_test_id("show-cell").click()
    expect(page.get_by_test_id("sheet")).to_have_count(0)
    expect(page.get_by_role("alert")).to_contain_text("You may only look here")
    at_chart("n")(page)
    page.keyboard.type("kept nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("chart-note").get_by_role("alert")).to_contain_text("You may only look here")
    found["look only"] = violations(page, axe, "chart-note")
    assert {state: faults for state, faults in found.items() if faults} == {}


def settle(page: Page) -> None:
    """Wait until the cells in view are there."""
    page.get_by_test_id("chart").first.wait_for()
    page.wait_for_function("() => document.querySelectorAll('[data-testid=cell]').length >= 4")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_page_stays_with_the_newest_run_that_lives_though_others_began_later_and_ended(
    page: Page, server: str
) -> None:
    page.goto(server)
    settle(page)
    page.locator("[data-testid=connection][data-state=live]").wait_for(state="attached")
    expect(page.get_by_role("link", name="crashed-6")).to_be_visible()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(page.get_by_test_id("run-name")).to_have_text("stalled-2")


def test_a_page_says_from_the_start_that_a_run_is_stalled(
    page: Page, server: str, runs: tuple[Path, dict[str, str]]
) -> None:
    page.add_init_script(
        """new MutationObserver(() => {
            const said = document.querySelector("[data-testid=run-state]")?.textContent;
            if (said) (window.said ??= new Set()).add(said);
        }).observe(document, { childList: true, characterData: true, subtree: true })"""
    )
    page.goto(f"{server}/?run={runs[1]['stalled']}")
    settle(page)
    page.locator("[data-testid=connection][data-state=live]").wait_for(state="attached")
    charts = page.get_by_test_id("chart").first
    expect(charts).not_to_have_attribute("data-points", "0")
    assert page.evaluate("() => [...window.said]") == ["stalled"]
    assert "stalled" in page.title()


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_what_lies_over_the_page(
    page: Page, server: str, runs: tuple[Path, dict[str, str]], axe: str, theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.goto(f"{server}/?run={runs[1]['finished']}")
    settle(page)
    found = {}
    for name, key, shown in (("palette", "Control+k", "palette"), ("keys", "?", "keys")):
        page.keyboard.press(key)
        page.get_by_test_id(shown).wait_for()
        found[name] = violations(page, axe, shown)
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("sheet")).to_have_count(0)
    page.get_by_test_id("cell-menu").first.click()
    page.get_by_role("menu").first.wait_for()
    found["menu"] = violations(page, axe, "cell-open")
    page.get_by_test_id("cell-open").click()
    page.get_by_test_id("stage").wait_for()
    found["stage"] = violations(page, axe, "stage")
    page.keyboard.press("Escape")
    chart = page.get_by_test_id("chart").first
    for name, key, shown in (("table", "t", "chart-table"), ("note", "n", "chart-note")):
        chart.focus()
        page.keyboard.press(key)
        page.get_by_test_id(shown).wait_for()
        found[name] = violations(page, axe, shown)
        page.keyboard.press("Escape")
        expect(page.get_by_test_id(shown)).to_have_count(0)
    chart.hover()
    page.get_by_test_id("chart-menu").first.click()
    page.get_by_test_id("chart-settings").wait_for()
    found["settings of a chart"] = violations(page, axe, "chart-settings")
    page.keyboard.press("Escape")
    page.get_by_test_id("cell-menu").first.click()
    page.get_by_test_id("cell-hide").click()
    page.get_by_test_id("show-hidden").click()
    page.get_by_test_id("hidden-cells").wait_for()
    found["hidden cells"] = violations(page, axe, "hidden-cells")
    with page.expect_response(lambda answer: answer.request.method == "PATCH" and "layout" not in answer.url):
        page.get_by_test_id("show-cell").click()  # for good: the next test has the same cells
    expect(page.get_by_test_id("sheet")).to_have_count(0)
    assert {state: faults for state, faults in found.items() if faults} == {}


def answer(status: int) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, body="{}")


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_where_there_is_nothing_or_something_is_wrong(
    page: Page, start: Start, port: int, server: str, runs: tuple[Path, dict[str, str]], axe: str, theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    address = f"{server}/?run={runs[1]['finished']}"
    found = {}

    held: list[Route] = []
    page.route("**/series?*", lambda route: held.append(route))
    page.goto(address)
    page.locator("[aria-busy=true]").wait_for()
    found["loading"] = violations(page, axe)
    page.unroute("**/series?*")

    for state, status, words in (("error", 500, "could not be read"), ("not allowed", 403, "not allow")):
        page.route("**/series?*", answer(status))
        page.goto(address)
        expect(page.get_by_role("alert").first).to_contain_text(words)
        found[state] = violations(page, axe)
        page.unroute("**/series?*")

    page.goto(f"{server}/?run=nowhere")
    expect(page.get_by_role("alert").first).to_contain_text("not in the store")
    found["unknown run"] = violations(page, axe)

    page.route_web_socket("**/socket.io/**", holding_back())
    page.goto(address)
    page.locator("[data-testid=connection][data-state=live]").wait_for(state="attached")
    lose_shortly(page)
    expect(page.get_by_test_id("connection")).to_have_text("catching up…")
    found["catching up"] = violations(page, axe, "connection")
    assert {state: faults for state, faults in found.items() if faults} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_an_empty_page_nor_without_a_server(
    page: Page, start: Start, port: int, axe: str, theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    process = start("-m", "agnez", "server", "--port", str(port))
    assert process.stdout is not None
    process.stdout.readline()
    page.goto(f"http://127.0.0.1:{port}/")
    page.get_by_test_id("empty").wait_for()
    found = {"empty": violations(page, axe)}
    process.kill()
    page.locator("[data-testid=connection][data-state=lost]").wait_for()
    found["disconnected"] = violations(page, axe)
    assert {state: faults for state, faults in found.items() if faults} == {}


_REACHABLE = """() => [
        ...document.querySelectorAll("button, a[href], input, select, textarea, audio[controls], [tabindex='0']"),
    ]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled && each.tabIndex >= 0)
    .filter((each) => !document.querySelector("dialog[open]") || each.closest("dialog[open]") !== null)
    .map((each, nth) => (each.dataset.nth = String(nth), `${nth} ${each.outerHTML.slice(0, 120)}`))"""


def go_through(page: Page, inside: str, least: int) -> None:
    """Go by Tab through all that can be clicked, of which at least so many are inside of an element."""
    page.evaluate("() => document.querySelectorAll('[data-nth]').forEach(each => delete each.dataset.nth)")
    wanted: list[str] = page.evaluate(_REACHABLE)
    assert page.locator(f"{inside} [data-nth]").count() >= least
    reached: set[str] = set()
    for _ in range(2 * len(wanted) + 20):
        page.keyboard.press("Tab")
        nth, outline = page.evaluate(
            """() => {
                const { activeElement: now } = document;
                const { outlineStyle, boxShadow } = getComputedStyle(now);
                const seen = now === document.body || outlineStyle !== "none" || boxShadow !== "none";
                return [now.dataset.nth ?? "", seen];
            }"""
        )
        assert outline, page.evaluate("document.activeElement.outerHTML.slice(0, 120)")  # one sees where one is
        reached.add(nth)
        if len(reached - {""}) == len(wanted):
            break
    assert [each for each in wanted if each.split(" ", 1)[0] not in reached] == []


def test_everything_that_can_be_clicked_is_reached_by_tab(
    page: Page, server: str, runs: tuple[Path, dict[str, str]]
) -> None:
    page.goto(f"{server}/?run={runs[1]['finished']}")
    settle(page)
    page.set_viewport_size({"width": 1440, "height": 2400})  # so that no cell comes or goes while Tab scrolls
    page.get_by_test_id("histogram").wait_for()
    page.get_by_test_id("table").wait_for()
    go_through(page, "main", 40)
    loss = page.locator('[data-testid=cell][data-name="Loss"]')
    loss.get_by_test_id("chart-menu").focus()
    page.keyboard.press("Enter")
    page.get_by_test_id("chart-settings").wait_for()
    go_through(page, "[data-testid=chart-settings]", 15)
    page.keyboard.press("Escape")
    for key, shown, sheet, least in (
        ("t", "chart-table", "[data-testid=chart-table]", 3),
        ("n", "chart-note", "[data-testid=chart-note]", 2),
        ("?", "keys", "[data-testid=sheet]", 2),
    ):
        loss.get_by_test_id("chart").focus()
        page.keyboard.press(key)
        page.get_by_test_id(shown).wait_for()
        go_through(page, sheet, least)
        page.keyboard.press("Escape")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="List of runs").focus()
    page.keyboard.press("Enter")
    page.get_by_role("searchbox", name="Filter runs").wait_for()
    go_through(page, "aside", 1 + len(runs[1]))


def test_the_page_is_used_by_keyboard_alone(page: Page, server: str, runs: tuple[Path, dict[str, str]]) -> None:
    page.goto(f"{server}/?run={runs[1]['finished']}")
    settle(page)
    theme = page.evaluate("document.documentElement.dataset.theme ?? ''")
    page.keyboard.press("Shift+T")
    page.wait_for_function("before => (document.documentElement.dataset.theme ?? '') !== before", arg=theme)
    page.keyboard.press("Control+z")
    page.wait_for_function("before => (document.documentElement.dataset.theme ?? '') === before", arg=theme)
    # Another run, by its name, and back again.
    page.keyboard.press("Control+k")
    expect(page.get_by_test_id("palette")).to_be_focused()
    page.keyboard.type("failed run")
    expect(page.get_by_role("option").first).to_contain_text("failed-5")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("run-name")).to_have_text("failed-5")
    expect(page.get_by_test_id("sheet")).to_have_count(0)
    page.keyboard.press("[")
    expect(page.get_by_test_id("run-name")).not_to_have_text("failed-5")
    page.keyboard.press("]")
    expect(page.get_by_test_id("run-name")).to_have_text("failed-5")
    # A cell, on the whole screen.
    page.keyboard.press("Control+k")
    expect(page.get_by_test_id("palette")).to_be_focused()
    page.keyboard.type("weights cell")
    expect(page.get_by_role("option").first).to_contain_text("weights")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stage")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stage")).to_have_count(0)
    # A slider over steps.
    slider = page.get_by_role("slider", name="Step of conv1/filters")
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "step 40")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "step 80")
    # What can be done.
    page.keyboard.press("?")
    expect(page.get_by_test_id("keys")).to_contain_text("Search commands, runs and cells")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("sheet")).to_have_count(0)
