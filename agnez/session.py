"""The session: the current run of this process, and how store, recorder and server are wired for it."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agnez import arguments, ending, settings
from agnez.arguments import Resume, ServerName
from agnez.errors import AgnezError
from agnez.notice import say
from agnez.opening import open_run
from agnez.record import State
from agnez.run import Loggable, RendererName, Run, outcome
from agnez.store import Store
from agnez.target import Target

if TYPE_CHECKING:
    from agnez.server.embed import Embedded

END_SECONDS = 10.0
"""How long the end of the process may wait for what is to be written; whoever asked for it waits no longer either."""

_LEAST_SECONDS = 0.5
_SPARE_SECONDS = 2.0
_ASKED = "SIGTERM: the job was asked to end"


class Session:
    """Hold what lives as long as the process: its open runs, and a server for each store it records into."""

    def __init__(self, inherited: Run | None = None) -> None:
        self.pid = os.getpid()
        self.inherited = inherited  # the current run of the process that this one was forked from
        self.runs: list[Run] = []
        self.servers: dict[str, Embedded] = {}
        self.tab_wanted = True  # one tab a process
        self._known: weakref.WeakSet[Run] = weakref.WeakSet()  # among them those that are just being finished
        self._unhandled = getattr(sys, "last_value", None)
        ending.at_exit(self.close)

    def enter(self, run: Run) -> None:
        """Take up a run that begins."""
        self.runs.append(run)
        self._known.add(run)
        run.on_close(lambda: self.runs.remove(run) if run in self.runs else None)
        ending.on_sigterm(lambda: self.end("interrupted", _ASKED), within=END_SECONDS + _SPARE_SECONDS)

    def wait(self) -> None:
        """Wait, and serve, until the user interrupts."""
        while True:
            time.sleep(3600)

    def close(self) -> None:
        """Finish all runs and stop the servers."""
        # Python leaves an exception that nobody caught here, before the exit handlers run; a child of multiprocessing
        # is still handling it when it gets here.
        left = getattr(sys, "last_value", None)
        self.end(*outcome(sys.exception() or (left if left is not self._unhandled else None)))

    def end(self, state: State, reason: str | None) -> None:
        """Finish all runs with this state, where they have no other, and stop the servers. A forked child has neither.

        It takes `END_SECONDS` at most, but for a moment that each run and server gets in any case.
        """
        if os.getpid() != self.pid:
            return
        deadline = time.monotonic() + END_SECONDS
        for run in list(self._known):
            with _each_to_its_end():
                run.finish(state, reason=reason, timeout=max(_LEAST_SECONDS, deadline - time.monotonic()))
        servers, self.servers = self.servers, {}
        for server in servers.values():
            with _each_to_its_end():
                server.stop()


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
    id: str | None = None,
    resume: Resume | None = None,
    fork_from: tuple[str, int] | None = None,
    rank: int | None = None,
    dir: str | os.PathLike[str] | None = None,
    port: int | None = None,
    open_browser: bool = True,
    server: ServerName | None = "thread",
    renderer: RendererName = "live",
) -> Run:
    """Start a run, or go on with one, and the dashboard that shows it.

    `project` groups runs; by default it is the name of the running script. `config` is a mapping, or what `argparse`
    returns. The store is the folder `dir`, else the environment's `AGNEZ_DIR`, else the user's data folder.
    `server="process"` has a process of its own serve the dashboard, for loops in pure Python and for many viewers.
    `server="http://gpu-1:3000/"` records here and sends the run to the server there, whose page shows it, figures and
    all; what that server misses while it is away is sent when it is back, or by `agnez send`. A server that asks for
    a token gets that of the address (`?token=`) or of AGNEZ_TOKEN. `server=None` records only. `renderer="mpld3"` has
    the page show figures first, where "live" shows live charts.

    `id` is a name for the run of your own choice. With it, `resume` says what is done where such a run is there or not:
    "never" makes a new run, and is an error where there is one; "must" goes on with it, and is an error where there is
    none; "allow" goes on with it or makes it. Without an id, "auto" goes on with the newest run of the project (and of
    that name, where one is given) that did not finish and is not archived, else makes a new one. A run that goes on
    keeps its facts, and counts its steps on. Numbers logged at steps that it had already branch off: what was there
    before is kept, beside the main line.

    `fork_from=("<id>", 1000)` begins a new run with the points of another one up to that step, and with its config
    unless another is given. `rank` is for several processes that train one run together: each gives the same `id` and
    its own number; 0 has the dashboard, the others add series of their own. Give all the same `server`, if any.

    Raises:
        BadValueError: an argument makes no sense.
        NotFoundError: the run to go on with, or to fork from, is not there.
        ConflictError: there is a run of that id already, or it is still running.
        StoreError: the store's folder cannot be written.

    >>> import tempfile
    >>> here = tempfile.mkdtemp()
    >>> with init("doctest", id="first", dir=here, server=None) as run:
    ...     run.log({"loss": 0.5})
    >>> run.state
    'finished'
    >>> with init("doctest", id="first", resume="must", dir=here, server=None) as run:
    ...     print(run.step)
    1
    """
    order = arguments.check(
        project=project,
        name=name,
        config=config,
        tags=tags,
        notes=notes,
        dir=dir,
        port=port,
        server=server,
        renderer=renderer,
        id=id,
        resume=resume,
        fork_from=fork_from,
        rank=rank,
    )
    here = settings.read(dir, port)
    store = Store(here.directory)
    opening = open_run(store, order)
    run = Run(store, opening.info, renderer=renderer, rank=rank or 0, file=opening.file, next_step=opening.next_step)
    run.start()
    session().enter(run)
    if server in arguments.LOCAL and not rank:
        _serve(run, store, here, open_browser=open_browser, apart=server == "process")
    elif server is not None and server not in arguments.LOCAL:
        _send(run, store, here, Target.read(server, here.token), open_browser=open_browser and not rank)
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


def _serve(run: Run, store: Store, here: settings.Settings, *, open_browser: bool, apart: bool) -> None:
    """Show the run on a server of its store: this process', one in a process `apart`, or one that listens already."""
    from agnez.server.child import Child
    from agnez.server.embed import Embedded

    mine = session()
    servers = mine.servers
    if store.id not in servers:
        serve = Child.maker(here.token) if apart and os.name != "nt" else None  # Windows hands no socket down
        servers[store.id] = Embedded(store, here, open_browser=open_browser and mine.tab_wanted, serve=serve)
        mine.tab_wanted = mine.tab_wanted and not open_browser
        servers[store.id].start()
    server = servers[store.id]
    run.url = server.url and f"{server.url}?run={run.id}"
    run.on_commit(server.wake)
    run.on_epoch(server.see_epoch)


def _send(run: Run, store: Store, here: settings.Settings, target: Target, *, open_browser: bool) -> None:
    """Send the run to a server elsewhere."""
    from agnez.sender import Sender
    from agnez.server.tab import open_tab

    mine = session()
    opens = open_browser and mine.tab_wanted
    mine.tab_wanted = mine.tab_wanted and not open_browser

    def greeted(pages: int) -> None:
        if opens and not pages:
            open_tab(target.page(run.id), here)

    sender = Sender(store, run.id, target, name=run.name, rank=run.rank, greeted=greeted)
    run.url = f"{target.url}?run={run.id}"
    run.on_commit(sender.wake)
    run.on_written(sender.finish)
    what = f"rank {run.rank} of run {run.id}" if run.rank else f"run {run.name}"
    say(f"{what} is recorded in {store.directory}, and sent to {run.url}")
    sender.start()


@contextmanager
def _each_to_its_end() -> Iterator[None]:
    """Have each run and server get to its end, whatever befalls the one before it."""
    try:
        yield
    except Exception:  # the process ends: there is nobody left to hand it to
        log_.exception("something could not be ended in order")
