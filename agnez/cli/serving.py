"""The commands that show the page: `agnez server` and `agnez demo`."""

from __future__ import annotations

import socket
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from agnez import settings
from agnez.cli.store import DIRECTORY
from agnez.errors import PortError

if TYPE_CHECKING:
    from agnez.server.standalone import Standing


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
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; elsewhere a token is asked for.")
@click.option(
    "--token",
    is_flag=False,
    flag_value="make",
    help="Ask for this token; without a value, one is made. AGNEZ_TOKEN is not seen in the list of processes.",
)
@click.option("--read-token", help="The token of those who may only look; else one is made. Or AGNEZ_READ_TOKEN.")
@click.option("--allow-host", "names", multiple=True, metavar="NAME", help="A further name of this server.")
@click.option("--allow-origin", "origins", multiple=True, metavar="URL", help="A page elsewhere that may use it.")
@click.option("--certfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Serve TLS with it.")
@click.option("--keyfile", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The certificate's key.")
@click.option("--base-url", "base", default="", metavar="/PATH", help="What stands before all addresses.")
@click.option("--trusted-proxy", "proxies", multiple=True, metavar="ADDRESS", help="Whose X-Forwarded-… to believe.")
def server(
    directory: Path | None,
    port: int | None,
    paginate: tuple[int, int] | None,
    static: Path | None,
    open_browser: bool,
    **exposure: Any,
) -> None:
    """Serve everything that was recorded, and what is being recorded now, until Ctrl-C."""
    from agnez.server import standalone, tls
    from agnez.server.embed import Serving
    from agnez.server.service import Pagination
    from agnez.server.tab import link, open_tab
    from agnez.store import Store

    here = settings.read(directory, port)
    certificate, key = exposure.pop("certfile"), exposure.pop("keyfile")
    exposure["token"] = exposure["token"] or here.token
    exposure["read_token"] = exposure["read_token"] or here.read_token
    store = Store(here.directory)
    standing = standalone.stand(standalone.Wishes(**exposure), store.id)
    engine = standalone.pick_engine()
    standalone.allow_many_connections()
    standalone.answer_soon()
    context = tls.read_context(certificate, key, engine.tls) if certificate is not None else None
    listener = _listen(here.port, exposure["host"], exactly=port is not None)
    pagination = Pagination(*paginate) if paginate else None
    options = {"static": static, "pagination": pagination, "reach": standing.reach}
    serving = Serving(store, listener, engine=engine, tls=context, **options)
    number = listener.getsockname()[1]
    url = f"http{'s' if context else ''}://{standing.name}:{number}{standing.reach.base}/"
    serving.start()
    click.echo(f"agnez: the dashboard is at {link(url, standing.full)} (store {here.directory}); Ctrl-C ends it")
    _say_more(standing, url, here, number, secured=context is not None)
    if open_browser:
        open_tab(link(url, standing.full), here, unless=serving.wait_for_page)
    try:
        serving.wait()
    except KeyboardInterrupt:
        serving.stop(goodbye=0.5)


def _say_more(standing: Standing, url: str, here: settings.Settings, number: int, *, secured: bool) -> None:
    from agnez.server.tab import link

    if standing.reading is not None:
        click.echo(f"agnez: to look only: {link(url, standing.reading)}")
    if standing.reach.numeric and not secured:
        click.echo("agnez: what is sent can be read on its way: give --certfile, or listen here and come by ssh -L")
    if standing.reach.numeric and find_spec("gevent") is None:
        click.echo("agnez: for more than some fifty viewers: pip install 'agnez[server]'")
    if here.ssh is not None and not standing.reach.numeric:
        click.echo(f"agnez: on your own machine: ssh -L {number}:127.0.0.1:{number} {here.ssh}")


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


def _listen(first: int, host: str, *, exactly: bool) -> socket.socket:
    from agnez.server import ports

    for port in [first] if exactly else ports.candidates(first):
        listener = ports.listen(port, host)
        if listener is not None:
            return listener
    if ports.ask(first) is not None:
        raise PortError(f"port {first} is taken: an Agnez dashboard is there already, at http://127.0.0.1:{first}/")
    raise PortError(f"port {first} is taken: give another with --port")


COMMANDS = (server, demo)
