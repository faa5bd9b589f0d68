from __future__ import annotations

import math
import subprocess
import sys
from argparse import Namespace
from decimal import Decimal
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import agnez
from agnez.errors import AgnezError, BadValueError, RunFinishedError
from agnez.run import outcome
from agnez.store import Store


def series(store: Store, run: agnez.Run) -> dict[str, tuple[list[float], list[float]]]:
    with store.open_run(run.id) as file:
        return {each.metric: (each.steps.tolist(), each.values.tolist()) for each in file.series()[1]}


def start(**options: object) -> agnez.Run:
    return agnez.init("tests", server=None, **options)  # type: ignore[arg-type]


def test_numbers_of_every_kind_are_recorded_exactly(store: Store) -> None:
    total = torch.zeros(())
    with start() as run:
        total += 0.5
        run.log({"a": 1, "b": True, "c": 0.1, "d": Decimal("0.25"), "e": np.float32(0.1), "f": np.array([2.0])})
        run.log(
            {"torch": total, "grad": torch.tensor(3.0, requires_grad=True), "nested": {"x": {"y": 1}}, "nan": math.nan}
        )
        total += 100  # what was logged is as it was
    found = series(store, run)
    assert found["e"] == ([0], [float(np.float32(0.1))])
    assert [found[name][1] for name in "abcdf"] == [[1], [1], [0.1], [0.25], [2]]
    assert found["torch"] == ([1], [0.5]) and found["grad"] == ([1], [3]) and found["nested/x/y"] == ([1], [1])
    assert math.isnan(found["nan"][1][0])


def test_steps_count_calls_unless_they_are_given(store: Store) -> None:
    with start() as run:
        run.log({"x": 0})
        run.log({"x": 1})
        run.log({"x": 2}, step=10)
        run.log({"x": 3})
        run.log({"x": 4}, step=5)
    assert series(store, run)["x"] == ([0, 1, 10, 11, 5], [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"loss": "high"}, "loss"),
        ({"loss": None}, "loss"),
        ({"loss": [1, 2]}, "loss"),
        ({"loss": np.zeros(3)}, "loss"),
        ({"loss": torch.zeros(2, 2)}, "loss"),
        ({1: 2}, "1"),
        ([1], "1"),
        ({"loss": 10**400}, "loss"),
        ({"loss": np.array("x")}, "loss"),
        ({"loss": np.complex64(1j)}, "loss"),
        ({"half \ud800": 1}, "surrogate"),
    ],
)
def test_a_value_that_is_no_number_is_named_at_the_door(values: object, name: str) -> None:
    with start() as run, pytest.raises(BadValueError, match=name):
        run.log(values)  # type: ignore[arg-type]


def test_a_step_that_is_no_whole_number_is_named() -> None:
    with start() as run, pytest.raises(BadValueError, match="whole"):
        run.log({"x": 1}, step=1.5)  # type: ignore[arg-type]


def test_values_without_an_end_and_steps_past_all_bounds_are_refused() -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    with start() as run:
        with pytest.raises(BadValueError, match="without an end"):
            run.log(endless)
        with pytest.raises(BadValueError, match="64 bits"):
            run.log({"x": 1}, step=2**70)
    with pytest.raises(BadValueError, match="config"):
        start(config=endless)


def test_logging_to_a_finished_run_says_what_to_do() -> None:
    with start() as run:
        pass
    run.finish()
    with pytest.raises(RunFinishedError, match="init"):
        run.log({"x": 1})
    with pytest.raises(AgnezError, match="init"):
        agnez.log({"x": 1})
    agnez.finish()


def test_the_module_logs_to_the_newest_run(store: Store) -> None:
    with start() as outer:
        with start() as inner:
            agnez.log({"x": 1})
        agnez.log({"x": 2})
    assert series(store, inner)["x"][1] == [1] and series(store, outer)["x"][1] == [2]


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_end_when_their_number_changes(store: Store, first: int) -> None:
    with start() as run:
        for epoch in range(3):
            for _ in range(4):
                run.log({"epoch": epoch + first, "loss": 0.5})
    assert series(store, run)["epoch"] == ([0, 4, 8, 12], [0, 1, 2, 3])
    assert store.runs()[0].progress.epoch == 3


def test_epochs_can_be_told(store: Store) -> None:
    with start() as run:
        run.log({"loss": 1})
        run.epoch(1)
    assert series(store, run)["epoch"] == ([1], [1])


def test_an_exception_makes_the_run_a_failed_one_and_passes_through(store: Store) -> None:
    with pytest.raises(ValueError, match="first"), start():
        raise ValueError("first line\nlast line")
    assert (store.runs()[0].state, store.runs()[0].reason) == ("failed", "ValueError: last line")
    with pytest.raises(KeyboardInterrupt), start():
        raise KeyboardInterrupt
    assert store.runs()[0].state == "interrupted"
    assert outcome(SystemExit(0))[0] == "finished" and outcome(SystemExit(3)) == ("failed", "SystemExit: 3")


