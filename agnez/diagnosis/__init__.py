"""What may be said of a run, with its evidence. One rule, one file; the tuple is the catalogue."""

from __future__ import annotations

from agnez.diagnosis.non_finite import NonFinite
from agnez.record import Batch, Finding

RULES = (NonFinite,)

__all__ = ["RULES", "Examiner", "NonFinite"]


class Examiner:
    """Show each batch of a run's points to all rules, and gather their findings."""

    def __init__(self, run: str) -> None:
        self._rules = [rule(run) for rule in RULES]

    def __call__(self, points: Batch) -> list[Finding]:
        """Return all findings as they stand after these points."""
        return [finding for rule in self._rules for finding in rule.see(points)]
