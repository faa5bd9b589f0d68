"""The media of runs over HTTP: their files, and what was logged under a name, step by step."""

from __future__ import annotations

from flask import Flask, Response, request, send_file

from agnez.errors import BadValueError
from agnez.record import Json, Medium
from agnez.server.rest import json_response
from agnez.store import Store, media

MOST: int = 500
"""Media that one answer tells of."""

_YEAR = "public, max-age=31536000, immutable"
_INERT = ("png", "jpeg", "gif", "webp", "wav", "mp3", "ogg", "flac", "mp4", "webm")


def install(flask: Flask, store: Store) -> None:
    """Answer on `/runs/<id>/media` and `/runs/<id>/media/<name>`."""

    @flask.get("/runs/<id>/media")
    def listed(id: str) -> Response:
        name, first, most = request.args.get("name"), _number("first", 0), _number("most", 0)
        asked = _number("count", MOST)
        with store.open_run(id) as file:
            if name is None:
                return json_response(list(file.album.names()))
            count = file.album.count(name)
            if "most" in request.args:
                found = [_item(place, each) for place, each in file.album.spread(name, max(1, most))]
            else:
                page = file.album.page(name, first, asked)
                found = [_item(place, each) for place, each in enumerate(page, first)]
        answer: Json = {"count": count, "items": found}
        return json_response(answer)

    @flask.get("/runs/<id>/media/<name>")
    def file_of_media(id: str, name: str) -> Response:
        path = media.path(store.run_folder(id), name)
        extension = path.suffix[1:]
        # Ranges are answered, by which players seek.
        response = send_file(path, mimetype="application/octet-stream", conditional=True)
        response.headers["Content-Type"] = media.CONTENT_TYPES[extension]  # Flask would add a charset of its own
        response.headers["Cache-Control"] = _YEAR  # its name says what it holds
        response.headers["X-Content-Type-Options"] = "nosniff"
        if extension not in _INERT:  # opened as a document of its own it could run scripts as ours
            response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        return response


def _item(place: int, medium: Medium) -> dict[str, Json]:
    return {
        "place": place,
        "step": medium.step,
        "time": medium.time / 1e6,
        "type": medium.kind,
        "value": medium.value,
        "caption": medium.caption,
    }


def _number(name: str, otherwise: int) -> int:
    given = request.args.get(name)
    if given is None:
        return otherwise
    if not (given.isascii() and given.isdecimal() and len(given) < 16):
        raise BadValueError(f"?{name}={given} is no whole number from 0 on")
    return min(int(given), MOST) if name != "first" else int(given)
