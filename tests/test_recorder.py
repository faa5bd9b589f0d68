from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import agnez.recorder as module
from agnez.backlog import Backlog
from agnez.calls import Names, Numbers
from agnez.dashboard import Dashboard
from agnez.entries import CellChange, Facts
from agnez.record import Batch, Finding, RunInfo
from agnez.recorder import Recorder
from agnez.store import Store
from agnez.writer import Board, Writer


def make(store: Store, examine: Callable[[Batch], list[Finding]] = lambda points: []) -> Recorder:
    info = RunInfo("abc", "p", "calm-ibis-1", 1)
    board = Board(Dashboard("abc"), store.catalog, examine)
    recorder = Recorder(Writer(info, lambda: store.create_run(info), board), info.name)
    recorder.open()
    recorder.start()
    return recorder


@pytest.fixture
def recorder(store: Store) -> Recorder:
    return make(store)


Call = tuple[Names, int, int, Numbers]


def numbers(step: int, **values: float) -> Call:
    return measured(step, values)


def measured(step: int, values: dict[str, float]) -> Call:
    return tuple(values), 0, step, tuple(values.values())


def losses(store: Store) -> list[float]:
    with store.open_run("abc") as file:
        return [value for each in file.series(["loss"])[1] for value in each.values.tolist()]


def test_what_was_put_is_read_back_after_close(store: Store, recorder: Recorder) -> None:
    for step in range(1000):
        recorder.record(*numbers(step, loss=step / 7))
    assert recorder.close(10)
    assert losses(store) == [step / 7 for step in range(1000)]


def test_any_thread_may_put_and_nothing_is_lost(store: Store, recorder: Recorder) -> None:
    def work(number: int) -> None:
        for step in range(500):
            recorder.record(*measured(step, {f"thread{number}": float(step)}))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.close(10)
    with store.open_run("abc") as file:
        _, series, _ = file.series()
    assert len(series) == 8
    for each in series:
        np.testing.assert_array_equal(each.values, np.arange(500.0))


def test_flush_waits_for_the_commit(store: Store, recorder: Recorder) -> None:
    recorder.record(*numbers(0, loss=1.0))
    assert recorder.flush(10)
    assert losses(store) == [1.0]
    recorder.close(10)


def test_cells_come_with_the_first_point_of_a_quantity(store: Store, recorder: Recorder) -> None:
    recorder.record(*measured(0, {"batch/loss": 1.0, "learning_rate": 0.1}))
    recorder.flush(10)
    recorder.put(CellChange("abc.loss", {"value": "<p>figure</p>"}))
    recorder.record(*measured(1, {"val/loss": 1.0, "train/loss": 1.0, "epoch": 1.0}))
    recorder.close(10)
    with store.cells("abc") as cells:
        loss, rate = cells.find()
    assert loss["metrics"] == ["batch/loss", "train/loss", "val/loss"]
    assert (loss["type"], loss["value"], loss["pos"]) == ("html", "<p>figure</p>", 0)
    assert (rate["type"], rate["name"], rate["pos"]) == ("chart", "Learning rate", 1)


def test_a_run_that_goes_on_keeps_its_cells_and_gives_some_to_what_has_none(store: Store, recorder: Recorder) -> None:
    recorder.record(*measured(0, {"train/loss": 1.0, "accuracy": 1.0}))
    recorder.flush(10)
    recorder.put(CellChange("abc.loss", {"pos": 7}))
    recorder.close(10)
    with store.open_run("abc") as file:
        file.cells.remove("abc.accuracy", origin="")
    board = Board(Dashboard("abc"), store.catalog)
    again = Recorder(Writer(store.runs()[0], lambda: store.open_run("abc"), board), "n")
    again.start()
    again.record(*measured(1, {"val/loss": 1.0}))
    again.record(*measured(1, {"new": 1.0}))
    assert again.close(10)
    with store.cells("abc") as cells:
        found = {str(cell["name"]): cell for cell in cells.find()}
    assert found["Loss"]["metrics"] == ["train/loss", "val/loss"] and found["Loss"]["pos"] == 7
    assert set(found) == {"Loss", "Accuracy", "New"} and found["New"]["pos"] == 2


def test_facts_reach_the_list_of_runs(store: Store, recorder: Recorder) -> None:
    recorder.put(Facts({"state": "failed", "reason": "ValueError: no"}))
    recorder.close(10)
    assert [(run.state, run.reason) for run in store.runs()] == [("failed", "ValueError: no")]


