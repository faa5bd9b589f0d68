"""What a program posts of its numbers: bodies of several forms, read as columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agnez import wire
from agnez.errors import BadValueError
from agnez.names import check_speakable
from agnez.record import Batch, Json, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from agnez.record import FloatArray, IntArray

JSON = "application/json"
LINES = "application/x-ndjson"
BINARY = "application/vnd.agnez.points"

CALL = "call"
"""The axis by which a points message tells which of its numbers are of one point: they share their place on it."""

MOST_REFUSED = 1000
"""Points that may be refused of a body; of one with more nothing is taken."""

LONGEST_NAME = 4000
"""Characters of a metric's name."""

_DEEPEST = 20
_STEPS = range(-(2**62), 2**62)
_LATEST = 2.0**53 / 1e6  # seconds since 1970: microseconds that a float still tells apart
_NONE = -(2**63)  # in the place of a step or a time that was not given


@dataclass(frozen=True, slots=True)
class Refusal:
    """Say which point of a body was refused, counted from 0, and why."""

    index: int
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Posting:
    """Hold what a body brings: `count` points, of which some are refused.

    Here a point is what one `log` call takes: a step, a time, and numbers by their metrics. The calls of `points` are
    the places of the points in the body; steps and times that were not given are filled in by `settled`.
    """

    count: int
    points: Batch
    refused: tuple[Refusal, ...] = ()

    def settled(self, *, skip: int, next_step: int, now: int) -> Batch:
        """Return the points but for the first `skip`, as a batch whose calls begin with 0.

        A point without a step gets the one after the last, the first of all `next_step`; one without a time gets `now`,
        microseconds since 1970 (UTC).
        """
        found = self.points
        kept = found.calls >= skip
        places, calls = np.unique(found.calls[kept], return_inverse=True)
        steps = found.steps[kept]
        if len(places) and (steps == _NONE).any():
            steps = _counted(steps, calls, len(places), next_step)
        times = found.times[kept]
        return Batch(
            names=found.names,
            metrics=found.metrics[kept],
            calls=calls.astype(np.int64),
            steps=steps,
            values=found.values[kept],
            times=np.where(times == _NONE, now, times),
        )


def read(body: bytes, kind: str) -> Posting:
    """Read a body of one of the three forms.

    Raises:
        BadValueError: it is not of that form, or more than `MOST_REFUSED` of its points cannot be taken.
    """
    if kind == BINARY:
        return _read_message(body)
    return _read_objects(_lines(body) if kind == LINES else _array(body))


# --- JSON -------------------------------------------------------------------------------------------------------------


def _array(body: bytes) -> Iterator[Json | BadValueError]:
    found = _parsed(body)
    yield from found if isinstance(found, list) else [found]


def _lines(body: bytes) -> Iterator[Json | BadValueError]:
    for line in body.split(b"\n"):
        if line.strip():
            try:
                yield _parsed(line)
            except BadValueError as error:
                yield error


def _parsed(text: bytes) -> Json:
    try:
        found: Json = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadValueError(f"this is not JSON: {error}") from error
    return found


def _refuse_constant(word: str) -> float:
    raise ValueError(f'{word} is no JSON; write it as the text "{word}"')


def _read_objects(objects: Iterable[Json | BadValueError]) -> Posting:
    places: dict[str, int] = {}
    refused: list[Refusal] = []
    metrics, calls, steps, values, times = list[int](), list[int](), list[int](), list[float](), list[int]()
    count = 0
    for index, each in enumerate(objects):
        count += 1
        try:
            if isinstance(each, BadValueError):
                raise each
            step, time, numbers = _read_object(each)
        except BadValueError as error:
            _refuse(refused, Refusal(index, str(error)))
            continue
        metrics += [places.setdefault(name, len(places)) for name in numbers]
        values += numbers.values()
        calls += [index] * len(numbers)
        steps += [step] * len(numbers)
        times += [time] * len(numbers)
    points = Batch(
        names=tuple(places),
        metrics=np.array(metrics, dtype=np.int64),
        calls=np.array(calls, dtype=np.int64),
        steps=np.array(steps, dtype=np.int64),
        values=np.array(values, dtype=np.float64),
        times=np.array(times, dtype=np.int64),
    )
    return Posting(count, points, tuple(refused))


def _refuse(refused: list[Refusal], refusal: Refusal) -> None:
    refused.append(refusal)
    if len(refused) > MOST_REFUSED:
        first = refused[0]
        raise BadValueError(
            f"more than {MOST_REFUSED} of these points cannot be taken, so none was; number {first.index}: "
            f"{first.message}"
        )


def _read_object(given: Json) -> tuple[int, int, dict[str, float]]:
    if not isinstance(given, Mapping):
        raise BadValueError(f"{wire.quoted(given)} is no point: give an object such as {{'step': 3, 'loss': 0.5}}")
    step = read_step(given["step"]) if "step" in given else _NONE
    time = read_time(given["time"]) if "time" in given else _NONE
    numbers: dict[str, float] = {}
    _gather({name: value for name, value in given.items() if name not in ("step", "time")}, "", numbers, _DEEPEST)
    if not numbers:
        raise BadValueError("this point has no number: give one beside its step, such as 'loss': 0.5")
    return step, time, numbers


