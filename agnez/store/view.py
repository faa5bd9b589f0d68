"""Views: a series in few points, made of the digests of its blocks, so that few of the blocks are read.

Only those are read point by point that lie at the ends of the range, or so sparsely that they span several buckets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from agnez.store.blocks import SIZE, Blocks
from agnez.store.columns import Columns, Records
from agnez.store.decimation import Buckets, extremes, size_of, thinned
from agnez.store.digest import digest_each, merged

if TYPE_CHECKING:
    from agnez.record import IntArray

Axis = Literal["step", "time"]
_RISES = {"step": "step_rises", "time": "time_rises"}


@dataclass(frozen=True, slots=True)
class Window:
    """Hold what a view shows: a range of an axis, both ends included, in `most` points. Times are microseconds."""

    most: int
    axis: Axis
    first: float
    last: float

    def x(self, points: Columns) -> IntArray:
        """Return the points' places on the axis."""
        return points.steps if self.axis == "step" else points.times

    def inside(self, points: Columns) -> NDArray[np.bool_]:
        """Tell of each point whether it is in the range."""
        x = self.x(points)
        return (x >= self.first) & (x <= self.last)

    def part(self, points: Columns) -> Columns:
        """Return the points in the range."""
        inside = self.inside(points)
        return points if inside.all() else points.take(inside)

    def ordered(self, points: Columns) -> Columns:
        """Return the points in the range in the order of the axis."""
        points = self.part(points)
        x = self.x(points)
        return points.take(np.argsort(x, kind="stable")) if (x[1:] < x[:-1]).any() else points

    def of(self, points: Columns) -> Columns:
        """Return the view of points that are all at hand, in any order."""
        points = self.ordered(points)
        return points.take(thinned(self.x(points), points.values, self.most))


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Hold a metric's series by its parts: the digests of its blocks, and the points that are in no block yet."""

    metric: int
    digests: Records
    newer: Columns

    def rises(self, window: Window) -> bool:
        """Tell whether the series never goes back on the axis of a window."""
        x = window.x(self.newer)
        firsts, lasts = self.digests["first"][window.axis], self.digests["last"][window.axis]
        return bool(
            self.digests[_RISES[window.axis]].all()
            and (firsts[1:] >= lasts[:-1]).all()
            and (x[1:] >= x[:-1]).all()
            and (not len(x) or not len(lasts) or x[0] >= lasts[-1])
        )


def within(blocks: Blocks, stretch: Stretch, window: Window) -> Columns:
    """Return all points in a range of a series that never goes back on the axis."""
    begin, end = _span(stretch, window)
    return window.part(Columns.of([blocks.read(stretch.metric, begin, end), stretch.newer]))


def view(blocks: Blocks, stretch: Stretch, window: Window) -> Columns:
    """Return the view of a series that never goes back on the axis."""
    begin, end = _span(stretch, window)
    some, newer = stretch.digests[begin:end], window.part(stretch.newer)
    counts = some["count"].copy()
    if counts.sum() + len(newer) <= window.most + 2 * SIZE:
        return window.of(within(blocks, stretch, window))
    firsts, lasts = some["first"][window.axis], some["last"][window.axis]
    before = np.cumsum(counts) - counts
    buckets = _fit(some, newer, window)
    places = buckets.of(firsts, before)
    spans = buckets.of(lasts, before + counts - 1) - places
    read = (spans > _MOST_SPANNED) | (firsts < window.first) | (lasts > window.last)
    if read.any():  # if not, spare a copy: there may be 100,000 digests
        some, places = some[~read], places[~read]
    candidates = [_known(some, places)]
    for numbers in _portions(np.flatnonzero(read), _AT_ONCE):
        points = blocks.read_some(stretch.metric, (begin + numbers).tolist())
        candidates.append(_candidates(points, _ranks(before[numbers], counts[numbers]), buckets, window))
    for numbers in _portions(np.arange(len(newer)), _AT_ONCE * SIZE):
        points = newer.take(slice(numbers[0], numbers[-1] + 1))
        candidates.append(_candidates(points, counts.sum() + numbers, buckets, window))
    return _chosen(Columns.of([points for points, _ in candidates]), np.concatenate([place for _, place in candidates]))


