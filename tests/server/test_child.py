"""The server in a process of its own: the same server, and it ends when its parent does, however that is."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from test_embed import Script, _client, about, free_port, script, until

from agnez.server import ports
from agnez.store import Store, life

__all__ = ["script"]

TRAIN = """
import agnez, sys
run = agnez.init("tests", name={name!r}, port={port}, server="process")
run.log({{"loss": 1.0}})
print(run.url)
input()
run.log({{"loss": 0.5}})
"""


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def serving(port: int) -> int:
    return int(until(lambda: about(port))["pid"])


def test_the_page_is_served_live_by_another_process_and_told_goodbye(
    script: Callable[..., Script], store: Store
) -> None:
    port = free_port()
    training = script(TRAIN.format(name="far", port=port))
    run = training.line().partition("run=")[2]
    child = serving(port)
    assert child != training.process.pid and os.getpgid(child) != os.getpgid(training.process.pid)
    assert about(port)["store"] == store.id  # type: ignore[index]
    with _client(port, run) as (client, points):
        goodbye: list[object] = []
        client.on("closing", lambda facts: goodbye.append(facts) or True, namespace="/live")
        until(lambda: points["cursor"] == "1")
        _, said = training.end()
        assert goodbye == [{"command": "agnez server"}]
        assert points["values"] == [1.0, 0.5]
        assert points["runs"][-1]["state"] == "finished"
    assert f"the dashboard is at http://127.0.0.1:{port}/" in said
    assert not is_there(child)  # the script's end waited for it
    assert about(port) is None


def test_the_server_ends_when_its_parent_is_killed(script: Callable[..., Script]) -> None:
    port = free_port()
    training = script(TRAIN.format(name="short", port=port))
    run = training.line().partition("run=")[2]
    child = serving(port)
    with _client(port, run) as (client, points):
        goodbye: list[object] = []
        client.on("closing", lambda facts: goodbye.append(facts) or True, namespace="/live")
        until(lambda: points["cursor"] == "1")
        training.process.kill()
        training.process.wait()
        until(lambda: goodbye)
        assert points["runs"][-1]["state"] == "crashed"
    until(lambda: not is_there(child))
    assert about(port) is None


def test_a_forked_worker_that_lives_on_keeps_no_server(script: Callable[..., Script]) -> None:
    port = free_port()
    training = script(
        TRAIN.format(name="parent", port=port)
        + "import os, time\nchild = os.fork()\nif child == 0:\n    time.sleep(60)\n    os._exit(0)\n"
        + "print(child)\ninput()\n"
    )
    training.line()
    child = serving(port)
    training.go_on()
    worker = int(training.line())
    try:
        training.process.kill()
        training.process.wait()
        until(lambda: not is_there(child))
        listener = ports.listen(port)
        assert listener is not None
        listener.close()
    finally:
        os.kill(worker, signal.SIGKILL)


def test_ctrl_c_reaches_the_training_and_not_the_server(script: Callable[..., Script], store: Store) -> None:
    port = free_port()
    training = script(TRAIN.format(name="stopped", port=port))
    run = training.line().partition("run=")[2]
    serving(port)
    os.killpg(training.process.pid, signal.SIGINT)
    training.process.wait(30)
    with store.open_run(run) as file:
        assert life.seen(file.facts()).state == "interrupted"
    until(lambda: about(port) is None)


def test_a_run_joins_and_its_own_server_takes_the_port_over(script: Callable[..., Script]) -> None:
    port = free_port()
    first, second = (script(TRAIN.format(name=name, port=port)) for name in ("first", "second"))
    assert {first.line().partition("?")[0], second.line().partition("?")[0]} == {f"http://127.0.0.1:{port}/"}
    child = serving(port)
    parent = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    (owner, other) = (first, second) if parent == first.process.pid else (second, first)
    owner.end()
    until(lambda: (about(port) or {"pid": child})["pid"] != child)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/runs") as answer:
        assert {run["name"] for run in json.load(answer)} == {"first", "second"}
    other.end()
    assert about(port) is None


def test_a_server_that_dies_costs_the_training_nothing_but_a_sentence(
    script: Callable[..., Script], store: Store
) -> None:
    port = free_port()
    training = script(TRAIN.format(name="alone", port=port))
    run = training.line().partition("run=")[2]
    os.kill(serving(port), signal.SIGKILL)
    until(lambda: about(port) is None)
    _, said = training.end()
    assert training.process.returncode == 0
    assert "the dashboard's process ended" in said
    with store.open_run(run) as file:
        assert file.facts().state == "finished" and file.cursor() == 2


@pytest.mark.parametrize("name", ["flask", "numpy", "agnez"])
def test_modules_in_the_users_folder_do_not_get_in_the_way(
    script: Callable[..., Script], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    place = tmp_path / "project"
    place.mkdir()
    (place / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    monkeypatch.chdir(place)
    port = free_port()
    training = script(TRAIN.format(name="here", port=port))
    training.line()
    serving(port)
    training.end()
    assert training.process.returncode == 0
