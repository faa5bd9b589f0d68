"""The operations of the services: the same six methods, each where its service has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agnez.query import DEPTH
from agnez.record import Json
from agnez.server.contract.operation import JSON, Answer, Operation
from agnez.server.contract.schemas import ID, TEXT, ref
from agnez.server.service import Method, Service, Services

QUERY = f"""\
Every service understands the query language of [Feathers](https://feathersjs.com): `field=value`, where dots reach
into objects (`config.lr=0.1`) and a value matches an array that holds it; the operators `$ne $lt $lte $gt $gte $in
$nin`, written `field[$gt]=3`; alternatives, `$or[0][state]=failed&$or[1][state]=crashed`, and `$and` likewise;
`$sort[field]=1` or `-1`, `$limit`, `$skip`, and `$select=field`, once for each field. Text is compared with a number
as a number, with a flag as a flag. A query may have {DEPTH} levels. Names that begin with `$` and are none of these
are refused."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Say what a service is about: the schemas of its records, what one is called, what is often asked and given.

    `new` and `fields` are the schemas of what is created, and of what may be changed.
    """

    schema: str
    one: str
    asked: Sequence[Json]
    tag: str
    new: Json = None
    fields: Json = None
    created: Json = None
    changed: Json = None
    says: str = ""


_CELLS = _Kind(
    "Cell",
    "cell",
    [{"run": "a1b2c3d4e5", "type": "html"}, {"pos[$lt]": 4}],
    "values",
    new={"oneOf": [ref("NewCell"), {"type": "array", "items": ref("NewCell")}]},
    fields=ref("CellFields"),
    created={"name": "hello", "type": "html", "value": "<b>from a program</b>", "pos": 0, "description": ""},
    changed={"value": "<b>once more</b>"},
    says="Of an array all are created, or none. ",
)
_KINDS: Mapping[str, _Kind] = {
    "values": _CELLS,
    "cells": _CELLS,
    "runs": _Kind(
        "Run",
        "run",
        [{"project": "digits", "state": "running"}, {"config.lr[$lte]": 0.01}],
        "runs",
        new=ref("NewRun"),
        fields=ref("RunFields"),
        created={"project": "digits", "config": {"lr": 0.001}, "tags": ["baseline"]},
        changed={"state": "finished"},
        says="The server records it, for a program that sends its points. A program that is silent for 45 s counts as "
        "crashed until its next sign of life; an empty array of points is one. ",
    ),
    "projects": _Kind("Project", "project", [{"runs[$gt]": 1}], "projects"),
    "findings": _Kind("Finding", "finding", [{"run": "a1b2c3d4e5"}, {"severity[$ne]": "info"}], "findings"),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Say where a service answers: its path, the parameters of that, and the name of its records' parameter."""

    name: str
    path: str
    kind: _Kind
    outer: Sequence[str] = ()
    id: str = "id"

    @property
    def event(self) -> str:
        return "values" if self.kind is _CELLS else self.name


def operations(services: Services, *, pages: bool) -> Iterator[Operation]:
    """Return what the services do, each by the methods that it has. `pages` tells that `find` answers in pages."""
    for name, service in services.named.items():
        yield from _operations(_Place(name, f"/{name}", _KINDS[name]), service, pages)
        for inner in services.inner(name):
            place = _Place(f"{inner}_of_{name}", f"/{name}/{{id}}/{inner}", _KINDS[inner], ("id",), "record")
            nested = services.inside(name, "", inner)
            assert nested is not None
            yield from _operations(place, nested, pages)


def _operations(place: _Place, service: Service, pages: bool) -> Iterator[Operation]:
    for method in service.of_all:
        if method == "find":
            yield _find(place, pages)
        elif method == "create":
            yield _create(place)
        elif method != "update":  # which answers that an id is missing
            yield _of_all(place, method)
    for method in service.of_one:
        yield _of_one(place, method)


def parameters() -> dict[str, Json]:
    """Return the parameters of all queries, as components that operations refer to."""
    return {
        "id": _id("id"),
        "record": _id("record"),
        "limit": _query("$limit", {"type": "integer", "minimum": 0}, "At most so many records; 0 gives none."),
        "skip": _query("$skip", {"type": "integer", "minimum": 0}, "Leave out so many records first."),
        "sort": _query(
            "$sort",
            {"type": "object", "additionalProperties": {"enum": [1, -1]}, "examples": [{"name": 1}]},
            "Fields to sort by, in their order: 1 up, -1 down.",
            style="deepObject",
        ),
        "select": _query("$select", {"type": "array", "items": TEXT}, "Fields to answer with; `_id` always comes."),
    }


def _id(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": ID, "description": "An `_id`, percent-encoded."}


def _query(name: str, schema: Json, says: str, *, style: str = "form") -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": says, "style": style, "explode": True}


def _shared(*names: str) -> list[Json]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _where(kind: _Kind) -> Json:
    """Return the conditions of a query: what a text means is told by the value that it is compared with."""
    conditions: Json = {"type": "object", "examples": [*kind.asked]}
    return _query("where", conditions, "Conditions on any fields: `field=value`, or `field[$gt]=value` and its like.")


# --- the six methods -------------------------------------------------------------------------------------------------

_SUMMARIES: Mapping[Method, str] = {
    "get": "Read one {}",
    "update": "Replace one {} as a whole",
    "patch": "Change fields of one {}",
    "remove": "Remove one {}",
}
_OF_ALL: Mapping[Method, str] = {
    "patch": "Change fields of all {}s that match",
    "remove": "Remove all {}s that match",
}
_HTTP: Mapping[Method, str] = {"get": "get", "update": "put", "patch": "patch", "remove": "delete"}
_EVENTS: Mapping[Method, str] = {"create": "created", "update": "updated", "patch": "patched", "remove": "removed"}


def _find(place: _Place, pages: bool) -> Operation:
    kind = place.kind
    found: Json = {"type": "array", "items": ref(kind.schema)}
    if pages:
        counts: dict[str, Json] = {each: {"type": "integer", "minimum": 0} for each in ("total", "limit", "skip")}
        found = {"type": "object", "properties": {**counts, "data": found}, "required": [*counts, "data"]}
    return Operation(
        "get",
        place.path,
        f"find_{place.name}",
        kind.tag,
        f"Find {kind.one}s",
        {200: Answer(f"The {kind.one}s that match.", {JSON: found})},
        parameters=[*_shared(*place.outer, "limit", "skip", "sort", "select"), _where(kind)],
        refusals=(503, *_missing(place)),
    )


def _create(place: _Place) -> Operation:
    kind = place.kind
    made = ref(kind.schema)
    many = kind.new != ref(f"New{kind.schema}")
    answer: Json = {"oneOf": [made, {"type": "array", "items": made}]} if many else made
    return Operation(
        "post",
        place.path,
        f"create_{place.name}",
        kind.tag,
        f"Create a {kind.one}{', or each of an array' if many else ''}",
        {201: Answer(f"The {kind.one} as it was kept.", {JSON: answer}, links=_links(place))},
        description=kind.says + _told(place, "create"),
        parameters=_shared(*place.outer, "select"),
        body={JSON: {"schema": kind.new, "examples": {kind.one: {"value": kind.created}}}},
        refusals=(405, 409, 503, *_missing(place)) if kind is _CELLS else (404, 409, 503),
    )


def _of_one(place: _Place, method: Method) -> Operation:
    kind = place.kind
    return Operation(
        _HTTP[method],
        f"{place.path}/{{{place.id}}}",
        f"{method}_{place.name}",
        kind.tag,
        _SUMMARIES[method].format(kind.one),
        {200: Answer(f"The {kind.one}{' as it was' if method == 'remove' else ''}.", {JSON: ref(kind.schema)})},
        description="" if method == "get" else _told(place, method),
        parameters=[*_shared(*place.outer, place.id, "select"), _where(kind)],
        body=None if method in ("get", "remove") else _fields(kind, method),
        refusals=(404, 503) if method == "get" or (kind is _CELLS and method == "remove") else (404, 409, 503),
    )


def _of_all(place: _Place, method: Method) -> Operation:
    kind = place.kind
    return Operation(
        _HTTP[method],
        place.path,
        f"{method}_all_{place.name}",
        kind.tag,
        _OF_ALL[method].format(kind.one),
        {200: Answer("Those that were concerned.", {JSON: {"type": "array", "items": ref(kind.schema)}})},
        description=f"Without a query that is all of them. {_told(place, method)}",
        parameters=[*_shared(*place.outer, "select"), _where(kind)],
        body=None if method == "remove" else _fields(kind, method),
        refusals=(405, *((409,) if method == "patch" else ()), 503, *_missing(place)),
    )


def _missing(place: _Place) -> tuple[int, ...]:
    return (404,) if place.outer else ()


def _told(place: _Place, method: Method) -> str:
    event = _EVENTS[method]
    nested = f"; of a cell that names a run by `runs/<its id>/cells {event}`, too" if place.kind is _CELLS else ""
    return f"Every client hears of it by the event `{place.event} {event}`{nested}."


def _fields(kind: _Kind, method: Method) -> Mapping[str, Json]:
    example = kind.changed if method == "patch" else kind.created
    return {JSON: {"schema": kind.fields, "examples": {kind.one: {"value": example}}}}


def _links(place: _Place) -> Mapping[str, Json]:
    outer = {f"path.{each}": f"$request.path.{each}" for each in place.outer}
    one = {"parameters": {**outer, f"path.{place.id}": "$response.body#/_id"}}
    followed: tuple[Method, ...] = ("get", "patch", "remove")
    return {f"{method}_{place.name}": {"operationId": f"{method}_{place.name}", **one} for method in followed}
