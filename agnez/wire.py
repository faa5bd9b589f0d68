"""How records travel: as JSON objects and, for numbers, as bytes. One version, one policy for NaN.

JSON has no NaN and no infinities: where a number of a metric may be one, the strings "NaN", "Infinity" and "-Infinity"
stand for it. In bytes they are what IEEE 754 says.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from agnez.errors import BadValueError
from agnez.record import Finding, Json, Progress, RunInfo, Series, Summary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agnez.record import FloatArray

VERSION = 2
_HEAD = struct.Struct("<BBHI8x")  # version, flags, zero, bytes of the JSON header, zeros
_DECIMATED = 1
_MOST_STEP = 2.0**62
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number(value: float) -> Json:
    """Write a number that may be non-finite.

    >>> number(float("-inf")), number(0.5)
    ('-Infinity', 0.5)
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read_number(value: Json) -> float:
    """Read what `number` wrote.

    Raises:
        BadValueError: it is no number.
    """
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise BadValueError(f"{quoted(value)} is no number")


def quoted(value: Json) -> str:
    """Return a value as an error quotes it: short, and of arrays and objects just that they are such.

    >>> quoted(None), quoted(True), quoted("3"), quoted([[[]]])
    ('null', 'true', "'3'", 'an array')
    """
    if isinstance(value, list | tuple | Mapping):  # they may be deep, and as long as a body
        return "an object" if isinstance(value, Mapping) else "an array"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:60]}…"


class Told(dict[str, "Json"]):
    """Be a record that brings its JSON along, which is written once for all who are told. Nobody changes it.

    >>> dump(Told({"a": 1}, '{"a":1}'))
    '{"a":1}'
    """

    __slots__ = ("text",)

    def __init__(self, record: Mapping[str, Json], text: str) -> None:
        super().__init__(record)
        self.text = text


def dump(value: Json) -> str:
    """Write JSON that every language reads: non-finite numbers are refused.

    Raises:
        BadValueError: the value holds a NaN, an infinity, or something that JSON cannot say.
    """
    if isinstance(value, Told):
        return value.text
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError) as error:
        raise BadValueError(f"this cannot be written as JSON: {error}") from error


