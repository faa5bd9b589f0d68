"""The door: whoever comes shows a token, once, and keeps a cookie."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlencode

from socketio.exceptions import ConnectionRefusedError as RefusedError

from agnez.server.guesses import TooManyGuessesError
from agnez.server.security import Header, refuse, status_line
from agnez.server.service import error_of
from agnez.server.tokens import Right, Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RIGHT = "agnez.right"
"""Where the environment of a request, or of a socket, says what it may do: "change", "read", or None."""

_UNKNOWN = "This server asks for a token: open the link that it printed, or send `Authorization: Bearer <token>`"
READS_ONLY = "This token only reads: ask for the one that may change things"
_READING = ("GET", "HEAD", "OPTIONS")
_LONGEST_FORM = 4096
_MONTH = 30 * 24 * 3600
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"


class _Shown(NamedTuple):
    """Say what a token that somebody showed allows; `code` is that of a refusal."""

    right: Right | None
    code: int = 401


class Door:
    """Let in those who show a token, as a WSGI middleware; without tokens there is nothing to show.

    `has_room` tells whether one more socket may be opened by somebody who has not shown a token yet.
    """

    def __init__(
        self, app: WSGIApplication, tokens: Tokens | None, has_room: Callable[[], bool] = lambda: True
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._has_room = has_room

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or refuse it: with 401, with 403 what only reads, with 429 who guesses."""
        if self._tokens is None:
            environ[RIGHT] = "change"
            return self._app(environ, start_response)
        right = self._right_of_cookie(environ, self._tokens)
        token = _token_of_page(environ)
        if token is not None:
            return self._greet(environ, start_response, self._tokens, _try(self._tokens, token, environ), right)
        bearer = _bearer(environ)
        if bearer is not None:
            shown = _try(self._tokens, bearer, environ)
            if shown.right is None:
                return _turn_away(shown.code, environ, start_response)
            right = shown.right
        environ[RIGHT] = right
        code = self._refusal(environ, right)
        return self._app(environ, start_response) if code is None else _turn_away(code, environ, start_response)

    def _refusal(self, environ: WSGIEnvironment, right: Right | None) -> int | None:
        path = environ.get("PATH_INFO", "")
        if path == "/socket.io" or path.startswith("/socket.io/"):  # who may speak is asked on joining a namespace
            fresh = "sid" not in parse_qs(environ.get("QUERY_STRING", ""))  # read as python-engineio reads it
            return 503 if right is None and fresh and not self._has_room() else None
        if right is None:
            # A sandboxed frame, which loads these, sends no cookie; they are the same for all the world.
            return None if path.startswith("/assets/") else 401
        return 403 if right == "read" and environ["REQUEST_METHOD"] not in _READING else None

    def _right_of_cookie(self, environ: WSGIEnvironment, tokens: Tokens) -> Right | None:
        try:
            cookie = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(tokens.cookie_name)
        except CookieError:
            return None
        return tokens.right_of_cookie(cookie.value) if cookie is not None else None

    def _greet(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        tokens: Tokens,
        shown: _Shown,
        known: Right | None,
    ) -> Iterable[bytes]:
        """Send whoever showed a right token on to the page, with a cookie and without the token in the address."""
        if shown.right is None and known is None:
            return _turn_away(shown.code, environ, start_response)
        kept = [pair for pair in parse_qsl(environ.get("QUERY_STRING", ""), True) if pair[0] != "token"]
        headers = [("Location", f"./?{urlencode(kept)}" if kept else "./"), ("Cache-Control", "no-store")]
        if shown.right is not None:
            # Without a path the browser takes the folder of the page, under whatever prefix it sees it. Strict would
            # not be sent when a link elsewhere leads here; and no stranger's page gets past the gate with Lax either.
            cookie = f"{tokens.cookie_name}={tokens.cookie(shown.right)}; Max-Age={_MONTH}; HttpOnly; SameSite=Lax"
            secure = "; Secure" if environ.get("wsgi.url_scheme") == "https" else ""
            headers.append(("Set-Cookie", cookie + secure))
        start_response("303 SEE OTHER", [*headers, ("Content-Length", "0")])
        return []


def admit_socket(tokens: Tokens | None, environ: WSGIEnvironment, auth: object) -> None:
    """Let a socket join a namespace, by its `auth` (`{"token": …}`), or by what its handshake showed.

    Raises:
        ConnectionRefusedError: of python-socketio, with the error for the client.
    """
    if tokens is None:
        environ[RIGHT] = "change"
        return
    token = auth.get("token") if isinstance(auth, dict) else None
    shown = _try(tokens, token, environ) if isinstance(token, str) else _Shown(environ.get(RIGHT))
    if shown.right is None:
        error = error_of(shown.code, _words(shown.code))
        raise RefusedError(error["message"], error)
    environ[RIGHT] = shown.right


def may_change(environ: WSGIEnvironment) -> bool:
    """Tell whether who sent a request, or opened a socket, may change things."""
    return environ.get(RIGHT) == "change"


def _try(tokens: Tokens, token: str, environ: WSGIEnvironment) -> _Shown:
    try:
        return _Shown(tokens.right_of(token, str(environ.get("REMOTE_ADDR", ""))))
    except TooManyGuessesError:
        return _Shown(None, 429)


def _token_of_page(environ: WSGIEnvironment) -> str | None:
    """Return the token that a link to the page, or its form, shows."""
    if not _is_page(environ):
        return None
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return _field(environ.get("QUERY_STRING", ""))
    if environ["REQUEST_METHOD"] != "POST" or int(environ.get("CONTENT_LENGTH") or 0) > _LONGEST_FORM:
        return None
    if not str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded"):
        return None
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode("utf-8", "replace")
    return _field(body) or ""


def _field(form: str) -> str | None:
    return dict(parse_qsl(form, True)).get("token")


def _is_page(environ: WSGIEnvironment) -> bool:
    return environ.get("PATH_INFO", "") in ("", "/")


def _bearer(environ: WSGIEnvironment) -> str | None:
    scheme, _, token = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _words(code: int) -> str:
    if code == 403:
        return READS_ONLY
    if code == 429:
        return "Too many wrong tokens came from your address: wait a second"
    return "Too many sockets wait that have shown no token: try again" if code == 503 else _UNKNOWN


def _turn_away(code: int, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    headers: list[Header] = [("Cache-Control", "no-store")]
    headers += [("WWW-Authenticate", 'Bearer realm="Agnez"')] if code == 401 else []
    headers += [("Retry-After", "1")] if code in (429, 503) else []
    if code in (401, 429) and _is_page(environ) and "text/html" in environ.get("HTTP_ACCEPT", ""):
        return _locked(code, headers, start_response)
    return refuse(code, _words(code), start_response, headers)


def _locked(code: int, headers: list[Header], start_response: StartResponse) -> Iterable[bytes]:
    """Answer a browser: a page that takes a token, and says the same whether one was wrong or missing."""
    body = files("agnez.templates").joinpath("locked.html").read_bytes()
    headers = [*headers, ("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status_line(code), [*headers, ("Content-Security-Policy", _POLICY)])
    return [body]
