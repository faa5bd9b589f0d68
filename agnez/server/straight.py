"""The straight way to a client whose websocket has a thread of its own: past that thread, while nothing waits for it.

To wake the thread costs a hand-over of the interpreter's lock, and so may each call that lets go of the lock: 5 ms
beside a loop of pure Python, where twenty viewers would ask for more of them than there is time for. Whoever sends has
the lock already, and keeps it for the few microseconds that the system takes to copy a message.
"""

from __future__ import annotations

import ctypes
import errno
import os
import queue
import socket
from collections.abc import Callable
from typing import Any

from engineio import packet

Send = Callable[[str | bytes], "bool | None"]
"""Send a message without waiting. True: it went. False: nothing of it did. None: a part; the rest is the writer's."""


class Straight(queue.Queue[Any]):
    """Hold the packets that wait for a client's writer: python-engineio makes one for each client."""

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._send: Send | None = None
        self._resting = False  # whoever writes has written all that was taken, and waits for more
        self._went = 0

    def lead_to(self, send: Send | None) -> None:
        """Have packets go straight to a websocket, or no more."""
        with self.mutex:
            self._send = send

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Send a packet, or have it wait; nothing overtakes what waits."""
        with self.mutex:
            if self._resting and self._send is not None and isinstance(item, packet.Packet) and not self._qsize():
                went = self._send(item.encode())
                self._went += 1
                if went:
                    return
                if went is None:  # wake the writer, which sends the rest before all else
                    item = packet.Packet(packet.NOOP)
            self._put(item)
            self.unfinished_tasks += 1
            self.not_empty.notify()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take what waits. Whoever asks and would wait has done with what it took before.

        Raises:
            queue.Empty: nothing came for the time, nor went straight: the client is no more.
        """
        while True:
            with self.mutex:
                self._resting = self._resting or block
                went = self._went
            try:
                return super().get(block, timeout)
            except queue.Empty:
                if not block or self._went == went:
                    raise

    def _get(self) -> Any:
        self._resting = False
        return super()._get()


def write_now(connection: socket.socket, data: bytes) -> int:
    """Write what the connection's buffer has room for, and return how much. The interpreter's lock is kept.

    Raises:
        OSError: the other side has gone.
    """
    sent: int = _SEND(connection.fileno(), data, len(data), _FLAGS)
    if sent >= 0:
        return sent
    number = ctypes.get_errno()
    if number in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR):
        return 0
    raise OSError(number, os.strerror(number))


def _find() -> Any:
    try:
        send = ctypes.PyDLL(None, use_errno=True).send
    except (OSError, TypeError, AttributeError):  # Windows
        return None
    send.argtypes, send.restype = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_ssize_t
    return send


_SEND = _find()
_FLAGS = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_NOSIGNAL", 0)
IS_KNOWN = _SEND is not None and hasattr(socket, "MSG_DONTWAIT")
"""Whether this system has such a way."""
