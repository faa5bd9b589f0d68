"""The commands about the trash: what is in it, back from it, away with it."""

from __future__ import annotations

from pathlib import Path

import click

from agnez.cli.runs import table
from agnez.cli.store import DIRECTORY, RUN, choose, opened


@click.group(invoke_without_command=True)
@DIRECTORY
@click.pass_context
def trash(context: click.Context, directory: Path | None) -> None:
    """Look into the trash, bring runs back from it, or empty it."""
    context.obj = directory
    if context.invoked_subcommand is None:
        _list(directory)


@trash.command("list")
@DIRECTORY
@click.pass_obj
def list_trash(outer: Path | None, directory: Path | None) -> None:
    """List the runs that are in the trash."""
    _list(directory or outer)


@trash.command()
@RUN
@DIRECTORY
@click.pass_obj
def restore(outer: Path | None, run: str, directory: Path | None) -> None:
    """Bring a run back."""
    store = opened(directory or outer)
    info = store.restore(choose(list({info.id: info for info in store.trashed()}.values()), run).id)
    click.echo(f"{info.name} is back, as run {info.id}")


@trash.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@DIRECTORY
@click.pass_obj
def empty(outer: Path | None, yes: bool, directory: Path | None) -> None:
    """Delete for good all that is in the trash."""
    store = opened(directory or outer)
    found = store.trashed()
    if not found:
        click.echo("the trash is empty")
        return
    if not yes:
        click.confirm(f"Delete {_runs(len(found))} for good?", abort=True)
    click.echo(f"{_runs(store.empty_trash())} deleted")


def _list(directory: Path | None) -> None:
    found = opened(directory).trashed()
    click.echo(table(found) if found else "the trash is empty", err=not found)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


COMMANDS = (trash,)
