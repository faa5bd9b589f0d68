"""The commands that show the page: `agnez server` and `agnez demo`."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal

import click

from agnez import settings
from agnez.cli.store import DIRECTORY
from agnez.errors import PortError


def _pages(text: str) -> tuple[int, int]:
    first, _, most = text.partition(":")
    if not (first.isdecimal() and most.isdecimal() and 0 < int(first) <= int(most)):
        raise click.BadParameter(f"{text!r} is not two numbers such as 10:100, the first not above the second")
    return int(first), int(most)


@click.command()
@DIRECTORY
@click.option("--port", type=click.IntRange(1, 65535), help="The port; by default 3000, or the next free one.")
@click.option(
    "--paginate",
    type=_pages,
    metavar="DEFAULT:MAX",
    help="Have the services answer `find` in pages: so many records where no $limit is asked for, and at the most.",
)
@click.option(
    "--static",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder whose files are served too, so that ./images/x.gif resolves.",
)
@click.option("--open/--no-open", "open_browser", default=False, help="Open a tab in the browser.")
def server(
    directory: Path | None,
    port: int | None,
    paginate: tuple[int, int] | None,
    static: Path | None,
    open_browser: bool,
) -> None:
    """Serve everything that was recorded, and what is being recorded now, until Ctrl-C."""
    from agnez.server.embed import Serving
    from agnez.server.service import Pagination
    from agnez.server.tab import open_tab
    from agnez.store import Store

    here = settings.read(directory, port)
    store = Store(here.directory)
    listener = _listen(here.port, exactly=port is not None)
    serving = Serving(store, listener, static=static, pagination=Pagination(*paginate) if paginate else None)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    serving.start()
    click.echo(f"agnez: the dashboard is at {url} (store {here.directory}); Ctrl-C ends it")
    if here.ssh is not None:
        number = url.rstrip("/").rpartition(":")[2]
        click.echo(f"agnez: on your own machine: ssh -L {number}:127.0.0.1:{number} {here.ssh}")
    if open_browser:
        open_tab(url, here, unless=serving.wait_for_page)
    try:
        serving.wait()
    except KeyboardInterrupt:
        serving.stop(goodbye=0.5)


@click.command()
@click.option("--framework", type=click.Choice(["keras", "torch"]), default="keras", show_default=True)
@click.option(
    "--epochs", type=click.IntRange(1), default=80, show_default=True, help="80 last about a minute on two cores."
)
@DIRECTORY
@click.option("--port", type=click.IntRange(1, 65535), help="The port; by default 3000, or the next free one.")
@click.option("--exit", "leave", is_flag=True, help="End with the training, instead of serving on until Ctrl-C.")
@click.option("--no-browser", is_flag=True, help="Open no tab.")
def demo(
    framework: Literal["keras", "torch"],
    epochs: int,
    directory: Path | None,
    port: int | None,
    leave: bool,
    no_browser: bool,
) -> None:
    """Train a small convolutional network on handwritten digits, and watch it."""
    from agnez.demo import run
    from agnez.session import session

    try:
        with click.progressbar(length=epochs, label=f"training with {framework}", show_pos=True) as bar:
            run(
                framework,
                epochs=epochs,
                on_epoch=lambda epoch, epochs: bar.update(1),
                dir=directory,
                port=port,
                open_browser=not no_browser,
            )
        if leave:
            return
        click.echo("agnez: trained; the dashboard stays until Ctrl-C")
        session().wait()
    except KeyboardInterrupt:
        click.echo("")


def _listen(first: int, *, exactly: bool) -> socket.socket:
    from agnez.server import ports

    for port in [first] if exactly else ports.candidates(first):
        listener = ports.listen(port)
        if listener is not None:
            return listener
    if ports.ask(first) is not None:
        raise PortError(f"port {first} is taken: an Agnez dashboard is there already, at http://127.0.0.1:{first}/")
    raise PortError(f"port {first} is taken: give another with --port")


COMMANDS = (server, demo)
