"""Where the contract is read: `/openapi.json`."""

from __future__ import annotations

from flask import Flask, Response, request

from agnez.server.contract.document import document
from agnez.server.rest import json_response
from agnez.server.service import Services


def install(flask: Flask, services: Services, *, pages: bool) -> None:
    """Give the contract of `services`, and of all else that is served, its address."""

    @flask.get("/openapi.json")
    def openapi() -> Response:
        return json_response(document(services, root=request.script_root or "/", pages=pages))
