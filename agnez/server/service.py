"""What a service is, whichever way its calls come: the methods, the calls, the errors."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeGuard, get_args

from agnez.errors import AgnezError, BadValueError, ConflictError, NotFoundError
from agnez.query import Query, Record
from agnez.record import Json

log = logging.getLogger(__name__)

Method = Literal["find", "get", "create", "update", "patch", "remove"]
METHODS: tuple[Method, ...] = get_args(Method)


Announce = Callable[[str, str, Record], None]
"""Tells every client what happened to a record of a service: `values`, "patched", the record."""


class MethodNotAllowedError(AgnezError):
    """Report a method that a service, or an address, does not have."""


class ForbiddenError(AgnezError):
    """Report a call that this client may not make."""


@dataclass(frozen=True, slots=True)
class Pagination:
    """Have `find` answer in pages: `default` records where no `$limit` is given, never more than `most`."""

    default: int
    most: int

    def limit(self, query: Query) -> int:
        """Return how many records a page of a query has at the most."""
        return min(self.default if query.limit is None else query.limit, self.most)


@dataclass(frozen=True, slots=True)
class Call:
    """Hold one call of a service."""

    method: Method
    query: Query
    id: str | None = None
    data: Json = None


class Service(Protocol):
    """Answer questions about records."""

    of_all: ClassVar[tuple[Method, ...]]
    """What it answers to without an id, if only by saying that one is missing."""

    of_one: ClassVar[tuple[Method, ...]]
    """What it does with the record of an id."""

    def find(self, query: Query) -> Json:
        """Return the records that match."""

    def get(self, id: str, query: Query) -> Record:
        """Return one record, if it matches."""


class WritableService(Service, Protocol):
    """Change records, too. `id` None means all that match."""

    def create(self, data: Json, query: Query) -> Json:
        """Add a record, or each of an array."""

    def update(self, id: str, data: Json, query: Query) -> Record:
        """Replace a record."""

    def patch(self, id: str | None, data: Json, query: Query) -> Json:
        """Merge data into a record."""

    def remove(self, id: str | None, query: Query) -> Json:
        """Remove a record, and return it."""


def _is_writable(service: Service) -> TypeGuard[WritableService]:
    return "remove" in service.of_one


def perform(service: Service, call: Call) -> Json:
    """Do a call.

    Raises:
        AgnezError: it cannot be done; `error_object` says it in the words of the wire.
    """
    if call.method == "find":
        return service.find(call.query)
    if call.method == "get":
        return service.get(_required(call), call.query)
    if not _is_writable(service):
        raise MethodNotAllowedError(f"Method '{call.method}' is not supported by this endpoint.")
    if call.method == "create":
        return service.create(call.data, call.query)
    if call.method == "update":
        return service.update(_required(call), call.data, call.query)
    if call.method == "patch":
        return service.patch(call.id, call.data, call.query)
    return service.remove(call.id, call.query)


class Services:
    """Hold the services by their paths.

    `nested` are those that each record of another service has one of: `runs/<id>/cells`, under `("runs", "cells")`, is
    made by its maker of that id.
    """

    def __init__(
        self,
        named: Mapping[str, Service],
        nested: Mapping[tuple[str, str], Callable[[str], Service]] | None = None,
    ) -> None:
        self.named = named
        self._nested = nested or {}

    def at(self, path: str) -> Service | None:
        """Return the service of a path, if there is one."""
        parts = path.strip("/").split("/")
        if len(parts) == 3:
            return self.inside(parts[0], parts[1], parts[2])
        return self.named.get("/".join(parts))

    def inner(self, name: str) -> list[str]:
        """Return which services each record of the service `name` has."""
        return [inner for outer, inner in self._nested if outer == name]

    def inside(self, name: str, id: str, inner: str) -> Service | None:
        """Return the service `inner` of one record of the service `name`, if it has such a one."""
        make = self._nested.get((name, inner))
        return make(id) if make else None


def page(
    records: Iterable[Record],
    query: Query,
    pagination: Pagination | None = None,
    *,
    told: Callable[[Record], Record] = lambda record: record,
) -> Json:
    """Return what `find` answers with of `records`: an array, or a page object; `told` makes of a record its JSON."""
    found = query.sorted(records)
    limit = pagination.limit(query) if pagination else query.limit
    end = None if limit is None else query.skip + limit
    data: list[Json] = [told(query.trimmed(record)) for record in found[query.skip : end]]
    if pagination is None:
        return data
    return {"total": len(found), "limit": limit, "skip": query.skip, "data": data}


def one(record: Record, query: Query) -> Record:
    """Return the record if it matches the query.

    Raises:
        NotFoundError: it does not.
    """
    if not query.matches(record):
        raise NotFoundError(f"No record found for id '{record['_id']}'")
    return record


_NAMES: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (BadValueError, 400),
    (ForbiddenError, 403),
    (ConflictError, 409),
    (MethodNotAllowedError, 405),
)
_CODES = {
    400: "BadRequest",
    401: "NotAuthenticated",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "Timeout",
    409: "Conflict",
    411: "LengthRequired",
    413: "PayloadTooLarge",
    414: "URITooLong",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    500: "GeneralError",
    503: "Unavailable",
}


def error_object(error: Exception) -> dict[str, Json]:
    """Return an error as the wire says it. One that nobody foresaw goes to the log, not to the client."""
    for kind, code in _NAMES:
        if isinstance(error, kind):
            return error_of(code, str(error))
    log.error("a call failed", exc_info=error)
    if isinstance(error, sqlite3.OperationalError):  # a full disk, a file that another process holds for too long
        return error_of(503, f"The store does not answer: {error}")
    return error_of(500, str(error) if isinstance(error, AgnezError) else "The server failed; its log says why")


def error_of(code: int, message: str) -> dict[str, Json]:
    """Return the error of an HTTP status as the wire says it.

    >>> error_of(404, "No record found for id 'nope'")["className"]
    'not-found'
    """
    name = _CODES.get(code) or ("BadRequest" if 400 <= code < 500 else "GeneralError")
    class_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
    return {"name": name, "message": message, "code": code, "className": class_name}


def _required(call: Call) -> str:
    if call.id is None:
        raise BadValueError(f"id for '{call.method}' can not be undefined")
    return call.id
