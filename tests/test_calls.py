from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from agnez.calls import Calls, KnownNames, Names, Numbers
from agnez.errors import BadValueError

Row = tuple[str, int, int, float, int]


def call(step: int, names: Names, values: Numbers) -> tuple[Names, int, int, Numbers]:
    return names, 10_000 * step, step, values


def together(*given: tuple[Names, int, int, Numbers]) -> Calls:
    return Calls.of([item for each in given for item in each])


def rows(calls: Calls) -> list[Row]:
    found = calls.columns()
    names = [found.names[place] for place in found.metrics]
    numbers = (found.calls.tolist(), found.steps.tolist(), found.values.tolist(), found.times.tolist())
    return list(zip(names, *numbers, strict=True))


def test_calls_of_different_shapes_keep_their_order_and_share_a_number() -> None:
    calls = together(call(5, ("a", "b"), (1.0, 2.0)), call(6, ("b",), (3.0,)), call(4, ("c", "a"), (4.0, 5.0)))
    assert rows(calls) == [
        ("a", 0, 5, 1.0, 50),
        ("b", 0, 5, 2.0, 50),
        ("b", 1, 6, 3.0, 60),
        ("c", 2, 4, 4.0, 40),
        ("a", 2, 4, 5.0, 40),
    ]
    assert calls.columns().names == ("a", "b", "c")


def test_many_calls_of_one_shape_become_one_matrix() -> None:
    names = ("a", "b")
    found = together(*((names, step, step, (step, -step)) for step in range(1000))).columns()
    np.testing.assert_array_equal(found.values.reshape(-1, 2), np.arange(1000)[:, None] * [1.0, -1.0])
    np.testing.assert_array_equal(found.steps, np.repeat(np.arange(1000), 2))
    np.testing.assert_array_equal(found.calls, found.steps)
    np.testing.assert_array_equal(found.metrics, np.tile([0, 1], 1000))


def test_numbers_and_vectors_on_devices_are_brought_over() -> None:
    lost: list[Exception] = []
    calls = together(
        call(0, ("a", "b"), [torch.tensor(1.5), 2.5]),
        call(1, ("c",), (3.5,)),
        call(2, ("d", "e"), torch.tensor([4.5, math.inf])),
    )
    assert [row[3] for row in rows(calls.settled(lost.append))] == [1.5, 2.5, 3.5, 4.5, math.inf] and not lost


class Donated:
    """Stand for a JAX array whose buffer went to the next step."""

    shape = ()

    def __float__(self) -> float:
        raise RuntimeError("Array has been deleted")


class Broken(Donated):
    """Stand for an array on a device that failed."""

    def __float__(self) -> float:
        raise OSError("device-side assert triggered")


def test_what_a_device_lost_is_left_out_alone() -> None:
    calls = together(call(0, ("a", "b"), [Donated(), 1.0]), call(1, ("a",), (2.0,)))
    assert rows(calls.settled(pytest.fail)) == [("b", 0, 0, 1.0, 0), ("a", 1, 1, 2.0, 10)]


def test_a_device_that_fails_costs_just_what_was_on_it() -> None:
    lost: list[Exception] = []
    calls = together(
        call(0, ("a",), (1.0,)), call(1, ("a", "b"), [Broken(), 1.0]), call(2, ("a",), [torch.tensor(3.0)])
    )
    assert [row[3] for row in rows(calls.settled(lost.append))] == [1.0, 3.0]
    assert ["device" in str(error) for error in lost] == [True]


def test_a_call_whose_values_were_changed_meanwhile_does_not_shift_others() -> None:
    lost: list[Exception] = []
    calls = together(call(0, ("a",), (1.0,)), call(1, ("a",), (2.0, 3.0)), call(2, ("a",), (4.0,)))
    assert not calls.is_settled()
    assert [row[3] for row in rows(calls.settled(lost.append))] == [1.0, 4.0] and len(lost) == 1


def test_names_are_remembered_and_do_not_pile_up() -> None:
    known = KnownNames()
    first = known.of(("a",))
    assert known.of(("".join("a"),)) is first
    for number in range(5000):
        known.of((f"name{number}",))
    assert len(known._known) <= 1000
    with pytest.raises(BadValueError, match="half"):
        known.of(("\ud800",))
