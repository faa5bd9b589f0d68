"""Points of one metric, or of many in a row, as columns of one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agnez.record import Series

if TYPE_CHECKING:
    from agnez.record import FloatArray, IntArray

Places: TypeAlias = "NDArray[np.intp]"
Blobs: TypeAlias = list[bytes]
Records: TypeAlias = "NDArray[Any]"
"""A structured array: one record for each of something."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Hold points as the store keeps them: `times` are whole microseconds since 1970 (UTC)."""

    calls: IntArray
    steps: IntArray
    times: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, places: Places | slice | NDArray[np.bool_]) -> Columns:
        """Return the points at these places, or where a mask is true."""
        return Columns(self.calls[places], self.steps[places], self.times[places], self.values[places])

    def series(self, metric: str) -> Series:
        """Return the points as readers get them."""
        return Series(metric, self.steps, self.values, self.times / 1e6, self.calls)

    @classmethod
    def of(cls, parts: Sequence[Columns]) -> Columns:
        """Return the points of several, one after the other."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            none = np.empty(0, dtype=np.int64)
            return cls(none, none, none, np.empty(0))
        return cls(
            np.concatenate([part.calls for part in parts]),
            np.concatenate([part.steps for part in parts]),
            np.concatenate([part.times for part in parts]),
            np.concatenate([part.values for part in parts]),
        )


def starts_of(counts: NDArray[Any]) -> Places:
    """Return where each group begins, of groups of these sizes that lie one after the other.

    >>> starts_of(np.array([2, 3, 1])).tolist()
    [0, 2, 5]
    """
    starts = np.zeros(len(counts), dtype=np.intp)
    np.cumsum(counts[:-1], out=starts[1:])
    return starts
