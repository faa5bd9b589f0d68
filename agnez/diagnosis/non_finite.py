"""The rule `non_finite`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agnez.record import Finding, Point


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

    def see(self, points: Sequence[Point]) -> list[Finding]:
        """Return the finding as it stands after these points; seeing points twice changes nothing."""
        for point in points:
            if "loss" not in point.metric:
                continue
            if not math.isfinite(point.value):
                self._first = self._first or point
                self._last, self._recovered = point, None
            elif self._first and point.metric == self._first.metric and point.step > self._last_step():
                self._recovered = self._recovered or point.step
        return [self._finding(self._first)] if self._first else []

    def _last_step(self) -> int:
        return self._last.step if self._last else 0

    def _finding(self, first: Point) -> Finding:
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
            last_step=self._last_step(),
        )
