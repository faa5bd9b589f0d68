"""The server that runs by itself, `agnez server`: from where it may be called, and what it runs on."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agnez.server.forwarded import read_base, read_proxy
from agnez.server.reach import Reach, read_origin
from agnez.server.security import is_loopback
from agnez.server.threads import Threads
from agnez.server.tokens import Tokens, make_token

MAKE = "make"
"""Given for a token, it has one made."""

if TYPE_CHECKING:
    from agnez.server.hub import Hub

_MOST_FILES = 65536
_SWITCH_SECONDS = 0.001
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # their numbers in malloc.h
_KEPT_BYTES = 64 << 20
_EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Wishes:
    """Hold what the user asked for."""

    host: str
    token: str | None = None
    read_token: str | None = None
    names: Sequence[str] = ()
    origins: Sequence[str] = ()
    base: str = ""
    proxies: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Hold what came of it: the reach, the name to call the server by, and the tokens that were made, to be told once.

    A token that the user gave is not told again.
    """

    reach: Reach
    name: str
    full: str | None = None
    reading: str | None = None


def stand(wishes: Wishes, salt: str) -> Standing:
    """Find out how far a server reaches: beyond this machine never without a token.

    Raises:
        BadValueError: a wish cannot be granted.
    """
    local = is_loopback(wishes.host)
    wanted = not local or wishes.token is not None or wishes.read_token is not None
    full = make_token() if wanted and wishes.token in (None, MAKE) else None
    reading = make_token() if wanted and wishes.read_token is None else None
    reach = Reach(
        hosts=[*wishes.names, *([] if local else [wishes.host, socket.gethostname()])],
        numeric=not local,
        origins=[read_origin(each) for each in wishes.origins],
        tokens=Tokens(full or wishes.token or "", reading or wishes.read_token, salt=salt) if wanted else None,
        base=read_base(wishes.base),
        proxies=[read_proxy(each) for each in wishes.proxies],
    )
    return Standing(reach, _name(wishes), full, reading)


def pick_engine() -> type[Hub] | type[Threads]:
    """Return what makes the engine: a hub where gevent is installed, else threads."""
    if find_spec("gevent") is None:
        return Threads
    from agnez.server.hub import Hub

    return Hub


def allow_many_connections() -> None:
    """Have the system allow as many open connections as it lets a process ask for: each is a file to it."""
    try:
        import resource
    except ImportError:  # Windows has no such bound
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def answer_soon() -> None:
    """Have a process that does nothing but serve answer its first page as soon as later ones, and beside other work.

    Who reads lets go of the interpreter's lock at each step of SQLite, and by default gets it back after 5 ms.
    """
    import_module("qs_codec")  # what is imported late, for the sake of trainings
    sys.setswitchinterval(_SWITCH_SECONDS)
    _keep_memory()


def _keep_memory() -> None:
    """Have the C library keep memory that is let go, where it is glibc.

    It gives arrays of more than 128 kB back to the system and gets them anew, page by page: two thirds of the time in
    which blocks of points are unpacked. Both bounds must be set, as it moves the one with the other.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library, or Windows
        adjust = ctypes.CDLL(None).mallopt
        adjust(_TRIM_THRESHOLD, _KEPT_BYTES)
        adjust(_MMAP_THRESHOLD, _KEPT_BYTES // 8)


def _name(wishes: Wishes) -> str:
    name = socket.gethostname() if wishes.host in _EVERYWHERE else wishes.host
    return f"[{name}]" if ":" in name else name
