"""The gate in front of everything: which hosts and pages may ask, and what our pages may load."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

from agnez.server.forwarded import SENT_HOST
from agnez.server.service import error_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MPLD3 = "/assets/mpld3/"
"""The one place that sandboxed frames, whose origin is `null`, may load from."""

_HOST = re.compile(r"(?P<name>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?", re.IGNORECASE)
_READING = ("GET", "HEAD")
_DRAINED = 256 * 1024 * 1024
_NOTEBOOKS = tuple(f"{scheme}://{name}:*" for scheme in ("http", "https") for name in ("localhost", "127.0.0.1"))

Header = tuple[str, str]


class Gate:
    """Let through what this machine's own pages and programs ask, as a WSGI middleware.

    `hosts` are names, beside the loopback's, under which the server may be called; `numeric` lets it be called by any
    number, which no name that was rebound can be. Pages of `origins` may use it as our own do.
    """

    def __init__(
        self, app: WSGIApplication, hosts: Sequence[str] = (), *, numeric: bool = False, origins: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._hosts = frozenset(name.lower().rstrip(".") for name in hosts)
        self._numeric = numeric
        self._origins = frozenset(origins)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or refuse it: with 403, or with 400 where its length is none."""
        refusal = self._refusal(environ)
        if refusal is not None:
            return refuse(403, refusal, start_response)
        start_response = _with_headers(start_response, [*_headers(environ), *self._sharing(environ)])
        if self._is_preflight(environ):
            start_response("204 NO CONTENT", _preflight(environ))
            return []
        length = environ.get("CONTENT_LENGTH") or "0"
        # Of -1 bytes python-engineio would read all that ever comes, and Python reads no number of 5,000 digits.
        if not (length.isascii() and length.isdecimal() and len(length) < 19):
            return refuse(400, f"Content-Length: {length[:40]} is no number of bytes", start_response)
        # Browsers offer permessage-deflate, and accepting it doubles the CPU time of every broadcast.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return self._app(environ, start_response)

    def _refusal(self, environ: WSGIEnvironment) -> str | None:
        host = environ.get("HTTP_HOST", "")
        # What a proxy says of the Host counts beside what was sent to us: a page of a rebound name could say it, too.
        sent: str = environ.get(SENT_HOST) or host
        foreign = next((name for name in (host, sent) if not self._is_ours(name)), None)
        if foreign is not None:
            return (
                f"This server does not answer to the name {foreign!r}: call it by localhost, "
                "or start it with this name among its hosts"
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin in self._origins:
            return None
        if origin is not None and _is_guarded(environ) and not _is_same(origin, host):
            return f"A page of {origin} may not use this server"
        site = environ.get("HTTP_SEC_FETCH_SITE")
        # A page of another port is of the same site. It could not read an answer, but open one session after another.
        if site == "same-site" and _is_guarded(environ):
            return "A page of another port may not use this server"
        if site == "cross-site" and not _may_cross(environ):
            return "A page of another site may not read from this server"
        return None

    def _is_ours(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].lower().rstrip(".")
        return name in self._hosts or is_loopback(name) or (self._numeric and _is_number(name))

    def _is_preflight(self, environ: WSGIEnvironment) -> bool:
        asked = "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        return environ["REQUEST_METHOD"] == "OPTIONS" and asked and environ.get("HTTP_ORIGIN") in self._origins

    def _sharing(self, environ: WSGIEnvironment) -> list[Header]:
        """Return what allows a named page to read the answer. It brings no cookie: it shows a token, if one is due."""
        origin = environ.get("HTTP_ORIGIN")
        if origin not in self._origins:
            return [("Vary", "Origin")] if self._origins else []
        return [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", "ETag"), ("Vary", "Origin")]


def is_loopback(name: str) -> bool:
    """Tell whether a host's name means this machine, however it is resolved.

    >>> is_loopback("127.8.0.1"), is_loopback("[::1]"), is_loopback("127.0.0.1.example.org")
    (True, True, False)
    """
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def page_policy(host: str, hosts: Sequence[str] = ()) -> str:
    """Return the Content-Security-Policy of our page, for the `host` it is called by."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self'",
            f"connect-src 'self' ws://{host} wss://{host}",
            "frame-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            _frame_ancestors(hosts),
        )
    )


def frame_policy(address: str, hosts: Sequence[str] = ()) -> str:
    """Return the policy of a cell's frame: its scripts run, in an origin of their own, and reach nothing.

    `address` is our scheme, host and prefix. A proxy may have another one that nobody told us: browsers of today take
    'self' in a frame, too, for where its document came from.
    """
    scripts = f"{address}{MPLD3}"
    return "; ".join(
        (
            "sandbox allow-scripts",
            "default-src 'none'",
            f"script-src 'unsafe-inline' {scripts} 'self'",
            "style-src 'unsafe-inline'",
            "img-src data: blob:",
            "font-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            _frame_ancestors(hosts),
        )
    )


def _frame_ancestors(hosts: Sequence[str]) -> str:
    """Return who may show us in a frame: ourselves, and notebooks on this machine or a named host."""
    named = [f"{scheme}://{name}:*" for name in hosts for scheme in ("http", "https") if _HOST.fullmatch(name)]
    return " ".join(["frame-ancestors 'self'", *_NOTEBOOKS, "vscode-webview:", *named])


def _is_guarded(environ: WSGIEnvironment) -> bool:
    return environ["REQUEST_METHOD"] not in _READING or environ.get("PATH_INFO", "").startswith("/socket.io")


def _is_same(origin: str, host: str) -> bool:
    scheme, parted, place = origin.partition("://")
    default = {"http": ":80", "https": ":443"}.get(scheme.lower())
    if not parted or default is None:
        return False
    return place.lower().removesuffix(default) == host.lower().removesuffix(default)


def _may_cross(environ: WSGIEnvironment) -> bool:
    """Tell whether a page of another site may ask this: it may lead here, or show us; a sandboxed frame loads mpld3."""
    if _is_guarded(environ):
        return False
    if environ.get("PATH_INFO", "").startswith(MPLD3):
        return True
    mode, destination = environ.get("HTTP_SEC_FETCH_MODE"), environ.get("HTTP_SEC_FETCH_DEST")
    return mode == "navigate" and destination in ("document", "iframe")


def _headers(environ: WSGIEnvironment) -> list[Header]:
    open_to_frames = environ.get("PATH_INFO", "").startswith(MPLD3)
    return [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "cross-origin" if open_to_frames else "same-origin"),
    ]


def _with_headers(start_response: StartResponse, added: list[Header]) -> StartResponse:
    def start(status: str, headers: list[Header], *failure: object) -> Callable[[bytes], object]:
        there = {name.lower() for name, _ in headers}
        extra = [(name, value) for name, value in added if name.lower() not in there]
        return start_response(status, headers + extra, *failure)  # type: ignore[arg-type]  # passed on as it came

    return start


def _preflight(environ: WSGIEnvironment) -> list[Header]:
    headers = [
        ("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE"),
        ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Service-Method"),
        ("Access-Control-Max-Age", "600"),
    ]
    if environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true":
        headers.append(("Access-Control-Allow-Private-Network", "true"))
    return headers


def refuse(code: int, message: str, start_response: StartResponse, headers: Sequence[Header] = ()) -> Iterable[bytes]:
    """Answer with an error in the shape of all errors."""
    body = json.dumps(error_of(code, message)).encode()
    sent = [*headers, ("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status_line(code), [*sent, ("X-Content-Type-Options", "nosniff")])
    return [body]


def drain(environ: WSGIEnvironment) -> None:
    """Read a body that nobody wants: a client that is still sending would not see the answer, but a broken pipe."""
    stream, left = environ["wsgi.input"], min(int(environ.get("CONTENT_LENGTH") or 0), _DRAINED)
    while left > 0 and (chunk := stream.read(min(left, 65536))):
        left -= len(chunk)


def status_line(code: int) -> str:
    """Return the status of an answer as WSGI wants it.

    >>> status_line(401)
    '401 UNAUTHORIZED'
    """
    return f"{code} {HTTPStatus(code).phrase.upper()}"
