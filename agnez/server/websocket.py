"""A websocket of python-engineio's: read only when it is asked, written as it comes."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque
from collections.abc import Mapping
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Request, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from agnez.server.engine import Lock
from agnez.server.straight import write_now

_CHUNK = 65536
_TEXT, _BYTES, _CLOSE = 0x81, 0x82, b"\x88\x00"
_MOST_PARTS = 100_000
"""Frames that one message may come in."""

_TOO_BIG = b"\x88\x02" + struct.pack(">H", 1009)


class HandshakeError(ValueError):
    """Report a request that opens no websocket."""


class Frames:
    """Make frames of messages; one that many viewers get is made once."""

    def __init__(self) -> None:
        self._recent: tuple[tuple[str | bytes, bytes], ...] = ()

    def of(self, message: str | bytes) -> bytes:
        """Return the frame of a message."""
        for known, frame in self._recent:
            if known is message:
                return frame
        frame = _frame(message)
        self._recent = ((message, frame), *self._recent[:3])
        return frame


def _frame(message: str | bytes) -> bytes:
    """Return a frame as a server sends it: unmasked, and whole.

    >>> _frame("hi"), _frame(b"-" * 126)[:4]
    (b'\\x81\\x02hi', b'\\x82~\\x00~')
    """
    body = message.encode("utf-8", "backslashreplace") if isinstance(message, str) else bytes(message)
    first, size = _TEXT if isinstance(message, str) else _BYTES, len(body)
    if size < 126:
        return struct.pack(">BB", first, size) + body
    if size < 65536:
        return struct.pack(">BBH", first, 126, size) + body
    return struct.pack(">BBQ", first, 127, size) + body


class WebSocket:
    """Talk over a connection whose request asked for a websocket. `largest` is how many bytes a message may have.

    Who sends faster than we answer fills the network's buffers, not our memory: nothing is read ahead.
    """

    def __init__(
        self,
        environ: Mapping[str, Any],
        connection: socket.socket,
        *,
        largest: int,
        frames: Frames,
        lock: Lock,
    ) -> None:
        self._connection = connection
        self._largest = largest
        self._frames = frames
        self._lock = lock
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._messages: deque[str | bytes] = deque()
        self._parts: list[str | bytes | bytearray] = []
        self._size = 0
        self._closed = False
        self._rest = b""  # of a message that was sent in part
        self._accept(environ)

    def wait(self) -> str | bytes | None:
        """Return the next message; None once the websocket is closed."""
        while not self._messages and not self._closed:
            try:
                data = self._connection.recv(_CHUNK)
                self._protocol.receive_data(data or None)
                for event in self._protocol.events():
                    self._take(event)
                self._closed = self._closed or not data
            except (OSError, RemoteProtocolError, LocalProtocolError):
                self._closed = True
        return self._messages.popleft() if self._messages else None

    def send(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            OSError: the other side has gone.
        """
        if self._closed:
            raise OSError("the websocket is closed")
        self._write(self._frames.of(message))

    def send_now(self, message: str | bytes) -> bool | None:
        """Send a message as far as that goes without waiting.

        True: it went, or never will. False: nothing of it did. None: a part; the next `send` begins with the rest.
        """
        frame = self._frames.of(message)
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._rest:
                return False
            sent = write_now(self._connection, frame)
            if sent == 0:
                return False
            self._rest = frame[sent:]
        except OSError:  # the other side has gone: whoever reads from it sees to that
            return True
        finally:
            self._lock.release()
        return None if self._rest else True

    def close(self) -> None:
        """Say goodbye, and hang up: who ignores it must not hold us."""
        if not self._closed:
            self._closed = True
            with contextlib.suppress(OSError):
                self._write(_CLOSE)
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, environ: Mapping[str, Any]) -> None:
        headers = [
            (name[5:].replace("_", "-").encode(), str(value).encode("latin-1"))
            for name, value in environ.items()
            if name.startswith("HTTP_")
        ]
        try:
            self._protocol.initiate_upgrade_connection(headers, "/")
            request = next(self._protocol.events())
            assert isinstance(request, Request)
            answer = self._protocol.send(AcceptConnection())
        except (RemoteProtocolError, LocalProtocolError) as error:
            raise HandshakeError(f"This opens no websocket: {error}") from error
        self._write(answer)

    def _take(self, event: Event) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._size += len(event.data)
            if self._size > self._largest or len(self._parts) >= _MOST_PARTS:
                self._write(_TOO_BIG)
                raise RemoteProtocolError("too big")
            if event.data or not self._parts:  # empty frames may come without an end
                self._parts.append(event.data)
            if event.message_finished:
                self._messages.append(_joined(self._parts))
                self._parts, self._size = [], 0
        elif isinstance(event, Ping):
            self._write(self._protocol.send(event.response()))
        elif isinstance(event, CloseConnection):
            self._closed = True
            self._write(self._protocol.send(event.response()))

    def _write(self, data: bytes) -> None:
        with self._lock:
            rest, self._rest = self._rest, b""
            self._connection.sendall(rest + data if rest else data)


def _joined(parts: list[str | bytes | bytearray]) -> str | bytes:
    if isinstance(parts[0], str):
        return "".join(part for part in parts if isinstance(part, str))
    return b"".join(part for part in parts if not isinstance(part, str))
