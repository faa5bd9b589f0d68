"""The server is killed amid ten thousand changes, and started again: nothing that was answered is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import Client

from agnez.server import ports
from agnez.store import Store

pytestmark = pytest.mark.slow

PATCHES = 10_000
CELLS = 40
AT_ONCE = 100
KILLED_AFTER = 4_321


@contextmanager
def standalone(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `agnez server` as a user does, until it answers and the block ends."""
    command = [sys.executable, "-m", "agnez", "server", "--dir", str(folder), "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            while ports.ask(port) is None:
                assert process.poll() is None, "the server did not start"
            yield process
        finally:
            process.kill()


class Reconnecting:
    """A client that comes back by itself, and reads everything then, as a page of somebody's would."""

    def __init__(self, url: str) -> None:
        self.state: dict[str, int] = {}
        self.lost = 0
        self.news = threading.Condition()
        self.client = Client(reconnection=True, reconnection_delay=0.05, reconnection_delay_max=0.2)
        self.client.on("connect", lambda: self.client.emit("find", ("values", {}), callback=self._take_all))
        self.client.on("disconnect", self._lose)
        for event in ("created", "patched"):
            self.client.on(f"values {event}", self._take)
        self.client.connect(url, transports=["websocket"], wait_timeout=20)

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(condition, 60)

    def _lose(self, reason: object = None) -> None:
        self.client.eio.ws.shutdown()  # the library leaves a connection open that broke
        with self.news:
            self.lost += 1
            self.state.clear()
            self.news.notify_all()

    def _take_all(self, error: Any, found: Any) -> None:
        assert error is None
        for record in found:
            self._take(record)

    def _take(self, record: Any) -> None:
        with self.news:
            self.state[record["_id"]] = max(record["n"], self.state.get(record["_id"], 0))
            self.news.notify_all()


class Writer(Reconnecting):
    """A client that patches cells, each time a hundred at once, and goes on after its server was killed."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.answered: dict[str, int] = {}
        self.count = 0
        self.at_count: Callable[[int], None] = lambda count: None

    def patch(self, numbers: list[int]) -> None:
        """Patch until each number was answered."""
        while numbers:
            self.wait(lambda: self.client.connected and len(self.state) == CELLS)
            lost, open_ = self.lost, set(numbers)
            for number in numbers:
                self._send(number, open_)
            self.wait(lambda: not open_ or self.lost > lost)  # noqa: B023  # it is called here and now only
            numbers = sorted(open_)

    def _send(self, number: int, open_: set[int]) -> None:
        id = f"cell-{number % CELLS}"

        def answered(error: Any, record: Any = None) -> None:
            assert error is None and record["n"] == number
            with self.news:
                open_.discard(number)
                self.answered[id] = max(number, self.answered.get(id, 0))
                self.count += 1
                self.news.notify_all()
            self.at_count(self.count)

        if self.client.connected:
            self.client.emit(
                "patch", ("values", id, {"n": number, "value": f"<p>{number}</p>" * 60}), callback=answered
            )


def free_port() -> int:
    with ports.listen(0) or pytest.fail("no port") as listener:
        return int(listener.getsockname()[1])


def test_every_change_that_was_answered_survives_a_kill_and_clients_come_back_to_it(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://{ports.HOST}:{port}"
    with standalone(tmp_path, port) as process:
        viewer, writer = Reconnecting(url), Writer(url)
        for place in range(CELLS):
            writer.client.call("create", ("values", {"_id": f"cell-{place}", "n": 0}), timeout=20)
        writer.wait(lambda: len(writer.state) == CELLS)
        writer.at_count = lambda count: process.kill() if count == KILLED_AFTER else None
        numbers = list(range(1, PATCHES + 1))
        work = threading.Thread(
            target=lambda: [writer.patch(numbers[at : at + AT_ONCE]) for at in range(0, PATCHES, AT_ONCE)]
        )
        work.start()
        process.wait(120)
        writer.wait(lambda: writer.lost == 1)
        with Store(tmp_path).cells(None) as cells:
            for id, number in writer.answered.items():
                record: Any = cells.get(id)
                assert record["n"] >= number and record["value"] == f"<p>{record['n']}</p>" * 60
        assert KILLED_AFTER <= writer.count < PATCHES
    with standalone(tmp_path, port):
        work.join(120)
        assert not work.is_alive() and writer.count >= PATCHES
        last = {f"cell-{number % CELLS}": number for number in range(PATCHES - CELLS + 1, PATCHES + 1)}
        viewer.wait(lambda: viewer.state == last)
        writer.wait(lambda: writer.state == last)
        assert viewer.lost == writer.lost == 1
        for client in (viewer, writer):
            client.client.disconnect()


def test_pages_are_configured_on_the_command_line(tmp_path: Path) -> None:
    port = free_port()
    with standalone(tmp_path, port, "--paginate", "2:3"):
        client = Client(reconnection=False)
        client.connect(f"http://{ports.HOST}:{port}", transports=["websocket"], wait_timeout=20)
        client.call("create", ("values", [{"_id": str(at)} for at in range(5)]), timeout=20)
        _, page = client.call("find", ("values", {"$limit": 9}), timeout=20)
        assert (page["total"], page["limit"], len(page["data"])) == (5, 3, 3)
        client.disconnect()
