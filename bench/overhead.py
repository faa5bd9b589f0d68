"""What watching costs a training: the demo's network, its callback on and off in turn, and a browser that watches.

    python bench/overhead.py [--pairs 30] [--frameworks keras torch]

One process, one compute thread, one run, and one page open on it all the time. Blocks of a few seconds alternate: in
one the callback is attached, in the next it is not, and the page stands still, since nothing comes. Each block begins
with an epoch that is not counted, and before a block without the callback all that was logged is written, sent and
shown. The process that draws figures is stopped in those blocks, lest it catch up there; it catches up in the next.

Each block with the callback is compared with the mean of the two around it: the ratios' median with its bootstrapped
95 % interval is the cost. The same of each block without the callback is the control: what the machine does by itself.
What the dashboard's threads still do while nothing is logged is in both kinds of blocks; it is told beside them. The
fixed cost is what starting the first run of a process and finishing it take, with its server and a page open.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.browser import installed

BATCH = 32
SETTLE = 0.8  # seconds until the last of what was logged is on the page
EPOCHS = {"keras": 3, "torch": 5}  # that count, of a block: about 3 seconds

Block = dict[str, float]
Fit = Callable[[bool], Block]


def main() -> None:
    """Measure, or train for who measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--frameworks", nargs="+", default=["keras", "torch"], choices=["keras", "torch"])
    parser.add_argument("--train", choices=["keras", "torch"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.pairs < 2:
        parser.error("two pairs are the fewest that have a control")
    if arguments.train:
        train(arguments.train, arguments.pairs)
        return
    print(
        "| framework | pairs | step without | slower with the callback | 95 % interval "
        "| control: off against off | its 95 % interval | idle threads | fixed cost of a run |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for framework in arguments.frameworks:
        print(report(framework, *measure(framework, arguments.pairs)), flush=True)


# --- the training, in a process of its own ---------------------------------------------------------------------------


def train(framework: str, pairs: int) -> None:
    """Train in blocks, off, on, off …, and say the times of each; at last what the run cost beside."""
    prepare = {"keras": keras_fit, "torch": torch_fit}[framework]
    images, labels = digits()
    began = time.perf_counter()
    import agnez
    from agnez.session import session

    port = free_port()
    run = agnez.init("bench", port=port)
    started = time.perf_counter() - began
    fit = prepare(images, labels, run)
    fit(True)  # compile, and fill caches
    tell(sys.stdout, port)
    sys.stdin.readline()
    fit(True)  # the page warms up
    for block in range(2 * pairs + 1):
        on = block % 2 == 1
        if not on:
            run.flush(5)
            pause_figures(signal.SIGSTOP)
            time.sleep(SETTLE)
        else:
            pause_figures(signal.SIGCONT)
        tell(sys.stdout, fit(on))
    pause_figures(signal.SIGCONT)
    began = time.perf_counter()
    run.finish()
    session().close()
    tell(sys.stdout, started + time.perf_counter() - began)


def pause_figures(word: signal.Signals) -> None:
    """Stop the processes that this one has started, or let them go on."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it, or they, may have ended meanwhile
            for pid in (thread / "children").read_text().split():
                os.kill(int(pid), word)


class Stopwatch:
    """Take the time of a block's steps, of all but the first epoch, and what other threads of the process take."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._epochs = 0
        self._began = self._others = 0.0
        self._ended = (0.0, 0.0)

    def lap(self) -> None:
        """Tell that an epoch has ended."""
        now, others = time.perf_counter(), time.process_time() - time.thread_time()
        if self._epochs == 0:
            self._began, self._others = now, others
        self._epochs += 1
        self._ended = (now, others)

    def block(self) -> Block:
        """Return the seconds of a step, and the share of a core that other threads took."""
        seconds = self._ended[0] - self._began
        steps = (self._epochs - 1) * self._steps
        return {"step": seconds / steps, "others": (self._ended[1] - self._others) / seconds}


def digits() -> tuple[Any, Any]:
    """Return images in 0 to 1 and their labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8, 1).astype("float32") / 16, labels


def keras_fit(images: Any, labels: Any, run: Any) -> Fit:
    """Return a function that trains a block with Keras, with the callback or without."""
    import keras
    import torch

    import agnez
    from agnez.demo import keras_network

    torch.set_num_threads(1)
    keras.utils.set_random_seed(0)
    model = keras_network()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    callback = agnez.AgnezCallback()  # it records into the run that there is

    class Clock(keras.callbacks.Callback):
        """Read the clock where epochs end; no batch hook, which would change how Keras calls all others."""

        def __init__(self, watch: Stopwatch) -> None:
            super().__init__()
            self.watch = watch

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.watch.lap()

    epochs = 0

    def fit(on: bool) -> Block:
        nonlocal epochs
        watch = Stopwatch(steps=45)
        until = epochs + 1 + EPOCHS["keras"]
        model.fit(
            images,
            labels,
            initial_epoch=epochs if on else 0,
            epochs=until if on else 1 + EPOCHS["keras"],
            batch_size=BATCH,
            validation_split=0.2,
            verbose=0,
            callbacks=[*([callback] if on else []), Clock(watch)],
        )
        epochs = until if on else epochs
        return watch.block()

    return fit


def torch_fit(images: Any, labels: Any, run: Any) -> Fit:
    """Return a function that trains a block with PyTorch, logging or not."""
    import torch

    import agnez
    from agnez.demo import torch_network

    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, labels = (torch.from_numpy(each) for each in (images, labels))
    images = images.permute(0, 3, 1, 2).contiguous()
    model = torch_network()
    optimizer = torch.optim.Adam(model.parameters())
    criterion = torch.nn.CrossEntropyLoss()
    logged = 0

    def fit(on: bool) -> Block:
        nonlocal logged
        watch = Stopwatch(steps=57)
        handle = agnez.watch(model, optimizer) if on else None
        for epoch in range(logged, logged + 1 + EPOCHS["torch"]):
            for batch in torch.randperm(len(images)).split(BATCH):
                optimizer.zero_grad()
                output = model(images[batch])
                loss = criterion(output, labels[batch])
                loss.backward()
                optimizer.step()
                accuracy = (output.argmax(1) == labels[batch]).float().mean()
                if on:
                    run.log({"epoch": epoch, "loss": loss, "accuracy": accuracy})
            watch.lap()
        if handle is not None:
            handle.remove()
            logged = epoch + 1
        return watch.block()

    return fit


# --- the browser, and the blocks -------------------------------------------------------------------------------------


def measure(framework: str, pairs: int) -> tuple[list[Block], float]:
    """Return the blocks, the first without the callback, and the fixed cost of the run (seconds)."""
    from playwright.sync_api import sync_playwright

    browser_path = installed()
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=quiet)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        environ = {
            **os.environ,
            "AGNEZ_DIR": f"{folder}/store",
            "CI": "1",
            "OMP_NUM_THREADS": "1",
            "KERAS_BACKEND": "torch",
        }
        command = [sys.executable, __file__, "--train", framework, "--pairs", str(pairs)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
        ) as child:
            page.goto(f"http://127.0.0.1:{hear(child)}/")
            page.wait_for_selector("[data-testid=run-state]")
            tell(child.stdin, "go")
            blocks = [hear(child) for _ in range(2 * pairs + 1)]
            fixed = hear(child)
        browser.close()
    return blocks, fixed


def tell(stream: Any, word: object) -> None:
    """Send a line."""
    stream.write(json.dumps(word) + "\n")
    stream.flush()


def hear(child: subprocess.Popen[str]) -> Any:
    """Wait for a line of the training; what it writes beside is passed over."""
    assert child.stdout is not None and child.stderr is not None
    for line in child.stdout:
        with suppress(ValueError):
            return json.loads(line)
    raise SystemExit(f"the training ended:\n{child.stderr.read()}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def against_neighbours(steps: list[float], nth: range, apart: int) -> list[float]:
    """Return the ratios of blocks to the mean of those so many places before and after.

    >>> against_neighbours([2.0, 3.0, 4.0], range(1, 2), 1)
    [1.0]
    """
    return [2 * steps[i] / (steps[i - apart] + steps[i + apart]) for i in nth]


def report(framework: str, blocks: list[Block], fixed: float) -> str:
    """Return a row of the table."""
    steps = [block["step"] for block in blocks]
    cost = against_neighbours(steps, range(1, len(steps), 2), 1)
    control = against_neighbours(steps, range(2, len(steps) - 1, 2), 2)
    idle = statistics.median(block["others"] for block in blocks[::2])
    return (
        f"| {framework} | {len(cost)} | {statistics.median(steps[::2]) * 1e3:.2f} ms | {told(cost)} | {told(control)} "
        f"| {100 * idle:.1f} % of a core | {fixed:.2f} s |"
    )


def told(ratios: list[float]) -> str:
    """Write the median of ratios and its interval."""
    low, high = interval(ratios)
    return f"{percent(statistics.median(ratios))} | {percent(low)} to {percent(high)}"


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
