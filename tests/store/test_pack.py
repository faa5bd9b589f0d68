from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnez.store.columns import Columns
from agnez.store.pack import lay, pack, unpack, unpack_even, widths_of
from agnez.store.proof import proven_row

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


@settings(max_examples=50, deadline=None)
@given(
    calls=st.lists(st.tuples(WHOLE | SHORT, SHORT, WHOLE), min_size=1, max_size=20),
    width=st.integers(2, 9),
    seed=st.integers(0, 1000),
)
def test_what_calls_have_alike_is_laid_down_once(calls: list[tuple[int, int, int]], width: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(-(2**63), 2**63 - 1, len(calls) * width)
    points = Columns(*np.array(calls, dtype=np.int64).T, values=bits.view(np.float64))
    body = lay(points, width)
    found = unpack_even(body)
    assert widths_of([body]) == [width]
    for name in ("calls", "steps", "times"):
        np.testing.assert_array_equal(getattr(found, name), getattr(points, name))
    np.testing.assert_array_equal(found.values.view(np.int64), bits)
    for end in range(len(body)):
        with pytest.raises(ValueError):
            unpack_even(body[:end])


def test_a_row_of_the_tail_that_is_not_what_was_written_is_none() -> None:
    calls = np.arange(300)
    points = Columns(calls, calls * 2, calls**2, np.random.default_rng(0).random(900))
    metrics, body = np.array([4, 0, 2], dtype="<u4").tobytes(), lay(points, 3)
    rows = proven_row(metrics, body)
    assert rows is not None and rows.metrics[:4].tolist() == [4, 0, 2, 4] and rows.points.steps[-1] == 598
    for place in range(0, len(body), 3):
        flipped = bytearray(body)
        flipped[place] ^= 1
        other = proven_row(metrics, bytes(flipped))
        whole = other is not None and other.points.values.tobytes() == points.values.tobytes()
        assert other is None or (whole and place < len(body) - 7208)  # of calls, steps and times only the last tells
    for wrong in (metrics[:8], metrics + metrics, b"", metrics[:-1]):
        assert proven_row(wrong, body) is None
    assert proven_row(metrics, body[:100]) is None and proven_row(metrics, b"") is None
