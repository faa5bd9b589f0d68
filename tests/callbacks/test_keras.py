"""What the Keras callback does in a process of its own, in a notebook, and beside the loop's thread."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import pytest
from shapes import Digits, Read
from test_keras_backends import BACKEND, Raising, callback, model, run_of

import agnez
from agnez.callbacks import fit_watch
from agnez.callbacks.choice import Choice
from agnez.callbacks.in_order import InOrder
from agnez.callbacks.keras_norms import WeightNorms
from agnez.record import RunInfo
from agnez.store import Store

pytestmark = pytest.mark.skipif(BACKEND != "torch", reason="these need no other backend")

SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it
import keras, numpy as np, agnez

class Act(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            print("now", flush=True)
            {action}

model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((32, 4)), np.ones((32, 1)), epochs={epochs}, verbose=0,
          callbacks=[agnez.AgnezCallback(server=None), Act()])
"""


def start(tmp_path: Path, action: str, epochs: int = 3) -> subprocess.Popen[str]:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(action=action, epochs=epochs))
    return subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def only_run(store: Store) -> RunInfo:
    (info,) = store.runs()
    with store.open_run(info.id) as file:
        return file.info()


@pytest.mark.parametrize(
    ("action", "code", "state", "reason"),
    [
        ("pass", 0, "finished", None),
        ("raise ValueError('no number')", 1, "failed", "ValueError: no number"),
        ("sys.exit(3)", 3, "interrupted", fit_watch.UNKNOWN),
    ],
)
def test_a_script_that_ends_tells_how(
    action: str, code: int, state: str, reason: str | None, tmp_path: Path, store: Store
) -> None:
    process = start(tmp_path, action)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    info = only_run(store)
    assert (info.state, info.reason, info.project) == (state, reason, "train")
    assert info.summary["train/loss"].count == (3 if state == "finished" else 2)
    assert code or (errors.count("\n") == 1 and "points of 8 metrics are in" in errors)


