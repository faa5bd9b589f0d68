"""The clients on the sockets: everyone is told, and none who stops reading may fill our memory."""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import simple_websocket
import socketio
from engineio import exceptions, packet
from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI
from socketio.packet import EVENT
from wsproto.utilities import LocalProtocolError

from agnez.record import Json

log = logging.getLogger(__name__)

MOST_PACKETS = 1000
MOST_CHARACTERS = 64_000_000
_FEW = 8
_CHUNK = 65536
"""Bytes to take from a websocket at once; with the 4096 that simple-websocket takes, large records are slow."""


class Viewers:
    """Hold the clients of a Socket.IO server."""

    def __init__(self, server: socketio.Server, *, largest: int) -> None:
        """`largest` is how many bytes one message of a client may have."""
        self._server = server
        self._connections = _follow_connections(server, largest)
        # Its own waits until all is sent: for ever, with a client that polls no more, on the thread of a request.
        server.eio.disconnect = self._disconnect

    def tell(self, event: str, *arguments: Json, namespace: str = "/") -> None:
        """Send an event to every client of a namespace. Call it from one thread at a time to keep events in order."""
        listening = [id for _, id in self._server.manager.get_participants(namespace, None)]
        if not listening:
            return
        encoded = self._server.packet_class(EVENT, namespace=namespace, data=[event, *arguments]).encode()
        message = packet.Packet(packet.MESSAGE, encoded)
        for id in listening:
            # One that has just gone must not keep the event from the others.
            with contextlib.suppress(exceptions.EngineIOError):
                self._server.eio.send_packet(id, message)
            self.drop_if_stuck(id)

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

    def _disconnect(self, sid: str | None = None) -> None:
        for id in [sid] if sid is not None else list(self._server.eio.sockets):
            client = self._server.eio.sockets.pop(id, None)
            if client is not None:
                client.close(wait=False, reason=self._server.eio.reason.SERVER_DISCONNECT)


class _Inbox(simple_websocket.Server):  # type: ignore[misc]  # it has no types
    """Read a websocket only while there is room: who sends faster than we answer waits, and fills no memory of ours."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._taken = threading.Event()
        super().__init__(*arguments, **options)

    def receive(self, timeout: float | None = None) -> Any:
        """Return the next message."""
        message = super().receive(timeout)
        self._taken.set()
        return message

    def _handle_events(self) -> bool:
        going_on: bool = super()._handle_events()
        while going_on and self.connected and len(self.input_buffer) > _FEW:
            self._taken.clear()
            if len(self.input_buffer) > _FEW:
                self._taken.wait(1)
        return going_on


def _is_stuck(client: Any) -> bool:
    waiting = client.queue.qsize()
    if waiting <= _FEW:
        return False
    return waiting > MOST_PACKETS or _characters(client) > MOST_CHARACTERS


def _characters(client: Any) -> int:
    return sum(len(each.data) for each in client.queue.queue.copy() if each is not None and each.data is not None)


def _follow_connections(server: socketio.Server, largest: int) -> WeakKeyDictionary[Any, socket.socket]:
    """Note the TCP connection of every websocket; python-engineio itself keeps none that could be shut from outside."""
    connections: WeakKeyDictionary[Any, socket.socket] = WeakKeyDictionary()

    class Noting(SimpleWebSocketWSGI):  # type: ignore[misc]  # python-engineio has no types
        def __init__(self, handler: Callable[..., Any], *arguments: Any) -> None:
            super().__init__(handler, *arguments)
            self._client = handler.__self__  # type: ignore[attr-defined]  # the bound method of the client's socket

        def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Any:
            connection = environ.get("werkzeug.socket")
            if connection is not None:
                connections[self._client] = connection
            self.ws = _Inbox(environ, receive_bytes=_CHUNK, max_message_size=largest)
            try:
                self.app(self)
            except (ValueError, TypeError):  # a packet that python-engineio cannot even read
                self._client.close(wait=False, abort=True, reason="unreadable")
                self.close()
            finally:
                self.ws.connected = False  # lets the thread go that reads, should it wait for room
            raise ConnectionError  # as its parent does: no answer of HTTP's follows

        def close(self) -> None:
            # The thread that writes closes it too, and the other end may have been quicker than both.
            with contextlib.suppress(OSError, LocalProtocolError):
                super().close()

    # Its drivers are module-level tables: a copy changes this server only.
    server.eio._async = {**server.eio._async, "websocket": Noting}
    return connections
