"""Names for runs that the user did not name: easy to say, easy to tell apart."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

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
