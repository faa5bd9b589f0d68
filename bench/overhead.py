"""What watching costs a training: the demo's network, watched by a browser and not, in turn.

    python bench/overhead.py [--pairs 20] [--frameworks keras torch]

One compute thread. In the runs without the callback the same browser shows a still picture of the dashboard. Steady
state is the time from the end of the first epoch to the end of the last; the fixed cost is all else that the callback
adds: starting the run with its server, and finishing it. Each pair is one ratio; what is printed are medians with
their bootstrapped 95 % intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EPOCHS = 8
BATCH = 32


def main() -> None:
    """Measure, or train for who measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--frameworks", nargs="+", default=["keras", "torch"], choices=["keras", "torch"])
    parser.add_argument("--train", choices=["keras", "torch"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        train(arguments.train)
        return
    print("| framework | pairs | step without | slower in steady state | 95 % interval | fixed cost of a run |")
    print("|---|---|---|---|---|---|")
    for framework in arguments.frameworks:
        print(report(framework, *measure(framework, arguments.pairs)), flush=True)


# --- the trainings, in a process of their own ------------------------------------------------------------------------


def train(framework: str) -> None:
    """Train once for each line of input, "on <port>" or "off", and answer with the times."""
    fit = {"keras": keras_fit, "torch": torch_fit}[framework]()
    fit(None)  # compile, and fill caches
    print("ready", flush=True)
    for line in sys.stdin:
        word, _, port = line.strip().partition(" ")
        print(json.dumps(fit(int(port) if word == "on" else None)), flush=True)


def page_is_there() -> None:
    """Tell the browser's side that the dashboard is up, and wait for its page."""
    print("watch", flush=True)
    sys.stdin.readline()


def digits():
    """Return images in 0 to 1 and their labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8, 1).astype("float32") / 16, labels


def keras_fit():
    """Return a function that trains with Keras, watched on a port or (None) alone."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import torch

    import agnez
    from agnez.demo import keras_network

    torch.set_num_threads(1)
    images, labels = digits()

    class Clock(keras.callbacks.Callback):
        """Read the clock where epochs end; no batch hook, which would change how Keras calls all others."""

        def __init__(self):
            super().__init__()
            self.ends = []

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(time.perf_counter())

    class Wait(keras.callbacks.Callback):
        """Wait for the page before the first batch."""

        waited = 0.0

        def on_train_begin(self, logs=None):
            began = time.perf_counter()
            page_is_there()
            self.waited = time.perf_counter() - began

    def fit(port):
        keras.utils.set_random_seed(0)
        model = keras_network()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        clock, wait = Clock(), Wait()
        watched = [] if port is None else [agnez.AgnezCallback(project="bench", port=port), wait]
        began = time.perf_counter()
        model.fit(
            images,
            labels,
            epochs=EPOCHS,
            batch_size=BATCH,
            validation_split=0.2,
            verbose=0,
            callbacks=[*watched, clock],
        )
        return finished(began, clock.ends, wait.waited, steps=(EPOCHS - 1) * 45)

    return fit


def torch_fit():
    """Return a function that trains with PyTorch, watched on a port or (None) alone."""
    import torch

    import agnez
    from agnez.demo import torch_network

    torch.set_num_threads(1)
    images, labels = (torch.from_numpy(each) for each in digits())
    images = images.permute(0, 3, 1, 2).contiguous()

    def fit(port):
        torch.manual_seed(0)
        model = torch_network()
        optimizer = torch.optim.Adam(model.parameters())
        criterion = torch.nn.CrossEntropyLoss()
        waited, ends = 0.0, []
        began = time.perf_counter()
        run = None
        if port is not None:
            run = agnez.init("bench", port=port)
            agnez.watch(model, optimizer)
            before = time.perf_counter()
            page_is_there()
            waited = time.perf_counter() - before
        for epoch in range(EPOCHS):
            for batch in torch.randperm(len(images)).split(BATCH):
                optimizer.zero_grad()
                output = model(images[batch])
                loss = criterion(output, labels[batch])
                loss.backward()
                optimizer.step()
                accuracy = (output.argmax(1) == labels[batch]).float().mean()
                if run is not None:
                    run.log({"epoch": epoch, "loss": loss, "accuracy": accuracy})
            ends.append(time.perf_counter())
        if run is not None:
            run.finish()
        return finished(began, ends, waited, steps=(EPOCHS - 1) * 57)

    return fit


def finished(began: float, ends: list[float], waited: float, *, steps: int) -> dict[str, float]:
    """End what watches the training, servers too, and return the times in seconds."""
    from agnez.session import session

    session().close()
    steady = ends[-1] - ends[0]
    return {"steady": steady, "rest": time.perf_counter() - began - steady - waited, "step": steady / steps}


# --- the browser, and the turns --------------------------------------------------------------------------------------


def measure(framework: str, pairs: int) -> tuple[list[float], list[float], list[float]]:
    """Return the ratio of each pair, the fixed cost of each (seconds), and the times of a step without (seconds)."""
    from playwright.sync_api import sync_playwright

    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=quiet)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        still = Path(folder) / "still.html"
        environ = {**os.environ, "AGNEZ_DIR": f"{folder}/store", "CI": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--train", framework]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
        ) as child:
            ask(child, "ready")
            ratios, fixed, steps = [], [], []
            for pair in range(-1, pairs):  # the first pair warms the browser up, and is not counted
                order = ["on", "off"] if pair % 2 else ["off", "on"]
                times = {word: turn(child, page, still, word) for word in order}
                if pair < 0:
                    continue
                ratios.append(times["on"]["steady"] / times["off"]["steady"])
                fixed.append(times["on"]["rest"] - times["off"]["rest"])
                steps.append(times["off"]["step"])
            child.stdin.close()
        browser.close()
    return ratios, fixed, steps


def turn(child, page, still: Path, word: str) -> dict[str, float]:
    """Let one training run with the browser on the right page."""
    if word == "off":
        if still.exists():
            page.goto(still.as_uri())
        tell(child, "off")
        return json.loads(child.stdout.readline())
    port = free_port()
    tell(child, f"on {port}")
    ask(child, "watch")
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector("[data-testid=run-state]")
    tell(child, "go")
    times = json.loads(child.stdout.readline())
    picture = still.with_suffix(".png")
    page.screenshot(path=picture)
    still.write_text(f"<img src={picture.name}>")
    return times


def tell(child, word: str) -> None:
    """Send a line."""
    child.stdin.write(word + "\n")
    child.stdin.flush()


def ask(child, expected: str) -> None:
    """Wait for a line, which must be the expected one."""
    said = child.stdout.readline().strip()
    if said != expected:
        raise SystemExit(f"the training said {said!r}, not {expected!r}:\n{child.stderr.read()}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def report(framework: str, ratios: list[float], fixed: list[float], steps: list[float]) -> str:
    """Return a row of the table."""
    low, high = interval(ratios)
    return (
        f"| {framework} | {len(ratios)} | {statistics.median(steps) * 1e3:.2f} ms "
        f"| {percent(statistics.median(ratios))} | {percent(low)} to {percent(high)} "
        f"| {statistics.median(fixed):.2f} s |"
    )


def percent(ratio: float) -> str:
    """Write a ratio as what it is above one.

    >>> percent(1.015)
    '+1.5 %'
    """
    return f"{(ratio - 1) * 100:+.1f} %"


def interval(values: list[float], rounds: int = 5000) -> tuple[float, float]:
    """Return the bootstrapped 95 % interval of the median."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(rounds))
    return medians[int(rounds * 0.025)], medians[int(rounds * 0.975)]


if __name__ == "__main__":
    main()
