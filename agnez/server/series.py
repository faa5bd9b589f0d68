"""Series over HTTP: points past a cursor, or the part of a series that a chart shows, as bytes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

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

POINTS = range(10, 1_000_001)
"""How many points of a series may be asked for."""

COUNTS = range(1_000_000)
OCTETS = "application/octet-stream"
MOST_RUNS = 200
"""Runs whose series one answer has."""

_PAST = ("metric", "max", "after", "first")
_PART = ("metric", "max", "x", "from", "to", "rank", "branch", "means")


def install(flask: Flask, store: Store) -> None:
    """Give the series of each run their address, and those of several runs one."""

    @flask.get("/runs/<id>/series")
    def series(id: str) -> Response:
        asked = _read(request.args)
        with RunReader(store, id) as reader:
            return _response(_message(reader, asked))

    @flask.get("/series")
    def series_of_runs() -> Response:
        runs = request.args.getlist("run")
        if not 0 < len(runs) <= MOST_RUNS:
            raise BadValueError(f"?run= names runs, from 1 to {MOST_RUNS} of them")
        asked = MultiDict((name, value) for name, value in request.args.items(multi=True) if name != "run")
        return _response(b"".join(_messages(store, runs, _read(asked))))


def _response(body: bytes) -> Response:
    response = Response(body, content_type=OCTETS)
    response.headers["Cache-Control"] = "no-store"
    return response


def _messages(store: Store, runs: Iterable[str], asked: _Asked) -> Iterator[bytes]:
    """Return a points message of each run. Those that are not there are left out: they may have just been deleted."""
    for run in dict.fromkeys(runs):
        try:
            with RunReader(store, run) as reader:
                yield _message(reader, asked)
        except NotFoundError:
            continue


@dataclass(frozen=True, slots=True)
class _Asked:
    """Hold what is asked of each run: the part of its series that a wish tells, or what lies past a cursor."""

    metrics: list[str] | None
    leading: int | None
    most: int | None
    after: str
    rank: Rank
    wish: Wish | None


def _read(given: MultiDict[str, str]) -> _Asked:
    for name in given:
        if name not in {*_PAST, *_PART}:
            raise BadValueError(f"?{name}= is not known here: there are {', '.join(dict.fromkeys(_PAST + _PART))}")
    narrow = [name for name in given if name not in _PAST]
    if narrow and "after" in given:
        raise BadValueError(f"?after= and ?{narrow[0]}= do not go together: a cursor follows all of rank 0")
    most, after = _whole(given, "max", POINTS), given.get("after", cursors.START)
    cursors.read(after)
    if "max" in given and "means" in given:
        raise BadValueError("?max= and ?means= do not go together: one leaves points out, the other sums them up")
    wish = Wish(
        x=given.get("x"),
        branch=_whole(given, "branch", COUNTS),
        most=most,
        first=_number(given, "from"),
        last=_number(given, "to"),
        means=_whole(given, "means", POINTS),
    )
    metrics, leading = given.getlist("metric") or None, _whole(given, "first", COUNTS)
    return _Asked(metrics, leading, most, after, _rank(given), wish if narrow else None)


def _message(reader: RunReader, asked: _Asked) -> bytes:
    metrics = asked.metrics
    if metrics is None and asked.leading is not None:
        metrics = reader.metrics()[: asked.leading]
    if asked.wish is not None:
        return _part(reader, asked.wish, metrics, asked.rank)
    page = reader.page(metrics, after=asked.after, most=asked.most)
    return wire.points_message(reader.id, page.cursor, page.series, decimated=page.decimated)


def _part(reader: RunReader, wish: Wish, metrics: list[str] | None, rank: Rank) -> bytes:
    """Return the part of some series that is asked for. Metrics that are not there are left out: they may come."""
    known = _known(reader, rank)
    cursor = reader.cursor()
    wanted = known if metrics is None else metrics
    read = reader.series if wish.means is None else reader.means
    found = [read(each, rank=rank, wish=wish) for each in wanted if each in known]
    decimated = wish.most is not None or wish.means is not None
    return wire.points_message(reader.id, cursor, list(map(_sent, found)), decimated=decimated)


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
