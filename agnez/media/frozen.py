"""What all media have in common: they are taken on the training's thread, and made into files on another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias

from agnez.errors import BadValueError
from agnez.names import check_speakable

Keep: TypeAlias = Callable[[bytes, str], str]
"""Keeps the content of a file, of which it is told the extension, and returns the address of the file."""

INLINE: int = 4096
"""Bytes of a value that travel with the cell; what is larger is a file, which only those who look at it load."""


class Frozen(Protocol):
    """Stand for a value that nothing will change any more."""

    @property
    def caption(self) -> str:
        """Return what is written under it."""
        ...

    @property
    def weight(self) -> int:
        """Return about how many bytes it holds while it waits."""
        ...

    def kept(self, keep: Keep) -> Any:
        """Keep its files, and return what a cell holds of it: JSON. Any thread may call it.

        Raises:
            BadValueError: nothing can be made of its values.
        """
        ...


class Media(ABC):
    """Stand for a value that is shown in a cell of its own, step by step. `kind` is the type of that cell."""

    kind: ClassVar[str]
    caption: str

    @abstractmethod
    def frozen(self) -> Frozen:
        """Take it as it is now. No device is waited for, and nothing is encoded."""


def checked_caption(caption: object) -> str:
    """Return a caption.

    Raises:
        BadValueError: it is no text.
    """
    if not isinstance(caption, str):
        raise BadValueError(f"caption={caption!r} is a {type(caption).__name__}: give a text")
    check_speakable(caption, "a caption")
    return caption
