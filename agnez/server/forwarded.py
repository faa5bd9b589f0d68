"""What stands in front of the server: a prefix of its addresses, and proxies that say who asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agnez.errors import BadValueError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SENT_HOST = "agnez.sent_host"
"""Where the Host stands that was sent, when a proxy named another one."""

_PREFIX = re.compile(r"(?:/[A-Za-z0-9_.~@:-]+)*")
_SCHEMES = ("http", "https")


def read_base(given: str) -> str:
    """Return a prefix as it is kept: with a slash before it, and none behind.

    Raises:
        BadValueError: it is no path.

    >>> read_base("lab/agnez/"), read_base("/")
    ('/lab/agnez', '')
    """
    base = "/" + given.strip("/") if given.strip("/") else ""
    if not _is_prefix(base):
        raise BadValueError(f"--base-url {given!r} is no path such as /agnez: letters, digits, slashes and -._~@: only")
    return base


def read_proxy(given: str) -> Network:
    """Return the address, or network, of a proxy.

    Raises:
        BadValueError: it is none.
    """
    try:
        return ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise BadValueError(f"--trusted-proxy {given!r} is no address such as 127.0.0.1 or 10.0.0.0/8") from None


class Forwarded:
    """Believe what named proxies say of a request, and take the prefix off its path, as a WSGI middleware.

    A proxy may have taken the prefix off already: then the path is taken as it comes.
    """

    def __init__(self, app: WSGIApplication, base: str = "", proxies: Sequence[Network] = ()) -> None:
        self._app = app
        self._base = base
        self._proxies = tuple(proxies)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if self._proxies and self._is_proxy(environ.get("REMOTE_ADDR", "")):
            self._believe(environ)
        path = environ.get("PATH_INFO", "")
        if self._base and path == self._base:
            query = environ.get("QUERY_STRING", "")
            # Relative: whatever stands before it in the address that the browser sees stays.
            place = f"./{self._base.rpartition('/')[2]}/{f'?{query}' if query else ''}"
            start_response("308 PERMANENT REDIRECT", [("Location", place), ("Content-Length", "0")])
            return []
        if self._base and path.startswith(f"{self._base}/"):
            self._shorten(environ)
        return self._app(environ, start_response)

    def _shorten(self, environ: WSGIEnvironment) -> None:
        environ["PATH_INFO"] = environ["PATH_INFO"][len(self._base) :]
        environ["SCRIPT_NAME"] = self._base
        for name in ("REQUEST_URI", "RAW_URI"):
            sent = str(environ.pop(name, ""))
            if sent.startswith(f"{self._base}/"):  # else it was written another way, and the path has to do
                environ[name] = sent[len(self._base) :]

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._proxies)

    def _believe(self, environ: WSGIEnvironment) -> None:
        for address in reversed(_listed(environ, "HTTP_X_FORWARDED_FOR")):
            environ["REMOTE_ADDR"] = address
            if not self._is_proxy(address):  # what lies beyond is what a stranger said
                break
        scheme = _last(environ, "HTTP_X_FORWARDED_PROTO").lower()
        if scheme in _SCHEMES:
            environ["wsgi.url_scheme"] = scheme
        host = _last(environ, "HTTP_X_FORWARDED_HOST")
        if host:
            environ[SENT_HOST] = environ.get("HTTP_HOST", "")
            environ["HTTP_HOST"] = host
        prefix = _last(environ, "HTTP_X_FORWARDED_PREFIX").rstrip("/")
        if prefix and _is_prefix(prefix):
            environ["SCRIPT_NAME"] = prefix


def _is_prefix(given: str) -> bool:
    parts = given.split("/")
    return _PREFIX.fullmatch(given) is not None and "." not in parts and ".." not in parts


def _listed(environ: WSGIEnvironment, name: str) -> list[str]:
    return [each.strip() for each in str(environ.get(name, "")).split(",") if each.strip()]


def _last(environ: WSGIEnvironment, name: str) -> str:
    """Return what the nearest proxy said: it adds to what came."""
    return (_listed(environ, name) or [""])[-1]
