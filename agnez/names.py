"""Names: those of runs that the user did not name, easy to say and to tell apart; and what no name can be."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

from agnez.errors import BadValueError

_KINDS = (
    "amber bold brave bright calm clever crisp deft eager fair fleet fond gentle glad golden keen kind lucid merry "
    "mild neat nimble noble patient plain proud quick quiet ready rosy silver sly smooth steady still swift tidy "
    "vivid warm wise"
).split()
_ANIMALS = (
    "auk bison civet crane dingo dove eland ermine falcon finch gecko gull heron ibex ibis jackal kestrel kite koala "
    "lark lemur lynx marten mink moth newt okapi oriole otter owl panda plover quail raven robin seal shrew stoat "
    "swan tapir tern vole wren"
).split()


def new_id() -> str:
    """Return an id for a run: ten letters and digits, of the system's own randomness (no seed is touched)."""
    return secrets.token_hex(5)


def new_name(number: int) -> str:
    """Return a name that ends with the run's number in its project."""
    return f"{secrets.choice(_KINDS)}-{secrets.choice(_ANIMALS)}-{number}"


def default_project() -> str:
    """Return the name of the running script, without its ending; "default" where there is no script."""
    stem = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] else ""
    return "default" if stem in ("", "-", "-c", "-m", "__main__", "ipykernel_launcher", "ipython") else stem


def check_speakable(text: str, what: str) -> None:
    """Refuse a text that no file and no message can hold; `what` says in the error what it is.

    Raises:
        BadValueError: it holds a lone surrogate.

    >>> check_speakable("perte d'entraînement", "the metric's name")
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadValueError(f"{what} ({text!r}) holds half of a character (a lone surrogate)") from None


def speakable(text: str) -> str:
    """Return a text with a question mark in the place of each half of a character.

    >>> speakable("no \\ud800")
    'no ?'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
