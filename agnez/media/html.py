"""HTML, which is shown in a sandbox."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agnez.errors import BadValueError
from agnez.media.frozen import Keep, Media, checked_caption
from agnez.names import speakable

MOST_BYTES: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Document:
    """Hold HTML: nothing changes it."""

    caption: str
    html: str

    @property
    def weight(self) -> int:
        """Return about how many bytes it has."""
        return len(self.html)

    def kept(self, keep: Keep) -> Any:
        """Keep the HTML as a file, and return its address."""
        return {"src": keep(self.html.encode(), "html")}


class Html(Media):
    """Make a piece of HTML for `log` to show in a cell, in a sandbox: its scripts run, and reach nothing.

    `value` is HTML as text, or the path of a file of it (a `pathlib.Path`), which is read at once.

    Raises:
        BadValueError: it is neither, or too large.

    >>> Html("<b>bold</b>").kind
    'html'
    """

    kind = "html"
    __slots__ = ("caption", "html")

    def __init__(self, value: str | os.PathLike[str], caption: str = "") -> None:
        self.caption = checked_caption(caption)
        self.html = speakable(_read(value))
        if len(self.html.encode()) > MOST_BYTES:
            raise BadValueError(f"HTML of {len(self.html):,} letters is more than the 16 MB that are kept")

    def frozen(self) -> Document:
        """Return the HTML."""
        return Document(self.caption, self.html)


def _read(value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, os.PathLike):
        raise BadValueError(f"agnez.Html takes HTML as text, or a pathlib.Path, not a {type(value).__name__}")
    path = Path(value)
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadValueError(f"the file {path} cannot be read ({reason}): check its path") from error
