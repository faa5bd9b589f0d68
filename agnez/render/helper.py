"""The helper process as its parent holds it."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import IO, BinaryIO, cast

from agnez.render.jobs import Job
from agnez.render.pipes import Reply, receive, send

_START_LIMIT = 120.0  # seconds; a cold disk on a busy machine has to be forgiven
_JOB_LIMIT = 60.0
_TAIL = 20  # lines
_SINGLE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "MALLOC_ARENA_MAX")

# `-P` keeps the current folder, with whatever modules the user has there, off the helper's path. The folder of this
# very package comes last, for the case that only the user's own path leads to it.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from agnez.render.worker import main; main()"


class HelperDied(Exception):
    """Report that the helper ended while it was needed; `ready` tells whether it had ever got to work."""

    def __init__(self, reason: str, *, ready: bool) -> None:
        super().__init__(reason)
        self.ready = ready


class Helper:
    """Run one helper process, started by its first job, and give it jobs one at a time from one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL)

    @property
    def pid(self) -> int | None:
        """Tell the helper's process id, None before the first job and after the end."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process and wait until it's ready, so that the first job needn't.

        Raises:
            HelperDied: it could not start.
        """
        if self._process is not None:
            return
        try:
            self._start()
        except (OSError, EOFError) as error:
            raise HelperDied(self._end() or str(error), ready=False) from error

    def render(self, job: Job) -> Reply:
        """Let the helper render a job.

        Raises:
            HelperDied: it ended, could not start, or took over a minute.
        """
        try:
            data = pickle.dumps(job, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # whatever hangs on a job may refuse in its own way: it's drawn here instead
            return Reply(error=f"{type(error).__name__}: {error}", foreign=True)
        self.start()
        process = cast("subprocess.Popen[bytes]", self._process)
        try:
            send(cast(BinaryIO, process.stdin), data)
            return self._reply(process, _JOB_LIMIT)
        except (OSError, EOFError) as error:
            raise HelperDied(self._end() or str(error), ready=True) from error

    def kill(self) -> None:
        """End the helper at once, from any thread; a job under way raises HelperDied in its thread."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the helper: it holds nothing that could be lost."""
        self.kill()
        self._end()

    def _start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-c", _BOOT, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=True,
            start_new_session=True,  # Ctrl-C reaches the training, not its helper
            env=_environment(),
        )
        self._process = process
        self._tail.clear()
        heard = (cast("IO[bytes]", process.stderr), self._tail)
        threading.Thread(target=_collect, args=heard, name="agnez-render-stderr", daemon=True).start()
        self._reply(process, _START_LIMIT)

    def _reply(self, process: subprocess.Popen[bytes], limit: float) -> Reply:
        guard = threading.Timer(limit, process.kill)
        guard.daemon = True
        guard.start()
        try:
            return cast(Reply, receive(cast(BinaryIO, process.stdout)))
        finally:
            guard.cancel()

    def _end(self) -> str:
        """Close the pipes, see the helper off, and tell the last line that it wrote."""
        process, self._process = self._process, None
        if process is None:
            return ""
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what was left to write can't be
                cast("IO[bytes]", pipe).close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        said = self._tail[-1] if self._tail else ""
        return f"exit code {process.returncode}" + (f", {said}" if said else "")


def _environment() -> dict[str, str]:
    """Inherit the environment, but draw on no screen, with one thread and with one arena of memory."""
    single = dict.fromkeys(_SINGLE, "1")
    return os.environ | single | {"MPLBACKEND": "Agg", "PYTHONWARNINGS": ""}


def _collect(stream: IO[bytes], tail: deque[str]) -> None:
    """Keep the last lines that the helper writes, so that its pipe never fills."""
    with stream:
        for line in stream:
            tail.append(line.decode(errors="replace").rstrip()[:500])
