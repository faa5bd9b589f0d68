"""Real parts for the tests of the server: one that listens, a run to ask for, a client of its sockets."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import engineio
import pytest
import requests
import socketio
from werkzeug.serving import make_server

from agnez.record import Batch, Json, Point, RunInfo
from agnez.server import ports
from agnez.server.app import Application, create_app
from agnez.server.embed import Serving
from agnez.server.engine import Engine, Listening
from agnez.server.handler import Handler
from agnez.server.standalone import pick_engine
from agnez.server.threads import Threads
from agnez.store import Store, witness

_without_gevent = pytest.mark.skipif(find_spec("gevent") is None, reason="the hub needs gevent: agnez[server]")


@pytest.fixture(scope="module", params=["threads", pytest.param("hub", marks=_without_gevent)])
def both_engines(request: pytest.FixtureRequest) -> str:
    """Be the fixture `engine` of a module whose tests have to pass on threads and on a hub."""
    return str(request.param)


class _Handler(Handler):
    disable_nagle_algorithm = True


class Pair(NamedTuple):
    """Hold a certificate for this machine and its key, as files."""

    certificate: Path
    key: Path


class Served:
    """Hold an application that listens, and talk to it."""

    def __init__(self, app: Application | None, port: int) -> None:
        self._app = app
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self.session = requests.Session()
        self.session.trust_env = False

    @property
    def app(self) -> Application:
        """Return the application, of a server that lets us look into it."""
        assert self._app is not None
        return self._app

    def call(self, method: str, path: str, json: Json = None, **options: object) -> requests.Response:
        """Send a request; the path goes out as it is written."""
        asked = requests.Request(method, self.url + path, json=json, **options)  # type: ignore[arg-type]
        prepared = self.session.prepare_request(asked)
        prepared.url = self.url + path
        return self.session.send(prepared, timeout=20)


@contextmanager
def served(app: Application) -> Iterator[Served]:
    server = make_server("127.0.0.1", 0, app.wsgi, threaded=True, request_handler=_Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    talk = Served(app, server.port)
    try:
        yield talk
    finally:
        talk.session.close()
        server.shutdown()
        server.server_close()
        thread.join(5)
        app.values.close()


@contextmanager
def served_by_hub(build: Callable[[Engine], Application]) -> Iterator[Served]:
    """Serve what is built for a hub, as `agnez server` does."""
    from agnez.server.hub import Hub

    listener = ports.listen(0)
    assert listener is not None
    begun: queue.SimpleQueue[tuple[Application, Listening]] = queue.SimpleQueue()

    def work() -> None:
        app = build(Hub())
        server = app.engine.listen(listener, app.wsgi, None)
        begun.put((app, server))
        server.serve_forever()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    app, server = begun.get(timeout=20)
    talk = Served(app, listener.getsockname()[1])
    listener.close()
    try:
        yield talk
    finally:
        talk.session.close()
        server.shutdown()
        server.close_connections()
        server.server_close()
        thread.join(5)


@contextmanager
def served_by(engine: str, store: Store, **options: Any) -> Iterator[Served]:
    """Serve a store by "threads" or by a "hub"; `options` are those of `create_app`."""
    if engine == "threads":
        with served(create_app(store, **options)) as talk:
            yield talk
    else:
        with served_by_hub(lambda engine: create_app(store, engine=engine, **options)) as talk:
            yield talk


@contextmanager
def standing(engine: str, store: Store, **options: Any) -> Iterator[Served]:
    """Serve a store as `agnez server` does, pages included; `options` are those of `Serving` and `create_app`."""
    listener = ports.listen(0)
    assert listener is not None
    port = listener.getsockname()[1]
    serving = Serving(store, listener, engine=pick_engine() if engine == "hub" else Threads, **options)
    serving.start()
    talk = Served(None, port)
    try:
        yield talk
    finally:
        talk.session.close()
        serving.stop(goodbye=0)


def add_run(store: Store, name: str = "run", **facts: object) -> str:
    """Record a small run and return its id."""
    id = f"{name}-{uuid.uuid4().hex[:6]}"
    facts = {"project": "digits", "created": time.time_ns() // 1000, "state": "finished"} | facts
    info = RunInfo(id=id, name=name, **facts)  # type: ignore[arg-type]
    with store.create_run(info) as file:
        with file.transaction():
            file.append(Batch.of([Point("loss", step, 1.0 / (1 + step), 1_000_000 * step) for step in range(100)]))
        store.publish(file.info())
    return id


class Client(socketio.Client):  # type: ignore[misc]  # python-socketio has no types
    """A client that takes messages in their order; the library's own gives each a thread, and loses some under load."""

    def _engineio_client_class(self) -> type[engineio.Client]:
        return _InOrder


class _InOrder(engineio.Client):  # type: ignore[misc]
    def _trigger_event(self, event: str, *arguments: object, **options: object) -> object:
        return super()._trigger_event(event, *arguments, **(options | {"run_async": False}))


def alive() -> dict[str, object]:
    """Return the facts of a run that this process writes."""
    now = time.time_ns() // 1000
    facts = {"host": socket.gethostname(), "pid": os.getpid(), "machine": witness.facts(), "heartbeat": now}
    return facts | {"state": "running"}


class Listener:
    """A real client of the sockets that keeps the events it gets, in order."""

    def __init__(self, url: str, transports: list[str] | None = None) -> None:
        self.events: list[tuple[str, Json]] = []
        self._news = threading.Condition()
        # Without wsaccel its websocket checks text byte by byte in Python, which is most of the time of a large one.
        fast = {"skip_utf8_validation": True}
        self.client = Client(reconnection=False, websocket_extra_options=fast)
        for name in ("created", "updated", "patched", "removed"):
            self.client.on(f"values {name}", self._keeper(name))
        self.client.connect(url, transports=transports)

    def call(self, method: str, *arguments: Json) -> list[Json]:
        """Do a call and return the arguments of its ack."""
        answers: list[list[Json]] = []
        done = threading.Event()

        def keep(*ack: Json) -> None:
            answers.append(list(ack))
            done.set()

        self.client.emit(method, tuple(arguments), callback=keep)
        assert done.wait(20), f"no ack for {method} {arguments}"
        return answers[0]

    def close(self) -> None:
        """Hang up without a wait: a polite close takes three seconds of a websocket, up to a ping's time of polling."""
        if self.client.transport() == "websocket":
            self.client.eio.ws.sock.shutdown(socket.SHUT_RDWR)
        else:
            threading.Thread(target=self.client.disconnect, daemon=True).start()

    def result(self, method: str, *arguments: Json) -> Json:
        """Do a call that succeeds."""
        ack = self.call(method, *arguments)
        assert len(ack) == 2 and ack[0] is None, ack
        return ack[1]

    def error(self, method: str, *arguments: Json) -> dict[str, Json]:
        """Do a call that fails."""
        ack = self.call(method, *arguments)
        assert len(ack) == 1 and isinstance(ack[0], dict), ack
        return ack[0]

    def wait_for(self, count: int) -> list[tuple[str, Json]]:
        """Wait until so many events came, and return all."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.events) >= count, 20), self.events
            return list(self.events)

    def _keeper(self, name: str) -> Callable[[Json], None]:
        def keep(record: Json) -> None:
            with self._news:
                self.events.append((name, record))
                self._news.notify_all()

        return keep
