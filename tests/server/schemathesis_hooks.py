"""What schemathesis cannot know: pictures, points messages, and what OpenAPI has no word for."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
import schemathesis
from hypothesis import strategies
from PIL import Image
from schemathesis.openapi.checks import UseAfterFree
from schemathesis.specs.openapi.checks import use_after_free

from agnez import wire
from agnez.record import Series
from agnez.server.posting import BINARY, LINES

STREAM = {"writer", "sequence"}
PART = {"x", "from", "to", "rank", "branch", "means"}
OPERATORS = ("$ne", "$lt", "$lte", "$gt", "$gte", "$in", "$nin")


@schemathesis.hook
def filter_query(context: schemathesis.HookContext, query: object) -> bool:
    """Leave out names that begin with `$`, and brackets within names: they would mean something else."""
    if not isinstance(query, Mapping):
        return True
    known = {parameter.name for parameter in context.operation.query}
    return all(name in known or _is_plain(name) for name in query) and all(map(_has_plain_names, query.values()))


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, object]) -> None:
    """Mend a valid request where the description of its operation says what goes together, and OpenAPI cannot."""
    if case.meta is None or case.meta.generation.mode.is_negative or not isinstance(case.query, dict):
        return
    query, names = case.query, set(case.query)
    if case.path == "/frame" and not names & {"cell", "src"}:
        query["src"] = ""
    elif case.path.endswith("/series") and names & PART:
        query.pop("after", None)
        if "means" in names:
            query.pop("max", None)
            query.pop("x", None)
        if {"from", "to"} <= names:
            query["from"], query["to"] = sorted((query["from"], query["to"]))
    elif case.method == "POST" and case.path in ("/runs/{id}/points", "/runs/{id}/album") and len(names & STREAM) == 1:
        query.pop((names & STREAM).pop())


@schemathesis.check
def removed_is_gone(ctx: object, response: object, case: schemathesis.Case) -> bool | None:
    """Be `use_after_free`, which takes DELETE of a collection within a record for the end of the collection itself."""
    try:
        return use_after_free(ctx, response, case)
    except UseAfterFree as failure:
        if failure.free.endswith("/cells"):  # it removes the cells that match
            return None
        raise


@schemathesis.serializer(LINES, "text/html", "text/markdown")
def text(context: schemathesis.SerializationContext, value: object) -> dict[str, object]:
    return {"data": value if isinstance(value, str) else json.dumps(value)}


def _is_plain(name: object) -> bool:
    field, bracket, operator = str(name).partition("[")
    return not field.startswith("$") and "]" not in field and (not bracket or operator.removesuffix("]") in OPERATORS)


def _has_plain_names(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(name and _is_plain(name) and _has_plain_names(each) for name, each in value.items())
    return not isinstance(value, list) or all(map(_has_plain_names, value))


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (3, 2)).save(file, kind)
    return file.getvalue()


def message(values: Sequence[float]) -> bytes:
    steps, column = np.arange(len(values)), np.array(values, dtype=float)
    return wire.points_message("any", "0", [Series("loss", steps, column, np.zeros(len(values)), steps)])


schemathesis.openapi.media_type(BINARY, strategies.lists(strategies.floats(), max_size=5).map(message))
schemathesis.openapi.media_type("image/svg+xml", strategies.just(b'<svg xmlns="http://www.w3.org/2000/svg"/>'))
BEGINNINGS = {
    "audio/wav": b"RIFF    WAVE",
    "audio/mpeg": b"ID3",
    "audio/ogg": b"OggS",
    "audio/flac": b"fLaC",
    "video/mp4": b"    ftyp",
    "video/webm": b"\x1aE\xdf\xa3",
}
for kind, beginning in BEGINNINGS.items():
    schemathesis.openapi.media_type(kind, strategies.just(beginning))
for kind in ("png", "jpeg", "gif", "webp"):
    schemathesis.openapi.media_type(f"image/{kind}", strategies.just(picture(kind)))
