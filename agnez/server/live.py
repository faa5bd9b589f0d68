"""The page's own namespace on the socket: ids and numbers for what a page shows, and no more."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from flask import request
from flask_socketio import Namespace, SocketIO

from agnez.errors import BadValueError
from agnez.query import Record
from agnez.record import Json
from agnez.server.outlet import Viewer
from agnez.server.service import Announce
from agnez.store import cursor as cursors

log = logging.getLogger(__name__)

NAMESPACE = "/live"
_MOST_WAITING = 20
"""Packets that may wait for one page; past it the page counts as not reading, and gets no more until it does."""


def _sid() -> str:
    """Return the id of the client whose event this is; Flask-SocketIO adds it to Flask's request."""
    return str(request.sid)  # type: ignore[attr-defined]


class Live(Namespace):  # type: ignore[misc]  # Flask-SocketIO carries no types
    """Keep the pages that are open, and send to them. `wake` has the follower look at a page that is new."""

    def __init__(self, socketio: SocketIO, announce: Announce) -> None:
        super().__init__(NAMESPACE)
        self._socketio = socketio
        self._announce = announce
        self._viewers: dict[str, Viewer | None] = {}
        self._arrived = threading.Event()
        self.wake: Callable[[], None] = lambda: None

    def on_connect(self, auth: object = None) -> None:
        """Count a page that came."""
        self._viewers[_sid()] = None
        self._arrived.set()

    def on_disconnect(self, reason: object = None) -> None:
        """Forget a page that went."""
        self._viewers.pop(_sid(), None)

    def on_watch(self, wish: object = None) -> Json:
        """Let a page watch a run from a cursor on."""
        if not isinstance(wish, dict) or not isinstance(wish.get("run", None), str | None):
            return {"ok": False, "error": "watch takes {run: id or null, after: cursor}"}
        earlier = self._viewers.get(_sid())
        listed = earlier is not None and earlier.listed
        self._viewers[_sid()] = Viewer(_sid(), wish.get("run"), _cursor(wish.get("after")), listed=listed)
        self.wake()
        return {"ok": True}

    def count(self) -> int:
        """Return how many pages are open."""
        return len(self._viewers)

    def wait_for_page(self, timeout: float) -> bool:
        """Wait until a page connects; `timeout` is in seconds. Tell whether one did."""
        return self._arrived.wait(timeout)

    def viewers(self) -> list[Viewer]:
        """Return the pages that watch something."""
        return [viewer for viewer in list(self._viewers.values()) if viewer is not None]

    def has_clients(self) -> bool:
        """Tell whether anyone is connected, be it a page or a client of the services."""
        manager = self._socketio.server.manager
        return bool(self._viewers) or any(True for _ in manager.get_participants("/", None))

    def reads(self, viewer: Viewer) -> bool:
        """Tell whether a page takes what it is sent."""
        engine = self._socketio.server.eio
        socket = engine.sockets.get(self._socketio.server.manager.eio_sid_from_sid(viewer.sid, NAMESPACE))
        return socket is not None and socket.queue.qsize() < _MOST_WAITING

    def send(self, viewers: Sequence[Viewer], event: str, payload: Json | bytes) -> None:
        """Send one message to some pages; it is encoded once."""
        if viewers:
            self._socketio.server.emit(event, payload, to=[viewer.sid for viewer in viewers], namespace=NAMESPACE)

    def announce(self, path: str, event: str, record: Record) -> None:
        """Tell the clients of a service of a change."""
        self._announce(path, event, record)

    def say_goodbye(self, timeout: float) -> None:
        """Tell the pages that the process ends, and wait until each has what it needs; `timeout` is in seconds."""
        waiting = [sid for sid, viewer in list(self._viewers.items()) if viewer is None or self.reads(viewer)]
        left = threading.Semaphore(0)
        for sid in waiting:
            self._socketio.server.emit(
                "closing", {"command": "agnez server"}, to=sid, namespace=NAMESPACE, callback=lambda *_: left.release()
            )
        deadline = time.monotonic() + timeout
        for _ in waiting:
            left.acquire(timeout=max(0.0, deadline - time.monotonic()))


def _cursor(after: object) -> str:
    """Return the cursor that a page watches from: what is none counts as the beginning."""
    try:
        return cursors.write(cursors.read(after)) if isinstance(after, str) else cursors.START
    except BadValueError:
        return cursors.START
