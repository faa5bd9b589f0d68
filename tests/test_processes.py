"""Many processes: of one store, of one run."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agnez
from agnez.errors import ConflictError, NotFoundError
from agnez.record import RunInfo
from agnez.store import Store
from agnez.store.life import owned, seen

FORK = """
import agnez, multiprocessing, os, sys, threading, time
context = multiprocessing.get_context("fork")
def tell(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # whole: others write, too
def together(count, work):
    barrier = context.Barrier(count, timeout=60)
    children = [context.Process(target=work, args=(k, barrier)) for k in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * count
"""


def run_script(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "train.py"
    path.write_text(FORK + text)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done


def values(store: Store, id: str, rank: int = 0) -> list[float]:
    with agnez.store.RunFile(store.files(id, rank)[0]) as file:
        return file.read("loss").values.tolist()


def test_32_processes_begin_in_one_fresh_store_at_once(store_directory: Path, tmp_path: Path) -> None:
    text = """
def work(k, barrier):
    barrier.wait()
    with agnez.init("many", id=f"run-{k}", server=None) as run:
        for step in range(500):
            run.log({"loss": 1000 * k + step})
together(32, work)
"""
    run_script(tmp_path, text)
    store = Store(store_directory)
    runs = store.runs()
    assert sorted(run.id for run in runs) == sorted(f"run-{k}" for k in range(32))
    assert {(run.state, run.summary["loss"].count, run.dropped, run.problems) for run in runs} == {
        ("finished", 500, 0, ())
    }
    for k in range(32):
        assert values(store, f"run-{k}") == [*range(1000 * k, 1000 * k + 500)]
    assert list(store_directory.rglob(".*")) == []  # no drafts


def test_of_processes_that_make_one_run_at_once_one_does(store: Store, tmp_path: Path) -> None:
    text = """
def work(k, barrier):
    barrier.wait()
    try:
        run = agnez.init("many", id="one", server=None)
    except agnez.AgnezError as error:
        tell("refused", type(error).__name__)
    else:
        tell("made")
        barrier.wait()
        run.finish()
        return
    barrier.wait()
together(6, work)
"""
    done = run_script(tmp_path, text)
    assert sorted(done.stdout.splitlines()) == ["made", *["refused ConflictError"] * 5]
    assert [run.state for run in store.runs()] == ["finished"]


def test_of_processes_that_resume_one_run_at_once_one_does(store: Store, tmp_path: Path) -> None:
    with agnez.init("many", id="one", server=None) as run:
        run.log({"loss": 0})
    text = """
def work(k, barrier):
    barrier.wait()
    run = agnez.init("many", resume="auto" if k else "never", server=None, **({} if k else {"id": "other"}))
    try:
        run = agnez.init("many", id="one", resume="must", server=None)
    except agnez.AgnezError as error:
        tell("refused", type(error).__name__)
    else:
        run.log({"loss": 1})
        tell("resumed", run.step)
    barrier.wait()
together(6, work)
"""
    done = run_script(tmp_path, text)
    assert sorted(done.stdout.splitlines()) == [*["refused ConflictError"] * 5, "resumed 2"]
    assert values(store, "one") == [0, 1]
    assert len(store.runs()) == 7 and {run.state for run in store.runs()} == {"finished"}


def test_ranks_of_a_run_keep_series_of_their_own(store: Store, tmp_path: Path) -> None:
    text = """
def work(k, barrier):
    barrier.wait()
    run = agnez.init("ranks", id="one", rank=k, config={"rank": k})
    assert run.rank == k and (run.url is None) == (k > 0), run.url
    for step in range(300):
        run.log({"loss": 1000 * k + step})
    run.finish()
os.environ["AGNEZ_PORT"] = "%d"
together(4, work)
"""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    run_script(tmp_path, text % port)
    assert store.ranks("one") == [0, 1, 2, 3]
    for rank in range(4):
        assert values(store, "one", rank) == [*range(1000 * rank, 1000 * rank + 300)]
    (run,) = store.runs()
    assert (run.state, run.config, run.summary["loss"].max) == ("finished", {"rank": 0}, 299)
    with store.cells("one") as cells:
        assert len(cells.find()) == 1


def test_a_rank_may_come_before_the_run_and_goes_on_as_it_does(store: Store) -> None:
    def train(rank: int, **options: object) -> int:
        with agnez.init("ranks", id="one", rank=rank, server=None, **options) as run:  # type: ignore[arg-type]
            run.log({"loss": run.step})
            return run.first_step

    assert train(1) == 0
    assert Store(store.directory).runs() == [] and store.ranks("one") == [1]  # no run yet, only a part of one
    assert train(0) == 0
    with pytest.raises(ConflictError, match=r"rank 1 of run 'one'.*resume='allow'"):
        train(1)
    with pytest.raises(NotFoundError, match="'two'"):
        agnez.init(id="two", rank=1, resume="must", server=None)
    assert [train(rank, resume="allow") for rank in (1, 0, 2)] == [1, 1, 0]
    assert values(store, "one", 1) == [0, 1] and store.ranks("one") == [0, 1, 2]
    busy = pytest.raises(ConflictError, match="rank 1 of run one is still running, in this process")
    with agnez.init(id="one", rank=1, resume="must", server=None), busy:
        train(1, resume="must")


def test_each_rank_forks_its_own_series(store: Store) -> None:
    for rank in range(2):
        with agnez.init("ranks", id="one", rank=rank, server=None) as run:
            for step in range(10):
                run.log({"loss": 100 * rank + step})
    for rank in range(2):
        with agnez.init("ranks", id="two", rank=rank, fork_from=("one", 4), server=None) as run:
            assert run.step == 5
    assert [values(store, "two", rank) for rank in range(2)] == [[0, 1, 2, 3, 4], [100, 101, 102, 103, 104]]


def test_a_failing_child_of_multiprocessing_fails_its_run(store: Store, tmp_path: Path) -> None:
    text = """
def work(name):
    run = agnez.init("children", id=name, server=None)
    for step in range(1000):
        run.log({"loss": step})
    if name == "failed":
        raise ValueError("too bad")
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        for name in ("finished", "failed"):
            child = multiprocessing.get_context(method).Process(target=work, args=(name + method[0],))
            child.start()
            child.join()
"""
    run_script(tmp_path, text.replace('== "failed"', '.startswith("failed")'))
    found = {run.id: seen(run) for run in store.runs()}
    for method in "fs":
        assert found[f"finished{method}"].state == "finished"
        failed = found[f"failed{method}"]
        assert (failed.state, failed.reason) == ("failed", "ValueError: too bad")
    assert {run.summary["loss"].count for run in found.values()} == {1000}


def test_files_of_ranks_and_processes_are_found_in_order(store: Store) -> None:
    info = owned(RunInfo(id="abc", project="p", name="n", created=1))
    store.create_run(info).close()
    store.join_run("abc", 12, info=info).close()
    for rank in (0, 12, 1):
        store.join_process("abc", rank).close()
    assert store.ranks("abc") == [0, 1, 12]
    assert [path.name.partition(".process")[0] for path in store.files("abc")] == ["run.db", "rank-0"]
    assert [path.name.partition(".process")[0] for path in store.files("abc", 12)] == ["rank-12.db", "rank-12"]
    assert len(store.files("abc", 1)) == 1 and store.files("abc", 2) == []


def test_a_forked_child_adds_to_the_run_and_both_are_read_as_one(store: Store, tmp_path: Path) -> None:
    text = """
run = agnez.init("forked", id="one", server=None)
run.log({"loss": 0})
def work(k, barrier):
    run.log({"worker": k}, step=k)
together(3, work)
run.log({"loss": 1})
"""
    run_script(tmp_path, text)
    assert len(store.files("one")) == 4 and store.ranks("one") == [0]
    read = agnez.open(store.directory).run("one")
    assert read.state == "finished"
    np.testing.assert_array_equal(sorted(read.series("worker").values), [0, 1, 2])
    np.testing.assert_array_equal(read.series("loss").values, [0, 1])


def test_a_run_that_was_trained_in_a_child_goes_on_where_the_child_ended(store: Store, tmp_path: Path) -> None:
    text = """
run = agnez.init("forked", id="one", resume="allow", server=None)
def work(k, barrier):
    for _ in range(10):
        run.log({"loss": 0})
together(1, work)
"""
    for _ in range(2):
        run_script(tmp_path, text)
    line = agnez.open(store.directory).run("one").series("loss")
    assert line.steps.tolist() == [*range(20)]
