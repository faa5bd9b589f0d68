"""What Agnez tells the user in the terminal: the address, and what went wrong; a line each, on standard error."""

from __future__ import annotations

import sys
import time

_PATIENCE = 1.0  # seconds before progress is worth a word
_PERIOD = 10.0  # seconds between two lines where a line cannot be written over


def say(sentence: str) -> None:
    """Write one line. A closed or missing standard error is no reason to fail."""
    _write(f"agnez: {sentence}\n")


class Progress:
    """Show how something goes on that may take long: on a terminal in one line, which is wiped at the end."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _PATIENCE
        self._width = 0

    def show(self, sentence: str) -> None:
        """Show a sentence, where it is time to."""
        now = time.monotonic()
        if now < self._due:
            return
        if _is_terminal():
            text = f"agnez: {sentence}"
            _write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._due = now + _PERIOD
            say(sentence)

    def end(self) -> None:
        """Wipe the line."""
        if self._width:
            _write("\r" + " " * self._width + "\r")
            self._width = 0


def _is_terminal() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        return False


def _write(text: str) -> None:
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        pass
