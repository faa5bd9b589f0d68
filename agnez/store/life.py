"""Whether a run that says it is running still is."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import replace

from agnez.record import RunInfo

SILENCE = 45_000_000
"""Microseconds without a heartbeat after which a run counts as crashed; the recorder's heart beats every 5 seconds."""


def seen(info: RunInfo, now: int | None = None) -> RunInfo:
    """Return the run as it is to be shown: crashed when its process is gone, or silent for too long.

    `now` is microseconds since 1970 (UTC).
    """
    if info.state != "running":
        return info
    if info.host == socket.gethostname() and not _lives(info.pid):
        return replace(info, state="crashed", reason="its process ended without a word", ended=info.heartbeat)
    now = time.time_ns() // 1000 if now is None else now
    if now - (info.heartbeat or info.created) > SILENCE:
        return replace(info, state="crashed", reason="no sign of life", ended=info.heartbeat)
    return info


def _lives(pid: int) -> bool:
    if os.name == "nt":  # os.kill would end the process there; the heartbeat alone tells
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"Z"
    except (OSError, IndexError):
        return False
