"""The media of a run: files in its folder, named by what they hold, so that none is kept twice or ever changes."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path
from typing import Final

from agnez.errors import BadValueError, NotFoundError

CONTENT_TYPES: Final = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "flac": "audio/flac",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "html": "text/html; charset=utf-8",
}
"""The kinds of media that are kept: their extension, and what HTTP calls them."""

LARGEST = 256 * 1024**2
"""Bytes that one file may have."""

_NAME = re.compile(r"([0-9a-f]{32})\.([a-z0-9]+)")
_TEMPORARY = ".partial"


def put(folder: Path, content: bytes, extension: str) -> str:
    """Keep `content` among the media of the run in `folder`, and return the file's name.

    The file appears whole or not at all; what is there already is left alone.

    Raises:
        BadValueError: the extension is none of `CONTENT_TYPES`, or the content is larger than `LARGEST`.
        OSError: the disk is full, or the folder cannot be written.
    """
    if extension not in CONTENT_TYPES:
        raise BadValueError(f"{extension!r} is no kind of media that is kept: give one of {', '.join(CONTENT_TYPES)}")
    if len(content) > LARGEST:
        raise BadValueError(
            f"this {extension} has {len(content) / 1024**2:,.0f} MB, more than the {LARGEST // 1024**2} MB that one "
            "file may have: log a shorter or smaller one"
        )
    path = folder / "media" / f"{digest(content)}.{extension}"
    if path.is_file() and path.stat().st_size == len(content):  # a power cut may have left one of another length
        return path.name
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{_TEMPORARY}")
    try:
        mine.write_bytes(content)
        os.replace(mine, path)
    except BaseException:
        mine.unlink(missing_ok=True)
        raise
    return path.name


def address(run: str, name: str) -> str:
    """Return what a cell names a file of a run's media by: an address relative to the page's.

    >>> address("0a1b2c3d4e", "9f86d081884c7d659a2feaa0c55ad015.png")
    './runs/0a1b2c3d4e/media/9f86d081884c7d659a2feaa0c55ad015.png'
    """
    return f"./runs/{run}/media/{name}"


def path(folder: Path, name: str) -> Path:
    """Return the path of a file among the media of the run in `folder`.

    Raises:
        NotFoundError: there is none of that name, or the name is none that `put` gives.
    """
    found = folder / "media" / name
    if not is_name(name) or not found.is_file():
        raise NotFoundError(f"No media found under '{name}'")
    return found


def is_name(name: str) -> bool:
    """Tell whether `put` may have given this name."""
    match = _NAME.fullmatch(name)
    return match is not None and match[2] in CONTENT_TYPES


def names(folder: Path) -> list[str]:
    """Return the names of all media of the run in `folder`, in alphabetical order."""
    return sorted(each.name for each in folder.glob("media/*") if is_name(each.name))


def leftovers(folder: Path) -> list[Path]:
    """Return files that a process began to write and never finished, or is writing right now."""
    return sorted(folder.glob(f"media/.*{_TEMPORARY}"))


def is_sound(path: Path) -> bool:
    """Tell whether a file holds what its name says."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32] == path.stem


def digest(content: bytes) -> str:
    """Return the first 32 hexadecimal digits of the content's SHA-256."""
    return hashlib.sha256(content).hexdigest()[:32]