@pytest.mark.parametrize(
    ("ending", "state", "reason"),
    [
        ("", "finished", None),
        ("raise ValueError('too bad')", "failed", "ValueError: too bad"),
        ("raise KeyboardInterrupt", "interrupted", None),
        ("import sys; sys.exit(0)", "finished", None),
        ("import os; os.kill(os.getpid(), 9)", "crashed", "its process ended without a word"),
    ],
)
def test_a_script_that_ends_leaves_the_right_state(
    store: Store, ending: str, state: str, reason: str | None, tmp_path: Path
) -> None:
    script = tmp_path / "train_digits.py"
    script.write_text(f"import agnez\nrun = agnez.init(server=None)\nrun.log({{'loss': 1}})\nrun.flush()\n{ending}\n")
    subprocess.run([sys.executable, script], check=False, capture_output=True, timeout=60)
    from agnez.store.life import seen

    (run,) = map(seen, store.runs())
    assert (run.state, run.reason, run.project) == (state, reason, "train_digits")


def test_a_forked_child_neither_finishes_nor_writes_the_run(store: Store, tmp_path: Path) -> None:
    script = tmp_path / "fork.py"
    script.write_text(
        "import agnez, os, sys\nrun = agnez.init(server=None)\nrun.log({'loss': 1})\nchild = os.fork()\n"
        "if child == 0:\n    run.log({'loss': 9})\n    agnez.log({'loss': 9})\n    sys.exit(0)\n"
        "os.waitpid(child, 0)\nrun.log({'loss': 2})\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("is not recorded; log in the parent") == 1
    (run,) = store.runs()
    assert run.state == "finished" and run.summary["loss"].count == 2


def test_configurations_of_every_kind_are_kept(store: Store) -> None:
    with start(config=Namespace(lr=0.1, net=torch.nn.ReLU, shape=(3, 3)), tags=["a"], notes="n", name="mine") as run:
        pass
    (info,) = store.runs()
    assert info.config["lr"] == 0.1 and info.config["shape"] == [3, 3] and "ReLU" in str(info.config["net"])
    assert (info.name, info.tags, info.notes, run.name) == ("mine", ("a",), "n", "mine")


@pytest.mark.parametrize(
    "wrong",
    [
        {"config": 3},
        {"name": 5},
        {"name": "\ud800"},
        {"dir": 5},
        {"tags": "one"},
        {"server": "cloud"},
        {"renderer": "svg"},
        {"port": "many"},
        {"port": 70000},
    ],
)
def test_arguments_that_make_no_sense_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(BadValueError, match=str(next(iter(wrong)))):
        agnez.init("tests", **{"server": None, **wrong})  # type: ignore[arg-type]


def test_a_figure_becomes_a_cell_and_stays_as_it_was(store: Store) -> None:
    figure = Figure()
    figure.subplots().plot([1, 2], label="a line")
    before = dict(matplotlib.rcParams)
    with start() as run:
        run.log({"attention": figure})
    with store.cells(run.id) as cells:
        (cell,) = cells.find()
    assert cell["name"] == "attention" and "a line" not in str(cell["name"])
    assert "mpld3" in str(cell["value"])
    assert figure.axes[0].lines[0].get_label() == "a line" and dict(matplotlib.rcParams) == before


def test_a_figure_that_mpld3_cannot_draw_becomes_a_picture_with_a_note(store: Store) -> None:
    figure = Figure()
    figure.add_subplot(projection="3d").plot([1, 2], [1, 2], [1, 2])
    with start() as run:
        run.log({"surface": figure})
    with store.cells(run.id) as cells:
        (cell,) = cells.find()
    assert "data:image/png;base64," in str(cell["value"]) and "3D" in str(cell["value"])


def test_a_figure_that_cannot_be_copied_is_told_and_training_goes_on(store: Store) -> None:
    figure = Figure()
    figure.subplots().xaxis.set_major_formatter(lambda value, place: "local")
    with start() as run:
        run.log({"odd": figure, "loss": 1.0})
    (info,) = store.runs()
    assert info.summary["loss"].count == 1 and "odd" in info.problems[0]
    with store.cells(run.id) as cells:
        assert [cell["name"] for cell in cells.find()] == ["Loss"]  # and no empty cell is left


def test_each_quantity_gets_a_figure_of_its_last_epoch(store: Store) -> None:
    with start() as run:
        for epoch in range(2):
            run.log({"epoch": epoch, "train/loss": 1 / (epoch + 1), "val/loss": 1.0, "accuracy": 0.5})
    with store.cells(run.id) as cells:
        found = {cell["name"]: cell for cell in cells.find()}
    assert set(found) == {"Loss", "Accuracy"}
    assert all("mpld3" in str(cell["value"]) and cell["epoch"] == 2 for cell in found.values())


def test_a_loss_that_is_no_number_is_a_finding(store: Store) -> None:
    with start() as run:
        for step in range(5):
            run.log({"loss": math.nan if step >= 3 else 1.0})
    with store.open_run(run.id) as file:
        (finding,) = file.findings()
    assert (finding.kind, finding.severity, finding.first_step) == ("non_finite", "error", 3)
    assert "loss is NaN since step 3" in finding.sentence


def test_no_global_random_state_is_touched() -> None:
    import random

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    with start() as run:
        run.log({"loss": 1})
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
