"""The engine under a server: what waits for its connections, threads here or one hub."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

T = TypeVar("T")


class Lock(Protocol):
    """Stand for a lock of those who share a connection."""

    def acquire(self, blocking: bool = True) -> bool:
        """Take it, or tell that somebody else has it."""
        ...

    def release(self) -> None:
        """Let go of it."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None, /
    ) -> object: ...


class Listening(Protocol):
    """Stand for a server that has its socket."""

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve, until `shutdown`."""

    def shutdown(self) -> None:
        """End `serve_forever`; any thread may ask."""

    def close_connections(self) -> None:
        """Close what is open, websockets too."""

    def server_close(self) -> None:
        """Let go of the socket."""


class Engine(Protocol):
    """Stand for threads, or for a hub: a loop on one thread that all sockets share.

    `mode` is its name in python-engineio, `tls` what holds certificates for it.
    """

    mode: Literal["threading", "gevent"]
    tls: type[ssl.SSLContext]

    def lock(self) -> Lock:
        """Return a new lock for those who share a connection."""
        ...

    def offload(self, act: Callable[[], T]) -> T:
        """Do what may wait for the disk, called from where the sockets are; the others go on meanwhile."""
        ...

    def post(self, act: Callable[[], None]) -> None:
        """Do something where the sockets are, and wait until it is done."""
        ...

    def aside(self, app: WSGIApplication) -> WSGIApplication:
        """Return an application that answers without holding the sockets up."""
        ...

    def listen(self, listener: socket.socket, app: WSGIApplication, tls: ssl.SSLContext | None) -> Listening:
        """Return a server on a socket that listens; it takes a copy of its descriptor."""
        ...
