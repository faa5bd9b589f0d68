"""The commands that care for a store: `agnez doctor` and `agnez copy`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agnez import settings
from agnez.cli.store import DIRECTORY
from agnez.errors import AgnezError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--repair", is_flag=True, help="Mend what can be mended. What is damaged is moved aside, never deleted.")
@DIRECTORY
def doctor(runs: Sequence[str], repair: bool, directory: Path | None) -> None:
    """Check a store, or some of its runs by their ids, and say what is wrong.

    The exit code is 0 when the store is sound, or was mended, 1 when a fault is left, 2 when it could not be read.
    """
    from agnez.store.doctor import examine, size

    here = settings.read(directory).directory
    faults = notes = mended = 0
    try:
        remarks = list[str]()
        with _bar(size(here, runs), "looking") as bar:
            for remark in examine(here, runs, repair=repair, told=bar.update):
                faults += remark.kind == "fault"
                mended += remark.kind == "mended"
                notes += remark.kind == "note"
                remarks.append(f"{remark.kind}: {remark.sentence}")
    except (AgnezError, OSError) as error:
        click.echo(f"agnez: {error}", err=True)
        sys.exit(2)
    for line in remarks:
        click.echo(line)
    click.echo(_verdict(here, faults, mended, repair))
    sys.exit(1 if faults else 0)


def _bar(length: int, label: str) -> ProgressBar[int]:
    """Show how far it is, to those who look on."""
    return click.progressbar(length=max(length, 1), label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _verdict(here: Path, faults: int, mended: int, repair: bool) -> str:
    if faults:
        cure = "what is left cannot be mended" if repair else "agnez doctor --repair mends what can be mended"
        return f"{here}: {faults} fault{'s' * (faults > 1)}; {cure}"
    return f"{here} is sound{f' again: {mended} mended' if mended else ''}"


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--run", "run", metavar="ID", help="Copy this run alone, into the store TARGET.")
def copy(source: Path, target: Path, run: str | None) -> None:
    """Copy the store SOURCE to the new folder TARGET, also while it is being written."""
    from agnez.store.copy import copy_run, copy_store

    with _bar(1000, "copying") as bar:

        def told(done: int, total: int) -> None:
            bar.update(1000 * done // max(total, 1) - bar.pos)

        copied = copy_store(source, target, told=told) if run is None else copy_run(source, run, target, told=told)
    for problem in copied.problems:
        click.echo(f"agnez: {problem}", err=True)
    runs = "1 run" if len(copied.runs) == 1 else f"{len(copied.runs)} runs"
    click.echo(f"{runs} ({copied.size / 1024**2:,.1f} MB) copied to {copied.directory}")
    if copied.problems:
        sys.exit(1)


COMMANDS = (doctor, copy)
