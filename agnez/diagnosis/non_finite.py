"""The rule `non_finite`."""

from __future__ import annotations

import math

import numpy as np

from agnez.record import Batch, Finding, Point


class NonFinite:
    """Say where a loss first stopped to be a number.

    What it sees: the first point of any loss that is NaN or infinite, and the last.
    Why it matters: what follows from it, in weights and in all other metrics, means nothing any more.
    What to try: look at that batch; lower the learning rate; clip gradients; give logarithms and divisions an epsilon.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._first: Point | None = None
        self._last: Point | None = None
        self._recovered: int | None = None

    def see(self, points: Batch) -> list[Finding]:
        """Return the finding as it stands after these points; seeing points twice changes nothing."""
        finite = np.isfinite(points.values)
        if self._first is None and finite.all():  # nearly always
            return []
        losses = np.array(["loss" in name for name in points.names], dtype=bool)
        wrong = np.flatnonzero(losses[points.metrics] & ~finite)
        after = 0
        if len(wrong):
            self._first = self._first or _point(points, wrong[0])
            self._last, self._recovered = _point(points, wrong[-1]), None
            after = int(wrong[-1]) + 1
        if self._first and self._last and self._recovered is None and self._first.metric in points.names:
            same = points.metrics[after:] == points.names.index(self._first.metric)
            later = points.steps[after:] > self._last.step
            again = np.flatnonzero(same & later & finite[after:])
            self._recovered = int(points.steps[after + again[0]]) if len(again) else None
        return [self._finding(self._first, self._last)] if self._first and self._last else []

    def _finding(self, first: Point, last: Point) -> Finding:
        what = "NaN" if math.isnan(first.value) else "infinite"
        tense = f"is {what} since step {first.step}"
        if self._recovered is not None:
            tense = f"was {what} from step {first.step} on, and is finite again since step {self._recovered}"
        return Finding(
            run=self._run,
            kind="non_finite",
            severity="warning" if self._recovered is not None else "error",
            sentence=f"{first.metric} {tense}.",
            advice="Look at that batch, lower the learning rate, or clip gradients.",
            metric=first.metric,
            first_step=first.step,
            last_step=last.step,
        )


def _point(points: Batch, place: np.intp) -> Point:
    return Point(
        metric=points.names[points.metrics[place]],
        step=int(points.steps[place]),
        value=float(points.values[place]),
        time=int(points.times[place]),
    )
