from __future__ import annotations

import pytest

from agnez.server.ration import Ration


class Clock:
    """A clock that moves when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_not_used_is_saved_and_no_more_than_that() -> None:
    clock = Clock()
    ration = Ration(2.0, clock)
    for due in (100.0, 100.1, 100.2):  # two are saved at first
        ration.use(0.1, 2.0)
        assert ration.due(0.1) == pytest.approx(due)
        clock.now = max(clock.now, due)
    clock.now += 1000
    ration.use(0.1, 2.0)
    assert ration.due(0.1) == clock.now
    ration.use(0.1, 2.0)
    assert ration.due(0.1) == pytest.approx(clock.now + 0.1)


def test_a_hurry_is_no_debt() -> None:
    clock = Clock()
    ration = Ration(1.0, clock)
    for _ in range(20):  # ends of epochs, each looked at at once
        clock.now += 0.4
        ration.use(1.0, 1.0)
    assert ration.due(1.0) == pytest.approx(clock.now + 1.0)