def test_ctrl_c_in_a_script_interrupts_the_run(tmp_path: Path, store: Store) -> None:
    process = start(tmp_path, "pass", epochs=1_000_000)
    assert process.stdout is not None and process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in errors
    info = only_run(store)
    assert (info.state, info.reason) == ("interrupted", None) and info.summary["train/loss"].count >= 2


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [(ValueError("no number"), "failed", "ValueError: no number"), (KeyboardInterrupt(), "interrupted", None)],
)
def test_a_fit_that_was_left_is_noticed_without_being_asked(
    error: BaseException, state: str, reason: str | None, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, told = callback(), threading.Event()
    left = agnez.AgnezCallback._left

    def tell(self: agnez.AgnezCallback, *outcome: Any) -> None:
        left(self, *outcome)
        told.set()

    monkeypatch.setattr(agnez.AgnezCallback, "_left", tell)
    with pytest.raises(type(error)):
        model().fit(*digits, epochs=3, verbose=0, callbacks=[made, Raising(error)])
    assert told.wait(30)
    assert run_of(made).state == state


def test_an_exception_that_was_dropped_leaves_an_interrupted_run(digits: Digits, store: Store) -> None:
    class Failing(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise ValueError("nobody keeps it")

    made = callback()
    with suppress(ValueError):
        model().fit(*digits, epochs=3, verbose=0, callbacks=[made, Failing()])
    run = run_of(made)
    run.flush()
    assert (only_run(store).state, only_run(store).reason) == ("interrupted", fit_watch.UNKNOWN)


def test_a_fit_on_another_thread_goes_on_while_this_one_asks(digits: Digits) -> None:
    made, asked, seen = callback(), threading.Event(), threading.Event()

    class Waiting(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.set()
            assert asked.wait(30)

    trained = model()
    thread = threading.Thread(target=lambda: trained.fit(*digits, epochs=2, verbose=0, callbacks=[made, Waiting()]))
    thread.start()
    assert seen.wait(30)
    assert run_of(made).state == "running"
    asked.set()
    thread.join(30)
    assert run_of(made).state == "finished"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    interactive = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    last = {name: getattr(sys, name) for name in ("last_type", "last_value", "last_traceback") if hasattr(sys, name)}
    yield interactive.instance()
    interactive.clear_instance()
    for name in ("last_type", "last_value", "last_traceback"):
        if hasattr(sys, name):
            delattr(sys, name)
    for name, value in last.items():
        setattr(sys, name, value)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [("ValueError('no number')", "failed", "ValueError: no number"), ("KeyboardInterrupt()", "interrupted", None)],
)
def test_the_end_of_a_notebooks_cell_tells_what_left_the_fit(
    error: str, state: str, reason: str | None, shell: Any, digits: Digits, store: Store
) -> None:
    made = callback()
    shell.user_ns.update(model=model(), digits=digits, callbacks=[made], Raising=Raising)
    shell.run_cell(f"model.fit(*digits, epochs=3, verbose=0, callbacks=[*callbacks, Raising({error})])")
    assert made._watch is None  # so it was told, and nobody had to look
    run_of(made).flush()
    assert (only_run(store).state, only_run(store).reason) == (state, reason)
    shell.run_cell("model.fit(*digits, epochs=1, verbose=0, callbacks=callbacks)")
    assert run_of(made).state == "finished"


def test_batches_do_not_wait_for_the_device(digits: Digits) -> None:
    """Keras turns a batch's metrics to floats, which waits for the device, where it calls the callbacks."""

    class Witness(agnez.AgnezCallback):
        def __init__(self) -> None:
            super().__init__(server=None)
            self.threads: set[int] = set()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.threads.add(threading.get_ident())
            super().on_train_batch_end(batch, logs)

    made = Witness()
    model().fit(*digits, epochs=2, verbose=0, callbacks=[made])
    assert made.threads and threading.get_ident() not in made.threads


def test_norms_do_not_wait_for_the_device() -> None:
    """On the device "meta" tensors have no numbers, so whatever asks for one raises."""
    with keras.device("meta"):
        bare = keras.layers.Dense(3, name="bare")
        bare.build((2, 4))
    ((names, norms),) = WeightNorms(bare, Choice()).measure()
    assert names == ("weights/bare", "weights/global") and str(norms.device) == "meta"  # type: ignore[attr-defined]


def test_batches_are_passed_on_in_the_order_of_their_numbers() -> None:
    passed: list[tuple[int, str]] = []
    batches: InOrder[str] = InOrder(2, lambda number, item: passed.append((number, item)))
    for number in (5, 3, 1, 11, 9):
        batches.put(number, str(number))
    assert passed == [(1, "1"), (3, "3"), (5, "5")] and batches.count == 12
    batches.flush()
    assert passed[3:] == [(9, "9"), (11, "11")]
    batches.put(13, "13")
    assert passed[-1] == (13, "13")


def test_batches_whose_first_never_comes_are_passed_on_too() -> None:
    passed: list[int] = []
    batches: InOrder[None] = InOrder(1, lambda number, _: passed.append(number))
    for number in range(1, 100):
        batches.put(number, None)
    assert passed == list(range(1, 100))


def test_a_callback_lets_go_of_its_model_and_closes_its_run(digits: Digits) -> None:
    made, trained = callback(), model()
    trained.fit(*digits, epochs=1, verbose=0, callbacks=[made])
    run, dead = run_of(made), weakref.ref(trained)
    closed = threading.Event()
    run.on_close(closed.set)
    del made, trained
    gc.collect()
    assert dead() is None
    assert closed.wait(30) and run.state == "finished"


def test_a_copy_is_a_new_callback_of_the_same_arguments() -> None:
    again = pickle.loads(pickle.dumps(callback(project="p", tags=["a"], update_freq=7, layers="d*")))
    assert again._order["project"] == "p" and again._order["tags"] == ("a",) and again._order["server"] is None
    assert again._measuring["update_freq"] == 7 and again._choice.layers == ("d*",)


@pytest.mark.usefixtures("figures")
def test_figures_of_the_last_epoch_reach_the_store(digits: Digits, store: Store) -> None:
    made = callback()
    model().fit(*digits, epochs=2, verbose=0, callbacks=[made])
    run = run_of(made)
    run.finish()
    with store.cells(run.id) as cells:
        figures = {cell["name"]: cell for cell in cells.find() if cell["type"] == "html"}
    assert {"Loss", "Accuracy", "Weight norms"} <= set(figures)
    assert all(cell["epoch"] == 2 and "<" in str(cell["value"]) for cell in figures.values())


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"KERAS_BACKEND": "tensorflow"}, "set KERAS_BACKEND=torch"),
        ({"HIDE": "torch,tensorflow,jax"}, "pip install 'agnez[torch]'"),
        ({"HIDE": "keras"}, "keras is not installed: pip install 'agnez[keras]'"),
    ],
)
def test_what_is_missing_is_told_with_the_cure(setting: dict[str, str], sentence: str) -> None:
    if "KERAS_BACKEND" in setting and __import__("importlib.util").util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is installed")
    script = """
import os, sys
from importlib.machinery import PathFinder
hidden, find = os.environ.get("HIDE", "").split(","), PathFinder.find_spec
class Finder:  # as if some packages were not installed
    find_spec = staticmethod(lambda name, *rest: None if name in hidden else find(name, *rest))
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
import agnez
from agnez.errors import MissingExtraError
try:
    agnez.AgnezCallback
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **setting}, capture_output=True, text=True, timeout=120
    )
    assert sentence in done.stdout, done.stderr


def test_a_resumed_run_counts_batches_and_epochs_on(digits: Digits, store: Store, read: Read) -> None:
    for epochs, done in ((2, 0), (4, 2)):  # the second, as from a checkpoint
        made = callback(id="one", resume="allow")
        model().fit(*digits, epochs=epochs, initial_epoch=done, batch_size=32, verbose=0, callbacks=[made])
        run = run_of(made)
        run.finish()
    found = read(run)
    assert found["batch/loss"][0] == [*range(10), *range(11, 21)]  # 10 is the end of the second epoch
    assert found["train/loss"][0] == [5, 10, 16, 21]
    assert found["epoch"] == ([0, 5, 10, 11, 16, 21], [0, 1, 2, 2, 3, 4])
    info = only_run(store)
    assert (info.state, info.progress.epoch, info.progress.epochs) == ("finished", 4, 4)
    made = callback(fork_from=("one", 10), rank=0, id="two")
    model().fit(*digits, epochs=3, initial_epoch=2, batch_size=32, verbose=0, callbacks=[made])
    run_of(made).finish()
    assert read(run_of(made))["train/loss"][0] == [5, 10, 16]
