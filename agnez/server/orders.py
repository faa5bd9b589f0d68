"""What is asked of a run over the wire: to be made, or to be changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from agnez import names
from agnez.errors import BadValueError
from agnez.record import Json, Progress, RunInfo
from agnez.server.values import check_depth
from agnez.store.rundir import is_plain
from agnez.wire import dump, read_progress

LARGEST_CONFIG = 1_000_000
"""Bytes of JSON that a run's configuration may have."""

LONGEST = 1000  # characters of a name or a tag
LONGEST_NOTES = 100_000
MOST = 1000  # tags, axes, problems
LATEST = 2**53
STATES = ("running", "finished", "failed", "interrupted")
_EDITED = ("name", "tags", "notes", "archived")
_TOLD = ("state", "reason", "ended", "progress", "axes", "problems", "dropped")
_MADE = ("project", "name", "config", "tags", "notes", "_id", "created", "axes", "forked_from")
COUNTS = ("epoch", "epochs", "step", "steps_per_epoch")


def read_run(data: Json, new_name: Callable[[str], str]) -> RunInfo:
    """Return the run that is to be made. `new_name` gives one in a project.

    Raises:
        BadValueError: the data does not describe one.
    """
    given = {name: value for name, value in _object(data, _MADE, "create a run with").items() if value is not None}
    if "project" not in given:
        raise BadValueError("project is missing: give the name of the group that the run belongs to")
    id = given.get("_id", names.new_id())
    if not isinstance(id, str) or not is_plain(id):
        raise BadValueError(f"_id: {dump(id)} is no id: give up to 64 letters, digits, hyphens and underscores")
    project = _text("project", given["project"])
    name = _text("name", given["name"]) if "name" in given else new_name(project)
    return RunInfo(
        id=id,
        project=project,
        name=name,
        created=_time("created", given["created"]) if "created" in given else time.time_ns() // 1000,
        config=_config(given.get("config", {})),
        tags=_texts("tags", given.get("tags", [])),
        notes=_text("notes", given.get("notes", ""), most=LONGEST_NOTES, least=0),
        axes=_axes(given.get("axes", {})),
        forked_from=_fork(given.get("forked_from")),
    )


def read_changes(data: Json) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is to be changed of a run: what people say of it, and what its program tells, as fields of `RunInfo`.

    Raises:
        BadValueError: something cannot be changed, or not so.
    """
    given = dict(_object(data, ("_id", *_EDITED, *_TOLD), "change of a run"))
    given.pop("_id", None)
    read = {field: _READERS[field](field, value) for field, value in given.items()}
    if read.get("state") == "running" and (read.get("reason") is not None or read.get("ended") is not None):
        raise BadValueError("a run that is running has not ended: leave reason and ended out")
    edits = {field: value for field, value in read.items() if field in _EDITED}
    told = {field: value for field, value in read.items() if field in _TOLD}
    return edits, told


def _object(data: Json, known: tuple[str, ...], what: str) -> Mapping[str, Json]:
    if not isinstance(data, Mapping):
        raise BadValueError("A run is a JSON object")
    for field in data:
        if field not in known:
            raise BadValueError(f"{field!r} is not among what you can {what}: {', '.join(known)}")
    check_depth(data)
    return data


def _text(field: str, value: Json, *, most: int = LONGEST, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise BadValueError(f"{field} is a text of {least} to {most} characters")
    names.check_speakable(value, field)
    return value


def _texts(field: str, value: Json) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST:
        raise BadValueError(f"{field} is an array of at most {MOST} texts")
    return tuple(_text(field, each, least=0) for each in value)


def _flag(field: str, value: Json) -> bool:
    if not isinstance(value, bool):
        raise BadValueError(f"{field} is true or false")
    return value


def _state(field: str, value: Json) -> str:
    if not isinstance(value, str) or value not in STATES:
        raise BadValueError(f"{field} is one of {', '.join(STATES)}")
    return value


def _time(field: str, value: Json) -> int:
    number = _integer(value)
    if number is None or not 0 <= number <= LATEST:
        raise BadValueError(f"{field} is a whole number: microseconds since 1970")
    return number


def _progress(field: str, value: Json) -> Progress:
    if not isinstance(value, Mapping) or not all(name in COUNTS and _is_count(each) for name, each in value.items()):
        raise BadValueError(f"{field} is an object of {', '.join(COUNTS)}, each a whole number from 0, or null")
    return read_progress({name: _integer(each) for name, each in value.items()})


def _is_count(value: Json) -> bool:
    number = _integer(value)
    return value is None or (number is not None and 0 <= number <= LATEST)


def _count(field: str, value: Json) -> int:
    number = _integer(value)
    if number is None or not 0 <= number <= LATEST:
        raise BadValueError(f"{field} is a whole number from 0")
    return number


def _integer(value: Json) -> int | None:
    """Return a whole number; some languages write each as 3.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _axes(value: Json) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > MOST:
        raise BadValueError(f"axes is an object that maps at most {MOST} patterns of metrics to a metric")
    return {_text("axes", pattern): _text("axes", axis) for pattern, axis in value.items()}


def _config(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise BadValueError("config is a JSON object")
    try:
        size = len(dump(value).encode())
    except UnicodeEncodeError as error:
        raise BadValueError("config holds half of a character (a lone surrogate), which is not text") from error
    if size > LARGEST_CONFIG:
        raise BadValueError(f"config may have {LARGEST_CONFIG} bytes of JSON; this has {size}")
    return value


def _fork(value: Json) -> tuple[str, int] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or set(value) != {"run", "step"}:
        raise BadValueError('forked_from is {"run": id, "step": number}')
    return _text("forked_from", value["run"]), _whole(value["step"])


def _whole(value: Json) -> int:
    number = _integer(value)
    if number is None or abs(number) > LATEST:
        raise BadValueError("a step is a whole number")
    return number


_READERS: Mapping[str, Callable[[str, Json], Any]] = {
    "name": _text,
    "tags": _texts,
    "notes": lambda field, value: _text(field, value, most=LONGEST_NOTES, least=0),
    "archived": _flag,
    "state": _state,
    "reason": lambda field, value: None if value is None else _text(field, value, least=0),
    "ended": _time,
    "progress": _progress,
    "axes": lambda _, value: _axes(value),
    "problems": _texts,
    "dropped": _count,
}
