"""What a recorder is handed beside numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from agnez.record import CellRecord, Medium
from agnez.subplots import Arrangement


@dataclass(frozen=True, slots=True)
class CellChange:
    """Hold fields to be merged into a cell, which is made where there is none."""

    id: str
    fields: CellRecord


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold facts of the run that changed: fields of `RunInfo`."""

    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold a sentence that the user should see beside the run."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Hold how many calls brought what could not be kept, and in a sentence why."""

    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Arranged:
    """Hold how the script wants its dashboard from now on."""

    order: Arrangement


@dataclass(frozen=True, slots=True)
class After:
    """Hold what the recorder's thread calls once everything put before it is committed. It must be quick."""

    call: Callable[[], None]


Entry: TypeAlias = Arranged | CellChange | Medium | Facts | Problem | Lost | After
