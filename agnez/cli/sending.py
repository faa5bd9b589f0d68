"""The command that sends a run to a server elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agnez import settings
from agnez.cli.store import DIRECTORY, RUN, find, opened
from agnez.errors import NotFoundError

if TYPE_CHECKING:
    from agnez.store import Store


@click.command()
@RUN
@click.argument("url")
@DIRECTORY
def send(run: str, url: str, directory: Path | None) -> None:
    """Send a run to the Agnez server at URL, or what that lacks of it.

    RUN is an id or a name, or the beginning of one. A server that asks for a token gets that of the address (?token=),
    or of the environment's AGNEZ_TOKEN. What was sent before is not sent again.
    """
    from agnez.part import Part
    from agnez.remote import AwayError, RefusedError, Remote
    from agnez.replica import Replica, SameStoreError
    from agnez.target import Target

    store, target = opened(directory), Target.read(url, settings.read().token)
    remote = Remote(target)
    id, name = _named(store, run)
    parts: list[Replica | Part] = [
        Part(store, id, remote, rank=rank) if rank else Replica(store, id, remote) for rank in store.ranks(id)
    ]
    try:
        whole = sum(part.waiting for part in parts)
        with click.progressbar(length=whole, label=f"sending {name}", file=sys.stderr) as bar:
            for part in parts:
                while part.advance():
                    bar.update(max(0, whole - sum(each.waiting for each in parts) - bar.pos))
    except (AwayError, RefusedError, SameStoreError) as error:
        click.echo(f"agnez: {target.url}: {error}", err=True)
        sys.exit(1)
    finally:
        for part in parts:
            part.close()
    click.echo(f"{name} is at {target.url}?run={id}")


def _named(store: Store, word: str) -> tuple[str, str]:
    """Return the id and the name of the run that a word names.

    Where a further rank recorded into a folder of its own, that knows the run's id and no more of it.

    Raises:
        NotFoundError: there is none.
        ConflictError: it names several.
    """
    from agnez.store.rundir import is_plain

    try:
        info = find(store, word)
    except NotFoundError:
        if is_plain(word) and store.ranks(word):
            return word, word
        raise
    return info.id, info.name


COMMANDS = (send,)
