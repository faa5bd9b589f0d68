"""One operation of the contract: a method on an address, what it takes and every way it can end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from agnez.record import Json
from agnez.server.service import error_of

JSON = "application/json"
ALWAYS = (400, 403, 500)
"""Ways in which any request can fail."""

LOCKED = (401, 429)
"""Ways in which any request to a server can fail that asks for a token."""

BODILY = (408, 413, 415)
"""Ways in which a request with a body can fail, beside those."""

_WHY: Mapping[int, str] = {
    400: "The request cannot be understood; the message says what is wrong with it.",
    401: "The server asks for a token, and this is none of its own.",
    403: "The host's name, or the page that asks, is none that this server answers to; or the token only reads.",
    404: "There is nothing of this id, or it does not match the query.",
    405: "The address does not have this method; `Allow` names those that it has.",
    408: "The request took too long to come in.",
    409: "The id is taken, or what is there already stands against this. Nothing was changed.",
    413: "The body is too large.",
    415: "The body is of a type that is not read here, or it is compressed.",
    416: "The range lies outside of the file.",
    429: "Too many wrong tokens were shown: wait a little.",
    500: "The server failed; its log says why.",
    503: "The store does not answer: a full disk, or a file that is held for too long.",
}

_HEADERS: Mapping[int, tuple[str, str]] = {
    401: ("WWW-Authenticate", "How a token is shown."),
    405: ("Allow", "The methods of this address."),
    429: ("Retry-After", "Seconds to wait."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold one way in which a call succeeds: `content` maps media types to schemas; none means no body."""

    says: str
    content: Mapping[str, Json]
    headers: Mapping[str, Json] | None = None
    links: Mapping[str, Json] | None = None

    def spoken(self) -> Json:
        """Return it as OpenAPI says it."""
        said: dict[str, Json] = {"description": self.says}
        if self.headers:
            said["headers"] = self.headers
        if self.content:
            said["content"] = {kind: {"schema": schema} for kind, schema in self.content.items()}
        if self.links:
            said["links"] = self.links
        return said


@dataclass(frozen=True, slots=True)
class Operation:
    """Hold one operation. `body` maps media types to OpenAPI's media type objects; `refusals` are its failures."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    parameters: Sequence[Json] = ()
    body: Mapping[str, Json] | None = None
    refusals: Sequence[int] = ()

    def spoken(self, *, locked: bool) -> dict[str, Json]:
        """Return it as OpenAPI says it; `locked` tells that the server asks for a token."""
        said: dict[str, Json] = {"operationId": self.id, "tags": [self.tag], "summary": self.summary}
        if self.description:
            said["description"] = self.description
        if self.parameters:
            said["parameters"] = list(self.parameters)
        if self.body:
            said["requestBody"] = {"required": True, "content": self.body}
        return said | {"responses": self._responses(locked)}

    def _responses(self, locked: bool) -> dict[str, Json]:
        answers = {str(status): answer.spoken() for status, answer in self.answers.items()}
        failures = {*ALWAYS, *self.refusals, *(BODILY if self.body else ()), *(LOCKED if locked else ())}
        return answers | {str(code): {"$ref": f"#/components/responses/{_name(code)}"} for code in sorted(failures)}


def refusals() -> dict[str, Json]:
    """Return the failures of all operations, as components that these refer to."""
    return {_name(code): _refusal(code, why) for code, why in _WHY.items()}


def _refusal(code: int, why: str) -> Json:
    example = error_of(code, why)
    exact: Json = {"properties": {each: {"const": example[each]} for each in ("name", "code", "className")}}
    schema: Json = {"allOf": [{"$ref": "#/components/schemas/Error"}, exact]}
    said: dict[str, Json] = {"description": why, "content": {JSON: {"schema": schema, "example": example}}}
    if code in _HEADERS:
        name, says = _HEADERS[code]
        said["headers"] = {name: {"schema": {"type": "string"}, "description": says}}
    return said


def _name(code: int) -> str:
    return HTTPStatus(code).phrase.title().replace(" ", "").replace("-", "")
