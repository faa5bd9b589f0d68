"""The server in a process of its own, as the training process holds it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from agnez.notice import say
from agnez.server import ports
from agnez.server.reach import Reach
from agnez.store import Store

END = b"!"
"""What is said to the child that is to end; anything else wakes it."""

_WAKE = b"."
_ASK_SECONDS = 0.25
_STOP_SECONDS = 5.0  # past the goodbye: for a last look at the store, and Python's own end


class Child:
    """Serve a store from a child process, on a socket that listens already.

    The child holds the other end of a socket of ours: what comes there wakes it or has it end, and once we have
    ended, were it by a kill, it says goodbye to the pages and ends, too. It is in a session of its own, so that
    Ctrl-C, which a terminal sends to all, leaves it to us.
    """

    def __init__(self, store: Store, listener: socket.socket, *, token: str | None = None) -> None:
        """`token` is what the server asks for; the child finds it in the environment, as we did."""
        self._store = store
        self._listener = listener
        self._port = int(listener.getsockname()[1])
        self._token = token
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def maker(cls, token: str | None) -> Callable[[Store, socket.socket, Reach], Child]:
        """Return what makes one for `Embedded`."""
        return lambda store, listener, _: cls(store, listener, token=token)

    @property
    def pid(self) -> int | None:
        """Return the number of the child; None before the start."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the child. Nothing here waits for it: who connects meanwhile waits in the queue of the socket."""
        line, theirs = socket.socketpair()
        ports.close_in_children(line)  # or a forked worker would keep the child alive
        with contextlib.closing(theirs), contextlib.closing(self._listener):
            try:
                self._process = subprocess.Popen(
                    [*_COMMAND, str(self._store.directory), str(self._listener.fileno()), str(os.getpid())],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    pass_fds=[self._listener.fileno()],
                    start_new_session=True,
                    env=_environment(),
                )
            except OSError as error:
                line.close()
                say(f"the dashboard could not be started ({error}); the run is recorded, and `agnez server` shows it")
                return
        line.setblocking(False)
        self._line = line

    def wake(self) -> None:
        """Have the child look at the store now. It costs a system call."""
        if self._line is None:
            return
        try:
            self._line.send(_WAKE)
        except BlockingIOError:  # it has enough to wake up for
            pass
        except OSError:  # it is gone
            self._hang_up()
            say("the dashboard's process ended; the run is recorded, and `agnez server` shows it")

    def see_epoch(self) -> None:
        """Do as `wake`: the child goes by the processors that are idle, and knows of no epochs."""
        self.wake()

    def wait_for_page(self, timeout: float) -> bool:
        """Wait until a page connects; `timeout` is in seconds. Tell whether one did."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            about = ports.ask(self._port, self._token)
            if about is not None and about.get("viewers"):
                return True
            time.sleep(_ASK_SECONDS)
        return False

    def stop(self, goodbye: float) -> None:
        """End: pages have `goodbye` seconds to take what they lack, which the child sees to. Twice does no harm."""
        self._hang_up()
        if self._process is None:
            return
        try:
            self._process.wait(goodbye + _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP_SECONDS)

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            with contextlib.suppress(OSError):  # it is gone, or so stuck that it will be killed
                line.send(END)
            line.close()


# `-P` keeps the current folder, with whatever modules the user has there, off the child's path.
_COMMAND = (sys.executable, "-P", "-m", "agnez.server")


def _environment() -> dict[str, str]:
    """Return the environment of the child: it must find this very package, even where only the user's own path does."""
    home = str(Path(__file__).parents[2])
    path = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part and part != home]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*path, home])}
