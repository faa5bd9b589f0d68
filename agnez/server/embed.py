"""The server inside the training process: in a daemon thread, on a port of its own, or joined to one that is there."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from agnez.errors import PortError
from agnez.notice import say
from agnez.server import ports
from agnez.server.engine import Engine, Listening
from agnez.server.reach import Reach
from agnez.server.tab import link, open_tab
from agnez.server.threads import Threads
from agnez.server.tokens import Tokens, make_token
from agnez.settings import Settings
from agnez.store import Store

if TYPE_CHECKING:
    from agnez.server.app import Application
    from agnez.server.follower import Follower
    from agnez.server.live import Live

_ASK_SECONDS = 1.0
_TAKE_OVER_SECONDS = 0.5
_STOP_SECONDS = 2.0
GOODBYE_SECONDS = 2.5
"""How long the pages have to take what they lack when the process ends."""


class Serves(Protocol):
    """Stand for a server of a store on a socket: on a thread, or in a process of its own."""

    def start(self) -> None:
        """Begin to serve."""

    def wake(self) -> None:
        """Have a look at the store soon."""

    def see_epoch(self) -> None:
        """Have a look at the store: an epoch ended."""

    def wait_for_page(self, timeout: float) -> bool:
        """Wait until a page connects; `timeout` is in seconds. Tell whether one did."""

    def stop(self, goodbye: float) -> None:
        """End: pages have `goodbye` seconds to take what they lack."""


class Embedded:
    """Serve a store for this process, or join the server that serves it already and take over when that one ends.

    `serve` makes what serves on a port; by default that is a thread of this process.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        open_browser: bool = True,
        serve: Callable[[Store, socket.socket, Reach], Serves] | None = None,
    ) -> None:
        self._make = serve or _on_a_thread
        self._store = store
        self._settings = settings
        self._open_browser = open_browser
        self._reach = reach_of(settings, store)
        self._serving: Serves | None = None
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None
        self.url: str | None = None

    def start(self) -> None:
        """Find a port, say the address in one line, and serve. Serving begins on a thread: nothing here waits for it.

        No free port is no error: the run is recorded, and the user told.
        """
        try:
            self._find_port()
        except PortError as error:
            say(f"{error}; the run is recorded, and `agnez server` shows it")

    def wake(self) -> None:
        """Have the server look at the store now."""
        if self._serving is not None:
            self._serving.wake()

    def see_epoch(self) -> None:
        """Have the server look at the store: an epoch ended, and the first few are seen at once."""
        if self._serving is not None:
            self._serving.see_epoch()

    def stop(self) -> None:
        """Let the pages take what they lack, and end. Stopping twice does no harm."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.join(_STOP_SECONDS)
        if self._serving is not None:
            self._serving.stop(goodbye=GOODBYE_SECONDS)

    def _find_port(self) -> None:
        first = self._settings.port
        deadline = time.monotonic() + _ASK_SECONDS  # strangers who listen and never answer must not hold a training up
        for port in ports.candidates(first):
            listener = ports.listen(port)
            if listener is not None:
                self._serve(listener, port)
                taken = "" if port == first else f"port {first} is taken; "
                self._say_address(f"{taken}the dashboard is at {self.url}")
                return
            about = ports.ask(port, self._settings.token) if time.monotonic() < deadline else None
            if about is not None and about.get("store") == self._store.id:
                self._join(port, int(about.get("viewers") or 0))
                return
        raise PortError(f"no port from {first} on is free: give another with port=")

    def _serve(self, listener: socket.socket, port: int) -> None:
        self.url = f"http://{ports.HOST}:{port}/"
        self._serving = self._make(self._store, listener, self._reach)
        self._serving.start()
        if self._open_browser:
            open_tab(link(self.url, self._settings.token), self._settings, unless=self._serving.wait_for_page)

    def _join(self, port: int, viewers: int) -> None:
        self.url = f"http://{ports.HOST}:{port}/"
        self._say_address(f"the run joins the dashboard at {self.url}")
        if self._open_browser and not viewers:
            open_tab(link(self.url, self._settings.token), self._settings)
        self._watch = threading.Thread(target=self._take_over, args=(port,), name="agnez-port", daemon=True)
        self._watch.start()

    def _take_over(self, port: int) -> None:
        """Wait for the port to come free, and serve on it: open pages reconnect by themselves."""
        while not self._stopping.wait(_TAKE_OVER_SECONDS):
            try:
                listener = ports.listen(port)
            except PortError as error:
                say(f"{error}; the run is recorded, and `agnez server` shows it")
                return
            if listener is not None:
                self._serving = self._make(self._store, listener, self._reach)
                self._serving.start()
                return

    def _say_address(self, sentence: str) -> None:
        say(sentence)
        if self._settings.ssh is not None and self.url is not None:
            port = self.url.rstrip("/").rpartition(":")[2]
            say(f"on your own machine: ssh -L {port}:{ports.HOST}:{port} {self._settings.ssh}")


def reach_of(settings: Settings, store: Store) -> Reach:
    """Return how far a server of a training reaches: to this machine, and no farther than the environment's tokens."""
    if settings.token is None and settings.read_token is None:
        return Reach()
    # With a token to look only there has to be one that may do all, or everybody might.
    return Reach(tokens=Tokens(settings.token or make_token(), settings.read_token, salt=store.id))


