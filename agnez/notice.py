"""What Agnez tells the user in the terminal: the address, and what went wrong; a line each, on standard error."""

from __future__ import annotations

import sys


def say(sentence: str) -> None:
    """Write one line. A closed or missing standard error is no reason to fail."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(f"agnez: {sentence}\n")
        stream.flush()
    except (OSError, ValueError):
        pass
