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
from agnez.server.door import admit_socket
from agnez.server.engine import Engine
from agnez.server.outlet import Greeting, Mark, Viewer
from agnez.server.service import Announce
from agnez.server.tokens import Tokens
from agnez.store import cursor as cursors

log = logging.getLogger(__name__)

NAMESPACE = "/live"
_MOST_WAITING = 20
"""Packets that may wait for one page; past it the page counts as not reading, and gets no more until it does."""

_MOST_MARKS = 2000
"""Marks of a page: one a run, and some more while charts come into view."""


def _sid() -> str:
    """Return the id of the client whose event this is; Flask-SocketIO adds it to Flask's request."""
    return str(request.sid)  # type: ignore[attr-defined]


class Live(Namespace):  # type: ignore[misc]  # Flask-SocketIO carries no types
    """Keep the pages that are open, and send to them. `wake` has the follower look at a page that is new."""

    def __init__(self, socketio: SocketIO, announce: Announce, engine: Engine, tokens: Tokens | None = None) -> None:
        super().__init__(NAMESPACE)
        self._engine = engine
        self._tokens = tokens
        self._socketio = socketio
        self._announce = announce
        self._viewers: dict[str, Viewer | None] = {}
        self._arrived = threading.Event()
        self.wake: Callable[[], None] = lambda: None

    def on_connect(self, auth: object = None) -> None:
        """Count a page that came, and may."""
        admit_socket(self._tokens, request.environ, auth)
        self._viewers[_sid()] = None
        self._arrived.set()

    def on_disconnect(self, reason: object = None) -> None:
        """Forget a page that went."""
        self._viewers.pop(_sid(), None)

    def on_watch(self, wish: object = None) -> Json:
        """Let a page watch a run, and the points of that and of others, from cursors on."""
        try:
            run, marks, named = _watched(wish)
        except BadValueError as error:
            return {"ok": False, "error": str(error)}
        earlier = self._viewers.get(_sid())
        listed = earlier is not None and earlier.listed
        same = earlier is not None and earlier.run == run and named
        greeting = earlier.greeting if same and earlier is not None else Greeting()
        self._viewers[_sid()] = Viewer(_sid(), run, marks, greeting, listed=listed)
        self.wake()
        return {"ok": True}

    def on_here(self) -> bool:
        """Answer a page that woke up and asks whether its connection still leads somewhere."""
        return True

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
        if not viewers:
            return
        sids = [viewer.sid for viewer in viewers]
        self._engine.post(lambda: self._socketio.server.emit(event, payload, to=sids, namespace=NAMESPACE))

    def announce(self, path: str, event: str, record: Record) -> None:
        """Tell the clients of a service of a change."""
        self._announce(path, event, record)

    def say_goodbye(self, timeout: float) -> None:
        """Tell the pages that the process ends, and wait until each has what it needs; `timeout` is in seconds."""
        waiting = [sid for sid, viewer in list(self._viewers.items()) if viewer is None or self.reads(viewer)]
        left = threading.Semaphore(0)
        self._engine.post(lambda: self._say_goodbye(waiting, lambda *_: left.release()))
        deadline = time.monotonic() + timeout
        for _ in waiting:
            left.acquire(timeout=max(0.0, deadline - time.monotonic()))

    def _say_goodbye(self, sids: Sequence[str], heard: Callable[..., None]) -> None:
        for sid in sids:
            what = {"command": "agnez server"}
            self._socketio.server.emit("closing", what, to=sid, namespace=NAMESPACE, callback=heard)


def _watched(wish: object) -> tuple[str | None, dict[str, list[Mark]], bool]:
    """Return the run that a page shows, from where on it wants the points of which runs, and if it named metrics."""
    run = wish.get("run") if isinstance(wish, dict) else 0
    if not isinstance(wish, dict) or not isinstance(run, str | None):
        raise BadValueError("watch takes {run: id or null, after: cursor} or {run: id or null, marks: [...]}")
    if "marks" not in wish:
        return run, {} if run is None else {run: [Mark(None, _cursor(wish.get("after")))]}, False
    listed = wish["marks"]
    if not isinstance(listed, list) or len(listed) > _MOST_MARKS:
        raise BadValueError(f"marks are a list of at most {_MOST_MARKS}")
    marks: dict[str, list[Mark]] = {}
    for each in listed:
        of, mark = _mark(each)
        marks.setdefault(of, []).append(mark)
    return run, marks, True


def _mark(wish: object) -> tuple[str, Mark]:
    run, metrics = (wish.get("run"), wish.get("metrics")) if isinstance(wish, dict) else (None, None)
    if not isinstance(wish, dict) or not isinstance(run, str) or not isinstance(metrics, list):
        raise BadValueError("a mark is {run: id, after: cursor, metrics: [names]}")
    return run, Mark(frozenset(name for name in metrics if isinstance(name, str)), _cursor(wish.get("after")))


def _cursor(after: object) -> str:
    """Return the cursor that a page watches from: what is none counts as the beginning."""
    try:
        return cursors.write(cursors.read(after)) if isinstance(after, str) else cursors.START
    except BadValueError:
        return cursors.START
