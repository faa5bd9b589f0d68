from __future__ import annotations

import ctypes
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agnez.cli import cli
from agnez.record import Batch, Point, Progress, RunInfo
from agnez.store import Store

COMMANDS = [*cli.commands, *(f"trash {name}" for name in cli.commands["trash"].commands)]  # type: ignore[attr-defined]


def run(store: Store, id: str, **facts: object) -> None:
    info = RunInfo(**{"id": id, "project": "digits", "name": f"run-{id}", "created": 1, "state": "finished", **facts})  # type: ignore[arg-type]
    with store.create_run(info) as file, file.transaction():
        file.append(Batch.of([Point("loss", 7, 0.125, 1), Point("accuracy", 7, 0.9, 1)]))
    with store.open_run(id) as file:
        store.publish(file.info())


def agnez(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=answer)


def whole(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process."""
    return subprocess.run(
        [sys.executable, "-m", "agnez", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **(environ or {})},
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_its_options(command: str) -> None:
    result = agnez(*command.split(), "--help")
    assert result.exit_code == 0 and "Usage:" in result.output
    assert "--dir" in result.output or command == "copy"


@pytest.mark.parametrize("pages", ["", "10", "0:5", "9:3", "a:b", "1:2:3", "-1:5"])
def test_pages_are_two_numbers(pages: str) -> None:
    result = agnez("server", "--paginate", pages)
    assert result.exit_code == 2 and "is not two numbers such as 10:100" in result.output


def test_runs_lists_what_matters_newest_first(store: Store) -> None:
    run(store, "aaa", created=1_700_000_000_000_000)
    run(store, "bbb", created=1_800_000_000_000_000, progress=Progress(epoch=3, epochs=10), project="letters")
    run(store, "ccc", created=1, archived=True)
    lines = agnez("runs").output.splitlines()
    assert lines[0].split() == ["id", "name", "project", "state", "when", "done", "loss"]
    assert [line.split()[0] for line in lines[1:]] == ["bbb", "aaa"]
    assert "epoch 3/10" in lines[1] and "step 7" in lines[2] and lines[2].endswith("0.125")
    assert [line.split()[0] for line in agnez("runs", "--project", "letters").output.splitlines()[1:]] == ["bbb"]
    assert "finished, archived" in agnez("runs", "--archived").output


def test_runs_speaks_json(store: Store) -> None:
    run(store, "aaa", config={"lr": 0.1})
    (record,) = json.loads(agnez("runs", "--json").output)
    assert record["_id"] == "aaa" and record["config"] == {"lr": 0.1} and record["summary"]["loss"]["last"] == 0.125
    assert json.loads(agnez("runs", "--json", "--project", "none").output) == []


def test_a_run_goes_to_the_trash_comes_back_and_is_deleted_when_asked(store: Store) -> None:
    run(store, "aaa")
    assert "agnez trash restore aaa" in agnez("rm", "run-aaa").output
    assert store.runs() == [] and "aaa" in agnez("trash").output and "aaa" in agnez("trash", "list").output
    assert "is back" in agnez("trash", "restore", "run-a").output
    assert [info.id for info in store.runs()] == ["aaa"]
    agnez("rm", "aaa")
    assert agnez("trash", "empty", answer="n\n").exit_code == 1 and len(store.trashed()) == 1
    assert "1 run deleted" in agnez("trash", "empty", answer="y\n").output and store.trashed() == []
    assert agnez("trash", "empty", "--yes").output == "the trash is empty\n"


def test_what_a_person_says_of_a_run_can_be_changed(store: Store) -> None:
    run(store, "aaa", tags=("old",))
    assert agnez("rename", "aaa", "best so far").exit_code == 0
    assert agnez("tag", "best", "paper", "old", "seed 3").output == "best so far has the tags old, paper, seed 3\n"
    assert agnez("tag", "aaa", "old", "--remove").exit_code == 0
    assert agnez("note", "aaa", "with the larger batch").exit_code == 0
    assert agnez("archive", "aaa").exit_code == 0
    (info,) = store.runs()
    assert (info.name, info.tags, info.notes, info.archived) == (
        "best so far",
        ("paper", "seed 3"),
        "with the larger batch",
        True,
    )
    agnez("archive", "aaa", "--undo")
    assert not store.runs()[0].archived


def test_a_run_is_named_by_what_is_unique(store: Store) -> None:
    run(store, "abc1", name="calm-owl-1")
    run(store, "abc2", name="abc")
    assert whole("note", "abc", "by its name").returncode == 0  # a whole name goes before the beginning of an id
    result = whole("rm", "abc1", "ab")
    assert result.returncode == 1 and "'ab' may be any of" in result.stderr and "abc1 (calm-owl-1)" in result.stderr
    assert whole("rm", "nothing").stderr.startswith("agnez: there is no run 'nothing'")
    assert len(store.runs()) == 2  # of several, none goes when one is not known


def test_a_running_run_is_not_deleted(store: Store) -> None:
    import socket
    import time

    run(store, "aaa", state="running", host=socket.gethostname(), pid=os.getpid(), heartbeat=time.time_ns() // 1000)
    result = whole("rm", "aaa")
    assert result.returncode == 1 and "still running" in result.stderr and len(store.runs()) == 1


@pytest.mark.parametrize("command", ["runs", "trash", "rm x", "rename x y", "doctor", "copy {store} {store}-copy"])
def test_a_missing_store_is_a_sentence_and_is_not_made(command: str, store_directory: Path) -> None:
    result = whole(*command.format(store=store_directory).split())
    assert result.returncode == (2 if command == "doctor" else 1)
    assert result.stderr.startswith("agnez: there is no store in ") and "Traceback" not in result.stderr
    assert not store_directory.exists()


def test_a_store_of_a_newer_agnez_is_a_sentence(store: Store) -> None:
    path = store.directory / "store.json"
    path.write_text(json.dumps({"id": "x", "format": 99}))
    for command, code in (("runs", 1), ("doctor", 2), (f"copy {store.directory} {store.directory}-copy", 1)):
        result = whole(*command.split())
        assert result.returncode == code and "newer Agnez (format 99)" in result.stderr, command


def test_an_index_that_is_none_of_ours_is_a_sentence_that_names_the_doctor(store: Store) -> None:
    path = store.directory / "catalog.db"
    for each in store.directory.glob("catalog.db*"):
        each.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    result = whole("runs")
    assert result.returncode == 1 and "agnez doctor" in result.stderr and "Traceback" not in result.stderr


def test_a_run_of_a_newer_agnez_is_left_alone(store: Store) -> None:
    run(store, "aaa")
    connection = sqlite3.connect(store.run_path("aaa"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    result = whole("rename", "aaa", "x")
    assert result.returncode == 1 and "newer Agnez (schema 99)" in result.stderr


def bound() -> None:
    """Have the process that is started obey the permissions of files, root's too."""
    if os.getuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                os._exit(77)


@pytest.mark.skipif(sys.platform != "linux", reason="root obeys permissions where it can give up its privilege")
def test_a_store_that_cannot_be_written_is_listed_and_copied_and_not_changed(store: Store, tmp_path: Path) -> None:
    run(store, "aaa")
    for each in (store.directory, *store.directory.rglob("*")):
        each.chmod(0o555 if each.is_dir() else 0o444)

    def reader(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "agnez", *arguments]
        return subprocess.run(command, capture_output=True, text=True, preexec_fn=bound)

    listed = reader("runs")
    assert listed.returncode == 0 and "run-aaa" in listed.stdout, listed.stderr
    changed = reader("rename", "aaa", "x")
    assert changed.returncode == 1 and changed.stderr.startswith("agnez: ") and "Traceback" not in changed.stderr
    assert "cannot be written" in changed.stderr
    looked = reader("doctor")
    assert looked.returncode == 0 and "is sound" in looked.stdout, looked.stdout + looked.stderr
    copied = reader("copy", str(store.directory), str(tmp_path / "copy"))
    assert copied.returncode == 0 and "1 run (" in copied.stdout, copied.stderr
    assert [info.id for info in Store(tmp_path / "copy").runs()] == ["aaa"]


@pytest.mark.skipif(sys.platform != "linux", reason="root obeys permissions where it can give up its privilege")
def test_a_store_that_cannot_be_read_is_a_sentence(store: Store) -> None:
    store.directory.chmod(0)
    try:
        for command, code in (("runs", 1), ("doctor", 2), ("trash", 1)):
            result = subprocess.run(
                [sys.executable, "-m", "agnez", command], capture_output=True, text=True, preexec_fn=bound
            )
            assert result.returncode == code and result.stderr.startswith("agnez: "), result.stderr
            assert "Permission denied" in result.stderr and "Traceback" not in result.stderr
    finally:
        store.directory.chmod(0o755)


def test_doctor_and_copy_say_what_they_did(store: Store, tmp_path: Path) -> None:
    run(store, "aaa")
    looked = whole("doctor")
    assert looked.returncode == 0 and looked.stdout == f"{store.directory} is sound\n"
    store.run_path("aaa").write_bytes(b"")
    looked = whole("doctor", "aaa")
    assert looked.returncode == 1 and "it is empty" in looked.stdout
    assert "1 fault; agnez doctor --repair mends" in looked.stdout
    assert whole("doctor", "nothing").returncode == 2
    copied = whole("copy", str(store.directory), str(tmp_path / "copy"))
    assert copied.returncode == 1 and "aaa" in copied.stderr and "0 runs" in copied.stdout
    again = whole("copy", str(store.directory), str(tmp_path / "copy"))
    assert again.returncode == 1 and "exists already" in again.stderr
