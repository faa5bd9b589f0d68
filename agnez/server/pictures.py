"""Pictures that programs send to a run."""

from __future__ import annotations

import io

from flask import Flask, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from agnez.errors import BadValueError, NotFoundError
from agnez.media.files import IMAGES
from agnez.media.files import kind as kind_of
from agnez.media.pixels import MOST_PIXELS
from agnez.server.rest import json_response, read_body
from agnez.store import Store, media

_TYPES = {media.CONTENT_TYPES[kind]: kind for kind in IMAGES}
_MOST_FRAMES = 1000


def install(flask: Flask, store: Store) -> None:
    """Take pictures at `/runs/<id>/media`."""

    @flask.post("/runs/<id>/media")
    def take_picture(id: str) -> Response:
        kind = _kind()
        content = read_body(request)
        check(content, kind)
        if not store.run_path(id).is_file():
            raise NotFoundError(f"No run found for id '{id}'")
        name = media.put(store.run_folder(id), content, kind)
        return json_response({"_id": name, "address": media.address(id, name)}, 201)


def check(content: bytes, kind: str) -> None:
    """Check that a picture is what it is said to be, and that whoever shows it can bear it.

    Raises:
        BadValueError: it is another, damaged, or unpacks to too much.
    """
    found = kind_of(content)
    if found != kind:
        raise BadValueError(f"this is {'no picture' if found is None else f'a {found}'}, and was sent as {kind}")
    if kind == "svg":
        _check_svg(content)
    else:
        _check_pixels(content, kind)


def _kind() -> str:
    kind = _TYPES.get(request.mimetype)
    if kind is None or request.content_encoding:
        raise UnsupportedMediaType(f"A picture is sent as Content-Type: {', '.join(_TYPES)}, not compressed")
    return kind


def _check_svg(content: bytes) -> None:
    """Refuse what could unpack without an end: entities, of which a kilobyte can stand for gigabytes."""
    if b"<!doctype" in content.lower() or b"<!entity" in content.lower():
        raise BadValueError("this svg has a document type, by which it could unpack without an end: leave it out")


def _check_pixels(content: bytes, kind: str) -> None:
    """Look at the header of a picture, and unpack nothing of it."""
    from PIL import Image  # it comes with matplotlib; 30 ms that only pictures need

    try:
        with Image.open(io.BytesIO(content), formats=(kind,)) as image:
            width, height = image.size
            frames = getattr(image, "n_frames", 1) if width * height <= MOST_PIXELS else 1
    except Exception as error:  # Pillow's plugins raise whatever a damaged file makes them
        raise BadValueError(f"this {kind} cannot be read: {error}") from error
    if width * height * frames > MOST_PIXELS or frames > _MOST_FRAMES:
        raise BadValueError(
            f"this {kind} has {width} × {height} pixels{f' in {frames} frames' if frames > 1 else ''}, more than the "
            f"{MOST_PIXELS // 1_000_000} million that are kept: send a smaller one"
        )
