"""The helper process: renders what comes in on stdin until stdin or its parent ends."""

from __future__ import annotations

import gc
import os
import pickle
import select
import sys
import time
from typing import BinaryIO, cast

from agnez.errors import AgnezError
from agnez.render.curves import Curves
from agnez.render.jobs import Job, ThawError, render_job
from agnez.render.pipes import Reply, receive, send

_PARENT_CHECK = 2.0  # seconds


def main() -> None:
    """Serve jobs until there is nobody left to serve."""
    jobs, replies = _private_pipes()
    if hasattr(os, "nice"):
        os.nice(10)
    import matplotlib

    matplotlib.rcdefaults()  # ours must not depend on a matplotlibrc; what the user's figures need travels in them
    answer(Curves("", "", ()))  # imports, fonts and styles are loaded by a first figure, and kept from then on
    gc.collect()
    gc.freeze()  # figures are full of cycles: look for their remains only, and not through all modules
    send(replies, Reply())  # ready
    parent = os.getppid()
    while _wait(jobs, parent):
        try:
            job = receive(jobs)
        except EOFError:
            return
        send(replies, _answer(cast(bytes, job)))


def answer(job: Job) -> Reply:
    """Render a job, whatever comes of it."""
    begun = time.thread_time()
    try:
        html = render_job(job)
        return Reply(html=html, cpu=time.thread_time() - begun)
    except ThawError as error:
        return Reply(error=str(error), foreign=True)
    except Exception as error:  # a figure may hold any artist: this one fails, the next is rendered
        return failed(error)


def failed(error: Exception) -> Reply:
    """Say what went wrong: our own errors are sentences, of others the kind tells something too."""
    return Reply(error=str(error) if isinstance(error, AgnezError) else f"{type(error).__name__}: {error}")


def _answer(data: bytes) -> Reply:
    try:
        job: Job = pickle.loads(data)
    except Exception as error:  # only the user's process knows the job's class, or one that hangs on it
        return Reply(error=f"{type(error).__name__}: {error}", foreign=True)
    return answer(job)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for ourselves, so that nothing which prints can break the messages."""
    jobs = os.fdopen(os.dup(0), "rb", buffering=0)
    replies = os.fdopen(os.dup(1), "wb")
    quiet = os.open(os.devnull, os.O_RDONLY)
    os.dup2(quiet, 0)
    os.close(quiet)
    os.dup2(2, 1)
    return cast(BinaryIO, _Whole(jobs)), replies


class _Whole:
    """Read whole counts from a raw pipe: a buffered one would hide from `select` what it has read ahead."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def fileno(self) -> int:
        """Give the descriptor to wait for."""
        return self._raw.fileno()

    def read(self, count: int) -> bytes:
        """Read `count` bytes, fewer only at the end."""
        parts = bytearray()
        while len(parts) < count and (part := self._raw.read(count - len(parts))):
            parts += part
        return bytes(parts)


def _wait(jobs: BinaryIO, parent: int) -> bool:
    """Wait for a message; False when the parent is gone while a process forked from it still holds the pipe open."""
    if sys.platform == "win32":
        return True  # no fork there, and select takes only sockets
    while not select.select([jobs], [], [], _PARENT_CHECK)[0]:
        if os.getppid() != parent:
            return False
    return True


if __name__ == "__main__":
    main()
