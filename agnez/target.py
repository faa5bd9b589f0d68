"""The address of a server that runs elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from agnez.errors import BadValueError

_CURE = "give one such as http://gpu-1:3000/"


@dataclass(frozen=True, slots=True)
class Target:
    """Say which server is meant. `url` ends with a slash, and bears no token."""

    url: str
    token: str | None = None

    @classmethod
    def read(cls, url: str, token: str | None = None) -> Target:
        """Read the address of a server; a token in it (`?token=`) wins over `token`.

        Raises:
            BadValueError: it is none.

        >>> Target.read("http://gpu-1:3000/?token=abc")
        Target(url='http://gpu-1:3000/', token='abc')
        """
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018  # it raises what is wrong with it
        except ValueError as error:
            raise BadValueError(
                f"server={url!r} is no address ({error}): give one such as http://gpu-1:3000/"
            ) from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise BadValueError(f"server={url!r} is no address of a server: {_CURE}")
        given = parse_qs(parts.query).get("token")
        path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
        return cls(f"{parts.scheme}://{parts.netloc}{path}", given[0] if given else token)

    def page(self, run: str) -> str:
        """Return the address at which a browser is let in and shows a run."""
        token = f"&token={quote(self.token)}" if self.token else ""
        return f"{self.url}?run={run}{token}"
