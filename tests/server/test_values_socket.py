from __future__ import annotations

import gc
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import requests
from serving import Listener, Served, both_engines, served_by
from websocket import WebSocket, WebSocketException, create_connection

from agnez.query import read
from agnez.record import CellRecord, Json
from agnez.server import viewers
from agnez.server.values import Values
from agnez.store import Store

engine = both_engines
Connect = Callable[..., Listener]


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
def test_the_six_methods_answer_on_every_transport(listen: Connect, transports: list[str]) -> None:
    client = listen(transports)
    assert client.result("create", "values", {"_id": "a", "name": "x", "pos": 1}, {}) == {
        "_id": "a",
        "name": "x",
        "pos": 1,
    }
    assert client.result("find", "values", {"name": "x"}) == [{"_id": "a", "name": "x", "pos": 1}]
    assert client.result("find", "values", {"pos": {"$gt": 1}}) == []
    assert client.result("get", "values", "a", {}) == {"_id": "a", "name": "x", "pos": 1}
    assert client.result("patch", "values", "a", {"pos": 2}, {}) == {"_id": "a", "name": "x", "pos": 2}
    assert client.result("patch", "values", None, {"pos": 3}, {"name": "x"}) == [{"_id": "a", "name": "x", "pos": 3}]
    assert client.result("update", "values", "a", {"pos": 4}, {}) == {"_id": "a", "pos": 4}
    assert client.result("remove", "values", "a", {}) == {"_id": "a", "pos": 4}
    assert client.result("remove", "values", None, {}) == []
    assert client.error("get", "values", "a")["name"] == "NotFound"
    names = ["created", "patched", "patched", "updated", "removed"]
    assert [name for name, _ in client.wait_for(5)] == names


def test_packets_are_those_of_the_wire_page(server: Served) -> None:
    with raw(server) as wire:
        wire.send('420["create","values",{"_id":"e3","name":"x"},{}]')
        packets = {wire.recv(), wire.recv()}
        assert packets == {'42["values created",{"name":"x","_id":"e3"}]', '430[null,{"name":"x","_id":"e3"}]'}
        wire.send('426["get","values","nope",{}]')
        kind, body = split(wire.recv())
        assert kind == "436" and len(body) == 1
        assert body[0] == {
            "name": "NotFound",
            "message": "No record found for id 'nope'",
            "code": 404,
            "className": "not-found",
        }
        wire.send('429["patch","values",null,{"a":1},{"type":"q"}]')
        assert wire.recv() == "439[null,[]]"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (["find"], "NotFound"),
        (["find", "nope"], "NotFound"),
        (["find", "__proto__"], "NotFound"),
        (["find", 7], "NotFound"),
        (["find", None], "NotFound"),
        (["find", {"a": 1}], "NotFound"),
        (["find", ["values"]], "NotFound"),
        (["find", "values", {}, {}], "BadRequest"),
        (["find", "values", "text"], "BadRequest"),
        (["find", "values", [1]], "BadRequest"),
        (["find", "values", {"$foo": 1}], "BadRequest"),
        (["find", "values", {"a": {"$in": 1}}], "BadRequest"),
        (["find", "values", {"$or": [1]}], "BadRequest"),
        (["find", "values", {"$limit": True}], "BadRequest"),
        (["get", "values"], "BadRequest"),
        (["get", "values", None, {}], "BadRequest"),
        (["get", "values", {"a": 1}, {}], "BadRequest"),
        (["get", "values", "a", {}, {}], "BadRequest"),
        (["get", "values", "\ud800", {}], "NotFound"),
        (["create", "values"], "BadRequest"),
        (["create", "values", None], "BadRequest"),
        (["create", "values", "text", {}], "BadRequest"),
        (["create", "values", {"a": float("nan")}, {}], "BadRequest"),
        (["create", "values", {"a": float("inf")}, {}], "BadRequest"),
        (["create", "values", {"a": "\ud800"}, {}], "BadRequest"),
        (["create", "values", {"_id": "\ud800"}, {}], "BadRequest"),
        (["create", "values", {"a": b"bytes"}, {}], "BadRequest"),
        (["create", "values", {}, {}, {}], "BadRequest"),
        (["create", "projects", {}, {}], "MethodNotAllowed"),
        (["update", "values", None, {}, {}], "BadRequest"),
        (["update", "values", "a"], "BadRequest"),
        (["patch", "values", "a", {}, {}, {}], "BadRequest"),
        (["patch", "values", "nope", {}], "NotFound"),
        (["patch", "values", True, {}], "BadRequest"),
        (["remove", "values", "a", {}, {}], "BadRequest"),
        (["remove", "values", "nope"], "NotFound"),
    ],
)
def test_wrong_arguments_get_one_error_and_change_nothing(listen: Connect, call: list[Any], name: str) -> None:
    client = listen()
    assert client.error(*call)["name"] == name
    assert client.result("find", "values") == []
    assert client.events == []


