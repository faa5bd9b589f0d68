"""The command line: `agnez`, with a module for each noun that its commands are about."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from agnez._version import __version__
from agnez.cli import care, runs, sending, serving, trash
from agnez.errors import AgnezError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agnez")
def cli() -> None:
    """Agnez: the live view of a neural network's training."""


for each in (*serving.COMMANDS, *runs.COMMANDS, *sending.COMMANDS, *trash.COMMANDS, *care.COMMANDS):
    cli.add_command(each)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; an error of ours, or of a file that may not be read, is a sentence and the exit code 1."""
    try:
        cli.main(args=list(arguments) if arguments is not None else None, prog_name="agnez", standalone_mode=True)
    except AgnezError as error:
        click.echo(f"agnez: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"agnez: {error.filename or 'a file'} cannot be used ({error.strerror})", err=True)
        sys.exit(1)
