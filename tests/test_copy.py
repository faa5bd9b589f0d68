from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agnez.errors import ConflictError, NotFoundError, StoreError
from agnez.record import Batch, Point, RunInfo
from agnez.store import RunFile, Store, media
from agnez.store.copy import copy_run, copy_store

WRITER = """
import itertools, sys, time
import agnez
run = agnez.init("live", dir=sys.argv[1], server=None)
print(run.id, flush=True)
for step in itertools.count():
    run.log({"step": step, "twice": 2 * step}, step=step)
    time.sleep(0.0005)  # the training
"""


def filled(store: Store, id: str = "abc", count: int = 50, **facts: object) -> RunFile:
    info = RunInfo(**{"id": id, "project": "p", "name": f"name-of-{id}", "created": 1, "state": "finished", **facts})  # type: ignore[arg-type]
    file = store.create_run(info)
    with file.transaction():
        file.append(Batch.of(Point("loss", step, step / 3, step) for step in range(count)))
    store.publish(file.info())
    return file


@contextmanager
def writing(directory: Path) -> Iterator[str]:
    """Have a process log a thousand times a second; give the id of its run once enough rests in the file."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True, env={**os.environ, "CI": "1"}
    )
    try:
        assert process.stdout is not None
        id = process.stdout.readline().strip()
        with Store(directory).open_run(id) as file:
            while not file.cursor():
                assert process.poll() is None
        yield id
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_a_copied_store_lists_and_reads_what_the_store_does(store: Store, tmp_path: Path) -> None:
    with filled(store, "abc"), filled(store, "def", config={"lr": 0.1}):
        name = media.put(store.run_path("abc").parent, b"<svg/>", "svg")
        with store.cells(None) as cells:
            cells.create({"_id": "a", "x": 1}, "me")
        told: list[tuple[int, int]] = []
        copied = copy_store(store.directory, tmp_path / "copy", told=lambda *each: told.append(each))
    copy = Store(tmp_path / "copy")
    assert copy.id != store.id and copied.runs == ("abc", "def") and copied.problems == ()
    assert copy.runs() == store.runs()
    with copy.open_run("abc") as file, copy.cells(None) as cells:
        assert file.series()[1][0].values.tolist() == [step / 3 for step in range(50)]
        assert cells.get("a")["x"] == 1
    assert media.path(copy.run_path("abc").parent, name).read_bytes() == b"<svg/>"
    assert told[-1][0] == told[-1][1] == copied.size and told == sorted(told)
    assert not list(tmp_path.glob(".*")) and not list(copy.directory.rglob("*-wal"))


def test_a_copy_holds_what_was_there_when_it_was_taken_and_the_writer_goes_on(store: Store, tmp_path: Path) -> None:
    with writing(store.directory) as id:
        for turn in range(3):
            target = tmp_path / f"copy-{turn}"
            copy_store(store.directory, target)
            with Store(target).open_run(id) as file, store.open_run(id) as source:
                first, second = file.series()[1]
                assert file.info().state == "interrupted" and file.info().reason == "copied while it was running"
                np.testing.assert_array_equal(first.values, np.arange(len(first)))
                np.testing.assert_array_equal(second.values, 2 * first.values)
                while source.cursor() <= file.cursor():  # it ends only when the writer wrote on
                    pass
    (run,) = Store(target).runs()
    assert run.state == "interrupted" and run.summary["step"].count == len(first)


def test_a_copy_of_a_killed_run_has_what_only_its_journal_held(store: Store, tmp_path: Path) -> None:
    with writing(store.directory) as id:
        pass
    assert store.run_path(id).with_name("run.db-wal").stat().st_size
    copy_store(store.directory, tmp_path / "copy")
    with store.open_run(id) as source, Store(tmp_path / "copy").open_run(id) as file:
        assert file.cursor() == source.cursor() > 0
        assert file.info().state == "running" and file.info().heartbeat  # dead, and seen as it: nothing to mark


def test_a_run_goes_into_another_store_once(store: Store, tmp_path: Path) -> None:
    filled(store, "abc").close()
    other = Store(tmp_path / "other")
    filled(other, "mine").close()
    assert copy_run(store.directory, "abc", other.directory).runs == ("abc",)
    assert {run.id for run in other.runs()} == {"abc", "mine"}
    with pytest.raises(ConflictError, match="has a run abc already"):
        copy_run(store.directory, "abc", other.directory)
    with pytest.raises(NotFoundError, match="'nothing'"):
        copy_run(store.directory, "nothing", other.directory)
    with other.open_run("abc") as file:
        assert len(file.series()[1][0]) == 50


def test_nothing_that_exists_is_written_over(store: Store, tmp_path: Path) -> None:
    filled(store).close()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    (tmp_path / "empty").mkdir()
    for target, sentence in (
        (tmp_path / "full", "exists already"),
        (tmp_path / "full" / "thesis.tex", "exists already"),
        (store.directory, "exists already"),
        (store.directory / "backup", "outside"),
    ):
        with pytest.raises(ConflictError, match=sentence):
            copy_store(store.directory, target)
    with pytest.raises(ConflictError, match="is no store"):
        copy_run(store.directory, "abc", tmp_path / "full")
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    assert copy_store(store.directory, tmp_path / "empty").runs == ("abc",)


def test_a_folder_that_is_no_store_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store in"):
        copy_store(tmp_path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_what_is_damaged_or_foreign_is_left_out_and_the_rest_is_copied(store: Store, tmp_path: Path) -> None:
    filled(store, "good").close()
    filled(store, "torn", count=9000).close()
    with store.run_path("torn").open("r+b") as file:
        file.truncate(20_000)
    foreign = store.run_path("foreign")
    foreign.parent.mkdir()
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    copied = copy_store(store.directory, tmp_path / "copy")
    assert "good" in copied.runs and "foreign" not in copied.runs
    assert any("foreign" in each and "not a file of Agnez" in each for each in copied.problems)
    assert [run.id for run in Store(tmp_path / "copy").runs()] == ["good"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
@pytest.mark.parametrize("what", ["the run", "a picture"])
def test_a_copy_that_the_disk_does_not_take_leaves_nothing(store: Store, tmp_path: Path, what: str) -> None:
    filled(store, count=50_000 if what == "the run" else 5).close()
    if what == "a picture":
        media.put(store.run_path("abc").parent, bytes(500_000), "wav")

    def limited() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    command = [sys.executable, "-m", "agnez", "copy", str(store.directory), str(tmp_path / "copy")]
    result = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited)
    assert result.returncode == 1 and "nothing of it is left" in result.stderr and "Traceback" not in result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def test_without_wal_a_copy_is_made_between_the_writers_commits(store: Store, tmp_path: Path) -> None:
    with filled(store, "abc", count=5000) as file:
        info = replace(file.info(), host="elsewhere", state="running", heartbeat=time.time_ns() // 1000)
    path = store.run_path("abc")
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    connection.close()
    with RunFile(path) as file, file.transaction():
        file.write_info(info)
    copied = copy_run(store.directory, "abc", tmp_path / "other")
    with Store(copied.directory).open_run("abc") as file:
        assert len(file.series()[1][0]) == 5000 and file.info().state == "interrupted"
