"""The commands about runs: list, rename, tag, note, archive, delete."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agnez.cli.store import DIRECTORY, RUN, RUNS, find, opened

if TYPE_CHECKING:
    from agnez.record import RunInfo

_LOSSES = ("loss", "train/loss", "val/loss", "val_loss")
_COLUMNS = ("id", "name", "project", "state", "when", "done", "loss")


@click.command("runs")
@click.option("--project", help="Those of this project alone.")
@click.option("--archived", is_flag=True, help="The archived ones too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON: an array of records, as GET /runs gives them.")
@DIRECTORY
def list_runs(project: str | None, archived: bool, as_json: bool, directory: Path | None) -> None:
    """List the runs, newest first."""
    from agnez.store.life import seen
    from agnez.wire import run_record

    store = opened(directory)
    found = [seen(info) for info in store.runs(project) if archived or not info.archived]
    if as_json:
        click.echo(json.dumps([run_record(info) for info in found], ensure_ascii=False, indent=1))
    elif found:
        click.echo(table(found))
    else:
        click.echo(f"no runs{f' of {project}' if project else ''} in {store.directory}", err=True)


@click.command()
@RUNS
@DIRECTORY
def rm(runs: Sequence[str], directory: Path | None) -> None:
    """Put runs into the trash.

    RUN is an id or a name, or the beginning of one.
    """
    store = opened(directory)
    for info in [find(store, word) for word in runs]:  # all are found before the first one goes
        store.trash(info.id)
        click.echo(f"{info.name} is in the trash: agnez trash restore {info.id} brings it back")


@click.command()
@RUN
@click.argument("name")
@DIRECTORY
def rename(run: str, name: str, directory: Path | None) -> None:
    """Give a run another name."""
    store = opened(directory)
    info = find(store, run)
    store.edit(info.id, name=name)
    click.echo(f"{info.name} is called {name} now")


@click.command()
@RUN
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take these tags away.")
@DIRECTORY
def tag(run: str, tags: Sequence[str], remove: bool, directory: Path | None) -> None:
    """Give a run tags, or take them away."""
    store = opened(directory)
    info = find(store, run)
    kept = [each for each in info.tags if each not in tags]
    changed = store.edit(info.id, tags=kept if remove else dict.fromkeys((*info.tags, *tags)))
    click.echo(f"{info.name} has {'the tags ' + ', '.join(changed.tags) if changed.tags else 'no tags'}")


@click.command()
@RUN
@click.argument("text")
@DIRECTORY
def note(run: str, text: str, directory: Path | None) -> None:
    """Write the notes of a run; an empty TEXT removes them."""
    store = opened(directory)
    info = find(store, run)
    store.edit(info.id, notes=text)
    click.echo(f"the notes of {info.name} are {'written' if text else 'removed'}")


@click.command()
@RUNS
@click.option("--undo", is_flag=True, help="Take them out of the archive.")
@DIRECTORY
def archive(runs: Sequence[str], undo: bool, directory: Path | None) -> None:
    """Take runs out of the lists, without deleting anything."""
    store = opened(directory)
    for info in [find(store, word) for word in runs]:
        store.edit(info.id, archived=not undo)
        click.echo(f"{info.name} is {'out of' if undo else 'in'} the archive")


def table(infos: Sequence[RunInfo]) -> str:
    """Lay runs out in columns, a line each."""
    rows = [_COLUMNS, *(_row(info) for info in infos)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(info: RunInfo) -> tuple[str, ...]:
    when = datetime.fromtimestamp(info.created / 1e6).strftime("%Y-%m-%d %H:%M")
    state = f"{info.state}, archived" if info.archived else info.state
    return info.id, info.name, info.project, state, when, _done(info), _loss(info)


def _done(info: RunInfo) -> str:
    progress = info.progress
    if progress.epoch is not None:
        of = "" if progress.epochs is None else f"/{progress.epochs}"
        return f"epoch {progress.epoch}{of}"
    steps = [summary.last_step for summary in info.summary.values()]
    return f"step {max(steps):,}" if steps else "-"


def _loss(info: RunInfo) -> str:
    names = [name for name in (*_LOSSES, *info.summary) if name in info.summary and "loss" in name]
    return f"{info.summary[names[0]].last:.4g}" if names else "-"


COMMANDS = (list_runs, rm, rename, tag, note, archive)
