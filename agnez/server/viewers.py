"""The clients on the sockets: everyone is told, and none who stops reading may fill our memory."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import socketio
from engineio import exceptions, packet
from socketio.packet import EVENT

from agnez.record import Json
from agnez.server import straight
from agnez.server.door import RIGHT
from agnez.server.engine import Engine
from agnez.server.security import Header, drain, refuse
from agnez.server.straight import Straight
from agnez.server.websocket import Frames, HandshakeError, WebSocket

log = logging.getLogger(__name__)

MOST_PACKETS = 50_000
"""How many packets may wait for one client: one call may change as many records, and nobody reads that fast."""

MOST_CHARACTERS = 64_000_000
_ENDED = (("Session is disconnected",), ("Session not found",))
_FEW = 8
_SMALL = 100_000
_EVERY = 64
_MOST_STRANGERS = 64
_STRANGER_SECONDS = 10.0


class Viewers:
    """Hold the clients of a Socket.IO server."""

    def __init__(self, server: socketio.Server, engine: Engine, *, largest: int) -> None:
        """`largest` is how many bytes one message of a client may have."""
        self._server = server
        self._engine = engine
        self._largest = largest
        self._connections = _follow_connections(server, engine, largest)
        self._strangers: dict[str, float] = {}
        # Its own waits until all is sent: for ever, with a client that polls no more, on the thread of a request.
        server.eio.disconnect = self._disconnect
        self._handle = server.eio.handle_request
        server.eio.handle_request = self._answer

    def tell(self, event: str, *arguments: Json, namespace: str = "/") -> None:
        """Send an event to every client of a namespace. Call it from one thread at a time to keep events in order."""
        listening = [id for _, id in self._server.manager.get_participants(namespace, None)]
        if not listening:
            return
        encoded = self._server.packet_class(EVENT, namespace=namespace, data=[event, *arguments]).encode()
        message = packet.Packet(packet.MESSAGE, encoded)
        self._engine.post(lambda: self._tell(message, listening))

    def _tell(self, message: packet.Packet, listening: list[str]) -> None:
        for id in listening:
            # One that has just gone must not keep the event from the others.
            with contextlib.suppress(exceptions.EngineIOError):
                self._server.eio.send_packet(id, message)
            self.drop_if_stuck(id)

    def has_room(self) -> bool:
        """Tell whether a client that has shown no token yet may open a socket; those who never do are let go."""
        now = time.monotonic()
        strangers = {id: now for id, each in list(self._server.environ.items()) if each.get(RIGHT) is None}
        self._strangers = {id: self._strangers.get(id, now) for id in strangers}
        late = [id for id, came in self._strangers.items() if now - came > _STRANGER_SECONDS]
        for id in late:
            self._disconnect(id)
        return len(strangers) - len(late) < _MOST_STRANGERS

    def drop_if_stuck(self, id: str) -> bool:
        """Disconnect a client, by its Engine.IO id, if more waits for it than one that reads would let wait."""
        client = self._server.eio.sockets.get(id)
        if client is None or client.closed or not _is_stuck(client):
            return False
        log.warning("a viewer stopped reading: disconnected, with %d messages waiting", client.queue.qsize())
        with contextlib.suppress(queue.Empty):
            while True:
                client.queue.get(block=False)
        # The server's own disconnect() would wait until the queue was sent, which is what does not happen.
        client.close(wait=False, abort=True, reason="stopped reading")
        connection = self._connections.pop(client, None)
        if connection is not None:
            with contextlib.suppress(OSError):  # it may be closed by now
                connection.shutdown(socket.SHUT_RDWR)  # lets go the threads that wait in its send and receive
        return True

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a request of the sockets, with errors in the shape of all errors."""
        if int(environ.get("CONTENT_LENGTH") or 0) > self._largest:
            drain(environ)
            return refuse(413, f"A request may bring {self._largest} bytes", start_response)
        refused: list[int] = []

        def begin(status: str, headers: list[Header], *failure: Any) -> Any:
            code = int(status.partition(" ")[0])
            if code < 400:
                return start_response(status, headers, *failure)
            refused.append(code)
            return None

        try:
            body = self._handle(environ, begin)
        except KeyError as error:  # python-engineio itself fails at one whose session has just ended
            if error.args not in _ENDED:
                raise
            return refuse(400, "This session has ended", start_response)
        return refuse(refused[-1], _said(b"".join(body)), start_response) if refused else body

    def _disconnect(self, sid: str | None = None) -> None:
        for id in [sid] if sid is not None else list(self._server.eio.sockets):
            client = self._server.eio.sockets.pop(id, None)
            if client is not None:
                client.close(wait=False, reason=self._server.eio.reason.SERVER_DISCONNECT)


def _said(body: bytes) -> str:
    """Return the words of a refusal by python-engineio: most, but not all, come as JSON."""
    text = body.decode("utf-8", "replace")
    said = json.loads(text) if text[:1] in ('"', "{") else text
    return str(said["message"] if isinstance(said, dict) else said)  # one of ours, of a websocket that was none


def _is_stuck(client: Any) -> bool:
    waiting = client.queue.qsize()
    if waiting <= _FEW:
        return False
    return waiting > MOST_PACKETS or (_may_be_much(client, waiting) and _characters(client) > MOST_CHARACTERS)


def _may_be_much(client: Any, waiting: int) -> bool:
    """Tell whether to count: of small packets that is done now and then, or a long queue is gone through each time."""
    try:
        last = client.queue.queue[-1]
    except IndexError:  # the client was quicker
        return False
    return waiting % _EVERY == 0 or (last is not None and last.data is not None and len(last.data) > _SMALL)


def _characters(client: Any) -> int:
    return sum(len(each.data) for each in client.queue.queue.copy() if each is not None and each.data is not None)


def _follow_connections(server: socketio.Server, engine: Engine, largest: int) -> WeakKeyDictionary[Any, socket.socket]:
    """Have python-engineio use websockets of ours, and note their connections: its own keep none to shut."""
    connections: WeakKeyDictionary[Any, socket.socket] = WeakKeyDictionary()
    frames = Frames()

    class Opening:
        def __init__(self, handler: Callable[..., Any], *_: Any) -> None:
            self._handler = handler
            self._client = handler.__self__  # type: ignore[attr-defined]  # the bound method of the client's socket

        def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Any:
            connection = environ["werkzeug.socket"]
            try:
                websocket = WebSocket(environ, connection, largest=largest, frames=frames, lock=engine.lock())
            except HandshakeError as error:
                self._client.close(wait=False, abort=True, reason="unreadable")
                return tuple(refuse(400, str(error), start_response))
            connections[self._client] = connection
            if isinstance(self._client.queue, Straight) and type(connection) is socket.socket:  # TLS may have to wait
                self._client.queue.lead_to(lambda message: self._client.upgraded and websocket.send_now(message))
            try:
                self._handler(websocket)
            except (ValueError, TypeError):  # a packet that python-engineio cannot even read
                self._client.close(wait=False, abort=True, reason="unreadable")
            finally:
                if isinstance(self._client.queue, Straight):
                    self._client.queue.lead_to(None)
                websocket.close()
            raise ConnectionError  # no answer of HTTP's follows

    # Its drivers are module-level tables: a copy changes this server only.
    server.eio._async = {**server.eio._async, "websocket": Opening}
    if engine.mode == "threading" and straight.IS_KNOWN:
        server.eio._async["queue"] = Straight
    return connections
