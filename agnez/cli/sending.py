"""The command that sends a run to a server elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from agnez import settings
from agnez.cli.store import DIRECTORY, RUN, find, opened


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
    info = find(store, run)
    remote = Remote(target)
    parts: list[Replica | Part] = [Replica(store, info.id, remote)]
    parts += [Part(store, info.id, remote, rank=rank) for rank in store.ranks(info.id)[1:]]
    try:
        whole = sum(part.waiting for part in parts)
        with click.progressbar(length=whole, label=f"sending {info.name}", file=sys.stderr) as bar:
            for part in parts:
                while part.advance():
                    bar.update(max(0, whole - sum(each.waiting for each in parts) - bar.pos))
    except (AwayError, RefusedError, SameStoreError) as error:
        click.echo(f"agnez: {target.url}: {error}", err=True)
        sys.exit(1)
    finally:
        for part in parts:
            part.close()
    click.echo(f"{info.name} is at {target.url}?run={info.id}")


COMMANDS = (send,)
