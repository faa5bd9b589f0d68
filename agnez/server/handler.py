"""The handler of one HTTP connection: it says nothing in the terminal, and waits for no client for ever."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from werkzeug.serving import WSGIRequestHandler

from agnez.wire import dump

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that a request may take to come in, and one more for every `SLOWEST` bytes of it."""

SLOWEST = 16_384
MOST_BYTES = 256 * 1024 * 1024
"""Bytes of a request after which nothing more is read, not even to be thrown away."""

_PIECE = 262_144
_LINGER_SECONDS = 0.1


class Handler(WSGIRequestHandler):
    """Answer without a word in the log: requests would land between the lines of the training."""

    def setup(self) -> None:
        """Read the request through what knows when to give up."""
        super().setup()
        self.rfile.close()  # of the file only; the connection stays
        self.rfile = io.BufferedReader(_Incoming(self.connection), 65_536)
        self.wfile = _Outgoing(self.connection)  # type: ignore[assignment]  # only written to

    def run_wsgi(self) -> None:
        """Have the application answer, once: the connection is closed after it.

        Werkzeug's own waits at the end of each answer for more of the request, which would hold a hub up.
        """
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        answer = _Answer(self)
        try:
            parts = self.server.app(environ, answer.start)
            try:
                for part in parts:
                    answer.write(part)
                answer.write(b"")
            finally:
                if hasattr(parts, "close"):
                    parts.close()
            self._linger(environ)
        except (ConnectionError, TimeoutError) as error:
            self.connection_dropped(error, environ)
        except Exception:  # of the application, where not even Flask caught it: the client waits for an answer
            log.exception("a request failed")
            if not answer.is_begun:
                self.send_error(500, "The server failed; its log says why")

    def _linger(self, environ: WSGIEnvironment) -> None:
        """Read what is still coming of a body that nobody wanted: reset, its sender would never see the answer."""
        if not (environ.get("CONTENT_LENGTH") or "0").strip("0") and "HTTP_TRANSFER_ENCODING" not in environ:
            return
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_SECONDS)
            for _ in range(MOST_BYTES // _PIECE):
                if not self.connection.recv(_PIECE):
                    break

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what no application saw, such as a request line without an end, in the shape of all errors."""
        from agnez.server.service import error_of

        body = dump(error_of(code, message or "This request cannot be read")).encode()
        self.send_response(code, message)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class _Incoming(io.RawIOBase):
    """Read from a connection until its time is up: a limit on each wait alone would let a byte a minute go on."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = time.monotonic() + PATIENCE
        self._left = MOST_BYTES

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there into a buffer.

        Raises:
            TimeoutError: the time is up.
            ConnectionError: the other side has gone, or the server closed it because it ends.
        """
        if self._left <= 0:
            return 0
        wait = self._deadline - time.monotonic()
        if wait <= 0:
            raise TimeoutError("the request took too long to come in")
        try:
            self._connection.settimeout(wait)
            count = self._connection.recv_into(buffer)
            self._connection.settimeout(None)  # a websocket waits as long as it likes
        except TimeoutError:
            raise
        except OSError as error:
            raise ConnectionAbortedError("the connection was closed") from error
        self._deadline += count / SLOWEST
        self._left -= count
        return count


class _Outgoing(io.RawIOBase):
    """Write to a connection piece by piece: one that takes nothing for long is let go."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Write all of it.

        Raises:
            TimeoutError: the other side does not read.
        """
        view = memoryview(data)
        self._connection.settimeout(PATIENCE)
        for start in range(0, len(view), _PIECE):
            self._connection.sendall(view[start : start + _PIECE])
        self._connection.settimeout(None)
        return len(view)


class _Answer:
    """Send what an application answers."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._head: tuple[str, list[tuple[str, str]]] | None = None
        self.is_begun = False

    def start(self, status: str, headers: list[tuple[str, str]], failure: object = None) -> Callable[[bytes], object]:
        """Keep status and headers, until there is something to send."""
        self._head = status, headers
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body; the first one brings the headers."""
        if not self.is_begun:
            assert self._head is not None, "the application did not call start_response"
            self.is_begun = True
            code, _, reason = self._head[0].partition(" ")
            self._handler.send_response(int(code), reason)
            for name, value in self._head[1]:
                self._handler.send_header(name, value)
            self._handler.send_header("Connection", "close")
            self._handler.end_headers()
        if data:
            self._handler.wfile.write(data)