def test_missing_query_and_missing_ack_are_fine(listen: Connect) -> None:
    client = listen()
    client.client.emit("create", ("values", {"_id": "a"}))
    assert client.wait_for(1) == [("created", {"_id": "a"})]
    assert client.result("find", "/values/") == [{"_id": "a"}]
    assert client.result("find", "values", None) == [{"_id": "a"}]
    client.client.emit("get", "values")
    assert client.result("get", "values", "a") == {"_id": "a"}


def test_a_query_has_a_bound_of_depth_and_answers_beyond_it(listen: Connect) -> None:
    client = listen()
    client.result("create", "values", {"_id": "a", "x": 1})

    def nested(levels: int) -> Any:
        query: Any = {"x": 1}
        while levels > 1:
            query, levels = {"$and": [query]}, levels - 2
        return query

    assert client.result("find", "values", nested(31)) == [{"_id": "a", "x": 1}]
    assert client.error("find", "values", nested(33))["name"] == "BadRequest"
    assert client.error("find", "values", nested(301))["name"] == "BadRequest"


def test_every_client_gets_the_same_events_in_the_order_of_effect(server: Served, listen: Connect) -> None:
    clients = [listen(["websocket"]), listen(["polling"]), listen(["websocket"])]
    server.call("POST", "/values", {"_id": "a", "count": 0})

    def write(by_socket: Listener | None, name: str) -> None:
        for number in range(25):
            if by_socket is not None:
                by_socket.result("patch", "values", "a", {"writer": name, "number": number})
            else:
                with requests.Session() as session:
                    session.patch(f"{server.url}/values/a", json={"writer": name, "number": number}, timeout=20)

    writers = [threading.Thread(target=write, args=(client, str(at))) for at, client in enumerate([*clients[:2], None])]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    logs = [client.wait_for(76) for client in clients]
    assert logs[0] == logs[1] == logs[2]
    assert logs[0][0] == ("created", {"_id": "a", "count": 0})
    assert logs[0][-1] == ("patched", server.call("GET", "/values/a").json())


@pytest.mark.parametrize("engine", ["threads", "hub"])
def test_a_thousand_rapid_patches_reach_three_clients_in_order(store: Store, engine: str) -> None:
    with served_by(engine, store) as server:
        clients = [Listener(server.url, [way]) for way in ("websocket", "polling", "websocket")]
        clients[0].result("create", "values", {"_id": "a"})
        for number in range(1000):
            clients[0].client.emit("patch", ("values", "a", {"n": number}, {}))
        wanted = [("created", {"_id": "a"}), *(("patched", {"n": number, "_id": "a"}) for number in range(1000))]
        assert all(client.wait_for(1001) == wanted for client in clients)
        assert server.call("GET", "/values/a").json() == {"_id": "a", "n": 999}
        for client in clients:
            client.close()


@pytest.mark.parametrize("engine", ["threads", "hub"])
def test_a_call_that_changes_thousands_is_told_whole_to_those_who_read(store: Store, engine: str) -> None:
    with served_by(engine, store) as server:
        client = Listener(server.url, ["websocket"])
        made = server.call("POST", "/values", [{"_id": str(number)} for number in range(5000)])
        assert [record["_id"] for _, record in client.wait_for(5000)] == [each["_id"] for each in made.json()]
        client.close()


def test_no_change_overtakes_one_that_is_being_announced(store: Store) -> None:
    announced: list[Json] = []
    second_is_out = threading.Event()

    def announce(path: str, event: str, record: CellRecord) -> None:
        if record["n"] == 1:
            second.start()
            second_is_out.wait(0.3)  # it must not come while this one is on its way
        announced.append(record["n"])
        if record["n"] == 2:
            second_is_out.set()

    values = Values(store, announce, "test")
    second = threading.Thread(target=lambda: values.patch("a", {"n": 2}, read(None)))
    values.create({"_id": "a", "n": 1}, read(None))
    second.join(20)
    assert announced == [1, 2]


