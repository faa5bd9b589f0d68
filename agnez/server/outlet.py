"""Who watches, and the way to them, as the follower sees both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agnez.query import Record
from agnez.record import Json


@dataclass(eq=False, slots=True)
class Viewer:
    """Hold what one page watches: a run (None: the cells without one), and its cursor in the run's points.

    The cursor is None for one that was told to read afresh: it gets no points until it watches again. `fresh`: it was
    told nothing of that run yet. `listed`: it was told of all runs.
    """

    sid: str
    run: str | None
    cursor: str | None
    fresh: bool = True
    listed: bool = False


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