def _on_a_thread(store: Store, listener: socket.socket, reach: Reach) -> Serves:
    return Serving(store, listener, reach=reach)


class Serving:
    """Serve a store on a socket that listens already. The libraries it needs are imported on its own thread."""

    def __init__(
        self,
        store: Store,
        listener: socket.socket,
        *,
        engine: Callable[[], Engine] = Threads,
        tls: ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        """`engine` makes what the server runs on; `options` are those of `create_app`."""
        self._store = store
        self._listener = listener
        self._make_engine = engine
        self._tls = tls
        self._options = options
        self._ready = threading.Event()
        self._failed: BaseException | None = None
        self._follower: Follower | None = None  # this and the next three are there once it is ready
        self._app: Application | None = None
        self._live: Live | None = None
        self._server: Listening | None = None
        self._thread = threading.Thread(target=self._work, name="agnez-server", daemon=True)
        # Whoever ignores the close of its socket must not hold up the end of a training script. This thread waits for
        # that end from the beginning: while Python shuts down, none can be started.
        self._ending = threading.Event()
        self._closer = threading.Thread(target=self._close, name="agnez-close", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        self._closer.start()

    def wake(self) -> None:
        """Have a look at the store now."""
        if self._follower is not None:
            self._follower.wake()

    def see_epoch(self) -> None:
        """Have a look at the store: an epoch ended, and the first few are seen at once."""
        if self._follower is not None:
            self._follower.see_epoch()

    def is_alive(self) -> bool:
        """Tell whether it serves, or is about to."""
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait until the server ends.

        Raises:
            BaseException: what ended it, if it was a fault.
        """
        while self._thread.is_alive():
            self._thread.join(0.5)  # in steps: a wait without an end cannot be interrupted everywhere
        if self._failed is not None:
            raise self._failed

    def wait_for_page(self, timeout: float) -> bool:
        """Wait until a page connects; `timeout` is in seconds. Tell whether one did."""
        return self._ready.wait(timeout) and self._live is not None and self._live.wait_for_page(timeout)

    def stop(self, goodbye: float) -> None:
        """End: pages have `goodbye` seconds to take what they lack, and nothing that hangs holds it up for long."""
        self._ready.wait(_STOP_SECONDS)
        if self._follower is None or self._live is None:
            self._listener.close()
            return
        self._follower.finish(_STOP_SECONDS)
        self._live.say_goodbye(goodbye)
        self._ending.set()
        self._closer.join(_STOP_SECONDS)

    def _work(self) -> None:
        try:
            server = self._build()
        except BaseException as error:  # whatever it is, those who wait for readiness must learn of it
            self._failed = error
            self._listener.close()
            say(f"the dashboard could not be started ({error}); the run is recorded, and `agnez server` shows it")
            self._ready.set()
            return
        self._ready.set()
        server.serve_forever(poll_interval=0.1)

    def _build(self) -> Listening:
        from agnez.server.app import create_app
        from agnez.server.follower import Follower
        from agnez.server.live import Live

        engine = self._make_engine()
        app = create_app(self._store, engine=engine, **self._options)
        live = Live(app.socketio, app.announce, engine, app.tokens)
        app.socketio.on_namespace(live)
        follower = Follower(self._store, live, app.origin, app.values.announcing, app.news)
        live.wake = follower.welcome
        app.viewers = live.count
        server = engine.listen(self._listener, app.wsgi, self._tls)
        self._listener.close()  # the server listens on a copy of its descriptor
        follower.start()
        self._app, self._live, self._follower, self._server = app, live, follower, server
        return server

    def _close(self) -> None:
        self._ending.wait()
        assert self._server is not None and self._app is not None
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._app.values.close()
        self._app.posted.close()
