"""Series over HTTP: points past a cursor, or the part of a series that a chart shows, as bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from flask import Flask, Response, request
from werkzeug.datastructures import MultiDict

from agnez import wire
from agnez.errors import BadValueError, NotFoundError
from agnez.record import Series
from agnez.store import Store
from agnez.store import axis as axes
from agnez.store import cursor as cursors
from agnez.store.ranks import AGGREGATES
from agnez.store.reader import Rank, RunReader, Wish

_POINTS = range(10, 1_000_001)
_COUNTS = range(1_000_000)
_OCTETS = "application/octet-stream"
_MOST_RUNS = 200
_PAST = ("metric", "max", "after", "first")
_PART = ("metric", "max", "x", "from", "to", "rank", "branch")


def install(flask: Flask, store: Store) -> None:
    """Give the series of each run their address, and those of several runs one."""

    @flask.get("/runs/<id>/series")
    def series(id: str) -> Response:
        with RunReader(store, id) as reader:
            return _response(_message(reader, request.args))

    @flask.get("/series")
    def series_of_runs() -> Response:
        runs = request.args.getlist("run")
        if not 0 < len(runs) <= _MOST_RUNS:
            raise BadValueError(f"?run= names runs, from 1 to {_MOST_RUNS} of them")
        asked = MultiDict((name, value) for name, value in request.args.items(multi=True) if name != "run")
        return _response(b"".join(_messages(store, runs, asked)))


def _response(body: bytes) -> Response:
    response = Response(body, content_type=_OCTETS)
    response.headers["Cache-Control"] = "no-store"
    return response


def _messages(store: Store, runs: Iterable[str], asked: MultiDict[str, str]) -> Iterator[bytes]:
    """Return a points message of each run. Those that are not there are left out: they may have just been deleted."""
    for run in dict.fromkeys(runs):
        try:
            with RunReader(store, run) as reader:
                yield _message(reader, asked)
        except NotFoundError:
            continue


def _message(reader: RunReader, asked: MultiDict[str, str]) -> bytes:
    for name in asked:
        if name not in {*_PAST, *_PART}:
            raise BadValueError(f"?{name}= is not known here: there are {', '.join(dict.fromkeys(_PAST + _PART))}")
    metrics, most = asked.getlist("metric") or None, _whole(asked, "max", _POINTS)
    narrow = [name for name in asked if name not in _PAST]
    if not narrow:
        first = _whole(asked, "first", _COUNTS)
        if metrics is None and first is not None:
            metrics = reader.metrics()[:first]
        page = reader.page(metrics, after=asked.get("after", cursors.START), most=most)
        return wire.points_message(reader.id, page.cursor, page.series, decimated=page.decimated)
    if "after" in asked:
        raise BadValueError(f"?after= and ?{narrow[0]}= do not go together: a cursor follows all of rank 0")
    return _part(reader, asked, metrics, most)


def _part(reader: RunReader, asked: MultiDict[str, str], metrics: list[str] | None, most: int | None) -> bytes:
    """Return the part of some series that is asked for. Metrics that are not there are left out: they may come."""
    rank = _rank(asked)
    wish = Wish(
        x=asked.get("x"),
        branch=_whole(asked, "branch", _COUNTS),
        most=most,
        first=_number(asked, "from"),
        last=_number(asked, "to"),
    )
    known = _known(reader, rank)
    cursor = reader.cursor()
    found = [reader.series(each, rank=rank, wish=wish) for each in (metrics or known) if each in known]
    return wire.points_message(reader.id, cursor, list(map(_sent, found)), decimated=most is not None)


def _known(reader: RunReader, rank: Rank) -> Iterable[str]:
    ranks = [rank] if isinstance(rank, int) else reader.ranks()
    return dict.fromkeys(metric for each in ranks for metric in reader.metrics(each))


def _sent(series: Series) -> Series:
    """Return a series as it travels: steps and times have their columns, whatever the axis."""
    return replace(series, x=None, axis=None) if series.axis in (axes.STEP, axes.TIME) else series


def _rank(asked: MultiDict[str, str]) -> Rank:
    text = asked.get("rank", "0")
    for how in AGGREGATES:
        if text == how:
            return how
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise BadValueError(f"?rank= takes a whole number from 0, or one of {', '.join(AGGREGATES)}")
    return int(text)


def _whole(asked: MultiDict[str, str], name: str, valid: range) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,20}", text) or int(text) not in valid:
        raise BadValueError(f"?{name}= takes a whole number from {valid.start} to {valid.stop - 1}")
    return int(text)


def _number(asked: MultiDict[str, str], name: str) -> float | None:
    text = asked.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadValueError(f"?{name}= takes a finite number")
    return number
