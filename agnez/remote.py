"""A server somewhere else, as a program that sends to it sees it: one connection, and two kinds of failure."""

from __future__ import annotations

import http.client
import json
import ssl
from urllib.parse import urlsplit

from agnez import wire
from agnez.errors import AgnezError
from agnez.record import Json
from agnez.target import Target

_SECONDS = 20.0
_PASSING = (408, 425, 429)
_LARGEST = 64 * 1024 * 1024  # bytes of an answer


class AwayError(AgnezError):
    """Report that a server does not answer now. It may later."""


class RefusedError(AgnezError):
    """Report that a server answers, and refuses: another try changes nothing. `code` is HTTP's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Remote:
    """Ask a server. One thread may use it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._parts = urlsplit(target.url)
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Hang up. Closing twice does no harm, and the next call connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, path: str, body: Json | bytes = None, kind: str = "application/json") -> Json:
        """Send a request to an address below the server's, and return the JSON of its answer.

        Raises:
            AwayError: nobody answers, or only that it cannot now.
            RefusedError: the server refuses.
        """
        content = body if isinstance(body, bytes) else None if body is None else wire.dump(body).encode()
        fresh = self._connection is None
        try:
            status, answer = self._exchange(method, path, content, kind)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if fresh:
                raise AwayError(_reason(error)) from error
            return self.call(method, path, body, kind)  # it had closed the connection while that rested
        if status >= 500 or status in _PASSING:
            raise AwayError(f"it answers {status}: {_message(answer)}")
        if status >= 300:
            raise RefusedError(status, _message(answer))
        return answer

    def _exchange(self, method: str, path: str, content: bytes | None, kind: str) -> tuple[int, Json]:
        if self._connection is None:
            self._connection = self._connect()
        headers = {"Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = kind
        if self.target.token is not None:
            headers["Authorization"] = f"Bearer {self.target.token}"
        self._connection.request(method, f"{self._parts.path}{path}", content, headers)
        response = self._connection.getresponse()
        answer = response.read(_LARGEST)
        if response.will_close:
            self.close()
        try:
            return response.status, json.loads(answer)
        except ValueError:
            if response.status >= 300:  # a proxy's page
                return response.status, None
            raise http.client.HTTPException("what answers there is no Agnez server") from None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_SECONDS)
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=ssl.create_default_context())


def _reason(error: Exception) -> str:
    strerror = getattr(error, "strerror", None)
    return str(strerror or error or type(error).__name__)


def _message(answer: Json) -> str:
    message = answer.get("message") if isinstance(answer, dict) else None
    return str(message or "it does not say why")
