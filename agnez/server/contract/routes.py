"""Where the contract is read: `/openapi.json` by programs, `/api` by people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Flask, Response, render_template, request

from agnez._version import __version__
from agnez.errors import BadValueError
from agnez.record import Json
from agnez.server.contract import reading
from agnez.server.contract.document import document
from agnez.server.rest import json_response
from agnez.server.security import page_policy
from agnez.server.service import Services


def install(
    flask: Flask,
    services: Services,
    *,
    pages: bool,
    locked: bool,
    hosts: Sequence[str],
    styles: Callable[[], Sequence[str]],
) -> None:
    """Give the contract of `services`, and of all else that is served, its addresses.

    `pages` tells that `find` answers in pages, `locked` that a token is asked for; `styles` are those of our page.
    """

    def contract() -> dict[str, Json]:
        return document(services, root=request.script_root or "/", pages=pages, locked=locked)

    @flask.get("/openapi.json")
    def openapi() -> Response:
        return json_response(contract())

    @flask.get("/api")
    def api() -> Response:
        theme = request.args.get("theme", "")
        if theme not in ("", "light", "dark"):
            raise BadValueError("?theme= is light or dark")
        told: reading.Document = contract()
        html = render_template(
            "api.html",
            version=__version__,
            theme=theme,
            styles=styles(),
            lead=reading.paragraphs(told["info"]["description"]),
            sections=reading.sections(told, request.host_url.rstrip("/") + request.script_root),
            failures=reading.failures(told),
            shapes=reading.shapes(told),
        )
        response = Response(html)
        response.headers["Content-Security-Policy"] = page_policy(request.host, hosts)
        response.headers["Cache-Control"] = "no-cache"
        return response
