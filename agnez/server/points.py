"""The address that takes points: from any program, each of them just once."""

from __future__ import annotations

import re

from flask import Flask, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from agnez.errors import BadValueError
from agnez.server import posting
from agnez.server.posted import MOST_RANK, MOST_SEGMENTS, OfRank, Posted, Sent
from agnez.server.rest import json_response, read_body
from agnez.store.rundir import is_plain

_KINDS = (posting.JSON, posting.LINES, posting.BINARY)
_NUMBERS = range(2**62)


def install(flask: Flask, posted: Posted) -> None:
    """Give the points of each run their address."""

    @flask.post("/runs/<id>/points")
    def take_points(id: str) -> Response:
        stands, of, kind = sent(), _of_rank(), _kind()
        body = posting.read(read_body(request), kind)
        with posted.run(id) as run:
            reply = run.take(body, stands) if of is None else run.take_of_rank(body, stands, of)
        return json_response(reply.record())

    @flask.get("/runs/<id>/points")
    def tell_sent(id: str) -> Response:
        writer = _writer()
        if writer is None:
            raise BadValueError("?writer= is missing: give the word that this writer posts under")
        with posted.run(id) as run:
            return json_response({"writer": writer, "last": run.sent(writer, _number("rank", MOST_RANK))})


def _kind() -> str:
    kind = request.mimetype
    if kind not in _KINDS or request.content_encoding:
        raise UnsupportedMediaType(f"Points are sent as Content-Type: {', '.join(_KINDS)}, not compressed")
    return kind


def sent() -> Sent | None:
    """Return where the request's body stands in what its writer sends; None where it does not say.

    Raises:
        BadValueError: it says it wrongly.
    """
    writer, sequence = _writer(), request.args.get("sequence")
    if writer is None and sequence is None:
        return None
    if writer is None or sequence is None:
        raise BadValueError("?writer= and ?sequence= go together: who sends, and the number of the body's first point")
    if not re.fullmatch(r"[0-9]{1,19}", sequence) or int(sequence) not in _NUMBERS:
        raise BadValueError("?sequence= takes a whole number from 0")
    return Sent(writer, int(sequence))


def _of_rank() -> OfRank | None:
    rank, segment = _number("rank", MOST_RANK), _number("segment", MOST_SEGMENTS)
    return OfRank(rank, segment) if rank else None


def _number(name: str, most: int) -> int:
    given = request.args.get(name, "0")
    if not re.fullmatch(r"[0-9]{1,9}", given) or int(given) > most:
        raise BadValueError(f"?{name}= takes a whole number from 0 to {most}")
    return int(given)


def _writer() -> str | None:
    writer = request.args.get("writer")
    if writer is not None and not is_plain(writer):
        raise BadValueError("?writer= takes a word of up to 64 letters, digits, hyphens and underscores")
    return writer
