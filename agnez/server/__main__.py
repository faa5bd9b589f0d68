"""The server in a process of its own, as that process: `python -m agnez.server`, which `child.Child` starts."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from agnez import settings
from agnez.server.child import END
from agnez.server.embed import GOODBYE_SECONDS, Serving, reach_of
from agnez.server.standalone import answer_soon, pick_engine
from agnez.store import Store

_LOOK_SECONDS = 0.5
_SOON_SECONDS = 0.01
_PATIENCE_SECONDS = 2.0
_LINE = 0  # the descriptor of the socket that leads to the parent


def main(directory: str, listener: str, parent: str) -> int:
    """Serve the store in a folder on a socket that was inherited, until the parent says so, or ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer_soon()
    store, here = Store(Path(directory)), settings.read()
    taken = socket.socket(fileno=int(listener))
    serving = Serving(store, taken, engine=pick_engine(), reach=reach_of(here, store))
    serving.start()
    done, lost = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(serving, done, lost), name="agnez-line", daemon=True).start()
    while serving.is_alive() and not done.is_set() and _has_parent(int(parent)):
        done.wait(_LOOK_SECONDS)
    # A lost line is a parent that ends right now. Once it has, the last look shows its runs as crashed.
    until = time.monotonic() + _PATIENCE_SECONDS
    while lost.is_set() and _has_parent(int(parent)) and time.monotonic() < until:
        time.sleep(_SOON_SECONDS)
    failed = not serving.is_alive()
    serving.stop(goodbye=GOODBYE_SECONDS)
    return 1 if failed else 0


def _has_parent(parent: int) -> bool:
    """Tell whether the parent lives; a worker of its, forked by code that knows nothing of us, may hold the line."""
    return os.getppid() == parent


def _listen(serving: Serving, done: threading.Event, lost: threading.Event) -> None:
    """Wake the server whenever the parent says so, until it says that it is to end, or nothing any more."""
    try:
        while said := os.read(_LINE, 4096):
            if END in said:
                done.set()
                return
            serving.wake()
    except OSError:
        pass
    lost.set()
    done.set()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
