from __future__ import annotations

import numpy as np
import pytest

from agnez.record import Series
from agnez.store.decimation import decimate


def series(values: np.ndarray, steps: np.ndarray | None = None) -> Series:
    count = len(values)
    return Series("x", np.arange(count) if steps is None else steps, values, np.arange(float(count)), np.arange(count))


def test_decimation_keeps_every_extreme_the_ends_and_a_nan() -> None:
    values = np.random.default_rng(0).normal(size=10_000)
    values[1234], values[7777], values[5000] = 99, -99, np.nan
    kept = decimate(series(values), 500)
    assert len(kept) <= 500
    assert {99.0, -99.0} <= set(kept.values.tolist()) and np.isnan(kept.values).any()
    assert kept.steps[0] == 0 and kept.steps[-1] == 9999 and (np.diff(kept.steps) > 0).all()


def test_neither_a_crowd_of_points_nor_the_wide_rest_is_starved() -> None:
    steps = np.append(np.arange(99_000), np.linspace(99_000, 10**9, 1000).astype(np.int64))
    kept = decimate(series(np.random.default_rng(0).normal(size=100_000), steps), 1000)
    assert (kept.steps < 99_000).sum() > 300 and (kept.steps > 99_000).sum() > 300


@pytest.mark.parametrize("value", [np.nan, np.inf, 1.0])
def test_values_that_are_all_the_same_become_few(value: float) -> None:
    assert 2 <= len(decimate(series(np.full(1000, value)), 50)) <= 50
