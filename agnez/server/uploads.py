"""Media that programs send to a run: files, and what is logged under a name."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Mapping

from flask import Flask, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from agnez.errors import BadValueError, NotFoundError
from agnez.media.files import IMAGES
from agnez.media.files import kind as kind_of
from agnez.media.pixels import MOST_PIXELS
from agnez.record import Json, Medium
from agnez.server import posting
from agnez.server.points import sent
from agnez.server.posted import Posted
from agnez.server.rest import json_response, read_body
from agnez.server.values import check_depth
from agnez.store import Store, media

KINDS = ("img", "images", "video", "audio", "text", "table", "histogram", "html")
"""Types of the cells that show media."""

_TYPES = {type.partition(";")[0]: kind for kind, type in media.CONTENT_TYPES.items()}
TEXTS = ("md", "json", "html")
_MOST_FRAMES = 1000
MOST_MEDIA = 1000
LONGEST_CAPTION = 10_000


def install(flask: Flask, store: Store, posted: Posted) -> None:
    """Take files at `/runs/<id>/media`, and what is logged of them at `/runs/<id>/album`."""

    @flask.post("/runs/<id>/media")
    def take_file(id: str) -> Response:
        kind = _kind()
        content = read_body(request)
        check(content, kind)
        if not store.run_path(id).is_file():
            raise NotFoundError(f"No run found for id '{id}'")
        name = media.put(store.run_folder(id), content, kind)
        return json_response({"_id": name, "address": media.address(id, name)}, 201)

    @flask.post("/runs/<id>/album")
    def take_media(id: str) -> Response:
        if request.mimetype != posting.JSON or request.content_encoding:
            raise UnsupportedMediaType(f"Media are told of as Content-Type: {posting.JSON}, not compressed")
        found, stands = _media(read_body(request)), sent()
        with posted.run(id) as run:
            return json_response(run.take_media(found, stands).record())


def check(content: bytes, kind: str) -> None:
    """Check that a file is what it is said to be and that, being a picture, whoever shows it can bear it.

    Raises:
        BadValueError: it is another, damaged, or unpacks to too much.
    """
    if kind in TEXTS:
        _check_text(content, kind)
        return
    found = kind_of(content)
    if found != kind:
        raise BadValueError(f"this is {'no file of a known kind' if found is None else f'{found}'}, and sent as {kind}")
    if kind == "svg":
        _check_svg(content)
    elif kind in IMAGES:
        _check_pixels(content, kind)


def _kind() -> str:
    kind = _TYPES.get(request.mimetype)
    if kind is None or request.content_encoding:
        raise UnsupportedMediaType(f"A file is sent as Content-Type: {', '.join(_TYPES)}, not compressed")
    return kind


def _check_text(content: bytes, kind: str) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise BadValueError(f"this {kind} is no text in UTF-8: {error}") from error


def _check_svg(content: bytes) -> None:
    """Refuse what could unpack without an end: entities, of which a kilobyte can stand for gigabytes."""
    if b"<!entity" in content.lower():
        raise BadValueError("this svg declares entities, by which it could unpack without an end: leave them out")


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
            f"this {kind} has {width} × {height} pixels{f' in {frames} frames' if frames > 1 else ''}: at most "
            f"{MOST_PIXELS // 1_000_000} million pixels are kept, in at most {_MOST_FRAMES} frames; send a smaller one"
        )


# --- what is logged under a name ------------------------------------------------------------------------------------


def _media(body: bytes) -> list[Medium]:
    try:
        given: Json = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadValueError(f"The body is not JSON: {error}") from error
    each = given if isinstance(given, list) else [given]
    if len(each) > MOST_MEDIA:
        raise BadValueError(f"a body may tell of {MOST_MEDIA} media; this one tells of {len(each)}")
    check_depth(each)
    return [_medium(one) for one in each]


def _medium(given: Json) -> Medium:
    if not isinstance(given, Mapping) or not {"name", "type", "step", "value"} <= set(given):
        raise BadValueError("a medium is an object with name, type, step and value; and caption and time, if you like")
    name, kind, caption = given["name"], given["type"], given.get("caption", "")
    if not isinstance(name, str):
        raise BadValueError("a medium's name is a text")
    posting.check_name(name)
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadValueError(f"a medium's type is one of {', '.join(KINDS)}")
    if not isinstance(caption, str) or len(caption) > LONGEST_CAPTION:
        raise BadValueError(f"a medium's caption is a text of at most {LONGEST_CAPTION} characters")
    moment = posting.read_time(given["time"]) if "time" in given else time.time_ns() // 1000
    return Medium(name, kind, posting.read_step(given["step"]), moment, given["value"], caption)
