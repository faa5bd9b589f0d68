"""The session: the current run of this process, and how store, recorder and server are wired for it."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from agnez import names, settings
from agnez.errors import AgnezError, BadValueError
from agnez.record import Json, RunInfo
from agnez.run import Loggable, RendererName, Run, outcome
from agnez.store import Store
from agnez.wire import dump, jsonable

if TYPE_CHECKING:
    from agnez.server.embed import Embedded

ServerName = Literal["thread"]


class Session:
    """Hold what lives as long as the process: its open runs, and a server for each store it records into."""

    def __init__(self, inherited: Run | None = None) -> None:
        self.pid = os.getpid()
        self.inherited = inherited  # the current run of the process that this one was forked from; it says so itself
        self.runs: list[Run] = []
        self.servers: dict[str, Embedded] = {}
        self.tab_wanted = True  # one tab a process
        self._unhandled = getattr(sys, "last_value", None)
        atexit.register(self.close)

    def wait(self) -> None:
        """Wait, and serve, until the user interrupts."""
        while True:
            time.sleep(3600)

    def close(self) -> None:
        """Finish all runs and stop the servers. A forked child has neither."""
        if os.getpid() != self.pid:
            return
        # Python leaves an exception that nobody caught here, before the exit handlers run.
        error = getattr(sys, "last_value", None)
        state, reason = outcome(error if error is not self._unhandled else None)
        ends: list[Callable[[], None]] = [partial(run.finish, state, reason=reason) for run in self.runs[:]]
        ends += [server.stop for server in self.servers.values()]
        for end in ends:
            try:
                end()
            except Exception:  # each run and server must get to its end, whatever befalls the one before it
                log_.exception("something could not be ended in order")
        self.servers.clear()


log_ = logging.getLogger(__name__)
_session: Session | None = None
_lock = threading.Lock()


def session() -> Session:
    """Return the session of this process; a forked child gets one of its own."""
    global _session
    with _lock:
        if _session is None or _session.pid != os.getpid():
            _session = Session(_session.runs[-1] if _session and _session.runs else None)
        return _session


def init(
    project: str | None = None,
    name: str | None = None,
    *,
    config: Mapping[str, object] | object | None = None,
    tags: Iterable[str] = (),
    notes: str = "",
    dir: str | os.PathLike[str] | None = None,
    port: int | None = None,
    open_browser: bool = True,
    server: ServerName | None = "thread",
    renderer: RendererName = "live",
) -> Run:
    """Start a run, and the dashboard that shows it.

    `project` groups runs; by default it is the name of the running script. `config` is a mapping, or what `argparse`
    returns. The store is the folder `dir`, else the environment's `AGNEZ_DIR`, else the user's data folder.
    `server=None` records only. `renderer="mpld3"` has the page show figures first, where "live" shows live charts.

    Raises:
        BadValueError: an argument makes no sense.
        StoreError: the store's folder cannot be written.

    >>> import tempfile
    >>> with init("doctest", dir=tempfile.mkdtemp(), server=None) as run:
    ...     run.log({"loss": 0.5})
    >>> run.state
    'finished'
    """
    check(project=project, name=name, config=config, tags=tags, dir=dir, port=port, server=server, renderer=renderer)
    here = settings.read(dir, port)
    store = Store(here.directory)
    project = project or names.default_project()
    with store.catalog() as catalog:
        number = catalog.count(project) + 1
    now = time.time_ns() // 1000
    info = RunInfo(
        id=names.new_id(),
        project=project,
        name=name or names.new_name(number),
        created=now,
        config=_config(config),
        tags=_tags(tags),
        notes=notes,
        heartbeat=now,
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    run = Run(store, info, renderer=renderer)
    run.start()
    _enter(run)
    if server is not None:
        _serve(run, store, here, open_browser=open_browser)
    return run


def current() -> Run | None:
    """Return the newest run of this process that has not finished."""
    mine = session().runs
    return mine[-1] if mine else None


def log(values: Mapping[str, Loggable], *, step: int | None = None) -> None:
    """Record numbers and figures in the current run; see `Run.log`.

    Raises:
        AgnezError: there is no run.
    """
    _needed().log(values, step=step)


def finish() -> None:
    """Finish the current run; see `Run.finish`. Without one nothing happens."""
    run = current()
    if run is not None:
        run.finish()


def show(height: int = 720) -> object:
    """Show the dashboard in a notebook, in a frame of `height` pixels.

    Returns what the notebook displays: an object with `_repr_html_`.

    Raises:
        AgnezError: no server runs in this process.
    """
    from agnez.server.inline import InlineFrame

    run = current()
    url = run.url if run else next((server.url for server in session().servers.values()), None)
    if url is None:
        raise AgnezError("there is nothing to show yet: call agnez.init() first, with its server")
    return InlineFrame(url, height)


def _needed() -> Run:
    run = current() or session().inherited
    if run is None:
        raise AgnezError("there is no run: call agnez.init() first")
    return run


def _enter(run: Run) -> None:
    mine = session()
    mine.runs.append(run)
    run.on_close(lambda: mine.runs.remove(run) if run in mine.runs else None)


def _serve(run: Run, store: Store, here: settings.Settings, *, open_browser: bool) -> None:
    """Show the run on a server of its store: this process', or one that listens already."""
    from agnez.server.embed import Embedded

    mine = session()
    servers = mine.servers
    if store.id not in servers:
        servers[store.id] = Embedded(store, here, open_browser=open_browser and mine.tab_wanted)
        mine.tab_wanted = mine.tab_wanted and not open_browser
        servers[store.id].start()
    server = servers[store.id]
    run.url = server.url and f"{server.url}?run={run.id}"
    run.on_commit(server.wake)


def check(
    *,
    project: object = None,
    name: object = None,
    config: object,
    tags: Iterable[str],
    dir: str | os.PathLike[str] | None,
    port: int | None,
    server: object,
    renderer: object,
) -> None:
    """Check arguments of `init` without starting anything.

    Raises:
        BadValueError: one makes no sense.
    """
    if server not in ("thread", None):
        raise BadValueError(f"server={server!r} is not known: 'thread' shows the run, None records only")
    if renderer not in ("live", "mpld3"):
        raise BadValueError(f"renderer={renderer!r} is not known: choose 'live' or 'mpld3'")
    _check_text("project", project)
    _check_text("name", name)
    settings.read(dir, port)
    _config(config)
    _tags(tags)


def _config(config: object) -> dict[str, Json]:
    if config is None:
        return {}
    fields = config if isinstance(config, Mapping) else getattr(config, "__dict__", None)
    if not isinstance(fields, Mapping):
        raise BadValueError(f"config={config!r} is no mapping: give a dict, or what argparse returns")
    try:
        found = {str(key): jsonable(value) for key, value in fields.items()}
        dump(found).encode()
    except (RecursionError, UnicodeEncodeError) as error:
        raise BadValueError(f"config cannot be kept: {error}") from error
    return found


def _check_text(argument: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise BadValueError(f"{argument}={value!r} is a {type(value).__name__}: give a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadValueError(f"{argument}={value!r} holds half of a character (a lone surrogate)") from None


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise BadValueError(f"tags={tags!r} is one text: give a list, tags=[{tags!r}]")
    return tuple(str(tag) for tag in tags)
