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
    from agnez.remote import AwayError, RefusedError, Remote
    from agnez.replica import Replica, SameStoreError
    from agnez.target import Target

    store, target = opened(directory), Target.read(url, settings.read().token)
    info = find(store, run)
    replica = Replica(store, info.id, Remote(target))
    try:
        whole = replica.waiting
        with click.progressbar(length=whole, label=f"sending {info.name}", file=sys.stderr) as bar:
            while replica.advance():
                bar.update(max(0, whole - replica.waiting - bar.pos))
    except (AwayError, RefusedError, SameStoreError) as error:
        click.echo(f"agnez: {target.url}: {error}", err=True)
        sys.exit(1)
    finally:
        replica.close()
    click.echo(f"{info.name} is at {target.url}?run={info.id}")


COMMANDS = (send,)
