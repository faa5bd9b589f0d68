"""Who watches, and the way to them, as the follower sees both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from agnez.query import Record
from agnez.record import Json


@dataclass(eq=False, slots=True)
class Mark:
    """Hold up to which cursor a viewer has some metrics of a run; `metrics` is None for all of them.

    `fresh`: it asked for what follows and got no answer yet. One that names its metrics gets one even if that is empty.
    """

    metrics: frozenset[str] | None
    cursor: str
    fresh: bool = True


@dataclass(eq=False, slots=True)
class Greeting:
    """Hold whether a page was told all of the run on show, however often it watches anew while it is being told."""

    due: bool = True


@dataclass(eq=False, slots=True)
class Viewer:
    """Hold what one page watches: a run on show (None: the cells without one), and its marks in the points of runs.

    One that was told to read a run afresh has no marks in it until it watches again. `greeting` is shared by all
    watches of one page for one run. `listed`: it was told of all runs.
    """

    sid: str
    run: str | None
    marks: dict[str, list[Mark]]
    greeting: Greeting
    listed: bool = False

    @property
    def fresh(self) -> bool:
        """Tell whether it was told nothing of the run on show yet."""
        return self.greeting.due

    @fresh.setter
    def fresh(self, fresh: bool) -> None:
        self.greeting.due = fresh


class Bundle:
    """Gather the points messages of one look at all runs, so that each viewer gets one message for all of them."""

    def __init__(self) -> None:
        self._messages: dict[Viewer, list[bytes]] = {}

    def add(self, viewers: Iterable[Viewer], message: bytes) -> None:
        """Add a points message for some viewers."""
        for viewer in viewers:
            self._messages.setdefault(viewer, []).append(message)

    def send(self, outlet: Outlet) -> None:
        """Send what was gathered; those who get the same share one message."""
        alike: dict[tuple[int, ...], list[Viewer]] = {}
        for viewer, messages in self._messages.items():
            alike.setdefault(tuple(map(id, messages)), []).append(viewer)
        for group in alike.values():
            outlet.send(group, "points", b"".join(self._messages[group[0]]))
        self._messages.clear()


class Outlet(Protocol):
    """Stand for the sockets."""

    def viewers(self) -> list[Viewer]:
        """Return who watches."""
        ...

    def has_clients(self) -> bool:
        """Tell whether anyone is connected, be it a page or a client of the services."""
        ...

    def reads(self, viewer: Viewer) -> bool:
        """Tell whether a viewer takes what it is sent."""
        ...

    def send(self, viewers: Sequence[Viewer], event: str, payload: Json | bytes) -> None:
        """Send one message to some viewers."""
        ...

    def announce(self, path: str, event: str, record: Record) -> None:
        """Tell every client of a service of a change."""
        ...
