"""Nonsense at both doors: every input is answered, and the server is the same afterwards.

For each of both servers a run of this file sends 400 requests, 200 rounds of up to 6 calls, 100 broken calls and 80
conversations of up to 8 packets that hypothesis makes up, and what is listed here by hand.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import pytest
import requests
import werkzeug
from engineio.socket import Socket as EngineSocket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import alive, both_engines, served_by_hub
from socketio.packet import Packet
from websocket import WebSocketException, create_connection

from agnez.record import RunInfo
from agnez.server import feathers, handler
from agnez.server.app import Application, create_app
from agnez.server.handler import Handler
from agnez.server.rest import LARGEST_BODY
from agnez.server.service import METHODS
from agnez.server.threads import Server
from agnez.server.websocket import WebSocket
from agnez.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning"),  # some inputs are too long to be shown
]

engine = both_engines
ENGINE = "/socket.io/?EIO=4&transport="


class Door:
    """Hold the address of a server that others share."""

    def __init__(self, port: int, app: Application) -> None:
        self.port = port
        self.app = app
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"

    def send(self, *parts: bytes) -> bytes:
        """Send bytes, and return all that comes back until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            with suppress(OSError):  # it may have heard enough
                for part in parts:
                    connection.sendall(part)
                connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: received(connection), b""))

    def is_well(self) -> bool:
        """Tell whether the server does what it should."""
        with requests.Session() as session:
            record = session.post(f"{self.url}/values", json={"n": 1}, timeout=20).json()
            return bool(session.delete(f"{self.url}/values/{record['_id']}", timeout=20).json() == record)


def received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


class Talk:
    """Speak Engine.IO by hand over a websocket that has joined the namespace `/`."""

    def __init__(self, door: Door) -> None:
        place = f"ws://{door.host}{ENGINE}websocket"
        self.wire = create_connection(place, timeout=20, skip_utf8_validation=True)
        self.next = 0
        assert self.read().startswith("0{")
        self.wire.send("40")
        assert self.read().startswith("40{")

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.shutdown()

    def read(self) -> str:
        """Return the next packet; pings are answered, and nobody hears of them."""
        while (packet := self.wire.recv()) == "2":
            self.wire.send("3")
        return str(packet)

    def send(self, arguments: str, *attachments: bytes, count: int = 0) -> int:
        """Send a call with arguments as they are written, and return its number; `count` attachments are announced."""
        self.next += 1
        kind = f"5{count or len(attachments)}-" if attachments else "2"
        self.wire.send(f"4{kind}{self.next}{arguments}")
        for each in attachments:
            self.wire.send_binary(each)
        return self.next

    def acks(self, until: int) -> list[tuple[int, Any]]:
        """Read up to the ack of a call, and return all acks that came."""
        acks = []
        while not acks or acks[-1][0] != until:
            packet = self.read()
            if packet.startswith("43"):
                number, _, body = packet[2:].partition("[")
                acks.append((int(number), json.loads("[" + body)))
        return acks

    def call(self, arguments: list[Any]) -> Any:
        """Do a call and return what its ack bears."""
        number = self.send(json.dumps(arguments))
        [(_, ack)] = self.acks(number)
        return ack


