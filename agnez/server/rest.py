"""The services over HTTP, and errors as JSON wherever they happen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import NoReturn
from urllib.parse import quote, unquote

from flask import Blueprint, Flask, Request, Response, request
from werkzeug.exceptions import (
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)
from werkzeug.routing import BaseConverter

from agnez.errors import BadValueError, NotFoundError
from agnez.query import read_text
from agnez.record import Json
from agnez.server.security import drain
from agnez.server.service import Call, Method, MethodNotAllowedError, Service, Services, error_object, error_of, perform
from agnez.wire import dump

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of a request's body."""

_VERBS: Mapping[str, Method] = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "remove"}
_METHODS: Mapping[Method, str] = {"find": "GET", "get": "GET", **{method: verb for verb, method in _VERBS.items()}}


class _Anything(BaseConverter):
    """Match the rest of a path, whatever it holds: the id is read from the path as it was sent."""

    regex = ".*"
    part_isolating = False
    weight = 300  # every other address comes first


def install(app: Flask, services: Services) -> None:
    """Give each service its addresses, `/<name>` and `/<name>/<id>`, and make every error of the app JSON.

    One that is nested has `/<name>/<id>/<inner>` and `/<name>/<id>/<inner>/<id>`.
    """
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["anything"] = _Anything
    blueprint = Blueprint("services", __name__)
    for name in services.named:
        view = partial(_answer, services, name)
        for rule, methods in _rules(services, name):
            blueprint.add_url_rule(rule, name, view, methods=[_METHODS[each] for each in methods])
    app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _error)


def _rules(services: Services, name: str) -> Iterator[tuple[str, tuple[Method, ...]]]:
    """Return where a service answers, and those that each of its records has, with the methods of each address."""
    inner = services.inner(name)
    yield f"/{name}", services.named[name].of_all
    # Where records have addresses of their own, a slash in an id would be taken for one of those.
    yield f"/{name}/{'<_>' if inner else '<anything:_>'}", services.named[name].of_one
    for each in inner:
        service = services.inside(name, "", each)
        assert service is not None
        yield f"/{name}/<_outer>/{each}", service.of_all
        yield f"/{name}/<_outer>/{each}/<anything:_>", service.of_one


def json_response(value: Json, status: int = 200) -> Response:
    """Return JSON as the wire has it."""
    # Half a character, which only a message can quote, is written as its escape.
    body = dump(value).encode("utf-8", "backslashreplace")
    response = Response(body, status, content_type="application/json; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


def _answer(services: Services, name: str, **_: str) -> Response:
    service, id = _service(services, name, _rest(request, name))
    method = _method(request, id)
    has_data = method in ("create", "update", "patch")
    data = _body(request) if has_data else None
    call = Call(method, read_text(request.query_string.decode("latin-1")), id, data)
    return json_response(perform(service, call), 201 if method == "create" else 200)


def _service(services: Services, name: str, rest: str) -> tuple[Service, str | None]:
    """Return the service that a path leads to, and the id that it names."""
    id, _, further = rest.partition("/")
    inner, _, last = further.partition("/")
    nested = services.inside(name, unquote(id), inner) if inner else None
    if nested is not None:
        return nested, unquote(last) or None
    return services.named[name], unquote(rest) or None


def _rest(request: Request, name: str) -> str:
    """Return what stands behind the service's name. Only the path as it was sent tells slashes in ids.

    Raises:
        NotFoundError: the path has no such name before its first slash: `/values%2Fa` is not all of `/values`.
    """
    sent: str = request.environ.get("REQUEST_URI") or quote(request.path)
    path = sent.partition("?")[0]
    if not path.startswith("/"):  # the absolute form, which proxies send
        path = "/" + path.partition("://")[2].partition("/")[2]
    first, _, rest = path[1:].partition("/")
    if unquote(first) != name:
        raise NotFoundError(f"{request.path} does not exist")
    return rest.removesuffix("/")


def _method(request: Request, id: str | None) -> Method:
    asked = request.headers.get("X-Service-Method", "create")
    if request.method == "POST" and asked != "create":
        raise MethodNotAllowedError(f"Method '{asked}' is not supported by this endpoint.")
    if request.method == "POST" and id is not None:
        raise MethodNotAllowedError("POST takes no id in its path: create with an `_id` in the body, or PUT")
    return _VERBS.get(request.method) or ("find" if id is None else "get")


def read_body(request: Request) -> bytes:
    """Return the bytes of a request's body.

    Raises:
        RequestEntityTooLarge: it has more than `LARGEST_BODY`.
        RequestTimeout: it took too long to come in.
    """
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        drain(request.environ)
        raise
    except ClientDisconnected as error:
        if isinstance(error.__context__, TimeoutError):
            raise RequestTimeout("The body took too long to come in") from error
        raise
    if request.content_length is None and len(body) >= LARGEST_BODY:
        raise RequestEntityTooLarge  # werkzeug cuts a body in chunks at the bound, and says nothing
    return body


def _body(request: Request) -> Json:
    body = read_body(request)
    if not body:
        raise BadValueError("The body is empty; a JSON object or array is wanted")
    if request.mimetype != "application/json" or request.content_encoding:
        raise UnsupportedMediaType("The body must be JSON, sent as Content-Type: application/json, not compressed")
    try:
        data: Json = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadValueError(f"The body is not JSON: {error}") from error
    if not isinstance(data, dict | list):
        raise BadValueError("The body must be a JSON object or array")
    return data


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _http_error(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return Response(error.get_body(), error.code, dict(error.get_headers()))
    message = f"{request.path} does not exist" if error.code == 404 else error.description or error.name
    response = json_response(error_of(error.code, message), error.code)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _error(error: Exception) -> Response:
    body = error_object(error)
    code = body["code"]
    response = json_response(body, code if isinstance(code, int) else 500)
    if isinstance(error, MethodNotAllowedError) and request.url_rule is not None:
        response.headers["Allow"] = ", ".join(sorted((request.url_rule.methods or set()) - {request.method}))
    return response
