"""The reach of a server: from where it may be called, and by whom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from agnez.errors import BadValueError
from agnez.server.forwarded import Network
from agnez.server.tokens import Tokens

_ORIGIN = re.compile(r"https?://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Reach:
    """Hold how far a server reaches; by default no farther than this machine, for whoever is on it.

    `hosts` are names, beside the loopback's, under which it may be called; `numeric` lets every number of an address
    through, which no rebound name can be. Pages of `origins` may use it. Who shows none of `tokens` stays outside.
    `base` is the prefix of its addresses, and `proxies` are those whose word on a request is taken.
    """

    hosts: Sequence[str] = ()
    numeric: bool = False
    origins: Sequence[str] = ()
    tokens: Tokens | None = None
    base: str = ""
    proxies: Sequence[Network] = ()


def read_origin(given: str) -> str:
    """Return an origin as browsers write it.

    Raises:
        BadValueError: it is none; a star, which would be all pages of the world, is none either.

    >>> read_origin("https://Lab.example:443/")
    'https://lab.example'
    """
    origin = given.strip().lower().rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise BadValueError(f"--allow-origin {given!r} is no origin such as https://lab.example:8443: name each page's")
    default = {"http": ":80", "https": ":443"}[urlsplit(origin).scheme]
    return origin.removesuffix(default)
