"""The OpenAPI document: all that this server promises, in one JSON object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agnez._version import __version__
from agnez.record import Json
from agnez.server.contract import addresses, services
from agnez.server.contract.operation import Operation, refusals
from agnez.server.contract.schemas import schemas
from agnez.server.service import Services

_ABOUT = """\
Everything that the page shows can be read and written by any program that speaks HTTP and JSON. The same services
answer over Socket.IO, with an event for each change, as the official clients of Feathers speak; `docs/languages.md` has
whole programs in several languages.

Errors are JSON objects everywhere. A page of another origin can neither read nor write."""

_TOKEN = "The token that the server printed, where it asks for one; a browser that showed it once keeps a cookie."

_TAGS: Mapping[str, str] = {
    "values": "The cells of every dashboard.",
    "runs": "The trainings.",
    "points": "The numbers of a run.",
    "media": "Pictures and the like, kept as files of a run.",
    "projects": "Named groups of runs.",
    "findings": "What the diagnosis says of a run.",
    "server": "What serves here.",
}


def document(offered: Services, *, root: str, pages: bool, locked: bool) -> dict[str, Json]:
    """Return the document. `offered` are the services, `root` is the address that all paths begin with.

    `pages` tells that `find` answers in pages, `locked` that a token is asked for.
    """
    known = [*services.operations(offered, pages=pages), *addresses.operations()]
    lock: dict[str, Json] = {"security": [{"token": []}]} if locked else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Agnez", "version": __version__, "description": f"{_ABOUT}\n\n{services.QUERY}"},
        "servers": [{"url": root}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        **lock,
        "paths": _paths(known, locked),
        "components": {
            "schemas": schemas(),
            "parameters": services.parameters() | addresses.parameters(),
            "responses": refusals(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": _TOKEN}},
        },
    }


def _paths(known: Iterable[Operation], locked: bool) -> dict[str, Json]:
    paths: dict[str, dict[str, Json]] = {}
    for each in known:
        paths.setdefault(each.path, {})[each.method] = each.spoken(locked=locked)
    return dict(paths)
