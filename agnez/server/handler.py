"""The handler of one HTTP connection: it says nothing in the terminal, and waits for no client for ever."""

from __future__ import annotations

import io
import socket
import time
from typing import Any

from werkzeug.serving import WSGIRequestHandler

from agnez.wire import dump

PATIENCE = 30.0
"""Seconds that a request may take to come in, and one more for every `SLOWEST` bytes of it."""

SLOWEST = 16_384
MOST_BYTES = 256 * 1024 * 1024
"""Bytes of a request after which nothing more is read, not even to be thrown away."""


class Handler(WSGIRequestHandler):
    """Answer without a word in the log: requests would land between the lines of the training."""

    def setup(self) -> None:
        """Read the request through what knows when to give up."""
        super().setup()
        self.rfile.close()  # of the file only; the connection stays
        self.rfile = io.BufferedReader(_Incoming(self.connection), 65_536)

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
