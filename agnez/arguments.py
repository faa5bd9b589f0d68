"""What `init` was asked for: its arguments, checked at the door."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from agnez import settings
from agnez.errors import BadValueError
from agnez.names import check_speakable
from agnez.record import Json
from agnez.run import RendererName
from agnez.store.rundir import is_plain
from agnez.target import Target
from agnez.wire import dump, jsonable

ServerName: TypeAlias = str
"""Which server shows a run: "thread", "process", or the address of one that runs elsewhere."""

LOCAL = ("thread", "process")
Resume = Literal["allow", "must", "never", "auto"]
_MODES: tuple[Resume, ...] = get_args(Resume)
_STEPS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Hold which run is wanted. `config` is None where none was given; `rank` where it was not said."""

    project: str | None
    name: str | None
    config: Mapping[str, Json] | None
    tags: tuple[str, ...]
    notes: str
    id: str | None
    resume: Resume
    fork_from: tuple[str, int] | None
    rank: int | None


def check(
    *,
    project: object = None,
    name: object = None,
    config: object = None,
    tags: Iterable[str] = (),
    notes: object = "",
    dir: str | os.PathLike[str] | None = None,
    port: int | None = None,
    server: object = None,
    renderer: object = "live",
    id: object = None,
    resume: object = None,
    fork_from: object = None,
    rank: object = None,
) -> Order:
    """Check the arguments of `init` without starting anything, and return what they ask for.

    Raises:
        BadValueError: one makes no sense, or two do not go together.
    """
    _check_server(server)
    if renderer not in get_args(RendererName):
        raise BadValueError(f"renderer={renderer!r} is not known: choose 'live' or 'mpld3'")
    settings.read(dir, port)
    order = Order(
        project=_text("project", project),
        name=_text("name", name),
        config=None if config is None else _config(config),
        tags=_tags(tags),
        notes=_text("notes", notes) or "",
        id=_id("id", id),
        resume=_resume(resume),
        fork_from=_fork_from(fork_from),
        rank=_rank(rank),
    )
    _check_together(order)
    return order


def _check_server(server: object) -> None:
    if server is None or server in LOCAL:
        return
    if not isinstance(server, str) or "://" not in server:
        raise BadValueError(
            f"server={server!r} is not known: 'thread' and 'process' show the run, an address such as "
            "'http://gpu-1:3000/' sends it to a server there, None records only"
        )
    Target.read(server)


def _check_together(order: Order) -> None:
    if order.rank is not None and order.id is None:
        raise BadValueError(
            f"rank={order.rank} needs id=: give all ranks of a run the same, such as id='{order.name or 'run-1'}'"
        )
    if order.resume in ("allow", "must") and order.id is None:
        raise BadValueError(f"resume={order.resume!r} needs the id= of a run; resume='auto' finds the newest by itself")
    if order.fork_from is not None and order.resume == "must":
        raise BadValueError("resume='must' goes on with a run, and fork_from= makes a new one: choose one of the two")
    if order.fork_from is not None and order.fork_from[0] == order.id:
        raise BadValueError(f"fork_from= names the run itself, {order.id!r}: a fork is a new run, give it another id")


def _text(argument: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadValueError(f"{argument}={value!r} is a {type(value).__name__}: give a text")
    check_speakable(value, argument)
    return value


def _config(config: object) -> dict[str, Json]:
    fields = config if isinstance(config, Mapping) else getattr(config, "__dict__", None)
    if not isinstance(fields, Mapping):
        raise BadValueError(f"config={config!r} is no mapping: give a dict, or what argparse returns")
    try:
        found = {str(key): jsonable(value) for key, value in fields.items()}
        dump(found).encode()
    except (RecursionError, UnicodeEncodeError) as error:
        raise BadValueError(f"config cannot be kept: {error}") from error
    return found


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise BadValueError(f"tags={tags!r} is one text: give a list, tags=[{tags!r}]")
    found = tuple(str(tag) for tag in tags)
    for tag in found:
        check_speakable(tag, "tags")
    return found


def _id(argument: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not is_plain(value):
        raise BadValueError(f"{argument}={value!r} is no id: give up to 64 letters, digits, hyphens and underscores")
    return value


def _resume(value: object) -> Resume:
    if value is None:
        return "never"
    if value not in _MODES:
        raise BadValueError(f"resume={value!r} is not known: choose of {', '.join(map(repr, _MODES))}")
    return value


def _fork_from(value: object) -> tuple[str, int] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, tuple | list) or len(value) != 2:
        raise BadValueError(f"fork_from={value!r} is no pair: give the id of a run and a step of it, ('1f2e3d', 1000)")
    run, step = value
    if isinstance(step, bool) or not isinstance(step, int) or step not in _STEPS:
        raise BadValueError(f"fork_from={value!r}: {step!r} is no step; give a whole number")
    return cast(str, _id("fork_from", run)), step


def _rank(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadValueError(f"rank={value!r} is no rank: give a whole number from 0")
    return value
