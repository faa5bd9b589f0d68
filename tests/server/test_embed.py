"""The server inside the training process: its port, its end, and everything that could hold either up."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio
from serving import Client
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request, TextMessage

import agnez
from agnez import wire
from agnez.server import ports
from agnez.server.tab import open_tab
from agnez.settings import read
from agnez.store import Store


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for something to come true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def about(port: int) -> dict[str, Any] | None:
    return ports.ask(port)


class Script:
    """A training script in a process of its own; it trains until it is told to go on by a line on its input."""

    def __init__(self, folder: Path, body: str, **environ: str) -> None:
        path = folder / f"script{len(list(folder.glob('script*.py')))}.py"
        path.write_text(body)
        self.process = subprocess.Popen(
            [sys.executable, "-u", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, **environ},
        )

    def line(self) -> str:
        """Return the next line the script prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def go_on(self) -> None:
        """Let the script go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> tuple[str, str]:
        """Let the script run to its end, and return what it printed."""
        return self.process.communicate("\n" * 5, timeout=60)


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Callable[..., Script]]:
    scripts: list[Script] = []

    def start(body: str, **environ: str) -> Script:
        scripts.append(Script(tmp_path, body, **environ))
        return scripts[-1]

    yield start
    for each in scripts:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
        each.process.communicate()


TRAIN = """
import agnez, sys
run = agnez.init("tests", name={name!r}, port={port})
run.log({{"loss": 1.0}})
print(run.url)
input()
run.log({{"loss": 0.5}})
"""


def test_a_taken_port_is_passed_by(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with agnez.init("tests", port=port) as run:
            assert run.url is not None and f":{port}/" not in run.url
            assert f"port {port} is taken; the dashboard is at" in capsys.readouterr().err
        agnez.session.session().close()


def test_a_second_run_joins_and_takes_the_port_over(script: Callable[..., Script]) -> None:
    port = free_port()
    first = script(TRAIN.format(name="first", port=port))
    assert f":{port}/" in first.line()
    second = script(TRAIN.format(name="second", port=port))
    assert f":{port}/" in second.line()
    until(lambda: about(port))
    assert about(port)["pid"] == first.process.pid  # type: ignore[index]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/runs") as answer:
        assert {run["name"] for run in json.load(answer)} == {"first", "second"}
    _, said = first.end()
    assert "the dashboard is at" in said
    until(lambda: (about(port) or {}).get("pid") == second.process.pid)
    _, said = second.end()
    assert "joins the dashboard" in said
    assert about(port) is None


def test_two_runs_of_one_process_share_its_server(store_directory: Path) -> None:
    port = free_port()
    with agnez.init("tests", port=port) as one, agnez.init("tests", port=port) as two:
        assert one.url is not None and two.url is not None
        assert one.url.split("?")[0] == two.url.split("?")[0]
    agnez.session.session().close()
    assert about(port) is None


def test_a_forked_worker_does_not_hold_the_port(script: Callable[..., Script]) -> None:
    port = free_port()
    parent = script(
        TRAIN.format(name="parent", port=port) + "import os, time\nagnez.session.session().servers and None\n"
        "child = os.fork()\nif child == 0:\n    time.sleep(60)\n    os._exit(0)\nprint(child)\ninput()\n"
    )
    parent.line()
    until(lambda: about(port))
    client = socketio.Client()
    client.connect(f"http://127.0.0.1:{port}", namespaces=["/live"])
    parent.go_on()
    child = int(parent.line())
    try:
        parent.process.kill()
        parent.process.wait()
        until(lambda: not client.connected)  # the child does not hold the page's connection either
        listener = ports.listen(port)
        assert listener is not None
        listener.close()
    finally:
        os.kill(child, signal.SIGKILL)
        client.shutdown()


def test_ctrl_c_ends_the_run_as_interrupted_with_its_figures(store: Store, script: Callable[..., Script]) -> None:
    training = script(
        f"""
