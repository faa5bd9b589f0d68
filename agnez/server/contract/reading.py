"""The document made readable: what the template of its page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

Document = Mapping[str, Any]

_MARKS = re.compile(r"`([^`]+)`|\[([^]]+)\]\((https?://[^)\s]+)\)|\*([^*]+)\*")
_SIMPLE = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


@dataclass(frozen=True, slots=True)
class Field:
    """Hold a parameter, or a field of a record."""

    name: str
    kind: Markup
    says: Markup
    where: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one operation."""

    id: str
    method: str
    path: str
    summary: str
    says: Sequence[Markup]
    fields: Sequence[Field]
    bodies: Sequence[Field]
    answers: Sequence[Field]
    refusals: Sequence[str]
    call: str


@dataclass(frozen=True, slots=True)
class Section:
    """Hold the operations of one tag."""

    name: str
    says: Markup
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Shape:
    """Hold a schema that others refer to."""

    name: str
    says: Markup
    fields: Sequence[Field]


def sections(document: Document, address: str) -> list[Section]:
    """Return the operations by their tags; `address` is what the examples call."""
    entries: dict[str, list[Entry]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            entry = _entry(document, method.upper(), path, operation, address)
            entries.setdefault(operation["tags"][0], []).append(entry)
    return [Section(tag["name"], marked(tag["description"]), entries[tag["name"]]) for tag in document["tags"]]


def shapes(document: Document) -> list[Shape]:
    """Return the schemas that operations refer to."""
    return [_shape(name, schema) for name, schema in document["components"]["schemas"].items()]


def failures(document: Document) -> list[tuple[int, Markup]]:
    """Return the failures, each by its status."""
    told = document["components"]["responses"].values()
    return [(each["content"]["application/json"]["example"]["code"], marked(each["description"])) for each in told]


def paragraphs(text: str) -> list[Markup]:
    """Return the paragraphs of a description."""
    return [marked(part) for part in text.split("\n\n") if part.strip()]


def marked(text: str) -> Markup:
    """Return a text of a description as HTML: code, links and stress.

    >>> marked("`a<b` and *so*")
    Markup('<code>a&lt;b</code> and <em>so</em>')
    """
    parts, end = [], 0
    for match in _MARKS.finditer(text):
        code, label, link, stressed = match.groups()
        parts.append(escape(text[end : match.start()]))
        if code is not None:
            parts.append(Markup("<code>{}</code>").format(code))
        elif link is not None:
            parts.append(Markup('<a href="{}" rel="noreferrer">{}</a>').format(link, label))
        else:
            parts.append(Markup("<em>{}</em>").format(stressed))
        end = match.end()
    return Markup("").join([*parts, escape(text[end:])])


# --- operations ------------------------------------------------------------------------------------------------------


def _entry(document: Document, method: str, path: str, operation: Mapping[str, Any], address: str) -> Entry:
    body = operation.get("requestBody", {}).get("content", {})
    answers = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    return Entry(
        operation["operationId"],
        method,
        path,
        operation["summary"],
        paragraphs(operation.get("description", "")),
        [_parameter(_found(document, each)) for each in operation.get("parameters", ())],
        [Field(kind, _kind(media["schema"]), Markup("")) for kind, media in body.items()],
        [_answer(status, answer) for status, answer in answers.items()],
        [status for status in operation["responses"] if status >= "400"],
        _call(method, f"{address}{path}", body),
    )


def _found(document: Document, given: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in given:
        return given
    place: Any = document
    for word in given["$ref"].removeprefix("#/").split("/"):
        place = place[word]
    found: Mapping[str, Any] = place
    return found


def _parameter(given: Mapping[str, Any]) -> Field:
    says = marked(given.get("description", ""))
    return Field(given["name"], _kind(given["schema"]), says, given["in"], given.get("required", False))


def _answer(status: str, answer: Mapping[str, Any]) -> Field:
    content = answer.get("content", {})
    small = {kind: Markup("<small>{}</small>").format(kind) for kind in content}
    kind = Markup(", ").join(small.values())
    if len(content) == 1:
        kind = Markup("{} {}").format(*(_kind(media["schema"]) for media in content.values()), kind)
    return Field(status, kind, marked(answer["description"]))


def _call(method: str, address: str, body: Mapping[str, Any]) -> str:
    """Return a line of the shell that does it."""
    words = ["curl"] + ([] if method == "GET" else ["-X", method]) + [f"'{address}'"]
    example = next((_example(kind, media) for kind, media in body.items()), None)
    return " ".join([*words, *(example or [])])


def _example(kind: str, media: Mapping[str, Any]) -> list[str]:
    given = next(iter(media.get("examples", {}).values()), None)
    data = "--data-binary @file" if given is None else f"-d '{json.dumps(given['value'], ensure_ascii=False)}'"
    return ["\\\n    -H", f"'Content-Type: {kind}'", data]


# --- schemas ---------------------------------------------------------------------------------------------------------


def _shape(name: str, schema: Mapping[str, Any]) -> Shape:
    required = schema.get("required", ())
    fields = [
        Field(field, _kind(inner), marked(inner.get("description", "")), required=field in required)
        for field, inner in schema.get("properties", {}).items()
    ]
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        fields.append(Field("…", _kind(more), Markup("Any other name.")))
    if not fields:
        fields.append(Field("", _kind(schema), Markup("")))
    return Shape(name, marked(schema.get("description", "")), fields)


def _kind(schema: Mapping[str, Any]) -> Markup:
    """Return in words what a schema takes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return Markup('<a href="#{0}">{0}</a>').format(name)
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return Markup(" or ").join(map(_kind, schema[word]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(" or ").join(Markup("<code>{}</code>").format(json.dumps(each).strip('"')) for each in values)
    if schema.get("format") == "binary":
        return Markup("bytes")
    if "properties" in schema and "type" in schema and schema["type"] == "object" and "description" not in schema:
        return Markup("{{ {} }}").format(Markup(", ").join(_pairs(schema["properties"])))
    return _typed(schema)


def _pairs(properties: Mapping[str, Any]) -> Iterator[Markup]:
    for name, inner in properties.items():
        yield Markup("<code>{}</code>: {}").format(name, _kind(inner))


def _typed(schema: Mapping[str, Any]) -> Markup:
    types = schema.get("type", "anything")
    words = [_typed_word(each, schema) for each in ([types] if isinstance(types, str) else types)]
    return Markup(" or ").join(words) + _bounds(schema)


def _typed_word(kind: str, schema: Mapping[str, Any]) -> Markup:
    if kind == "array":
        return Markup("array of ") + _kind(schema["items"])
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return Markup("object of ") + _kind(schema["additionalProperties"])
    return escape(_SIMPLE.get(kind, kind))


def _bounds(schema: Mapping[str, Any]) -> Markup:
    words = []
    if "minimum" in schema:
        words.append(f"from {_short(schema['minimum'])}")
    if "maximum" in schema:
        words.append(f"to {_short(schema['maximum'])}")
    if "maxLength" in schema:
        words.append(f"of {schema['maxLength']:,} characters at most")
    if "maxItems" in schema:
        words.append(f"({schema['maxItems']:,} at most)")
    return escape(" " + " ".join(words)) if words else Markup("")


def _short(number: float) -> str:
    """Write a bound: great ones as powers of two.

    >>> _short(1_000_000), _short(2**62 - 1), _short(-(2**53))
    ('1,000,000', '2⁶²', '−2⁵³')
    """
    for power, written in ((62, "2⁶²"), (53, "2⁵³")):
        if abs(abs(number) - 2**power) <= 1:
            return f"−{written}" if number < 0 else written
    return f"{number:,}"
