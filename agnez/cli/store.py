"""The store that a command is about, and how a run of it is named on the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agnez import settings
from agnez.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from agnez.record import RunInfo
    from agnez.store import Store

DIRECTORY = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="The store's folder; else $AGNEZ_DIR, else your data folder.",
)
RUN = click.argument("run", metavar="RUN")
RUNS = click.argument("runs", metavar="RUN...", nargs=-1, required=True)

_MOST_NAMED = 5


def opened(directory: Path | None) -> Store:
    """Open the store of that folder, else of the environment; none is made.

    Raises:
        StoreError: there is none.
    """
    from agnez.store import Store

    return Store(settings.read(directory).directory, create=False)


def find(store: Store, word: str) -> RunInfo:
    """Return the run that a word names: its id, its name, or the beginning of either if just one begins so.

    Raises:
        NotFoundError: there is none.
        ConflictError: it names several.
    """
    return choose(store.runs(), word)


def choose(infos: Sequence[RunInfo], word: str) -> RunInfo:
    """Return that of some runs which a word names, as `find` does.

    Raises:
        NotFoundError: there is none.
        ConflictError: it names several.
    """
    for fits in _ways(word):
        found = [info for info in infos if fits(info)]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(f"{info.id} ({info.name})" for info in found[:_MOST_NAMED])
            more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
            raise ConflictError(f"'{word}' may be any of {some}{more}: give more of the id")
    raise NotFoundError(f"there is no run '{word}': `agnez runs --archived` lists them all")


def _ways(word: str) -> Sequence[Callable[[RunInfo], bool]]:
    """Return in which ways a word may name a run, the strictest first."""
    return (
        lambda info: info.id == word,
        lambda info: info.name == word,
        lambda info: bool(word) and (info.id.startswith(word) or info.name.startswith(word)),
    )
