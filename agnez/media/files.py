"""Files of media: read where they lie, and recognised by their first bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agnez.errors import BadValueError
from agnez.media.frozen import Keep

IMAGES: Final = ("png", "jpeg", "gif", "webp", "svg")
SOUNDS: Final = ("wav", "mp3", "ogg", "flac")
FILMS: Final = ("mp4", "webm", "gif")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Hold a file as it is."""

    caption: str
    content: bytes
    extension: str

    @property
    def weight(self) -> int:
        """Return its bytes."""
        return len(self.content)

    def frozen(self) -> Encoded:
        """Return itself: nothing changes it."""
        return self

    def encoded(self) -> tuple[bytes, str]:
        """Return the bytes of the file, and its extension."""
        return self.content, self.extension

    def kept(self, keep: Keep) -> object:
        """Keep the file, and return its address."""
        return keep(self.content, self.extension)


@dataclass(frozen=True, slots=True)
class Played:
    """Hold a sound, or a film, that is a file already."""

    file: Encoded

    @property
    def caption(self) -> str:
        """Return what is written under it."""
        return self.file.caption

    @property
    def weight(self) -> int:
        """Return its bytes."""
        return self.file.weight

    def kept(self, keep: Keep) -> dict[str, Any]:
        """Keep the file, and return its address."""
        return {"src": keep(self.file.content, self.file.extension)}


def is_file(value: object) -> bool:
    """Tell whether a value is the path of a file, or its bytes."""
    return isinstance(value, str | os.PathLike | bytes | bytearray | memoryview)


def read(value: object, what: str, extensions: tuple[str, ...], caption: str) -> Encoded:
    """Return the file at a path, which is read at once, or that of these bytes. `what` names it in a complaint.

    Raises:
        BadValueError: it cannot be read, or is of another kind than `extensions`.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return _recognised(bytes(value), "these bytes are", extensions, caption)
    path = Path(value)  # type: ignore[arg-type]  # whoever calls has asked `is_file`
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        reason = getattr(error, "strerror", None) or error
        raise BadValueError(f"the {what} {path} cannot be read ({reason}): check its path") from error
    return _recognised(content, f"{path} is", extensions, caption)


def _recognised(content: bytes, subject: str, extensions: tuple[str, ...], caption: str) -> Encoded:
    extension = kind(content)
    if extension not in extensions:
        *others, last = (_NAMES[each] for each in extensions)
        raise BadValueError(f"{subject} no {', '.join(others)} or {last}: convert it to one of these")
    return Encoded(caption, content, extension)


_NAMES = {
    "png": "PNG",
    "jpeg": "JPEG",
    "gif": "GIF",
    "webp": "WebP",
    "svg": "SVG",
    "wav": "WAV",
    "mp3": "MP3",
    "ogg": "Ogg",
    "flac": "FLAC",
    "mp4": "MP4",
    "webm": "WebM",
}

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"\xff\xf2", "mp3"),
    (b"\x1aE\xdf\xa3", "webm"),
)


def kind(content: bytes) -> str | None:
    """Recognise a file by its first bytes.

    >>> kind(b"GIF89a..."), kind(b"hello")
    ('gif', None)
    """
    for beginning, extension in _BEGINNINGS:
        if content.startswith(beginning):
            return extension
    if content[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(content[8:12])
    if content[4:8] == b"ftyp":
        return "mp4"
    head = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return "svg" if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!")) and b"<svg" in head) else None
