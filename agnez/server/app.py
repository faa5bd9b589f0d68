"""The application: every address and socket of the server, over one store, behind the gate."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, render_template, request, send_file
from flask_socketio import SocketIO
from markupsafe import Markup

from agnez import wire
from agnez._version import __version__
from agnez.dashboard import read_layout
from agnez.errors import BadValueError, NotFoundError
from agnez.query import read
from agnez.record import Json
from agnez.render import asset_path, figure_parts, inlined, localise, relative
from agnez.server import feathers, points, rest, series, uploads
from agnez.server import media as server_media
from agnez.server.contract import routes
from agnez.server.door import Door
from agnez.server.engine import Engine
from agnez.server.followed import cells_message
from agnez.server.forwarded import Forwarded
from agnez.server.news import RunNews
from agnez.server.posted import Posted
from agnez.server.reach import Reach
from agnez.server.records import Runs, findings, projects
from agnez.server.rest import json_response
from agnez.server.security import MPLD3, Gate, frame_policy, page_policy
from agnez.server.service import Announce, Pagination, Service, Services
from agnez.server.threads import Threads
from agnez.server.tokens import Tokens
from agnez.server.values import CellsOfRun, Values
from agnez.server.viewers import Viewers
from agnez.store import Store, media
from agnez.wire import finding_record

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_YEAR = "public, max-age=31536000, immutable"
_HOUR = "public, max-age=3600"
_REVALIDATE = "no-cache"
_MANIFEST = "manifest.json"
_PROXIES_SAY = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Context", "X-ProxyContextPath", "Forwarded", "Via")
_DOCUMENT = re.compile(r"(?:\./|/)?runs/(?P<run>[^/]+)/media/(?P<name>[0-9a-f]{32}\.html)")
_ASSETS = Path(str(files("agnez.server").joinpath("assets")))


@dataclass(slots=True)
class Application:
    """Hold a server that nobody serves yet.

    `wsgi` is what to serve. `announce` tells the clients of a service of a change that another process made; hold
    `values.announcing` from reading a cell's change until it is announced, or it may overtake a newer one, and
    `news.announcing` for those of runs. `viewers`
    counts the open pages; who knows them puts its counter here.
    """

    flask: Flask
    socketio: SocketIO
    values: Values
    news: RunNews
    wsgi: WSGIApplication
    announce: Announce
    sockets: Viewers
    origin: str
    posted: Posted
    engine: Engine
    tokens: Tokens | None
    viewers: Callable[[], int] = lambda: 0


def create_app(
    store: Store,
    *,
    static: Path | None = None,
    reach: Reach | None = None,
    engine: Engine | None = None,
    pagination: Pagination | None = None,
    multi: bool = True,
) -> Application:
    """Build the server of a store.

    `static` is a folder whose files are served where nothing else answers; `reach` tells from where the server may be
    called, by default from this machine; `engine` is what it will run on, by default threads. `pagination` has `find`
    of every service answer in pages, and `multi` off refuses changes of many cells at once.
    """
    flask = Flask("agnez.server", static_folder=None, template_folder=str(files("agnez.templates")))
    reach, engine = reach or Reach(), engine or Threads()
    hosts = reach.hosts
    flask.wsgi_app = engine.aside(flask.wsgi_app)  # type: ignore[method-assign,assignment]  # the sockets come before
    socketio = _sockets(flask, engine)
    origin = f"server-{uuid.uuid4().hex}"
    viewers = Viewers(socketio.server, engine, largest=rest.LARGEST_BODY)
    announce = feathers.announcer(viewers)
    values = Values(store, announce, origin, pagination=pagination, multi=multi)
    news = RunNews(announce, began=time.time_ns() // 1000)
    posted = Posted(store)
    named: Mapping[str, Service] = {
        "values": values,
        "runs": Runs(store, posted, news, pagination),
        "projects": projects(store, pagination),
        "findings": findings(store, pagination),
    }
    services = Services(named, {("runs", "cells"): lambda run: CellsOfRun(values, store, run)})
    feathers.install(socketio.server, services, engine, viewers, reach.tokens)
    rest.install(flask, services)
    routes.install(
        flask,
        services,
        pages=pagination is not None,
        locked=reach.tokens is not None,
        hosts=hosts,
        styles=lambda: entry.styles if (entry := _entry()) else [],
    )
    door = Door(flask.wsgi_app, reach.tokens, viewers.has_room)
    gate = Gate(door, hosts, numeric=reach.numeric, origins=reach.origins)
    wsgi = Forwarded(gate, reach.base, reach.proxies)
    app = Application(flask, socketio, values, news, wsgi, announce, viewers, origin, posted, engine, reach.tokens)
    _add_page(flask, hosts)
    _add_board(flask, store)
    _add_about(app, store)
    _add_frame(app, store, hosts)
    _add_figure(app)
    series.install(flask, store)
    server_media.install(flask, store)
    points.install(flask, posted)
    uploads.install(flask, store, posted)
    if static is not None:
        _add_static(flask, static)
    return app


def _sockets(flask: Flask, engine: Engine) -> SocketIO:
    quiet = logging.getLogger("agnez.server.sockets")
    quiet.setLevel(logging.WARNING)  # below, python-engineio logs every packet
    return SocketIO(
        flask,
        async_mode=engine.mode,
        async_handlers=False,  # calls of one socket start in the order they were sent
        cors_allowed_origins=[],  # no check of its own: the gate has done it
        max_http_buffer_size=rest.LARGEST_BODY,
        manage_session=False,
        logger=quiet,  # a logger of ours: given none, both libraries configure global ones
        engineio_logger=quiet,
    )


# --- the page --------------------------------------------------------------------------------------------------------


def _add_page(flask: Flask, hosts: Sequence[str]) -> None:
    @flask.get("/")
    def page() -> Response:
        entry = _entry()
        if entry is None:
            raise NotFoundError("The page is not built: `pip install .` builds it, `npm run build` in frontend/ too")
        html = render_template("page.html", entry=entry, version=__version__)
        response = Response(html)
        response.headers["Content-Security-Policy"] = page_policy(request.host, hosts)
        response.headers["Cache-Control"] = _REVALIDATE
        return response

    @flask.get("/assets/<path:name>")
    def assets(name: str) -> Response:
        path = asset_path(name.removeprefix("mpld3/")) if name.startswith("mpld3/") else _inside(_ASSETS, name)
        if path is None or name == _MANIFEST:
            raise NotFoundError(f"{request.path} does not exist")
        response = send_file(path, conditional=True)
        # The names of what Vite builds bear a hash of what is in them.
        response.headers["Cache-Control"] = _HOUR if request.path.startswith(MPLD3) else _YEAR
        return response


@dataclass(frozen=True, slots=True)
class _Entry:
    """Hold the addresses of the built script, of the scripts that it imports, and of its styles."""

    script: str
    imports: list[str]
    styles: list[str]


def _entry() -> _Entry | None:
    """Return what the page begins with; None where nothing was built."""
    try:
        manifest = json.loads((_ASSETS / _MANIFEST).read_text("utf-8"))
        entry = next(chunk for chunk in manifest.values() if chunk.get("isEntry"))
        imports = [manifest[name]["file"] for name in entry.get("imports", [])]
        return _Entry(_asset(entry["file"]), list(map(_asset, imports)), list(map(_asset, entry.get("css", []))))
    except (OSError, ValueError, KeyError, StopIteration):
        return None


def _asset(name: str) -> str:
    return f"./assets/{name}"


def _add_board(flask: Flask, store: Store) -> None:
    @flask.get("/board")
    def board() -> Response:
        run = _wanted("run")
        with store.open_run(run) as file:
            told, project = cells_message(run, file.cells.changes(0)), file.info().project
            found: Json = [finding_record(each) for each in file.findings()]
        layout = read_layout(store, project)
        told |= {"findings": found, "project": project, "layouts": [] if layout is None else [layout]}
        return json_response(told)


def _add_about(app: Application, store: Store) -> None:
    @app.flask.get("/about")
    def about() -> Response:
        facts: dict[str, Json] = {
            "app": "agnez",
            "version": __version__,
            "wire": wire.VERSION,
            "store": store.id,
            "pid": os.getpid(),
            "viewers": app.viewers(),
            "loose_cells": _count_loose(store),
        }
        return json_response(facts)


def _count_loose(store: Store) -> int:
    with store.cells(None) as cells:
        return sum(cell.get("type") != "layout" for cell in cells.find())  # those say how cells stand, and are none


# --- cells in frames -----------------------------------------------------------------------------------------


def _add_frame(app: Application, store: Store, hosts: Sequence[str]) -> None:
    @app.flask.get("/frame")
    def frame() -> Response:
        if "src" in request.args:
            value: Json = {"src": request.args["src"]}
        else:
            cell = app.values.get(_wanted("cell"), read(None))
            value = cell.get("value") if cell.get("type") == "html" else ""
        shown = relative(_html(store, value))
        if any(name in request.headers for name in _PROXIES_SAY):
            shown = inlined(shown)  # a proxy may ask for a login, and the cookie of that no sandboxed frame sends
        theme = request.args.get("theme", "light")
        if theme not in ("light", "dark"):
            raise BadValueError("?theme= is light or dark")
        address = f"{request.scheme}://{request.host}{request.script_root}"
        html = render_template("frame.html", value=Markup(shown), theme=theme)  # hostile: the policy shuts it in
        response = Response(html)
        response.headers["Content-Security-Policy"] = frame_policy(address, hosts)
        response.headers["Cache-Control"] = _REVALIDATE
        response.set_etag(hashlib.blake2b(f"{address}\0{html}".encode(), digest_size=16).hexdigest())
        response.make_conditional(request)
        return response


def _add_figure(app: Application) -> None:
    @app.flask.get("/figure")
    def figure() -> Response:
        cell = app.values.get(_wanted("cell"), read(None))
        value = cell.get("value")
        parts = figure_parts(value) if isinstance(value, str) else None
        if parts is None:
            raise NotFoundError("This cell has no figure that a frame could draw in the place of another")
        response = json_response(parts)
        response.headers["Cache-Control"] = _REVALIDATE
        return response


def _html(store: Store, value: Json) -> str:
    """Return the HTML of a cell's value: itself, or that of the file which it names."""
    if isinstance(value, str):
        return localise(value)
    match = _DOCUMENT.fullmatch(str(value.get("src"))) if isinstance(value, Mapping) else None
    if match is None:
        return ""
    return localise(media.path(store.run_folder(match["run"]), match["name"]).read_text("utf-8", "replace"))


def _wanted(name: str) -> str:
    value = request.args.get(name)
    if value is None:
        raise BadValueError(f"?{name}= is missing")
    return value


# --- files of the user's ---------------------------------------------------------------------------------------------


def _add_static(flask: Flask, folder: Path) -> None:
    @flask.get("/<path:name>")
    def static_file(name: str) -> Response:
        path = _inside(folder, name)
        if path is None:
            raise NotFoundError(f"{request.path} does not exist")
        response = send_file(path, conditional=True)
        response.headers["Cache-Control"] = _REVALIDATE
        if (response.mimetype or "").endswith(("html", "xml")):  # SVG is XML
            response.headers["Content-Security-Policy"] = "sandbox"  # it opens, but no script of it acts as ours
        return response


def _inside(folder: Path, name: str) -> Path | None:
    """Return a file below a folder: no hidden one, and none that a link leads outside to."""
    if any(part.startswith(".") for part in name.split("/")) or "\0" in name or "\\" in name:
        return None
    try:
        root = folder.resolve(strict=True)
        path = root.joinpath(name).resolve(strict=True)
    except (OSError, RuntimeError):  # missing, or links that go round in circles
        return None
    return path if path.is_relative_to(root) and path.is_file() else None