def test_bulk_and_multi_calls_send_one_event_for_each_record(server: Served, listen: Connect) -> None:
    client = listen()
    server.call("POST", "/values", [{"_id": "a", "t": 1}, {"_id": "b", "t": 1}])
    server.call("GET", "/values")
    server.call("GET", "/values/nope")
    server.call("POST", "/values", [{"_id": "c"}, {"_id": "a"}])
    server.call("PATCH", "/values?t=1&%24select=t", {"t": 2})
    server.call("PUT", "/values/a", {"t": 3})
    server.call("DELETE", "/values")
    assert client.wait_for(7) == [
        ("created", {"_id": "a", "t": 1}),
        ("created", {"_id": "b", "t": 1}),
        ("patched", {"_id": "a", "t": 2}),
        ("patched", {"_id": "b", "t": 2}),
        ("updated", {"_id": "a", "t": 3}),
        ("removed", {"_id": "a", "t": 3}),
        ("removed", {"_id": "b", "t": 2}),
    ]
    late = listen()
    assert late.result("find", "values") == [] and late.events == []


def test_calls_of_one_socket_start_in_the_order_sent(listen: Connect) -> None:
    client = listen()
    client.result("create", "values", {"_id": "a", "n": -1})
    for number in range(60):
        client.client.emit("patch", ("values", "a", {"n": number}, {}))
    assert [record["n"] for _, record in client.wait_for(61)[1:]] == list(range(60))  # type: ignore[index,call-overload]


def test_a_hundred_packets_in_one_post_are_taken(server: Served) -> None:
    place = f"{server.url}/socket.io/?EIO=4&transport=polling"
    with requests.Session() as session:
        sid = json.loads(session.get(place, timeout=10).text[1:])["sid"]
        place += f"&sid={sid}"
        assert session.post(place, data="40", timeout=10).status_code == 200
        assert session.get(place, timeout=10).text.startswith("40")
        calls = "\x1e".join(f'42{number}["create","values",{{"_id":"{number}"}},{{}}]' for number in range(100))
        assert session.post(place, data=calls, timeout=20).status_code == 200
    assert len(server.call("GET", "/values").json()) == 100


def test_a_large_record_travels_by_socket(listen: Connect) -> None:
    client = listen()
    value = "x" * 3_000_000
    assert client.result("create", "values", {"_id": "a", "value": value}) == {"_id": "a", "value": value}
    assert client.wait_for(1)[0][0] == "created"


def test_a_message_past_the_bound_ends_its_own_connection_only(server: Served, listen: Connect) -> None:
    other = listen()
    with raw(server) as wire:
        wire.send('420["create","values",{"_id":"a","value":"' + "x" * 17 * 1024 * 1024 + '"},{}]')
        with suppress(OSError, WebSocketException):  # the end may come as a close or as a broken pipe
            assert wire.recv() == ""
    assert other.result("find", "values") == []


def test_the_other_services_answer_by_socket_too(listen: Connect) -> None:
    client = listen()
    for path in ("runs", "projects", "findings"):
        assert client.result("find", path, {}) == []
        assert client.error("remove", path, None, {})["name"] == "MethodNotAllowed"


def test_a_viewer_that_stops_reading_is_disconnected(
    server: Served, listen: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(viewers, "MOST_PACKETS", 20)
    reading = listen()
    sockets = server.app.socketio.server.eio.sockets
    before = writers()
    with raw(server):
        assert writers() == before + 1
        for number in range(100):
            server.call("POST", "/values", {"_id": str(number), "value": "x" * 100_000})
        wait_until(lambda: "stopped reading" in caplog.text)
        wait_until(lambda: sum(not each.closed for each in list(sockets.values())) == 1)
        # Its threads are let go as well, though the other end of the connection is still there.
        wait_until(lambda: writers() == before)
    assert [record["_id"] for _, record in reading.wait_for(100)] == [str(number) for number in range(100)]


@contextmanager
def raw(server: Served) -> Iterator[WebSocket]:
    """Speak Engine.IO by hand, on a websocket that has joined the namespace `/` and reads when it is told to."""
    place = f"ws://{server.host}/socket.io/?EIO=4&transport=websocket"
    wire = create_connection(place, timeout=10, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
    assert wire.recv().startswith("0{")
    wire.send("40")
    assert wire.recv().startswith("40{")
    try:
        yield wire
    finally:
        wire.shutdown()


def writers() -> int:
    """Count the threads, or greenlets, that send to websockets; python-engineio names them so."""
    threads = sum(thread.name.endswith("(writer)") for thread in threading.enumerate())
    green = [each for each in gc.get_objects() if type(each).__module__ == "engineio.async_drivers.gevent"]
    return threads + sum(not each.dead and each._run.__name__ == "writer" for each in green)


def split(packet: str) -> tuple[str, Any]:
    at = packet.index("[")
    return packet[:at], json.loads(packet[at:])


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
