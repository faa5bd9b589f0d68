from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from argparse import Namespace
from decimal import Decimal
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import agnez
from agnez.errors import AgnezError, BadValueError, RunFinishedError
from agnez.run import outcome
from agnez.store import RunFile, Store


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
        with pytest.raises(BadValueError, match=r"2\*\*62"):
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
    assert (run.state, run.project) == (state, "train_digits")
    assert (run.reason or "").startswith(reason or "") and bool(run.reason) == bool(reason)


def everything(store: Store, run: str) -> dict[str, list[tuple[int, float]]]:
    """Return the points of all files of a run's first rank, in the order of the files."""
    found: dict[str, list[tuple[int, float]]] = {}
    for path in store.files(run):
        with RunFile(path) as file:
            for each in file.series()[1]:
                found.setdefault(each.metric, []).extend(zip(each.steps.tolist(), each.values.tolist(), strict=True))
    return found


def script(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(text)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks nothing")
def test_a_forked_child_records_and_leaves_the_run_to_its_parent(store: Store, tmp_path: Path) -> None:
    script(
        tmp_path,
        "import agnez, os, sys\nrun = agnez.init(server=None)\nrun.log({'loss': 1})\nchild = os.fork()\n"
        "if child == 0:\n    run.log({'loss': 9})\n    agnez.log({'aside': 5})\n    sys.exit(3)\n"
        "os.waitpid(child, 0)\nrun.log({'loss': 2})\n",
    )
    (run,) = store.runs()
    assert (run.state, run.reason) == ("finished", None)
    assert everything(store, run.id) == {"loss": [(0, 1), (1, 2), (1, 9)], "aside": [(2, 5)]}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_multiprocessing_record_to_the_end(store: Store, tmp_path: Path, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("this system has no such way to start a process")
    script(
        tmp_path,
        "import multiprocessing\nimport agnez\n"
        "def work(run, number):\n    for step in range(500):\n        run.log({f'worker{number}': step}, step=step)\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context('{method}')\n"
        "    run = agnez.init(server=None)\n    run.log({'loss': 1})\n"
        "    workers = [context.Process(target=work, args=(run, number)) for number in range(3)]\n"
        "    [each.start() for each in workers]\n    [each.join() for each in workers]\n"
        "    assert not any(each.exitcode for each in workers)\n    run.log({'loss': 2})\n",
    )
    (run,) = store.runs()
    assert run.state == "finished" and run.summary["loss"].count == 2
    workers = {f"worker{number}": [(step, step) for step in range(500)] for number in range(3)}
    assert everything(store, run.id) == {"loss": [(0, 1), (1, 2)]} | workers


def test_the_workers_of_a_data_loader_record(store: Store) -> None:
    run = start()
    loader = torch.utils.data.DataLoader(Watched(run), batch_size=5, num_workers=2)
    assert len(list(loader)) == 4
    run.finish()
    loaded = everything(store, run.id)["loaded"]
    assert sorted(value for _, value in loaded) == list(range(20))


class Watched(torch.utils.data.Dataset[int]):
    def __init__(self, run: agnez.Run) -> None:
        self.run = run

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> int:
        self.run.log({"loaded": index})
        return index


def test_a_pickled_run_is_a_writer_of_its_own(store: Store) -> None:
    with start() as run:
        run.log({"loss": 1})
        other = pickle.loads(pickle.dumps(run))
        other.log({"loss": 2})
        other.finish()
        assert run.state == "running" and other.id == run.id
    assert everything(store, run.id) == {"loss": [(0, 1), (1, 2)]}


def test_further_ranks_keep_numbers_and_nothing_else(store: Store) -> None:
    with start() as run:
        run.log({"loss": 1})
        rank = agnez.Run(store, store.runs()[0], rank=1)
        rank.start()
        rank.log({"loss": math.nan, "figure": Figure()})
        rank.finish("failed")
        assert (rank.rank, run.rank) == (1, 0)
    (info,) = store.runs()
    assert info.state == "finished" and store.ranks(run.id) == [0, 1]
    with RunFile(store.files(run.id, 1)[0]) as file:
        assert len(file.series(["loss"])[1][0]) == 1 and not file.cells.find() and not file.findings()


def test_a_run_reads_what_was_logged_so_far() -> None:
    with start() as run:
        for step in range(3):
            run.log({"loss": 3.0 - step, "nested": {"x": step}})
        assert run.metrics == ["loss", "nested/x"]
        assert run.series("loss").values.tolist() == [3, 2, 1]
        assert (run.summary["loss"].min, run.summary["loss"].min_step) == (1, 2)
        assert run.history()["nested/x"].tolist() == [0, 1, 2]
    assert run.series("loss", last=1).steps.tolist() == [0, 1]


def test_axes_are_declared_and_the_last_one_holds(store: Store) -> None:
    with start() as run:
        run.define_metric("val/*", step_metric="step")
        run.define_metric("*", step_metric="tokens")
        run.define_metric("val/*", step_metric="epoch")
        with pytest.raises(BadValueError, match="step_metric"):
            run.define_metric("val/*", step_metric="")
    with store.open_run(run.id) as file:
        assert list(file.info().axes.items()) == [("*", "tokens"), ("val/*", "epoch")]


def test_what_others_edit_meanwhile_stays_edited(store: Store) -> None:
    with start(name="mine") as run:
        run.log({"loss": 1})
        run.flush()
        store.edit(run.id, name="theirs", tags=["kept"])
        run.log({"loss": 2})
    assert run.name == "theirs"
    (info,) = store.runs()
    assert (info.name, info.tags, info.state) == ("theirs", ("kept",), "finished")


def test_finish_says_what_it_wrote_and_where(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with start(name="told") as run:
        for _ in range(3):
            run.log({"a": 1, "b": 2})
    said = capsys.readouterr().err
    assert f"run told: 6 points of 2 metrics are in {store.run_path(run.id).parent}" in said
    assert said.count("\n") == 1


def test_a_picture_becomes_a_cell(store: Store) -> None:
    with start() as run:
        run.log({"digits": agnez.Image(np.zeros((4, 4)), caption="black"), "loss": 1.0})
    with store.cells(run.id) as cells:
        cell = next(each for each in cells.find() if each["type"] == "img")
    assert (cell["name"], cell["description"]) == ("digits", "black")
    assert (store.run_path(run.id).parent / "media" / str(cell["value"]).rpartition("/")[2]).is_file()


def test_a_name_that_went_the_short_way_still_is_checked_by_its_value(store: Store) -> None:
    with start() as run:
        run.log({"x": 1.0, "epoch": 0.5})
        run.log({"x": 1.0})
        run.log({"x": 2})
        run.log({"x": True})
        run.log({"x": np.float32(3)})
        with pytest.raises(BadValueError, match="x"):
            run.log({"x": "text"})
        with pytest.raises(BadValueError, match="too large"):
            run.log({"x": 10**400})
        with pytest.raises(BadValueError, match="whole"):
            run.log({"x": 1.0}, step=True)
        run.log({"x": 4}, step=np.int64(9))
    assert series(store, run)["x"] == ([0, 1, 2, 3, 4, 9], [1, 1, 2, 1, 3, 4])
    with pytest.raises(RunFinishedError):
        run.log({"x": 1.0})


Names = st.sampled_from(["loss", "val/loss", "größe", "a", "b/c"])
Values = st.one_of(st.floats(), st.integers(-(2**60), 2**60), st.booleans())
Calls = st.lists(st.tuples(st.dictionaries(Names, Values, min_size=1), st.none() | st.integers(-(2**62), 2**62 - 1)))


@settings(max_examples=25, deadline=None)
@given(by_thread=st.lists(Calls, min_size=1, max_size=4))
def test_what_any_thread_logs_in_any_order_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, by_thread: list[list[tuple[dict[str, float], int | None]]]
) -> None:
    run = agnez.init("tests", server=None, dir=tmp_path_factory.mktemp("store"))
    logged: list[list[tuple[str, int | None, float]]] = [[] for _ in by_thread]

    def work(number: int) -> None:
        for values, step in by_thread[number]:
            run.log({f"{number}/{name}": value for name, value in values.items()}, step=step)
            logged[number] += [(f"{number}/{name}", step, float(value)) for name, value in values.items()]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(by_thread))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    run.finish()
    found = everything(run._store, run.id)
    for expected in logged:
        for metric in {name for name, _, _ in expected}:
            wanted = [(step, value) for name, step, value in expected if name == metric]
            assert len(found[metric]) == len(wanted)
            for (step, value), (found_step, found_value) in zip(wanted, found[metric], strict=True):
                assert step in (None, found_step)
                assert found_value == value or (math.isnan(value) and math.isnan(found_value))
    assert set(found) == {name for each in logged for name, _, _ in each}


def test_threads_share_one_count_of_steps(store: Store) -> None:
    with start() as run:
        threads = [threading.Thread(target=lambda: [run.log({"x": 1.0}) for _ in range(2000)]) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert run.step == 8000
    assert sorted(series(store, run)["x"][0]) == list(range(8000))


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
