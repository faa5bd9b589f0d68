"""Many changes, and viewers that do not read: on threads as on a hub."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from serving import Listener, Served, add_run, both_engines, standing
from websocket import WebSocket, WebSocketException, create_connection

from agnez.record import Batch, Point
from agnez.server import viewers
from agnez.store import Store

engine = both_engines


@pytest.fixture
def server(store: Store, engine: str) -> Iterator[Served]:
    with standing(engine, store) as server:
        yield server


def test_a_thousand_rapid_patches_reach_three_clients_in_order(server: Served, listen: Callable[..., Listener]) -> None:
    viewers = [listen(["websocket"]), listen(["websocket"]), listen(["polling"])]
    writer = listen(["websocket"])
    writer.result("create", "values", {"_id": "a", "n": -1})
    acked = threading.Semaphore(0)
    for number in range(1000):
        writer.client.emit("patch", ("values", "a", {"n": number}, {}), callback=lambda *_: acked.release())
    for _ in range(1000):
        assert acked.acquire(timeout=60)
    for viewer in (*viewers, writer):
        events = viewer.wait_for(1001)
        assert [(name, record["n"]) for name, record in events] == [
            ("created", -1),
            *(("patched", number) for number in range(1000)),
        ]


def test_viewers_that_stall_cost_the_others_nothing(
    server: Served, store: Store, listen: Callable[..., Listener]
) -> None:
    run = add_run(store, state="running")
    stalled = [join(server, "/"), join(server, "/live", run), join(server, "/live", run)]
    page, reading = Page(server, run), listen(["websocket"])
    writer = listen(["websocket"])
    writer.result("create", "values", {"_id": f"{run}.a", "run": run, "type": "img", "value": ""})
    for number in range(150):
        writer.result("patch", "values", f"{run}.a", {"value": str(number) + "x" * 100_000})
    last = reading.wait_for(151)[-1][1]
    assert isinstance(last, dict) and str(last["value"]).startswith("149x")
    with store.open_run(run) as file, file.transaction():
        file.append(Batch.of([Point("loss", 1000, 0.5, 1)]))
    page.wait_for_bytes()
    for wire in stalled:
        wire.shutdown()
    page.wire.shutdown()


def test_who_stops_reading_for_a_while_misses_nothing(server: Served, listen: Callable[..., Listener]) -> None:
    slow = join(server, "/")
    writer = listen(["websocket"])
    writer.result("create", "values", {"_id": "a", "value": ""})
    for number in range(100):
        writer.result("patch", "values", "a", {"value": f"{number}:" + "x" * 100_000})
    heard = []
    while len(heard) < 100:
        said = slow.recv()
        if said == "2":
            slow.send("3")
        if '"values patched"' in said:
            heard.append(int(json.loads(said[2:])[1]["value"].partition(":")[0]))
    assert heard == list(range(100))
    slow.shutdown()


def test_who_asks_and_asks_and_never_reads_is_let_go(
    server: Served, listen: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewers, "MOST_CHARACTERS", 4_000_000)
    listen().result("create", "values", {"_id": "large", "value": "x" * 200_000})
    wire = join(server, "/")
    deadline = time.monotonic() + 60
    with pytest.raises((ConnectionError, WebSocketException)):
        for number in itertools.count():
            assert time.monotonic() < deadline, f"{number} calls were taken"
            wire.send(f'42{number}["get","values","large"]')
    wire.shutdown()
    assert listen().result("get", "values", "large", {"$select": ["_id"]}) == {"_id": "large"}


def join(server: Served, namespace: str, run: str | None = None) -> WebSocket:
    """Open a websocket that joins a namespace, watches a run there, and then reads no more."""
    place = f"ws://{server.host}/socket.io/?EIO=4&transport=websocket"
    wire = create_connection(place, timeout=30, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    assert wire.recv().startswith("0{")
    suffix = "" if namespace == "/" else f"{namespace},"
    wire.send(f"40{suffix}")
    assert wire.recv().startswith(f"40{suffix}")
    if run is not None:
        wire.send(f"42{suffix}" + json.dumps(["watch", {"run": run, "after": "0"}]))
    return wire


class Page:
    """Watch a run as a page does, and read all that comes."""

    def __init__(self, server: Served, run: str) -> None:
        self.wire = join(server, "/live", run)
        self._read_points()  # those that were there

    def wait_for_bytes(self) -> None:
        """Wait for the next message of points."""
        self._read_points()

    def _read_points(self) -> None:
        while True:
            said = self.wire.recv()
            if said == "2":
                self.wire.send("3")
            if isinstance(said, bytes):
                return