def _gather(given: Mapping[str, Json], prefix: str, found: dict[str, float], deepest: int) -> None:
    """Gather numbers by the names of their metrics; nested objects flatten with `/`, as they do for `log`."""
    for key, value in given.items():
        name = prefix + key
        if isinstance(value, Mapping):
            if deepest <= 0:
                raise BadValueError(f"this point is nested more than {_DEEPEST} levels deep")
            _gather(value, f"{name}/", found, deepest - 1)
        else:
            check_name(name)
            found[name] = _value(name, value)


def check_name(name: str) -> None:
    """Check the name of a metric.

    Raises:
        BadValueError: it is empty, too long, or holds half of a character.
    """
    if not name or len(name) > LONGEST_NAME:
        raise BadValueError(f"a metric's name has 1 to {LONGEST_NAME} characters; this has {len(name)}")
    check_speakable(name, "a metric's name")


def _value(name: str, value: Json) -> float:
    try:
        return wire.read_number(value)
    except OverflowError:
        return math.inf if isinstance(value, int) and value > 0 else -math.inf
    except BadValueError:
        raise BadValueError(
            f"{name}: {wire.quoted(value)} is no number; what JSON cannot say is written 'NaN', 'Infinity' and "
            "'-Infinity'"
        ) from None


def read_step(given: Json) -> int:
    """Read a step.

    Raises:
        BadValueError: it is none.
    """
    if isinstance(given, float) and given.is_integer():  # some languages know no other numbers
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or given not in _STEPS:
        raise BadValueError(f"step: {wire.quoted(given)} is no whole number between -2**62 and 2**62")
    return given


def read_time(given: Json) -> int:
    """Read a time, seconds since 1970, as microseconds.

    Raises:
        BadValueError: it is none.
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= _LATEST:
        raise BadValueError(f"time: {wire.quoted(given)} is no time; give seconds since 1970")
    return round(given * 1e6)


# --- bytes ------------------------------------------------------------------------------------------------------------


def _read_message(body: bytes) -> Posting:
    """Read a points message. Numbers of one step and time are of one point, where no axis `call` tells it better."""
    series = [each for each in wire.read_points(body).series if len(each)]
    if not series:
        return Posting(0, Batch.of([]))
    for each in series:
        check_name(each.metric)
    if len({each.metric for each in series}) < len(series):
        raise BadValueError("a metric has two series in this points message: give it one")
    counts = [len(each) for each in series]
    times = _joined([each.times for each in series])
    sane = (times >= 0) & (times <= _LATEST)
    if not sane.all():
        raise BadValueError(f"time {times[~sane][0]} is none; give seconds since 1970")
    points = Batch(
        names=tuple(each.metric for each in series),
        metrics=np.repeat(np.arange(len(series)), counts),
        calls=_calls(series, times),
        steps=np.concatenate([each.steps for each in series]),
        values=_joined([each.values for each in series]),
        times=np.rint(times * 1e6).astype(np.int64),
    )
    order = np.argsort(points.calls, kind="stable")
    ordered = Batch(points.names, *(getattr(points, name)[order] for name in _COLUMNS))
    return Posting(int(ordered.calls[-1]) + 1, ordered)


_COLUMNS = ("metrics", "calls", "steps", "values", "times")


def _joined(columns: list[FloatArray]) -> FloatArray:
    return np.concatenate(columns)


def _calls(series: list[Series], times: FloatArray) -> IntArray:
    """Return of each number the place of its point in the body."""
    placed = [each.x for each in series if each.x is not None and each.axis == CALL]
    if not placed:
        keys = np.stack([times, np.concatenate([each.steps for each in series]).astype(np.float64)])
        _, calls = np.unique(keys, axis=1, return_inverse=True)
        return calls.reshape(-1).astype(np.int64)
    if len(placed) < len(series):
        raise BadValueError(f"some series of this points message have the axis '{CALL}', and others not: give it all")
    for each in placed:
        if not (np.diff(each) > 0).all() or each[0] < 0 or each[-1] > 2**31 or (each % 1).any():
            raise BadValueError(f"places on the axis '{CALL}' are whole numbers from 0 that rise")
    return np.concatenate(placed).astype(np.int64)


# --- steps ------------------------------------------------------------------------------------------------------------


def _counted(steps: IntArray, calls: NDArray[np.intp], count: int, next_step: int) -> IntArray:
    """Give the points that have none the step after that of the point before."""
    of_call = np.empty(count, dtype=np.int64)
    of_call[calls] = steps
    counted = []
    for step in of_call.tolist():
        step = next_step if step == _NONE else step
        counted.append(step)
        next_step = step + 1
    return np.array(counted, dtype=np.int64)[calls]


def message(run: str, points: Batch) -> bytes:
    """Write points as a message of the axis `call`: the calls of the batch count from the body's first point."""
    order = np.argsort(points.metrics, kind="stable")
    metrics = points.metrics[order]
    kinds, starts = np.unique(metrics, return_index=True)
    series = []
    for metric, part in zip(kinds.tolist(), np.split(order, starts[1:]), strict=True):
        calls = points.calls[part]
        series.append(
            Series(
                points.names[metric],
                points.steps[part],
                points.values[part],
                points.times[part] / 1e6,
                calls,
                calls.astype(np.float64),
                CALL,
            )
        )
    return wire.points_message(run, "0", series)
