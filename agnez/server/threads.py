"""Threads as the engine: each connection has one. For the server inside a training."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from werkzeug.serving import ThreadedWSGIServer

from agnez.server import ports, tls
from agnez.server.engine import Lock
from agnez.server.handler import Handler

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

T = TypeVar("T")


class Threads:
    """Have a thread for each connection: nothing there holds anything else up."""

    mode: Literal["threading", "gevent"] = "threading"
    tls = ssl.SSLContext

    def lock(self) -> Lock:
        """Return a new lock."""
        return threading.Lock()

    def offload(self, act: Callable[[], T]) -> T:
        """Do it here: only this connection waits."""
        return act()

    def post(self, act: Callable[[], None]) -> None:
        """Do it here: sockets may be written to from any thread."""
        act()

    def aside(self, app: WSGIApplication) -> WSGIApplication:
        """Return the application as it is."""
        return app

    def listen(self, listener: socket.socket, app: WSGIApplication, tls: ssl.SSLContext | None) -> Server:
        """Return a server on a socket that listens."""
        host, port = listener.getsockname()[:2]
        return Server(host, port, app, Handler, fd=listener.fileno(), tls=tls)


class Server(ThreadedWSGIServer):
    """Serve each connection on a thread, and remember the open ones, so that they can be closed."""

    def __init__(self, *args: Any, tls: ssl.SSLContext | None = None, **options: Any) -> None:
        self._open: set[socket.socket] = set()
        self._tls = tls
        super().__init__(*args, **options)
        self.ssl_context = tls  # only now: given before, a slow handshake would hold all others up
        ports.close_in_children(self.socket)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each small answer waits 40 ms
        ports.close_in_children(connection)
        self._open.add(connection)
        return connection, address

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands where TLS is wanted, on the connection's own thread, then serve it."""
        if self._tls is not None:
            self._open.discard(request)
            try:
                request = tls.Secured(tls.shake_hands(self._tls, request))
            except OSError:  # a scan, plain HTTP, a client that does not trust the certificate
                return
            self._open.add(request)
        super().process_request_thread(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Let go of a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about connections that broke: a browser that was closed is no event of the training's."""

    def close_connections(self) -> None:
        """Close what is open, websockets too: `shutdown` leaves them be."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was quicker
