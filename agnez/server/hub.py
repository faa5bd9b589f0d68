"""A hub as the engine: one thread that all sockets share. For `agnez server`, and a thousand viewers.

Nothing is patched: what may wait for the disk goes on in threads of its own, so that a slow query holds no viewer up.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import gevent
from gevent import get_hub
from gevent.event import Event as GreenEvent
from gevent.lock import BoundedSemaphore
from gevent.server import StreamServer
from gevent.socket import socket as GreenSocket
from gevent.ssl import SSLContext

from agnez.server import ports, rest, tls
from agnez.server.engine import Lock
from agnez.server.handler import MOST_BYTES, Handler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

T = TypeVar("T")

_WORKERS = 16
_MOST_POSTED = 64
"""Posts that may be on their way. To wait for each would cost a change over the socket a third of its time."""

_ANSWER_SECONDS = 10.0
_LAST_WORDS_SECONDS = 0.05
_CHUNK = 65536


class Hub:
    """Let the sockets of a server share the thread that calls `serve_forever`; build the application on it, too."""

    mode: Literal["threading", "gevent"] = "gevent"
    tls = SSLContext

    def __init__(self) -> None:
        self._hub = get_hub()
        self._hub.threadpool_size = _WORKERS
        self._thread = threading.get_ident()
        self._room = threading.Semaphore(_MOST_POSTED)

    def lock(self) -> Lock:
        """Return a new lock for greenlets."""
        lock: Lock = BoundedSemaphore(1)
        return lock

    def offload(self, act: Callable[[], T]) -> T:
        """Do it in a thread; only the greenlet that asks waits."""
        if threading.get_ident() != self._thread:
            return act()
        result: T = self._hub.threadpool.apply(act)
        return result

    def post(self, act: Callable[[], None]) -> None:
        """Do it on the hub, in the order of the posts; who announces more than the hub can send is held back."""
        if threading.get_ident() == self._thread:
            act()
            return
        had_room = self._room.acquire(timeout=_ANSWER_SECONDS)  # not for ever: the hub may be ending

        def work() -> None:
            try:
                act()
            finally:
                if had_room:
                    self._room.release()

        self._hub.loop.run_callback_threadsafe(work)

    def aside(self, app: WSGIApplication) -> WSGIApplication:
        """Return an application that answers in a thread; its request is read before, and its answer sent after."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            environ["wsgi.input"] = _read_ahead(environ)
            begun: list[Any] = []

            def start(*arguments: Any) -> Callable[[bytes], object]:
                begun[:] = arguments
                return lambda data: None

            parts = self.offload(lambda: app(environ, start))
            start_response(*begun)
            return parts

        return answer

    def listen(self, listener: socket.socket, app: WSGIApplication, tls: ssl.SSLContext | None) -> Server:
        """Return a server on a socket that listens."""
        return Server(listener, app, tls)


class Server:
    """Serve each connection in a greenlet, and remember the open ones, so that they can be closed."""

    multithread, multiprocess, passthrough_errors = True, False, False
    _server_version = "Agnez"

    def __init__(self, listener: socket.socket, app: WSGIApplication, tls: ssl.SSLContext | None) -> None:
        self.app = app
        self.ssl_context = tls
        self.server_address = listener.getsockname()
        self.socket = GreenSocket(listener.family, listener.type, fileno=socket.dup(listener.fileno()))
        ports.close_in_children(self.socket)
        self._open: set[socket.socket] = set()
        self._hub = get_hub()
        self._server = StreamServer(self.socket, self._handle)
        self._ending = GreenEvent()
        self._ended = threading.Event()

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve, until `server_close`."""
        try:
            self._server.start()
            self._ending.wait()
            gevent.sleep(_LAST_WORDS_SECONDS)  # for those whose connections were closed a moment ago
            self._hub.threadpool.kill()
            self._hub.destroy(destroy_loop=True)
        finally:
            self._ended.set()

    def shutdown(self) -> None:
        """Take no more connections; any thread may ask, as for the next two."""
        self._hub.loop.run_callback_threadsafe(self._server.close)

    def close_connections(self) -> None:
        """Close what is open, websockets too."""
        self._hub.loop.run_callback_threadsafe(self._close_connections)

    def server_close(self) -> None:
        """End, and wait for it: a loop that goes on while Python shuts down would crash."""
        self._hub.loop.run_callback_threadsafe(self._ending.set)
        self._ended.wait(_ANSWER_SECONDS)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing."""

    def _handle(self, connection: socket.socket, address: Any) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each small answer waits 40 ms
        self._open.add(connection)
        secured = connection
        try:
            if self.ssl_context is not None:
                secured = tls.shake_hands(self.ssl_context, connection)
                self._open.add(secured)
            Handler(secured, address, self)  # type: ignore[arg-type]  # all that a handler asks of its server is here
        except OSError:
            pass  # it broke: a browser that was closed is no event
        finally:
            self._open -= {connection, secured}
            secured.close()

    def _close_connections(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the other side was quicker


class _Replayed(io.BytesIO):
    """Be a body that was read; what went wrong with it happens again to who reads it to its end."""

    def __init__(self, body: bytes, error: OSError | None) -> None:
        super().__init__(body)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        """Read."""
        data = super().read(size)
        if not data and size != 0 and self._error is not None:
            raise self._error
        return data

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _read_ahead(environ: WSGIEnvironment) -> _Replayed:
    """Read a body up to one byte more than is taken; of one that says it is larger, read the rest and forget it."""
    stream, body = environ["wsgi.input"], bytearray()
    announced = None if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    left = rest.LARGEST_BODY + 1 if announced is None else min(announced, MOST_BYTES)
    try:
        while left > 0 and (chunk := stream.read(min(left, _CHUNK))):
            left -= len(chunk)
            if len(body) <= rest.LARGEST_BODY:
                body += chunk
    except OSError as error:
        return _Replayed(bytes(body), error)
    return _Replayed(bytes(body), None)