def jsonable(value: object) -> Json:
    """Make of any value one that JSON can say; what it cannot is put down as text.

    >>> jsonable({"lr": 1e-3, "shape": (3, 3), "dtype": int, "limit": float("inf")})
    {'lr': 0.001, 'shape': [3, 3], 'dtype': "<class 'int'>", 'limit': 'Infinity'}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(each) for each in value]
    return str(value)


MOST_LISTED = 64
"""Metrics whose summaries a list of runs tells of one run; the record of the one run has all."""

_PHASES = ("batch", "train", "val", "test")


def run_record(info: RunInfo) -> dict[str, Json]:
    """Write a run as the `runs` service speaks of it."""
    progress = info.progress
    return {
        "_id": info.id,
        "project": info.project,
        "name": info.name,
        "config": dict(info.config),
        "tags": list(info.tags),
        "notes": info.notes,
        "state": info.state,
        "reason": info.reason,
        "created": info.created,
        "ended": info.ended,
        "heartbeat": info.heartbeat,
        "progress": {
            "epoch": progress.epoch,
            "epochs": progress.epochs,
            "step": progress.step,
            "steps_per_epoch": progress.steps_per_epoch,
        },
        "summary": {name: summary_record(summary) for name, summary in info.summary.items()},
        "problems": list(info.problems),
        "axes": dict(info.axes),
        "archived": info.archived,
        "forked_from": None if info.forked_from is None else {"run": info.forked_from[0], "step": info.forked_from[1]},
        "dropped": info.dropped,
    }


def headline(summaries: Mapping[str, Summary]) -> Mapping[str, Summary]:
    """Return the summaries that lists of runs tell: all, or of very many those that say how a training goes.

    These are the ones without a folder, or with that of a phase; then those that were logged first.
    """
    if len(summaries) <= MOST_LISTED:
        return summaries
    main = (name for name in summaries if "/" not in name or name.partition("/")[0] in _PHASES)
    names = dict.fromkeys(islice(main, MOST_LISTED)) | dict.fromkeys(islice(summaries, MOST_LISTED))
    return {name: summaries[name] for name in islice(names, MOST_LISTED)}


def lazy_run_record(info: RunInfo) -> dict[str, Json]:
    """Write a run as `run_record` does, its summaries when they are looked at: for queries over many runs."""
    return run_record(replace(info, summary={})) | {"summary": _SummaryRecords(info.summary)}


def whole_run_record(record: dict[str, Json]) -> dict[str, Json]:
    """Return what a list says of a record that `lazy_run_record` made, or of a part of it: of summaries the main."""
    summary = record.get("summary")
    if not isinstance(summary, _SummaryRecords):
        return record
    return {**record, "summary": summary.listed()}


class _SummaryRecords(Mapping[str, "Json"]):
    def __init__(self, summaries: Mapping[str, Summary]) -> None:
        self._summaries = summaries

    def __getitem__(self, metric: str) -> Json:
        return summary_record(self._summaries[metric])

    def __iter__(self) -> Iterator[str]:
        return iter(self._summaries)

    def __len__(self) -> int:
        return len(self._summaries)

    def listed(self) -> dict[str, Json]:
        return {metric: summary_record(summary) for metric, summary in headline(self._summaries).items()}


def private_record(info: RunInfo) -> dict[str, Json]:
    """Write a run as the store keeps it: with what only this machine needs to know."""
    return run_record(info) | {"host": info.host, "pid": info.pid, "machine": dict(info.machine)}


def summary_record(summary: Summary) -> dict[str, Json]:
    """Write the summary of a series."""
    return {
        "last": number(summary.last),
        "last_step": summary.last_step,
        "min": number(summary.min),
        "min_step": summary.min_step,
        "max": number(summary.max),
        "max_step": summary.max_step,
        "count": summary.count,
        "non_finite": summary.non_finite,
        "mean": number(summary.mean),
    }


def read_summary(record: dict[str, Json]) -> Summary:
    """Read what `summary_record` wrote."""
    numbers = {key: read_number(value) for key, value in record.items()}
    whole = {key: int(numbers[key]) for key in ("last_step", "min_step", "max_step", "count", "non_finite")}
    mean = numbers.get("mean", math.nan)  # which files of the first schema lack
    return Summary(last=numbers["last"], min=numbers["min"], max=numbers["max"], mean=mean, **whole)


def finding_record(finding: Finding) -> dict[str, Json]:
    """Write a finding as the `findings` service speaks of it."""
    return {
        "_id": f"{finding.run}.{finding.kind}.{finding.metric}",
        "run": finding.run,
        "kind": finding.kind,
        "severity": finding.severity,
        "sentence": finding.sentence,
        "advice": finding.advice,
        "metric": finding.metric,
        "first_step": finding.first_step,
        "last_step": finding.last_step,
    }


def read_progress(record: dict[str, int | None]) -> Progress:
    """Read the `progress` of a run record."""
    return Progress(**{key: record.get(key) for key in ("epoch", "epochs", "step", "steps_per_epoch")})


@dataclass(frozen=True, slots=True)
class PointsMessage:
    """Hold what a points message says: points of a run up to `cursor`, past `after` where that is known."""

    run: str
    cursor: str
    series: Sequence[Series]
    after: str | None = None
    decimated: bool = False


def points_message(
    run: str, cursor: str, series: Sequence[Series], *, after: str | None = None, decimated: bool = False
) -> bytes:
    """Write a points message: little-endian columns behind a JSON header (docs/architecture.md has the layout)."""
    entries: Json = [_entry(each) for each in series]
    facts: dict[str, Json] = {"run": run, "cursor": cursor}
    if after is not None:
        facts["after"] = after
    header = dump({**facts, "series": entries}).encode()
    header += b" " * (-len(header) % 8)
    columns = [column for each in series for column in _columns(each)]
    head = _HEAD.pack(VERSION, _DECIMATED if decimated else 0, 0, len(header))
    numbers = np.concatenate(columns, dtype="<f8", casting="unsafe").tobytes() if columns else b""
    return b"".join([head, header, numbers])


def read_points(message: bytes) -> PointsMessage:
    """Read a points message. Its calls are not told: those of its series are empty.

    Raises:
        BadValueError: it is of another version, or not of the length that it says.
    """
    read = read_bundle(message)
    if len(read) != 1:
        raise BadValueError(f"these are {len(read)} points messages where one was expected")
    return read[0]


def read_bundle(messages: bytes) -> list[PointsMessage]:
    """Read points messages that stand one behind the other, as the socket and `/series` bring them.

    Raises:
        BadValueError: one is of another version, or they are not of the length that they say.
    """
    found: list[PointsMessage] = []
    start = 0
    while start < len(messages) or not found:
        message, start = _read_one(messages, start)
        found.append(message)
    return found


def _read_one(messages: bytes, start: int) -> tuple[PointsMessage, int]:
    """Return the message that begins at a byte, and where it ends."""
    if len(messages) < start + _HEAD.size:
        raise BadValueError("this points message is cut short")
    version, flags, _, length = _HEAD.unpack_from(messages, start)
    if version != VERSION:
        raise BadValueError(f"points message of version {version}; this Agnez reads version {VERSION}")
    body = start + _HEAD.size + length
    try:
        header = json.loads(messages[start + _HEAD.size : body])
    except (ValueError, RecursionError) as error:
        raise BadValueError("this points message is cut short") from error
    entries = _check_header(header)
    count = sum(_width(entry) * entry[1] for entry in entries)
    if len(messages) < body + 8 * count:
        raise BadValueError("this points message is not of the length that it says")
    numbers, series, at = np.frombuffer(messages, "<f8", count, body) if count else np.empty(0), [], 0
    for entry in entries:
        width = _width(entry) * entry[1]
        series.append(_read_series(entry, numbers[at : at + width]))
        at += width
    message = PointsMessage(header["run"], header["cursor"], series, header.get("after"), bool(flags & _DECIMATED))
    return message, body + 8 * count


def _check_header(header: Json) -> list[list[Any]]:
    """Check the header of a points message, and return its series' entries."""
    if not isinstance(header, Mapping) or not all(isinstance(header.get(name), str) for name in ("run", "cursor")):
        raise BadValueError("the header of this points message names no run, or no cursor")
    entries = header.get("series")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise BadValueError("the header of this points message has no series, or one that is not [name, count, axis]")
    return entries


def _is_entry(entry: Json) -> bool:
    match entry:
        case [str(), int(count)] | [str(), int(count), str()]:
            return not isinstance(count, bool) and count >= 0
    return False


def _entry(series: Series) -> list[Json]:
    return [series.metric, len(series)] if series.x is None else [series.metric, len(series), series.axis]


def _columns(series: Series) -> tuple[NDArray[Any], ...]:
    columns = (series.steps, series.values, series.times)
    return columns if series.x is None else (*columns, series.x)


def _width(entry: list[Any]) -> int:
    """Return how many columns a series has, by its entry in the header."""
    return 3 if len(entry) == 2 else 4


def _read_series(entry: list[Any], numbers: FloatArray) -> Series:
    steps, values, times, *more = numbers.reshape(_width(entry), entry[1])
    if not (np.abs(steps) <= _MOST_STEP).all() or (steps % 1).any():
        raise BadValueError(f"the steps of {entry[0]} in this points message are no whole numbers")
    x, axis = (more[0], entry[2]) if more else (None, None)
    return Series(entry[0], steps.astype(np.int64), values, times, np.empty(0, dtype=np.int64), x, axis)