def stretches(blocks: Blocks, stretch: Stretch, window: Window) -> Records:
    """Return at most about `most` digests of what lies in a range, each of equally many points that follow each other.

    Where that is as much as some blocks have, whole blocks are taken, also those that reach beyond the range. Then
    there may be half as many, and the last ones of blocks and of newer points are of fewer.
    """
    begin, end = _span(stretch, window)
    some, newer = stretch.digests[begin:end], window.part(stretch.newer)
    size = size_of(int(some["count"].sum()) + len(newer), window.most)
    if size < SIZE:
        points = within(blocks, stretch, window)
        return digest_each(points, size_of(len(points), window.most))
    each = -(-size // SIZE)
    starts = np.arange(0, len(some), each)
    whole = merged(some, starts) if len(starts) else some
    return np.concatenate([whole, digest_each(newer, each * SIZE)])


_MOST_SPANNED = 2
"""Buckets that a block may reach into beyond the one it begins in, and still be taken as one piece."""


_AT_ONCE = 64
"""Blocks that are read together: of so many points the columns stay in the processor's cache."""


def _portions(numbers: IntArray, size: int) -> list[IntArray]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def _candidates(points: Columns, ranks: IntArray, buckets: Buckets, window: Window) -> tuple[Columns, IntArray]:
    """Return the points that may be shown, of some that lie in a row, with their buckets."""
    inside = window.inside(points)
    if not inside.all():
        points, ranks = points.take(inside), ranks[inside]
    if not len(points):
        return points, ranks
    places = buckets.of(window.x(points), ranks)
    kept = extremes(points.values, places)
    return points.take(kept), places[kept]


def _span(stretch: Stretch, window: Window) -> tuple[int, int]:
    """Return which blocks reach into a range: the first of them, and the one after the last."""
    begin = int(np.searchsorted(stretch.digests["last"][window.axis], window.first, side="left"))
    end = int(np.searchsorted(stretch.digests["first"][window.axis], window.last, side="right"))
    return begin, max(begin, end)


def _fit(some: Records, newer: Columns, window: Window) -> Buckets:
    """Return buckets for what is in the range, of blocks and of newer points."""
    x = window.x(newer)
    firsts, lasts = some["first"][window.axis], some["last"][window.axis]
    gaps = bool(some["non_finite"].any()) or not np.isfinite(newer.values).all()
    first = max(window.first, firsts[0] if len(some) else x[0])
    last = min(window.last, x[-1] if len(x) else lasts[-1])
    return Buckets.fit(window.most, first, last, int(some["count"].sum()) + len(newer), gaps=gaps)


def _ranks(before: IntArray, counts: IntArray) -> IntArray:
    """Return how many points come before each one of blocks."""
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ranks: IntArray = np.repeat(before, counts) + offsets
    return ranks


def _known(some: Records, buckets: IntArray) -> tuple[Columns, IntArray]:
    """Return the points that digests hold, and their buckets: extremes and gaps, the first of all and the last."""
    ends = np.array([0, len(some) - 1] if len(some) else [], dtype=np.intp)
    finite = np.flatnonzero(some["count"] > some["non_finite"])
    picks = [
        ("low", finite),
        ("high", finite),
        ("gap", np.flatnonzero(some["non_finite"])),
        ("first", ends[:1]),
        ("last", ends[1:]),
    ]
    points = [some[name][which] for name, which in picks]
    columns = [
        Columns(each["call"].copy(), each["step"].copy(), each["time"].copy(), each["value"].copy()) for each in points
    ]
    return Columns.of(columns), np.concatenate([buckets[which] for _, which in picks])


def _chosen(points: Columns, buckets: IntArray) -> Columns:
    """Return the points to show, of candidates in any order, some of them there twice."""
    order = np.argsort(points.calls, kind="stable")
    order = order[extremes(points.values[order], buckets[order])]
    calls = points.calls[order]
    return points.take(order[np.append(True, calls[1:] != calls[:-1])])
