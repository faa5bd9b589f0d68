"""What this process wrote last: its own followers take it from here, and need not read and unpack it again.

Nothing is kept of a file that nobody wants, and of the others the newest points only.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnez.record import Batch, Series

MOST_POINTS = 500_000
"""Points that are kept of a file."""


@dataclass(frozen=True, slots=True)
class Written:
    """Hold a batch that was written to a file: its calls are `first` to `last` there."""

    first: int
    last: int
    batch: Batch

    @classmethod
    def up_to(cls, last: int, batch: Batch) -> Written:
        """Return what was written when `last` became the newest call."""
        return cls(last - int(batch.calls[-1]), last, batch)


_lock = threading.Lock()
_kept: dict[Path, deque[Written]] = {}


def keep(path: Path) -> None:
    """Keep from now on what is written to a file."""
    with _lock:
        _kept.setdefault(path, deque())


def drop(path: Path) -> None:
    """Keep no more of a file."""
    with _lock:
        _kept.pop(path, None)


def add(path: Path, written: Sequence[Written]) -> None:
    """Take down what was committed."""
    if path not in _kept:  # nearly always: no lock for it
        return
    with _lock:
        kept = _kept.get(path)
        if kept is not None:
            kept.extend(written)
            while kept and sum(len(each.batch) for each in kept) > MOST_POINTS:
                kept.popleft()


def since(path: Path, after: int, metrics: Collection[str] | None = None) -> tuple[int, list[Series]] | None:
    """Return the newest call that is kept and the points of metrics past a call; None where not all of them are here.

    `metrics` is None for those of all.
    """
    if path not in _kept:
        return None
    with _lock:
        newer = [each for each in _kept.get(path, ()) if each.last > after]
    starts = [after + 1, *(each.last + 1 for each in newer)]
    if not newer or any(each.first != start for each, start in zip(newer, starts, strict=False)):
        return None
    return newer[-1].last, _series(newer, metrics)


def _series(written: Sequence[Written], wanted: Collection[str] | None) -> list[Series]:
    places: dict[str, int] = {}
    columns = [_columns(each, places, wanted) for each in written]
    metrics, calls, steps, values, times = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    few = metrics.astype(np.int16) if len(places) < 2**15 else metrics  # NumPy sorts these by their digits
    order = np.argsort(few, kind="stable")
    calls, steps, values, times = calls[order], steps[order], values[order], times[order] / 1e6
    ends = np.cumsum(np.bincount(metrics, minlength=len(places))).tolist()
    found = []
    for name, start, end in zip(places, [0, *ends], ends, strict=False):
        if start < end:
            found.append(Series(name, steps[start:end], values[start:end], times[start:end], calls[start:end]))
    return found


def _columns(written: Written, places: dict[str, int], wanted: Collection[str] | None) -> tuple[NDArray[Any], ...]:
    """Return the columns of a batch, its metrics by their places among all."""
    batch = written.batch
    mine = np.array(
        [places.setdefault(name, len(places)) if wanted is None or name in wanted else -1 for name in batch.names],
        dtype=np.int64,
    )
    metrics = mine[batch.metrics]
    columns = (metrics, batch.calls + written.first, batch.steps, batch.values, batch.times)
    if wanted is None:
        return columns
    some = metrics >= 0
    return tuple(column[some] for column in columns)
