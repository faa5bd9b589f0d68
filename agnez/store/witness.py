"""What this machine can tell of a process that writes a run: that it lives, that it is gone, and why."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agnez.record import Json, RunInfo

_PROC = "/proc"
_GROUPS = Path("/sys/fs/cgroup")


class Fate(NamedTuple):
    """Say whether a process lives (None: this machine cannot tell), and why it would not."""

    lives: bool | None
    reason: str


def facts() -> dict[str, Json]:
    """Return what a later look needs to know of this process; it goes into `RunInfo.machine`.

    `boot` names this boot of the machine, `namespace` the process numbers that count here, `process` this very process
    among all that ever bear its number, and `memory` how often the kernel's out-of-memory killer had struck in its
    control group. Each is there where the system tells it: on Linux, all.
    """
    found: dict[str, Json] = {
        "boot": _boot(),
        "namespace": _namespace(),
        "process": _identity(_stat(os.getpid())),
        "memory": _memory(),
    }
    return {name: value for name, value in found.items() if value}


def ask(info: RunInfo) -> Fate:
    """Look for the process that writes a run.

    It can be told only where the run's host is this one, not restarted since, with the same process numbers.
    """
    if info.host != socket.gethostname():
        return Fate(None, "no sign of life")
    then = info.machine
    if _differ(then.get("boot"), _boot()):  # or this is another machine of the same name: so it is no proof by itself
        return Fate(None, "the machine was restarted since")
    if _differ(then.get("namespace"), _namespace()):
        return Fate(None, "no sign of life")
    if _lives(info.pid, then.get("process")):
        return Fate(True, "no sign of life")
    if _was_struck(then.get("memory")):
        return Fate(False, "the kernel's out-of-memory killer struck")
    return Fate(False, "its process ended without a word")


def _differ(then: Json, now: str) -> bool:
    return bool(then) and bool(now) and then != now


@cache
def _boot() -> str:
    return _text(f"{_PROC}/sys/kernel/random/boot_id").strip()


@cache
def _namespace() -> str:
    try:
        return os.readlink(f"{_PROC}/self/ns/pid")
    except OSError:
        return ""


def _identity(fields: list[str]) -> str:
    """Return when a process started, in ticks since boot, and where its stack lies, which each `exec` changes."""
    return f"{fields[19]} {fields[25]}" if len(fields) > 25 else ""


def _lives(pid: int, identity: Json) -> bool:
    fields = _stat(pid)
    if fields:
        return fields[0] != "Z" and _is_same(identity, _identity(fields))  # a zombie has ended
    if os.name == "nt":  # os.kill would end the process there; the heartbeat alone tells
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and somebody else's
        pass
    return True


def _is_same(then: Json, now: str) -> bool:
    if not isinstance(then, str) or not then or not now:
        return True  # the number is all there is to go by
    (started, stack), (starts, stacks) = then.split(), now.split()
    hidden = "0" in (stack, stacks)  # the kernel shows the place of the stack to the process' own user only
    return started == starts and (hidden or stack == stacks)


def _stat(pid: int) -> list[str]:
    """Return the fields of a process from its state on: its name before them may hold blanks and brackets."""
    return _text(f"{_PROC}/{pid}/stat").rpartition(")")[2].split()


def _memory() -> dict[str, Json]:
    """Return the file that counts the strikes in this process' control group, which file it is, and its count."""
    for path in _counters():
        try:
            return {"path": str(path), "file": path.stat().st_ino, "kills": _kills(path)}
        except (OSError, ValueError):
            continue
    return {}


def _counters() -> list[Path]:
    """Return where the count may be: in a group of the one hierarchy (version 2), or of memory's own (version 1)."""
    found = []
    for line in _text(f"{_PROC}/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        kinds, _, group = rest.partition(":")
        if number == "0" and not kinds:
            found.append(_GROUPS / group.lstrip("/") / "memory.events")
        elif "memory" in kinds.split(","):
            found.append(_GROUPS / "memory" / group.lstrip("/") / "memory.oom_control")
    return found


def _kills(path: Path) -> int:
    counts = dict(line.split() for line in path.read_text().splitlines())
    return int(counts.get("oom_kill", 0))


def _was_struck(then: Json) -> bool:
    """Tell whether the killer struck in the group since; of which process of the group, no count says."""
    if not isinstance(then, Mapping) or not isinstance(kills := then.get("kills"), int):
        return False
    path = Path(str(then.get("path")))
    try:
        return path.stat().st_ino == then.get("file") and _kills(path) > kills
    except (OSError, ValueError):  # the group went with its last process
        return False


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
