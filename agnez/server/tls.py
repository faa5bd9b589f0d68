"""TLS: certificates, handshakes, and a connection that two threads may use."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from agnez.errors import BadValueError

_HANDSHAKE_SECONDS = 10.0


def read_context(certificate: Path, key: Path | None, kind: type[ssl.SSLContext]) -> ssl.SSLContext:
    """Return what serves TLS with a certificate; its key may be in the same file. `kind` is that of the engine.

    Raises:
        BadValueError: a file cannot be read, or they do not belong together.
    """
    context = kind(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:  # an error of TLS is an OSError too
        said = error.strerror or error.reason if isinstance(error, ssl.SSLError) else error
        raise BadValueError(f"TLS cannot be served with {certificate} and {key or 'no key file'}: {said}") from error
    return context


def shake_hands(context: ssl.SSLContext, connection: socket.socket) -> ssl.SSLSocket:
    """Return a connection as TLS.

    Raises:
        OSError: the other side speaks none, or takes too long.
    """
    secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    try:
        secured.settimeout(_HANDSHAKE_SECONDS)
        secured.do_handshake()
        secured.settimeout(None)
    except BaseException:
        secured.close()
        raise
    return secured


class Secured:
    """Let one thread read and another write: OpenSSL itself takes only one at a time."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._turn = threading.Lock()
        self._timeout: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def settimeout(self, seconds: float | None) -> None:
        """Set how long to wait for the other side."""
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        """Read."""
        buffer = bytearray(size)
        return bytes(buffer[: self.recv_into(buffer)])

    def recv_into(self, buffer: Any) -> int:
        """Read into a buffer."""
        while True:
            with self._turn:
                self._connection.settimeout(0)
                try:
                    return self._connection.recv_into(buffer)
                except ssl.SSLWantReadError:
                    wanted = selectors.EVENT_READ
                except ssl.SSLWantWriteError:
                    wanted = selectors.EVENT_WRITE
            self._wait(wanted)

    def sendall(self, data: bytes) -> None:
        """Write all of it."""
        left = memoryview(data)
        while left:
            wanted = None
            with self._turn:
                self._connection.settimeout(0)
                try:
                    left = left[self._connection.send(left) :]
                except ssl.SSLWantReadError:
                    wanted = selectors.EVENT_READ
                except ssl.SSLWantWriteError:
                    wanted = selectors.EVENT_WRITE
            if wanted is not None:
                self._wait(wanted)

    def _wait(self, wanted: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, wanted)
            if not selector.select(self._timeout):
                raise TimeoutError("the other side took too long")
