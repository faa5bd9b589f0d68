"""The main job, from a training script to the pixels of a page."""

from __future__ import annotations

import gzip
import json
import urllib.request
from pathlib import Path
from subprocess import Popen

import pytest
from PIL import Image
from playwright.sync_api import Error, Page, expect
from watching import Start, Watched

SCRIPTS = Path(__file__).parent / "scripts"


def about(port: int) -> dict[str, int] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/about", timeout=5) as answer:
            facts: dict[str, int] = json.load(answer)
            return facts
    except OSError:
        return None


def line(process: Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: Popen[str], word: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def open_page(watched: Watched, port: int) -> Page:
    """Open the page as soon as its server answers, and wait until it is connected."""
    for _ in range(300):
        try:
            page = watched.open(f"http://127.0.0.1:{port}/")
        except Error:  # nobody listens yet
            watched.page.wait_for_timeout(100)
            continue
        page.wait_for_selector("[data-testid=connection][data-state=live]", state="attached")
        return page
    pytest.fail("no server came")


def observe(watched: Watched, cell: str, until: int) -> list[int]:
    """Return the counts of points that a chart was seen to hold, until it holds so many."""
    counts: list[int] = []
    while not counts or counts[-1] < until:
        held = watched.value(f"{watched.cell(cell)} [data-testid=chart]", "data-points")
        if held and (not counts or int(held) != counts[-1]):
            counts.append(int(held))
        watched.page.wait_for_timeout(20)
    return counts


def last(watched: Watched, cell: str) -> dict[str, float]:
    found: dict[str, float] = json.loads(watched.value(f"{watched.cell(cell)} [data-testid=chart]", "data-last"))
    return found


def draws_figure(watched: Watched, cell: str) -> None:
    frame = watched.page.frame_locator(f"{watched.cell(cell)} [data-testid=figure]").first
    expect(frame.locator("svg.mpld3-figure path").first).to_be_attached(timeout=20_000)


@pytest.mark.parametrize("renderer", ["live", "mpld3"])
def test_a_keras_training_is_watched_to_its_last_number(
    watched: Watched, start: Start, port: int, renderer: str
) -> None:
    training = start(SCRIPTS / "train_keras.py", str(port), renderer)
    assert line(training) == "ready"
    page = open_page(watched, port)
    go_on(training)
    batches, epochs = 45, 6
    total = batches * epochs + 2 * epochs  # of batch/loss, train/loss and val/loss
    if renderer == "mpld3":
        draws_figure(watched, "Loss")
        page.locator(f"{watched.cell('Loss')} [data-testid=switch-live]").click()
    counts = observe(watched, "Loss", until=total)
    assert counts[-1] == total
    if renderer == "live":
        within = [count for count in counts if 0 < count % (batches + 2) < batches]
        assert len(within) >= 3, counts  # between the ends of epochs the chart grew too
    history = json.loads(line(training))
    shown = last(watched, "Loss") | last(watched, "Accuracy")
    for ours, theirs in {
        "train/loss": "loss",
        "val/loss": "val_loss",
        "train/accuracy": "accuracy",
        "val/accuracy": "val_accuracy",
    }.items():
        assert shown[ours] == history[theirs][-1]
    expect(page.get_by_test_id("run-state")).to_contain_text("finished")
    expect(page.get_by_test_id("epoch")).to_contain_text("6")
    numbers = {
        number.get_attribute("data-metric"): float(number.get_attribute("data-value") or "nan")
        for number in page.get_by_test_id("number").all()
    }
    assert numbers["val/loss"] == history["val_loss"][-1]
    assert set(last(watched, "Weight norms")) == {"weights/conv1", "weights/conv2", "weights/head", "weights/global"}
    page.locator(f"{watched.cell('Loss')} [data-testid=switch-figure]").click()
    draws_figure(watched, "Loss")
    expect(page.frame_locator("[data-testid=figure]").first.locator("body")).to_contain_text("epoch 6")
    go_on(training)
    assert training.wait(60) == 0
    page.locator(f"{watched.cell('Accuracy')} [data-testid=switch-figure]").click()  # the server is gone by now
    draws_figure(watched, "Accuracy")
    expect(page.get_by_text("agnez server").first).to_be_visible()
    assert watched.hosts == {f"127.0.0.1:{port}"}
    assert [error for error in watched.errors if "ERR_CONNECTION_REFUSED" not in error] == []


def test_numbers_of_the_epoch_change_every_epoch(watched: Watched, start: Start, port: int) -> None:
    training = start(SCRIPTS / "train_keras.py", str(port), "live")
    assert line(training) == "ready"
    page = open_page(watched, port)
    tile = '[data-testid=number][data-metric="val/loss"]'
    page.evaluate(
        """(tile) => {
            window.seen = [];
            const look = () => {
                const value = document.querySelector(tile)?.dataset.value;
                if (value && value !== window.seen.at(-1)) window.seen.push(value);
            };
            new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
            look();
        }""",
        tile,
    )
    go_on(training)
    history = json.loads(line(training))
    expect(page.get_by_test_id("run-state")).to_contain_text("finished", timeout=20_000)
    seen = [float(value) for value in page.evaluate("window.seen")]
    assert seen == history["val_loss"]


def test_a_pytorch_loop_is_watched_to_its_last_number(watched: Watched, start: Start, port: int) -> None:
    training = start(SCRIPTS / "train_torch.py", str(port))
    assert line(training) == "ready"
    page = open_page(watched, port)
    go_on(training)
    counts = observe(watched, "Loss", until=57 * 6)
    assert counts[-1] == 57 * 6 and len(counts) >= 5, counts
    final = json.loads(line(training))
    assert last(watched, "Loss")["loss"] == pytest.approx(final["loss"], rel=1e-12)
    assert last(watched, "Accuracy")["accuracy"] == final["accuracy"]
    assert set(last(watched, "Gradient norms")) == {"gradients/0", "gradients/3", "gradients/global"}
    assert last(watched, "Gradient norms")["gradients/global"] <= 1.0001  # after clipping
    assert "weights/global" in last(watched, "Weight norms")
    page.locator(f"{watched.cell('Loss')} [data-testid=switch-figure]").click()
    draws_figure(watched, "Loss")
    expect(page.get_by_test_id("run-state")).to_contain_text("finished")
    assert watched.errors == [] and watched.hosts == {f"127.0.0.1:{port}"}


def test_the_script_that_agnez_was_born_with(watched: Watched, start: Start, port: int, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    picture = tmp_path / "images" / "main_img.gif"
    Image.new("RGB", (40, 30), "red").save(picture)
    start("-m", "agnez", "server", "--port", str(port), "--static", tmp_path)
    page = open_page(watched, port)
    script = start(SCRIPTS / "birth.py", f"http://127.0.0.1:{port}")
    figure, image = line(script).split()
    expect(page.locator(f'[data-testid=cell][data-cell="{figure}"]')).to_be_visible()
    for step in range(3):
        go_on(script)
        assert line(script) == f"patched {step}"
        frame = page.frame_locator(f'[data-cell="{figure}"] [data-testid=figure]').first
        expect(frame.get_by_text(f"draw {step}").first).to_be_visible(timeout=20_000)
        shown = page.locator(f'[data-cell="{image}"] img')
        expect(shown).to_be_visible()
        assert shown.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [40, 30]
    assert watched.errors == [] and watched.hosts == {f"127.0.0.1:{port}"}


def test_a_page_goes_on_when_another_run_takes_the_port_over(watched: Watched, start: Start, port: int) -> None:
    first = start(SCRIPTS / "wait.py", str(port), "first")
    assert line(first) == "ready"
    page = open_page(watched, port)
    expect(page.get_by_test_id("run-name")).to_contain_text("first")
    second = start(SCRIPTS / "wait.py", str(port), "second")
    assert line(second) == "ready"
    expect(page.get_by_test_id("run-name")).to_contain_text("second")  # the newest that is alive is followed
    go_on(first, "end")
    assert first.wait(60) == 0
    while (about(port) or {}).get("pid") != second.pid:
        page.wait_for_timeout(100)
    for _ in range(20):
        go_on(second)
    expect(page.locator(f"{watched.cell('Loss')} [data-testid=chart]")).to_have_attribute("data-points", "21")
    assert last(watched, "Loss") == {"loss": 20.0}
    assert watched.hosts == {f"127.0.0.1:{port}"}


_PIXELS = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return Array.from({ length: data.length / 4 }, (_, nth) => data[4 * nth + 3]);
}"""


_TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def test_a_chart_that_grew_point_by_point_looks_as_one_drawn_at_once(watched: Watched, start: Start, port: int) -> None:
    run = start(SCRIPTS / "wait.py", str(port), "grows")
    assert line(run) == "ready"
    page = open_page(watched, port)
    chart = page.locator(f"{watched.cell('Loss')} [data-testid=chart]")
    for count in range(2, 30):
        go_on(run)
        expect(chart).to_have_attribute("data-points", str(count))
    base = chart.locator("canvas").first
    page.evaluate(_TWO_FRAMES)
    grown, width = base.evaluate(_PIXELS), base.evaluate("canvas => canvas.width")
    page.set_viewport_size({"width": 1300, "height": 900})  # another size empties a canvas
    expect(base).not_to_have_attribute("width", str(width))
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(base).to_have_attribute("width", str(width))
    page.evaluate(_TWO_FRAMES)
    anew = base.evaluate(_PIXELS)
    assert len(grown) == len(anew) and max(anew) == 255
    differing = sum(abs(one - other) > 64 for one, other in zip(grown, anew, strict=True))
    assert differing < len(anew) / 1000


def test_the_first_load_is_small_and_brings_nothing_that_draws_figures(
    watched: Watched, start: Start, port: int
) -> None:
    run = start(SCRIPTS / "wait.py", str(port), "first")
    assert run.stdout is not None and run.stdout.readline().strip() == "ready"
    bodies: list[bytes] = []
    kept = ("script", "stylesheet", "document")
    page = watched.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda answer: bodies.append(answer.body()) if answer.request.resource_type in kept else None)
    watched.open(f"http://127.0.0.1:{port}/")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    page.wait_for_load_state("networkidle")
    assert len(bodies) >= 3 and sum(len(gzip.compress(body)) for body in bodies) < 150_000
    assert asked and not any("mpld3" in url for url in asked)  # neither that nor the d3 beside it
