"""Ports: one to listen on, and who listens on those that are taken."""

from __future__ import annotations

import errno
import functools
import http.client
import json
import os
import socket
import weakref
from typing import Any

from agnez.errors import PortError

HOST = "127.0.0.1"
_TRIES = 100
_ANSWER_SECONDS = 2.0  # a server that was started a moment ago still imports its libraries


def listen(port: int, host: str = HOST) -> socket.socket | None:
    """Return a socket that listens on a port, or None where the port is taken.

    Raises:
        PortError: the host or the port cannot be listened on at all.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there it would let two listeners share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise PortError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    close_in_children(listener)
    return listener


def candidates(first: int) -> range:
    """Return the ports to try: the first, and those after it."""
    return range(first, min(first + _TRIES, 65536))


def ask(port: int, token: str | None = None) -> dict[str, Any] | None:
    """Return what the Agnez server on a port says of itself, to those who show its token; None where none answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/about", headers={"Authorization": f"Bearer {token}"} if token else {})
        about = json.loads(connection.getresponse().read(65536))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return about if isinstance(about, dict) and about.get("app") == "agnez" else None


_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def close_in_children(sock: socket.socket) -> None:
    """Have a socket closed in processes forked from this one, lest they hold its port when this one is gone."""
    _register()
    _sockets.add(sock)


@functools.cache  # once a process, and only in one that serves
def _register() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_close_all)


def _close_all() -> None:
    for sock in list(_sockets):
        descriptor = sock.detach()  # `close` would wait for the files that a handler has made of it
        if descriptor >= 0:
            os.close(descriptor)
