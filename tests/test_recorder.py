from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import agnez.recorder as module
from agnez.dashboard import Dashboard
from agnez.record import RunInfo
from agnez.recorder import CellChange, Facts, Numbers, Recorder
from agnez.store import Store


@pytest.fixture
def recorder(store: Store) -> Recorder:
    recorder = Recorder(store, RunInfo("abc", "p", "calm-ibis-1", 1), Dashboard("abc"))
    recorder.start()
    return recorder


def numbers(step: int, **values: float) -> Numbers:
    return Numbers(step, step, values)


def losses(store: Store) -> list[float]:
    with store.open_run("abc") as file:
        return [value for each in file.series(["loss"])[1] for value in each.values.tolist()]


def test_what_was_put_is_read_back_after_close(store: Store, recorder: Recorder) -> None:
    for step in range(1000):
        recorder.put(numbers(step, loss=step / 7))
    assert recorder.close(10)
    assert losses(store) == [step / 7 for step in range(1000)]


def test_any_thread_may_put_and_nothing_is_lost(store: Store, recorder: Recorder) -> None:
    def work(number: int) -> None:
        for step in range(500):
            recorder.put(Numbers(0, step, {f"thread{number}": float(step)}))

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
    recorder.put(numbers(0, loss=1.0))
    assert recorder.flush(10)
    assert losses(store) == [1.0]
    recorder.close(10)


def test_cells_come_with_the_first_point_of_a_quantity(store: Store, recorder: Recorder) -> None:
    recorder.put(Numbers(0, 0, {"batch/loss": 1.0, "learning_rate": 0.1}))
    recorder.flush(10)
    recorder.put(CellChange("abc.loss", {"value": "<p>figure</p>"}))
    recorder.put(Numbers(1, 1, {"val/loss": 1.0, "train/loss": 1.0, "epoch": 1.0}))
    recorder.close(10)
    with store.cells("abc") as cells:
        loss, rate = cells.find()
    assert loss["metrics"] == ["batch/loss", "train/loss", "val/loss"]
    assert (loss["type"], loss["value"], loss["pos"]) == ("html", "<p>figure</p>", 0)
    assert (rate["type"], rate["name"], rate["pos"]) == ("chart", "Learning rate", 1)


def test_facts_reach_the_list_of_runs(store: Store, recorder: Recorder) -> None:
    recorder.put(Facts({"state": "failed", "reason": "ValueError: no"}))
    recorder.close(10)
    assert [(run.state, run.reason) for run in store.runs()] == [("failed", "ValueError: no")]


def test_a_full_disk_is_told_and_recording_resumes(
    store: Store, recorder: Recorder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own limit of pages gives its own SQLITE_FULL, as a full disk does."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    recorder.put(numbers(0, loss=0.0))
    recorder.flush(10)
    failed = threading.Event()
    monkeypatch.setattr(module, "say", lambda sentence, told=module.say: (told(sentence), failed.set()))
    connection = recorder._file._connection  # type: ignore[union-attr]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    for step in range(1, 20_000):
        recorder.put(numbers(step, loss=float(step)))
    assert failed.wait(10)
    assert "full" in capsys.readouterr().err
    recorder.put(numbers(20_000, loss=20_000.0))  # training goes on meanwhile
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
        recorder = Recorder(Store(mount / "store"), RunInfo("abc", "p", "n", 1), Dashboard("abc"))
        recorder.start()
        for step in range(60_000):
            recorder.put(numbers(step, loss=float(step)))
        assert not recorder.close(20)
        assert "cannot be recorded now" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


def test_past_the_bound_entries_are_dropped_counted_and_told(
    store: Store, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.put(numbers(0, loss=0.0))
    recorder.flush(10)
    with store.open_run("abc") as blocker:
        with blocker.transaction():
            monkeypatch.setattr(module, "BOUND", 10)
            for step in range(1, 100):
                recorder.put(numbers(step, loss=float(step)))
        monkeypatch.setattr(module, "BOUND", 1000)
    recorder.flush(10)
    recorder.put(numbers(100, loss=100.0))
    assert recorder.close(10)
    assert recorder.dropped > 0 and len(losses(store)) == 101 - recorder.dropped
    assert str(recorder.dropped) in store.runs()[0].problems[0]


def test_kill_loses_nothing_older_than_half_a_second(store: Store) -> None:
    script = """
import sys, time
from pathlib import Path
from agnez.dashboard import Dashboard
from agnez.record import RunInfo
from agnez.recorder import Numbers, Recorder
from agnez.store import Store
recorder = Recorder(Store(Path(sys.argv[1])), RunInfo("abc", "p", "n", 1), Dashboard("abc"))
recorder.start()
for step in range(10**6):
    now = time.time_ns() // 1000
    recorder.put(Numbers(now, step, {"loss": float(step)}))
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
        recorder.put(CellChange("abc.bad", {"value": float("nan")}))
        recorder.put(Numbers(0, 0, {"half of a character \ud800": 1.0}))
        recorder.put(numbers(step, loss=1.0))
    recorder.put(Facts({"state": "finished"}))
    assert recorder.close(10)
    assert losses(store) == [1.0] * 50 and recorder.dropped == 100
    (info,) = store.runs()
    assert info.state == "finished" and len(info.problems) <= 4  # a sentence for each kind of fault, and the count


def test_a_rule_that_stumbles_costs_no_number(store: Store) -> None:
    recorder = Recorder(store, RunInfo("abc", "p", "n", 1), Dashboard("abc"), lambda points: [][1])
    recorder.start()
    recorder.put(numbers(0, loss=1.0))
    assert recorder.close(10)
    assert losses(store) == [1.0] and recorder.dropped == 0


def test_a_locked_file_is_waited_for(store: Store, recorder: Recorder) -> None:
    recorder.put(numbers(0, loss=1.0))
    recorder.flush(10)
    other = sqlite3.connect(store.run_path("abc"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    recorder.put(numbers(1, loss=2.0))
    assert time.monotonic() - began < 5  # put returns while the lock is held
    other.execute("COMMIT")
    other.close()
    assert recorder.close(20) and losses(store) == [1.0, 2.0]
