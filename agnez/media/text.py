"""Text, which is read as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agnez.errors import BadValueError
from agnez.media.frozen import INLINE, Keep, Media, checked_caption
from agnez.names import speakable

MOST_LETTERS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Written:
    """Hold a text: nothing changes it."""

    caption: str
    text: str

    @property
    def weight(self) -> int:
        """Return about how many bytes it has."""
        return len(self.text)

    def kept(self, keep: Keep) -> Any:
        """Return the text, or the address of its file where it is long."""
        content = self.text.encode()
        return self.text if len(content) <= INLINE else {"src": keep(content, "md")}


class Text(Media):
    """Make a text for `log` to show in a cell. It is read as Markdown; HTML in it is shown as it is written.

    Raises:
        BadValueError: it is no text, or one of more than a million letters.

    >>> Text("**epoch 3**: better than the baseline").kind
    'text'
    """

    kind = "text"
    __slots__ = ("caption", "text")

    def __init__(self, value: str, caption: str = "") -> None:
        if not isinstance(value, str):
            raise BadValueError(f"agnez.Text takes a text, not a {type(value).__name__}: str(…) makes one")
        if len(value) > MOST_LETTERS:
            raise BadValueError(f"a text of {len(value):,} letters is more than the {MOST_LETTERS:,} that are kept")
        self.caption = checked_caption(caption)
        self.text = speakable(value)

    def frozen(self) -> Written:
        """Return the text."""
        return Written(self.caption, self.text)
