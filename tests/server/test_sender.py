from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from serving import Served, served

import agnez
from agnez import sender
from agnez.cli import cli
from agnez.errors import BadValueError
from agnez.record import Json
from agnez.server import ports
from agnez.server.app import create_app
from agnez.store import RunFile, RunReader, Store


@pytest.fixture
def elsewhere(tmp_path: Path) -> Store:
    return Store(tmp_path / "elsewhere")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "WAITS_SECONDS", (0.05,))
    monkeypatch.setattr(sender, "PACE_SECONDS", 0.05)


class Elsewhere:
    """Run `agnez server` over a store of its own, to be killed and started again."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "agnez", "server", "--dir", str(self.directory), "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: ports.ask(self.port) is not None)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)
            self.process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Elsewhere]:
    there = Elsewhere(tmp_path / "elsewhere")
    yield there
    there.kill()


def wait_until(true: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def count(store: Store, run: str, metric: str = "loss") -> int:
    """Return how many points of a metric a store has, 0 where it does not know the run."""
    if not store.run_path(run).is_file():
        return 0
    with RunReader(store, run) as reader:
        return len(reader.series(metric)) if metric in reader.metrics() else 0


def assert_same(here: Store, there: Store, run: str) -> None:
    """Check that the run there is the run here: numbers, facts, cells, media and findings."""
    with RunReader(here, run) as mine, RunReader(there, run) as theirs:
        assert theirs.metrics() == mine.metrics()
        for metric in mine.metrics():
            for branch in (None, *mine.branches()):
                wish = agnez_wish(branch)
                ours, yours = mine.series(metric, wish=wish), theirs.series(metric, wish=wish)
                for column in ("steps", "values", "times", "calls"):
                    np.testing.assert_array_equal(getattr(yours, column), getattr(ours, column))
        here_info, there_info = mine.info(), theirs.info()
        for field in ("name", "project", "config", "tags", "notes", "created", "state", "reason", "ended", "axes"):
            assert getattr(there_info, field) == getattr(here_info, field), field
        assert there_info.progress == here_info.progress
        # As text, where a NaN equals another; the mean is left out, which is summed up in another order.
        assert str({name: each._replace(mean=0) for name, each in there_info.summary.items()}) == str(
            {name: each._replace(mean=0) for name, each in here_info.summary.items()}
        )
        assert by_id(theirs) == by_id(mine)
        assert theirs.own.findings() == mine.own.findings()
        names = mine.own.album.names()
        assert [theirs.own.album.page(name) for name in names] == [mine.own.album.page(name) for name in names]


def agnez_wish(branch: int | None) -> Any:
    from agnez.store.reader import Wish

    return Wish(branch=branch)


def by_id(reader: RunReader) -> dict[str, dict[str, Json]]:
    return {str(cell["_id"]): cell for cell in reader.own.cells.find()}


def test_a_run_is_recorded_here_and_shown_there(store: Store, elsewhere: Store) -> None:
    with served(create_app(elsewhere)) as there:
        order: dict[str, Any] = {"config": {"lr": 0.1}, "tags": ["a"], "notes": "n"}
        with agnez.init("digits", "far", server=there.url, open_browser=False, **order) as run:
            assert run.url == f"{there.url}/?run={run.id}"
            run.define_metric("val/*", step_metric="epoch")
            for step in range(300):
                run.log({"train": {"loss": 1 / (1 + step)}, "val/loss": float("nan"), "epoch": step // 100})
            run.log({"image": agnez.Image(np.zeros((4, 4))), "text": agnez.Text("hello")})
        assert_same(store, elsewhere, run.id)
        (cell,) = [cell for cell in there.call("GET", f"/values?run={run.id}").json() if cell["type"] == "img"]
        assert there.call("GET", cell["value"][1:]).headers["Content-Type"] == "image/png"
        figures = [cell for cell in by_id(RunReader(elsewhere, run.id)).values() if cell["type"] == "html"]
        assert any(cell["value"] for cell in figures)


def test_a_server_that_is_away_at_the_start_gets_all_when_it_comes(
    server: Elsewhere, store: Store, elsewhere: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with agnez.init("digits", server=server.url, open_browser=False) as run:
        run.log({"loss": 1.0})
        wait_until(lambda: "does not answer" in capsys.readouterr().err)
        server.start()
        run.log({"loss": 0.5})
        wait_until(lambda: count(elsewhere, run.id) == 2)
    assert_same(store, elsewhere, run.id)


def test_a_server_that_never_comes_costs_a_run_two_seconds_and_nothing_else(
    server: Elsewhere, store: Store, elsewhere: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with agnez.init("digits", server=server.url, open_browser=False) as run:
        run.log({"loss": 1.0})
        wait_until(lambda: "does not answer" in capsys.readouterr().err)
    said = capsys.readouterr().err
    assert f"agnez send {run.id} {server.url}/" in said and "Connection refused" in said
    assert count(store, run.id) == 1
    failed = CliRunner().invoke(cli, ["send", run.id, server.url])
    assert failed.exit_code == 1
    server.start()
    assert CliRunner().invoke(cli, ["send", run.id, server.url]).exit_code == 0
    assert_same(store, elsewhere, run.id)
    assert CliRunner().invoke(cli, ["send", run.id, server.url]).exit_code == 0
    assert_same(store, elsewhere, run.id)


def test_a_server_killed_again_and_again_misses_nothing_and_doubles_nothing(
    server: Elsewhere, store: Store, elsewhere: Store
) -> None:
    server.start()
    with agnez.init("digits", server=server.url, open_browser=False) as run:
        stop = threading.Event()

        def train() -> None:
            while not stop.is_set():
                run.log({"loss": float(run.step), "accuracy": 0.5})
                time.sleep(0.0005)

        loop = threading.Thread(target=train)
        loop.start()
        for _ in range(3):
            before = count(elsewhere, run.id)
            wait_until(lambda before=before: count(elsewhere, run.id) > before)
            server.kill()
            server.start()
        stop.set()
        loop.join()
    assert_same(store, elsewhere, run.id)
    with RunReader(elsewhere, run.id) as reader:
        assert reader.series("loss").values.tolist() == [float(step) for step in range(run.step)]


@pytest.mark.parametrize("first", [10, 4])
def test_a_run_that_goes_on_goes_on_there_branches_and_all(store: Store, elsewhere: Store, first: int) -> None:
    with served(create_app(elsewhere)) as there:
        for start in (0, first):
            run = agnez.init("digits", id="mine", resume="allow", server=there.url, open_browser=False)
            for step in range(start, start + 10):
                run.log({"loss": float(step)}, step=step)
                run.log({"image": agnez.Image(np.full((2, 2), step / 30))}, step=step)
            run.finish()
            assert_same(store, elsewhere, "mine")
    with RunReader(elsewhere, "mine") as reader:
        assert reader.series("loss").steps.tolist() == list(range(first + 10))


def test_a_branch_made_while_the_server_was_away_is_made_there_too(store: Store, elsewhere: Store) -> None:
    for start in (0, 4):
        with agnez.init("digits", id="mine", resume="allow", server=None) as run:
            for step in range(start, start + 10):
                run.log({"loss": float(step), "image": agnez.Image(np.full((2, 2), step / 30))}, step=step)
    with served(create_app(elsewhere)) as there:
        assert CliRunner().invoke(cli, ["send", "mine", there.url]).exit_code == 0
        assert_same(store, elsewhere, "mine")


def test_a_program_killed_in_the_middle_is_shown_as_crashed_and_its_rest_can_be_sent(
    store: Store, elsewhere: Store, store_directory: Path
) -> None:
    script = (
        "import agnez, os, sys\n"
        "run = agnez.init('digits', id='mine', server=sys.argv[1], open_browser=False)\n"
        "for step in range(100): run.log({'loss': 1.0})\n"
        "run.flush(); print('ready', flush=True); sys.stdin.read()\n"
    )
    with served(create_app(elsewhere)) as there:
        process = subprocess.Popen(
            [sys.executable, "-c", script, there.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        process.kill()
        process.communicate()
        assert CliRunner().invoke(cli, ["send", "mine", there.url]).exit_code == 0
        assert count(elsewhere, "mine") == 100
        with agnez.init("digits", id="mine", resume="must", server=there.url, open_browser=False) as run:
            run.log({"loss": 0.5})
        assert_same(store, elsewhere, "mine")


def test_what_the_server_never_takes_holds_nothing_up(
    store: Store, elsewhere: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agnez.server.rest.LARGEST_BODY", 40_000)
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    with served(create_app(elsewhere)) as there:
        with agnez.init("digits", config={"long": "x" * 1_100_000}, server=there.url, open_browser=False) as run:
            run.log({"noise": agnez.Image(noise), "dot": agnez.Image(noise[:2, :2]), "loss": 1.0})
        record = there.call("GET", f"/runs/{run.id}").json()
        assert (record["state"], record["config"], record["summary"]["loss"]["count"]) == ("finished", {}, 1)
        walked = there.call("GET", f"/runs/{run.id}/media?name=dot").json()["items"]
        assert there.call("GET", walked[0]["value"][1:]).status_code == 200


def test_many_points_go_in_portions(store: Store, elsewhere: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agnez.stream.PORTION", 700)
    with agnez.init("digits", server=None) as run:
        for step in range(3000):
            run.log({"loss": float(step), "accuracy": 1.0} if step % 3 else {"rate": 0.5})
    with served(create_app(elsewhere)) as there:
        assert CliRunner().invoke(cli, ["send", run.id, there.url]).exit_code == 0
    assert_same(store, elsewhere, run.id)


def test_forked_children_are_sent_with_the_run_and_send_nothing_themselves(store: Store, elsewhere: Store) -> None:
    with served(create_app(elsewhere)) as there:
        with agnez.init("digits", server=there.url, open_browser=False) as run:
            run.log({"loss": 1.0})
            run.flush()
            child = os.fork()
            if not child:
                run.log({"child/loss": 2.0})
                run.finish()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            wait_until(lambda: count(elsewhere, run.id, "child/loss") == 1)
            run.log({"loss": 0.5})
        assert count(elsewhere, run.id) == 2


def test_each_rank_sends_its_own_points_and_the_server_has_the_same_series(
    store: Store, elsewhere: Store, tmp_path: Path, server: Elsewhere
) -> None:
    apart = Store(tmp_path / "another machine")
    order: dict[str, Any] = {"id": "mine", "server": server.url, "open_browser": False, "resume": "allow"}
    for start in (0, 8):
        far = agnez.init("digits", rank=2, dir=apart.directory, **order)  # long before there is a server, or the run
        far.log({"loss": 2.0}, step=start)
        far.flush()
        if not start:
            server.start()
        first, near = agnez.init("digits", **order), agnez.init("digits", rank=1, **order)
        for step in range(start, start + 10):
            first.log({"loss": 0.0 + step}, step=step)
            near.log({"loss": 10.0 + step, "own": 1.0}, step=step)
            far.log({"loss": 20.0 + step}, step=step)
        first.finish()  # the others go on
        near.log({"loss": 1.0})
        for run in (near, far):
            run.finish()
    assert_same(store, elsewhere, "mine")
    with RunReader(store, "mine") as mine, RunReader(elsewhere, "mine") as theirs:
        assert theirs.ranks() == [0, 1, 2] and theirs.metrics(1) == ["loss", "own"]
        with RunFile(apart.files("mine", 2)[0]) as third:
            for ours, rank in ((mine.series("loss", rank=1), 1), (third.read("loss"), 2)):
                yours = theirs.series("loss", rank=rank)
                for column in ("steps", "values", "times"):
                    np.testing.assert_array_equal(getattr(yours, column), getattr(ours, column))
        assert theirs.series("loss", rank="max").values.tolist()[:8] == [20.0 + step for step in range(8)]
    for rank in (1, 2):
        (elsewhere.run_folder("mine") / f"rank-{rank}.db").unlink()
    assert CliRunner().invoke(cli, ["send", "mine", server.url]).exit_code == 0
    alone = ["--dir", str(apart.directory)]  # nothing but the points of rank 2 is there
    assert CliRunner().invoke(cli, ["send", "mine", server.url, *alone]).exit_code == 0
    assert "there is no run 'min'" in str(CliRunner().invoke(cli, ["send", "min", server.url, *alone]).exception)
    with RunReader(store, "mine") as mine, RunReader(elsewhere, "mine") as theirs:
        np.testing.assert_array_equal(theirs.series("own", rank=1).steps, mine.series("own", rank=1).steps)
        assert theirs.series("loss", rank=2).values.tolist()[-1] == 37.0


def test_the_server_of_the_runs_own_store_needs_nothing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with served(create_app(store)) as there:
        with agnez.init("digits", server=there.url, open_browser=False) as run:
            run.log({"loss": 1.0})
            wait_until(lambda: "very store" in capsys.readouterr().err)
        assert count(store, run.id) == 1
        assert "agnez send" not in capsys.readouterr().err


def test_a_run_of_another_with_the_same_id_is_left_alone(
    store: Store, elsewhere: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(create_app(elsewhere)) as there:
        there.call("POST", "/runs", {"project": "theirs", "_id": "mine"})
        with agnez.init("digits", id="mine", server=there.url, open_browser=False) as run:
            run.log({"loss": 1.0})
            wait_until(lambda: "another run has the id 'mine'" in capsys.readouterr().err)
        assert there.call("GET", "/runs/mine").json()["project"] == "theirs"
    assert (count(store, "mine"), count(elsewhere, "mine")) == (1, 0)


def test_a_run_that_is_deleted_there_comes_back_while_it_trains(store: Store, elsewhere: Store) -> None:
    with served(create_app(elsewhere)) as there:
        with agnez.init("digits", server=there.url, open_browser=False) as run:
            run.log({"loss": 1.0})
            wait_until(lambda: count(elsewhere, run.id) == 1)
            there.call("PATCH", f"/runs/{run.id}", {"state": "finished"})
            assert there.call("DELETE", f"/runs/{run.id}").status_code == 200
            run.log({"loss": 0.5})
        assert_same(store, elsewhere, run.id)


def test_edits_go_there_and_those_made_there_stay(store: Store, elsewhere: Store) -> None:
    with served(create_app(elsewhere)) as there:
        with agnez.init("digits", "old", server=there.url, open_browser=False) as run:
            run.log({"loss": 1.0})
            wait_until(lambda: count(elsewhere, run.id) == 1)
            there.call("PATCH", f"/runs/{run.id}", {"notes": "of a reader"})
            store.edit(run.id, name="new")
        record = there.call("GET", f"/runs/{run.id}").json()
        assert (record["name"], record["notes"], record["state"]) == ("new", "of a reader", "finished")


@contextmanager
def guarded(elsewhere: Store, token: str) -> Iterator[Served]:
    """Serve behind a gate that wants a bearer token."""
    app = create_app(elsewhere)
    inner = app.wsgi

    def gate(environ: Any, start_response: Any) -> Any:
        if environ.get("HTTP_AUTHORIZATION") == f"Bearer {token}":
            return inner(environ, start_response)
        start_response("401 UNAUTHORIZED", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    app.wsgi = gate
    with served(app) as there:
        yield there


def test_a_token_is_shown_and_never_said(
    store: Store, elsewhere: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with guarded(elsewhere, "s3cret") as there:
        with agnez.init("digits", server=there.url, open_browser=False) as run:
            run.log({"loss": 1.0})
            wait_until(lambda: "AGNEZ_TOKEN" in capsys.readouterr().err)
        with agnez.init("digits", server=f"{there.url}/?token=s3cret", open_browser=False) as first:
            first.log({"loss": 1.0})
        monkeypatch.setenv("AGNEZ_TOKEN", "s3cret")
        with agnez.init("digits", server=there.url, open_browser=False) as second:
            second.log({"loss": 1.0})
    assert_same(store, elsewhere, first.id)
    assert_same(store, elsewhere, second.id)
    said = capsys.readouterr()
    assert "s3cret" not in said.err + said.out + str(first.url)


@pytest.mark.parametrize("server", ["gpu-1", "ftp://gpu-1/", "http://", "http://a:b@c/", "http://h:port/", "treads", 3])
def test_what_is_no_server_is_said_at_the_door(server: Any) -> None:
    with pytest.raises(BadValueError, match="server="):
        agnez.init("digits", server=server)


def test_the_callback_of_keras_sends_its_run(store: Store, elsewhere: Store) -> None:
    import keras

    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, name="first"), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    with served(create_app(elsewhere)) as there:
        callback = agnez.AgnezCallback(project="digits", server=there.url, open_browser=False)
        x, y = np.random.rand(64, 4), np.random.rand(64, 1)
        model.fit(x, y, epochs=2, batch_size=8, validation_split=0.25, verbose=0, callbacks=[callback])
        assert callback.run is not None
        callback.run.finish()
        assert_same(store, elsewhere, callback.run.id)
        record = there.call("GET", f"/runs/{callback.run.id}").json()
    assert (record["state"], record["progress"]["epoch"]) == ("finished", 2)
    assert record["summary"]["train/loss"]["count"] == 2