import agnez, time
run = agnez.init("tests", port={free_port()})
for step in range(10**6):
    run.log({{"epoch": step // 50, "loss": 1 / (step + 1)}})
    time.sleep(0.001)
    if step == 200:
        print("running")
"""
    )
    assert training.line() == "running"
    os.killpg(training.process.pid, signal.SIGINT)  # as a terminal sends it: to the whole group
    _, said = training.process.communicate(timeout=60)
    assert "KeyboardInterrupt" in said
    (info,) = store.runs()
    assert (info.state, info.problems) == ("interrupted", ())
    with store.cells(info.id) as cells:
        (cell,) = cells.find()
    assert cell["epoch"] == info.progress.epoch


def test_the_script_ends_although_a_viewer_ignores_the_close(script: Callable[..., Script]) -> None:
    port = free_port()
    training = script(TRAIN.format(name="watched", port=port))
    training.line()
    until(lambda: about(port))
    with _deaf_viewer(port):
        training.end()
    assert training.process.returncode == 0


def test_a_viewer_that_stops_reading_costs_nobody_else_anything(script: Callable[..., Script]) -> None:
    port = free_port()
    training = script(
        f"""
import agnez
run = agnez.init("tests", port={port})
print(run.id)
input()
for step in range(5_000):
    run.log({{f"metric{{k}}": step for k in range(20)}})
run.flush(60)
print("logged")
input()
"""
    )
    run = training.line()
    until(lambda: about(port))
    with _deaf_viewer(port, run), _client(port, run) as (_, points):
        training.go_on()
        assert training.line() == "logged"
        until(lambda: points["cursor"] == "5000" or points["resync"])
        training.end()
    assert training.process.returncode == 0


def test_no_request_is_logged(store_directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import logging

    port = free_port()
    with agnez.init("tests", port=port) as run:
        run.log({"loss": 1})
        until(lambda: about(port))
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/no-such-page")
    agnez.session.session().close()
    out, err = capfd.readouterr()
    assert out == "" and all(line.startswith("agnez: ") for line in err.splitlines()) and "GET" not in err
    assert logging.getLogger("werkzeug").level == logging.NOTSET


def test_points_reach_a_client_without_a_gap_over_a_reconnect(store_directory: Path) -> None:
    port = free_port()
    with agnez.init("tests", port=port) as run:
        with _client(port, run.id) as (_, points):
            for step in range(50):
                run.log({"loss": step})
            until(lambda: points["cursor"] == "50")
        for step in range(50, 90):
            run.log({"loss": step})
        with _client(port, run.id, after="50") as (_, more):
            until(lambda: more["cursor"] == "90")
        assert points["values"] + more["values"] == [float(step) for step in range(90)]
    agnez.session.session().close()


def test_the_page_is_told_goodbye_with_everything_in_hand(script: Callable[..., Script]) -> None:
    port = free_port()
    training = script(TRAIN.format(name="short", port=port))
    run = training.line().partition("run=")[2]
    until(lambda: about(port))
    with _client(port, run) as (client, points):
        goodbye: list[object] = []
        client.on("closing", lambda facts: goodbye.append(facts) or True, namespace="/live")
        until(lambda: points["cursor"] == "1")
        training.end()
        assert goodbye == [{"command": "agnez server"}]
        assert points["values"] == [1.0, 0.5]
        assert points["runs"][-1]["state"] == "finished"


def test_the_server_command_shows_what_was_recorded(store_directory: Path) -> None:
    with agnez.init("tests", name="kept", server=None) as run:
        run.log({"loss": 1})
    port = free_port()
    command = [sys.executable, "-m", "agnez", "server", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        until(lambda: about(port))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/runs") as answer:
            assert [each["name"] for each in json.load(answer)] == ["kept"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert second.returncode == 1 and f"port {port} is taken" in second.stderr
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
    assert server.returncode == 0 and f"http://127.0.0.1:{port}/" in out and err == ""


def test_a_dashboard_that_cannot_start_costs_only_the_dashboard(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("agnez.server.app.create_app", lambda *_, **__: 1 / 0)
    with agnez.init("tests", port=free_port()) as run:
        run.log({"loss": 1})
        until(lambda: "could not be started" in capsys.readouterr().err)
    agnez.session.session().close()
    assert store.runs()[0].summary["loss"].count == 1


@pytest.mark.parametrize(
    ("environ", "opens"),
    [
        ({"DISPLAY": ":0"}, True),
        ({}, False),
        ({"DISPLAY": ":0", "CI": "true"}, False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, False),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="displays are told by the environment on Linux only")
def test_the_tab_opens_only_where_someone_sees_it(
    environ: dict[str, str], opens: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The browser is a real program: a script that leaves the address in a file."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    for name in ("CI", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"BROWSER": f"{browser} %s", **environ}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("webbrowser._tryorder", None)  # it reads the environment once a process
    asked: list[float] = []
    open_tab("http://127.0.0.1:3000/", read(tmp_path), unless=lambda timeout: bool(asked.append(timeout)))
    if opens:
        until(lambda: opened.exists() and opened.read_text().strip() == "http://127.0.0.1:3000/")
    else:
        assert not asked and not opened.exists()


def test_no_tab_when_a_page_reconnects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CI")
    monkeypatch.setenv("DISPLAY", ":0")
    import threading

    monkeypatch.setattr("webbrowser.get", lambda: pytest.fail("a tab was opened"))
    open_tab("http://127.0.0.1:3000/", read(tmp_path), unless=lambda timeout: True)
    for thread in threading.enumerate():
        if thread.name == "agnez-tab":
            thread.join(10)


def test_over_ssh_the_line_to_copy_is_printed(script: Callable[..., Script]) -> None:
    port = free_port()
    training = script(
        TRAIN.format(name="far", port=port), SSH_CONNECTION="10.0.0.1 50000 10.0.0.2 22", USER="ada", CI=""
    )
    training.line()
    _, said = training.end()
    assert f"ssh -L {port}:127.0.0.1:{port} ada@10.0.0.2" in said


def test_show_gives_a_frame(store_directory: Path) -> None:
    port = free_port()
    with agnez.init("tests", port=port) as run:
        html = agnez.show(height=400)._repr_html_()  # type: ignore[attr-defined]
        assert str(run.url) in html and "<iframe" in html and "400" in html
    agnez.session.session().close()
    with pytest.raises(agnez.AgnezError, match="init"):
        agnez.show()


@contextlib.contextmanager
def _client(port: int, run: str, after: str = "0") -> Iterator[tuple[socketio.Client, dict[str, Any]]]:
    until(lambda: about(port))
    seen: dict[str, Any] = {"cursor": "0", "values": [], "runs": [], "resync": False}
    client = Client(reconnection=False)

    def take(message: bytes) -> None:
        points = wire.read_points(message)
        seen["values"] += [value for each in points.series for value in each.values.tolist()]
        seen["cursor"] = points.cursor

    client.on("points", take, namespace="/live")
    client.on("runs", lambda runs: seen["runs"].extend(runs), namespace="/live")
    client.on("resync", lambda facts: seen.update(resync=True), namespace="/live")
    client.connect(f"http://127.0.0.1:{port}", namespaces=["/live"], wait_timeout=20)
    assert client.call("watch", {"run": run, "after": after}, namespace="/live") == {"ok": True}
    try:
        yield client, seen
    finally:
        client.disconnect()
        client.shutdown()


@contextlib.contextmanager
def _deaf_viewer(port: int, run: str | None = None) -> Iterator[None]:
    """Open a websocket that joins and then never reads again."""
    until(lambda: about(port))
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", port))
        ws = WSConnection(ConnectionType.CLIENT)
        raw.sendall(ws.send(Request(f"127.0.0.1:{port}", "/socket.io/?EIO=4&transport=websocket")))
        said = ""
        while "40/live" not in said:
            ws.receive_data(raw.recv(4096))
            for event in ws.events():
                if isinstance(event, AcceptConnection):
                    raw.sendall(ws.send(TextMessage("40/live,")))
                elif isinstance(event, TextMessage):
                    said += event.data
        raw.sendall(ws.send(TextMessage("42/live," + json.dumps(["watch", {"run": run, "after": "0"}]))))
        yield


def test_even_a_line_that_no_application_sees_gets_an_error_in_json(store_directory: Path) -> None:
    port = free_port()
    with agnez.init("tests", port=port):
        until(lambda: about(port))
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n")
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
    agnez.session.session().close()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == 414