def test_a_full_disk_is_told_and_recording_resumes(
    store: Store, recorder: Recorder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own limit of pages gives its own SQLITE_FULL, as a full disk does."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    recorder.record(*numbers(0, loss=0.0))
    recorder.flush(10)
    failed = threading.Event()
    monkeypatch.setattr(module, "say", lambda sentence, told=module.say: (told(sentence), failed.set()))
    connection = recorder.writer._file._connection  # type: ignore[union-attr]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for step in range(1, 20_000):
        recorder.record(*numbers(step, loss=float(step)))
    assert failed.wait(10)
    assert "full" in capsys.readouterr().err
    recorder.record(*numbers(20_000, loss=20_000.0))  # training goes on meanwhile
    connection.execute("PRAGMA max_page_count = 1000000")
    assert recorder.close(20)
    assert losses(store) == [float(step) for step in range(20_001)]
    assert "recorded again" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_really_full_file_system_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", mount], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        recorder = make(Store(mount / "store"))
        for step, loss in enumerate(np.random.default_rng(0).random(200_000)):  # random bits, which cannot be packed
            recorder.record(*numbers(step, loss=loss))
        assert not recorder.close(20)
        assert "cannot be recorded now" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_past_the_bound_entries_are_dropped_counted_and_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BOUND", 10)
    recorder = make(store)
    recorder.record(*numbers(0, loss=0.0))
    recorder.flush(10)
    with store.open_run("abc") as blocker, blocker.transaction():
        for step in range(1, 100):
            recorder.record(*numbers(step, loss=float(step)))
    recorder.flush(10)
    recorder.record(*numbers(100, loss=100.0))
    assert recorder.close(10)
    (info,) = store.runs()
    assert info.dropped > 0 and len(losses(store)) == 101 - info.dropped
    assert str(info.dropped) in info.problems[0]


def test_what_outgrows_a_full_disk_waits_in_a_file_and_then_is_dropped_and_counted(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(module, "_CHUNK_CALLS", 500)
    recorder.writer._backlog = Backlog(memory=40_000, spill=80_000)  # a thousand points, and some more in the file
    recorder.record(*numbers(0, loss=0.0))
    recorder.flush(10)
    connection = recorder.writer._file._connection  # type: ignore[union-attr]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    full = threading.Event()
    monkeypatch.setattr(module, "say", lambda sentence, told=module.say: (told(sentence), full.set()))
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for step in range(1, 10_001):
        recorder.record(*numbers(step, loss=float(step)))
    assert full.wait(20)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert recorder.close(20)
    (info,) = store.runs()
    assert 0 < info.dropped < 10_000 and str(info.dropped) in info.problems[0]
    kept = losses(store)
    assert len(kept) == 10_001 - info.dropped and kept == sorted(kept)
    assert capsys.readouterr().err.count("cannot be recorded now") == 1


def test_the_end_waits_for_a_lock_no_longer_than_it_was_told(store: Store, recorder: Recorder) -> None:
    recorder.record(*numbers(0, loss=1.0))
    recorder.flush(10)
    other = sqlite3.connect(store.run_path("abc"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    left: list[int] = []
    recorder.record(*numbers(1, loss=2.0))
    assert not recorder.close(0.6, watch=left.append)
    assert left[-1] == 1  # what is not written is told
    other.execute("COMMIT")
    other.close()
    assert recorder.close(20) and losses(store) == [1.0, 2.0]


def test_kill_loses_nothing_older_than_half_a_second(store: Store) -> None:
    script = """
import sys, time
from pathlib import Path
from agnez.record import RunInfo
from agnez.run import Run
from agnez.store import Store
run = Run(Store(Path(sys.argv[1])), RunInfo("abc", "p", "n", 1))
run.start()
for step in range(10**6):
    now = time.time_ns() // 1000
    run.log({"loss": float(step)})
    print(step, now, flush=True)
    time.sleep(0.001)
"""
    command = [sys.executable, "-c", script, str(store.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().split() for _ in range(1200)]
        child.kill()
        told += [line.split() for line in child.stdout.read().splitlines() if len(line.split()) == 2]
    end = int(told[-1][1])
    old = [int(step) for step, now in told if end - int(now) > 500_000]
    recorded = losses(store)
    assert recorded == [float(step) for step in range(len(recorded))]
    assert len(recorded) >= len(old) > 0


def test_an_entry_that_cannot_be_written_takes_no_other_with_it(store: Store, recorder: Recorder) -> None:
    for step in range(50):
        recorder.put(CellChange(f"abc.bad{step}", {"value": float("nan")}))
        recorder.put(CellChange(f"abc.half{step}", {"value": "half of a character \ud800"}))
        recorder.record(("loss", "accuracy"), 0, step, np.zeros(3))  # a vector of another length
        recorder.record(*numbers(step, loss=1.0))
        recorder.record(("loss",), 0, 2**64, (1.0,))  # no such step can be kept
    recorder.put(Facts({"state": "finished"}))
    assert recorder.close(10)
    assert losses(store) == [1.0] * 50
    (info,) = store.runs()
    assert info.dropped == 200
    assert info.state == "finished" and len(info.problems) <= 5  # a sentence for each kind of fault, and the count


def test_a_rule_that_stumbles_costs_no_number(store: Store) -> None:
    recorder = make(store, lambda points: [][1])
    recorder.record(*numbers(0, loss=1.0))
    assert recorder.close(10)
    assert losses(store) == [1.0] and recorder.writer.info.dropped == 0


def test_a_locked_file_is_waited_for(store: Store, recorder: Recorder) -> None:
    recorder.record(*numbers(0, loss=1.0))
    recorder.flush(10)
    other = sqlite3.connect(store.run_path("abc"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    recorder.record(*numbers(1, loss=2.0))
    assert time.monotonic() - began < 5  # put returns while the lock is held
    other.execute("COMMIT")
    other.close()
    assert recorder.close(20) and losses(store) == [1.0, 2.0]
