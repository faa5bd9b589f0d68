from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnez.store.columns import Columns
from agnez.store.pack import lay, pack, unpack

WHOLE = st.integers(-(2**63), 2**63 - 1)
SHORT = st.integers(0, 300)


@settings(max_examples=150, deadline=None)
@given(
    columns=st.integers(1, 60).flatmap(
        lambda count: st.tuples(
            *[st.lists(kind, min_size=count, max_size=count) for kind in (WHOLE | SHORT, SHORT, WHOLE, WHOLE)]
        )
    ),
    cuts=st.sets(st.integers(1, 59)),
)
def test_any_bits_come_back(columns: tuple[list[int], ...], cuts: set[int]) -> None:
    calls, steps, times, bits = (np.array(column, dtype=np.int64) for column in columns)
    starts = np.array([0, *sorted(cut for cut in cuts if cut < len(calls))], dtype=np.intp)
    points = Columns(calls, steps, times, bits.view(np.float64))
    found = unpack([*pack(points, starts), lay(points)])  # packed tight, and laid down as it came
    for one, other in zip(
        (np.tile(each, 2) for each in (calls, steps, times, bits)),
        (found.calls, found.steps, found.times, found.values),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other.view(np.int64))


def test_what_grows_evenly_costs_nothing_and_noise_no_more_than_its_bytes() -> None:
    count = 64 * 1024
    even, starts = np.arange(count), np.arange(0, count, 1024)
    random = np.random.default_rng(0)
    constant = pack(Columns(even, even * 10, even * 1000, np.ones(count)), starts)
    noisy = pack(Columns(even, even, even * 1000 + random.integers(0, 200, count), 1 + random.random(count)), starts)
    single = pack(Columns(even, even, even, random.random(count, dtype=np.float32).astype(np.float64)), starts)
    assert max(map(len, constant)) < 128 and sum(map(len, noisy)) < 9.2 * count and sum(map(len, single)) < 5.2 * count


def test_a_body_that_is_cut_short_is_an_error() -> None:
    points = Columns(np.arange(100), np.arange(100), np.arange(100), np.random.default_rng(0).random(100))
    (body,) = pack(points, np.zeros(1, dtype=np.intp))
    for end in range(0, len(body), 7):
        with pytest.raises(ValueError):
            unpack([body[:end]])