@pytest.fixture(scope="module")
def door(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Open the server that sits in a training, or the one that stands alone; it forgets who is silent sooner here."""
    store = Store(tmp_path_factory.mktemp("store"))
    store.create_run(RunInfo("a", "p", "n", created=1, **alive())).close()  # which nobody may delete, for it runs
    earlier = parts()
    with opened(engine, store) as (app, port):
        app.socketio.server.eio.ping_interval, app.socketio.server.eio.ping_timeout = 1, 3
        before = threading.active_count() + 1  # python-engineio's own, which watches over the clients
        door = Door(port, app)
        with Talk(door) as talk:  # starts what python-engineio keeps running, once
            talk.call(["find", "values"])
        yield door
        until(lambda: threading.active_count() <= before, lambda: str(threading.enumerate()))
        # Those who took part are all gone, and what they sent with them, whatever the tests of this file have sent.
        until(lambda: not left(door, earlier), lambda: str(left(door, earlier)))


def parts() -> list[object]:
    """Return what there is in this process of clients, of their connections, their packets and their requests."""
    gc.collect()
    kinds = (EngineSocket, WebSocket, Packet, Handler, werkzeug.Request)
    return [each for each in gc.get_objects() if issubclass(type(each), kinds)]  # some objects frown on isinstance


def left(door: Door, earlier: list[object]) -> list[str]:
    """Return what there still is of those who took part, and was not there `earlier`."""
    server = door.app.socketio.server
    held = [server.eio.sockets, server.environ, server._binary_packet, list(server.manager.get_participants("/", None))]
    found = [each for each in parts() if not any(each is known for known in earlier)]
    sockets = [each for each in found if isinstance(each, EngineSocket)]
    watched = [each for each in sockets if each.server is server.eio][:1]  # python-engineio's watch looked at it last
    others = [each for each in sockets if each.server is not server.eio]  # of a server that another test had
    rest = [type(each).__name__ for each in found if each not in watched and each not in others]
    return [*map(str, filter(None, held)), *rest]


@contextmanager
def opened(engine: str, store: Store) -> Iterator[tuple[Application, int]]:
    if engine == "hub":
        with served_by_hub(lambda hub: create_app(store, engine=hub)) as served:
            yield served.app, served.port
        return
    app = create_app(store)
    server = Server("127.0.0.1", 0, app.wsgi, Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield app, server.port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def unchanged(door: Door) -> Iterator[None]:
    """See that the server outlives a test, and keeps no thread of it."""
    before = len(lasting())
    yield
    assert door.is_well()
    until(lambda: len(lasting()) <= before, lambda: str(lasting()))


def lasting() -> list[threading.Thread]:
    """Return the threads, but for those that sleep until a client's next ping: they are waited for in the end."""
    return [thread for thread in threading.enumerate() if "_send_ping" not in thread.name]


def until(true: Callable[[], bool], told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, told()
        time.sleep(0.01)


fuzzed = settings(
    max_examples=200, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)

# --- what is sent ----------------------------------------------------------------------------------------------------

words = st.sampled_from(
    "_id name pos $in $nin $lt $gt $ne $or $and $sort $limit $skip $select $foo __proto__ constructor a.b".split()
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | words
    | st.sampled_from([10**400, -1, 0, 1, "1", "x" * 5000, "\ud800", "\x00"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
deep = st.sampled_from([150, 250, 399, 900, 5_000, 200_000]).flatmap(
    lambda levels: st.sampled_from(["[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels, "[" * levels])
)
texts = st.text(max_size=40) | st.sampled_from(["", "{}", "[]", "null", "NaN", '{"a":1e999}', '{"a":-Infinity}'])


def written(value: Any) -> str:
    return json.dumps(value)


def broken(text: str) -> st.SearchStrategy[str]:
    """Break a text: cut it short, or put something into it."""
    places = st.integers(0, len(text))
    cut = places.map(lambda at: text[:at])
    return cut | st.tuples(places, st.text(max_size=3)).map(lambda put: text[: put[0]] + put[1] + text[put[0] :])


payloads = values.map(written) | values.map(written).flatmap(broken) | deep | texts
bodies = payloads.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60)
known = (
    "/values /values/ /values/a /runs /runs/a /runs/x/series /runs/a/cells /runs/a/cells/b /runs/x/cells "
    "/runs/a/points /runs/a/media /projects /projects/p /findings /findings/a /frame /about / /assets/x"
).split()
services = st.sampled_from(["values"] * 4 + ["runs", "runs/a/cells", "runs/x/cells", "projects", "findings"])
paths = st.sampled_from([*known, ENGINE]) | (
    st.text(max_size=30).map(lambda id: "/values/" + quote(id, safe="", errors="surrogatepass"))
    | st.text(alphabet="/%.ab\\?&=[]$+~-_0", max_size=30).map("/".__add__)
    | st.just("/values/" + "x" * 40_000)
)
keys = st.lists(words | st.text(alphabet="a0[]%.$", max_size=4), min_size=1, max_size=4).map("][".join)
queries = st.lists(
    st.tuples(keys, scalars.map(str)).map(lambda pair: f"a[{pair[0]}]={quote(pair[1], errors='replace')}")
    | st.tuples(words, scalars.map(str)).map(lambda pair: f"{pair[0]}={quote(pair[1], errors='replace')}")
    | st.text(alphabet="a[]=&%$0", max_size=20),
    max_size=4,
).map("&".join)
verbs = st.sampled_from("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE FOO get".split())
kinds = st.sampled_from(
    ["application/json"] * 6 + ["", "text/plain", "application/json; charset=utf-16", "multipart/form-data", "\x01"]
)
others = st.sampled_from(
    [
        "Accept: text/html",
        "X-Service-Method: remove",
        "Content-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: nonsense",
        "Expect: 100-continue",
        "Range: bytes=0-1",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "If-None-Match: *",
        "X" * 40_000 + ": 1",
        "Cookie: " + "a=b; " * 50,
    ]
)


@st.composite
def wholes(draw: st.DrawFn) -> bytes:
    """Make a request whose body is as long as it says."""
    body = draw(bodies)
    query = draw(queries)
    head = [
        f"{draw(verbs)} {draw(paths)}{'?' + query if query else ''} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {draw(kinds)}",
        f"Content-Length: {len(body)}",
        *draw(st.lists(others, max_size=2)),
    ]
    return "\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body


@given(request=wholes())
@settings(fuzzed, max_examples=400)
def test_every_request_is_answered_and_none_with_500(door: Door, request: bytes) -> None:
    answer = door.send(request)
    while answer.startswith(b"HTTP/1.1 100 "):
        answer = answer.partition(b"\r\n\r\n")[2]
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status in (101, 200, 201, 304) or 400 <= status < 500, answer
    engine = request.split(b" ", 2)[1].startswith(b"/socket.io")
    if status >= 400 and body and not engine:
        assert b"application/json; charset=utf-8" in head, answer
        error = json.loads(body)
        assert error["code"] == status and error["message"] and error["className"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\r\n", b""),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /values HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /values\r\n", b"403"),
        (b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", b"403"),
        (b"POST /values HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n{}", b"400"),
        (b"POST /values HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n{}", b"400"),
        (b"POST /values HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n{}", b"400"),
        (b"POST /values HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{}", b"400"),
        (b"POST /values HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (
            b"POST "
            + f"{ENGINE}polling&sid=x".encode()
            + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"400",
        ),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
    ],
)
def test_what_is_hardly_http_is_refused(door: Door, request_: bytes, status: bytes) -> None:
    assert status in door.send(request_).split(b"\r\n")[0]


def test_a_request_that_does_not_come_to_its_end_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "PATIENCE", 0.5)
    head = b"POST /values HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for start, answer in (
        (b"", b""),
        (b"POST /val", b""),
        (head, b""),
        (head + b"Content-Length: 99\r\n\r\n{", b"HTTP/1.1 408 REQUEST TIMEOUT"),
        (head + b"Transfer-Encoding: chunked\r\n\r\n63\r\n{", b"HTTP/1.1 408 REQUEST TIMEOUT"),
    ):
        assert dripped(door, start).split(b"\r\n")[0] == answer


def dripped(door: Door, start: bytes) -> bytes:
    """Send the start of a request and then a byte at a time, until the server has enough; return its answer."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=20) as connection:
        connection.sendall(start)
        with suppress(BrokenPipeError, ConnectionResetError):
            while not readable(connection, 0.1):
                connection.sendall(b" ")
        return received(connection)


def readable(connection: socket.socket, seconds: float) -> bool:
    return bool(select.select([connection], [], [], seconds)[0])


def test_a_stream_without_an_end_is_cut(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "MOST_BYTES", 32 * 1024 * 1024)
    head = b"POST /values HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    for start in (b"Transfer-Encoding: chunked\r\n\r\n", b"Content-Length: 9" + b"9" * 15 + b"\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", door.port), timeout=20) as connection:
            connection.sendall(head + start)
            sent = 0
            with suppress(BrokenPipeError, ConnectionResetError):
                while sent < 500 * len(chunk):
                    connection.sendall(chunk)
                    sent += len(chunk)
                    if readable(connection, 0):
                        assert b"413" in received(connection).split(b"\r\n")[0], start
                        break
            assert sent < 500 * len(chunk) + 10 * 32 * 1024 * 1024


# --- the sockets -----------------------------------------------------------------------------------------------------

calls = st.tuples(st.sampled_from(METHODS), services | scalars, st.lists(values, max_size=4)).map(
    lambda call: written([call[0], call[1], *call[2]])
)
malformed = payloads.flatmap(
    lambda text: st.sampled_from(METHODS).map(lambda method: f'["{method}","values",{text}')
) | calls.flatmap(broken).filter(lambda text: text.startswith("["))  # what stands before belongs to the packet's head


@given(arguments=st.lists(calls, min_size=1, max_size=6))
@settings(fuzzed, max_examples=200)
def test_every_call_is_acked_once(door: Door, arguments: list[str]) -> None:
    with Talk(door) as talk:
        sent = [talk.send(each) for each in arguments]
        last = talk.send('["find","values",{"_id":"none"}]')
        acks = talk.acks(last)
    assert [number for number, _ in acks] == [*sent, last]
    assert acks[-1][1] == [None, []]
    for _, body in acks:
        assert (len(body) == 2 and body[0] is None) or (len(body) == 1 and 400 <= body[0]["code"] < 500), body


@given(arguments=malformed)
@settings(fuzzed, max_examples=100)
def test_a_call_whose_arguments_are_broken_is_acked_once_too(door: Door, arguments: str) -> None:
    with Talk(door) as talk:
        sent = talk.send(arguments.encode("utf-8", "replace").decode())
        last = talk.send('["find","values",{"_id":"none"}]')
        acks = [number for number, _ in talk.acks(last)]
    assert acks == [sent, last]


@pytest.mark.parametrize(
    ("arguments", "attachments"),
    [
        ("", []),
        ("{}", []),
        ("null", []),
        ("[]", []),
        ("[7]", []),
        ('[["find"]]', []),
        ('["find","values"', []),
        ('["create","values",' + "[" * 100_000, []),
        ('["create","values",' + '{"a":' * 300 + "1" + "}" * 300 + "]", []),
        ('["create","values",{"_placeholder":true,"num":0}]', [b"bytes"]),
        ('["create","values",{"a":{"_placeholder":true,"num":0}}]', [b"bytes"]),
        ('["create","values",{"a":{"_placeholder":true,"num":9}}]', [b"bytes"]),
        ('["create","values",{"a":{"_placeholder":true,"num":"x"}}]', [b"bytes"]),
        ("{}", [b"bytes"]),
        ('["create","values",{"a":1e999}]', []),
        ('["create","values",{"a":' + "9" * 5000 + "}]", []),
        ('["get","values","' + "x" * 1_000_000 + '"]', []),
        ('["get","values",' + "9" * 4000 + "]", []),
        ('["nonsense","values"]', []),
        ('["*"]', []),
        ('["connect"]', []),
        ('["connect",{},{}]', []),
        ('["disconnect"]', []),
        ('["disconnect","x"]', []),
        ('["__disconnect_final"]', []),
    ],
)
def test_a_call_that_is_hardly_one_is_acked_once(door: Door, arguments: str, attachments: list[bytes]) -> None:
    with Talk(door) as talk:
        sent = talk.send(arguments, *attachments)
        last = talk.send('["find","values",{"_id":"none"}]')
        [(number, body), (then, _)] = talk.acks(last)
    assert (number, then) == (sent, last)
    assert len(body) == 1 and 400 <= body[0]["code"] < 500


def test_attachments_are_bounded_together_and_their_call_is_acked(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feathers, "LARGEST_BODY", 200_000)
    places = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(8))
    with Talk(door) as talk:
        for size, code in ((20_000, 400), (30_000, 413)):
            sent = talk.send(f'["create","values",{{"a":[{places}]}}]', *[bytes(size)] * 7, count=8)
            until(lambda: door.app.socketio.server._binary_packet)
            (held,) = door.app.socketio.server._binary_packet.values()
            until(lambda held=held: len(held.attachments) == 7)  # type: ignore[misc]
            assert sum(map(len, held.attachments)) <= 200_000
            talk.wire.send_binary(bytes(size))
            [(number, body)] = talk.acks(sent)
            assert (number, len(body), body[0]["code"]) == (sent, 1, code)


@pytest.mark.parametrize(
    ("method", "query", "code"),
    [
        ("GET", "EIO=4&transport=carrier-pigeon", 400),
        ("GET", "EIO=3&transport=polling", 400),
        ("GET", "EIO=4&transport=websocket", 400),
        ("GET", "EIO=4&transport=polling&sid=nope", 400),
        ("GET", "EIO=4&transport=polling&j=x", 400),
        ("POST", "EIO=4&transport=polling&sid=nope", 400),
        ("DELETE", "EIO=4&transport=polling", 405),
        ("POST", "EIO=4&transport=polling&sid=", 400),
    ],
)
def test_the_sockets_own_refusals_have_the_shape_of_all(door: Door, method: str, query: str, code: int) -> None:
    with requests.Session() as session:
        answer = session.request(method, f"{door.url}/socket.io/?{query}", timeout=20)
    assert (answer.status_code, answer.headers["Content-Type"]) == (code, "application/json; charset=utf-8")
    assert answer.json()["code"] == code and answer.json()["message"][:1] not in ("", "{", '"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_websocket_that_opens_none_is_refused_in_the_same_shape(door: Door) -> None:
    with requests.Session() as session:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}  # and no key
        answer = session.get(f"{door.url}{ENGINE}websocket", headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["name"]) == (400, "BadRequest")
    assert answer.json()["message"].startswith("This opens no websocket")


def test_a_post_past_the_bound_is_refused_as_too_large(door: Door) -> None:
    with requests.Session() as session:
        place = f"{door.url}{ENGINE}polling"
        sid = json.loads(session.get(place, timeout=10).text[1:])["sid"]
        answer = session.post(f"{place}&sid={sid}", data=b"4" * (LARGEST_BODY + 1), timeout=30)
        assert (answer.status_code, answer.json()["name"]) == (413, "PayloadTooLarge")
        assert session.post(f"{place}&sid={sid}", data="40", timeout=10).status_code == 200  # and it may go on
        assert session.post(f"{place}&sid={sid}", data="41", timeout=10).status_code == 200


def test_a_session_that_ended_is_a_bad_request(door: Door) -> None:
    with requests.Session() as session:
        place = f"{door.url}{ENGINE}polling"
        place += "&sid=" + json.loads(session.get(place, timeout=20).text[1:])["sid"]
        assert session.post(place, data="40", timeout=20).status_code == 200
        for each in list(door.app.socketio.server.eio.sockets.values()):
            each.close(wait=False, abort=True)
        assert session.post(place, data="41", timeout=20).status_code == 400
        assert session.get(place, timeout=20).status_code == 400


def test_rounds_of_nonsense_leave_no_memory_behind(door: Door) -> None:
    paths = [*known, "/nope", "/values?$foo=1", "/values?a[b][c][d]=1", "/runs?summary.loss.min[$lt]=1"]
    lines = [
        '["find"]',
        '["find","values",{"$or":7}]',
        '["patch","runs/a/cells",null,{"a":1},{}]',
        '["get","runs","x"]',
    ]

    def nonsense() -> None:
        for path in paths:
            for verb in ("GET", "POST", "PATCH"):
                body = b'{"a": [1, 2' if verb == "POST" else b"[]"
                door.send(
                    f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
                )
        with Talk(door) as caller:
            for line in lines:
                caller.send(line)
            caller.acks(len(lines))
        talk(door, ["40", "42[", "451-[", b"x", "9"])

    def objects() -> int:
        until(lambda: not door.app.socketio.server.eio.sockets)
        gc.collect()
        return len(gc.get_objects())

    counts = []
    for _ in range(4):
        nonsense()
        counts.append(objects())
    assert counts[3] - counts[1] < 200, counts  # a round has a hundred requests, and an object of each would be enough


packets = (
    st.sampled_from(
        [
            *"0 1 2 3 4 5 6 7 40 41 42 43 44 45 46 47 2probe 3probe 430[] 431[null]".split(),
            *"40/live, 40/nope, 41/live, 42/live,[]".split(),
            '42/live,["watch",{"run":"x","after":-1}]',
            '42/live,1["watch",{"run":7}]',
            '42/live,2["watch",{"run":null,"after":"\\ud800"}]',
            '42/live,3["disconnect"]',
            '42/live,4["connect"]',
            '420["connect"]',
            '420["disconnect"]',
            '420["\\u0000unreadable"]',
            '451-["find",{"_placeholder":true,"num":0}]',
            '45999999999-["find"]',
            "461-1[]",
            "42" + "9" * 200 + '["find"]',
        ]
    )
    | payloads.map(lambda text: "42" + text)
    | texts
    | st.text(alphabet='0123456789-/,["]{}:afind\x1e', max_size=30)
    | st.binary(max_size=20)
)


@given(conversation=st.lists(packets, max_size=8), joins=st.booleans(), polls=st.booleans())
@settings(fuzzed, max_examples=80)
def test_a_conversation_of_nonsense_harms_nobody(
    door: Door, conversation: list[str | bytes], joins: bool, polls: bool
) -> None:
    (poll if polls else talk)(door, (["40"] if joins else []) + conversation)
    assert door.is_well()


def talk(door: Door, conversation: list[str | bytes]) -> None:
    wire = create_connection(f"ws://{door.host}{ENGINE}websocket", timeout=20)
    with suppress(OSError, WebSocketException):  # it may hang up
        for packet in conversation:
            if isinstance(packet, bytes):
                wire.send_binary(packet)
            else:
                wire.send(packet.encode("utf-8", "replace").decode())
    wire.shutdown()


def poll(door: Door, conversation: list[str | bytes]) -> None:
    with requests.Session() as session:
        place = f"{door.url}{ENGINE}polling"
        place += "&sid=" + json.loads(session.get(place, timeout=20).text[1:])["sid"]
        for packet in conversation:
            body = packet if isinstance(packet, bytes) else packet.encode("utf-8", "replace")
            assert session.post(place, data=body, timeout=20).status_code in (200, 400)
        session.post(place, data="1", timeout=20)


def test_a_flood_waits_at_the_door_and_is_answered_in_the_end(door: Door) -> None:
    call = '["get","values","' + "x" * 50_000 + '"]'
    with Talk(door) as talk:
        with door.app.values.announcing:  # nothing is changed meanwhile
            first = talk.send('["remove","values","none"]')
            sent = [first]
            while select.select([], [talk.wire.sock], [], 0.5)[1]:
                sent.append(talk.send(call))
                assert len(sent) < 1000, "50 MB were taken in"
            held = [len(client.queue.queue) for client in door.app.socketio.server.eio.sockets.values()]
            assert max(held) < 20
        assert [number for number, _ in talk.acks(sent[-1])] == sent


def test_a_flood_of_calls_is_answered_call_by_call(door: Door) -> None:
    with Talk(door) as talk:
        sent: list[int] = []

        def flood() -> None:
            sent.extend(talk.send('["find","values",{"_id":"none"}]') for _ in range(1000))

        sender = threading.Thread(target=flood)
        sender.start()
        acks = talk.acks(1000)
        sender.join()
    assert [number for number, _ in acks] == sent


def test_many_who_come_and_go_leave_nothing_behind(door: Door) -> None:
    gc.collect()
    server = door.app.socketio.server
    for _ in range(60):
        with Talk(door) as talk:
            talk.send('["find","values"]')
        poll(door, ["40"])
    until(lambda: not server.eio.sockets and not server.environ)
    assert not server._binary_packet
    assert list(server.manager.get_participants("/", None)) == []
