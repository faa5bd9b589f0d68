from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from contract import put, table

from agnez.store import RunFile
from agnez.store.decimation import decimate


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    return np.random.default_rng(3).normal(size=1_500_000)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> RunFile:
    file = RunFile(tmp_path_factory.mktemp("view") / "run.db", create=True)
    put(file, table(loss=values[:1_490_000]))
    with file.transaction():
        rest = table(loss=values[1_490_000:])
        file.append(type(rest)(rest.names, rest.metrics, rest.calls, rest.steps + 1_490_000, rest.values, rest.times))
    return file


@pytest.mark.parametrize("size", [30, 900, 3_000, 60_000, 700_000, 1_490_000])
def test_any_range_shows_the_extremes_of_each_of_its_parts(file: RunFile, values: np.ndarray, size: int) -> None:
    for first in np.random.default_rng(size).integers(0, len(values) - size, 6).tolist():
        seen = file.view("loss", most=2000, first=first, last=first + size - 1)
        assert min(size, 900) <= len(seen) <= 2000
        assert seen.steps[[0, -1]].tolist() == [first, first + size - 1]
        np.testing.assert_array_equal(seen.values, values[seen.steps])
        parts = np.linspace(first, first + size, 11).astype(int)
        margin = 3 * max(1024, size // 600)  # a part's own extreme may stand in a bucket that the next part ends
        for begin, end in pairwise(parts.tolist()):
            shown = seen.values[(seen.steps >= begin - margin) & (seen.steps < end + margin)]
            assert shown.min() <= values[begin:end].min() and shown.max() >= values[begin:end].max()


def test_a_single_value_that_is_not_finite_is_seen_among_millions(tmp_path: Path) -> None:
    values = np.zeros(1_100_000)
    values[777_777] = math.nan
    with RunFile(tmp_path / "run.db", create=True) as file:
        put(file, table(loss=values))
        assert file.view("loss", most=100).steps[~np.isfinite(file.view("loss", most=100).values)].tolist() == [777_777]


@pytest.mark.parametrize("waiting", [0, 20_000])
@pytest.mark.parametrize("odd", [[], [0, 70_000, 70_001, 204_000]])
def test_a_view_of_blocks_that_are_all_read_is_that_of_all_points(
    tmp_path: Path, values: np.ndarray, odd: list[int], waiting: int
) -> None:
    full = 200 * 1024
    values = values[: full + waiting].copy()
    values[odd] = math.nan
    with RunFile(tmp_path / "run.db", create=True) as file:
        put(file, table(loss=values[:full]))
        file.compact()
        if waiting:
            rest = table(loss=values[full:])
            steps = rest.steps + full
            with file.transaction():
                file.append(type(rest)(rest.names, rest.metrics, rest.calls, steps, rest.values, rest.times))
        expected = decimate(file.read("loss"), 2000)
        seen = file.view("loss", most=2000)
        assert seen.steps.tolist() == expected.steps.tolist()
        np.testing.assert_array_equal(seen.values, expected.values)


def test_a_view_has_what_was_appended_since_the_last_one_and_what_was_taken_back_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with RunFile(path, create=True) as writer, RunFile(path) as reader:
        for count in range(1, 4):
            put(writer, table(loss=[float(count)]))
            assert len(reader.view("loss", most=10)) == count
            writer.compact()
            assert len(reader.view("loss", most=10)) == count
        with pytest.raises(ZeroDivisionError), writer.transaction():
            writer.append(table(loss=[8.0]))
            assert writer.view("loss", most=10).values[-1] == 8
            raise ZeroDivisionError
        put(writer, table(loss=[9.0]))
        for file in (reader, writer):
            assert file.view("loss", most=10).values.tolist() == [1, 2, 3, 9]


@pytest.mark.parametrize(("first", "last"), [(None, None), (3_000, 9_999), (70_000, 1_400_000)])
@pytest.mark.parametrize("most", [50, 700, 3000])
def test_means_are_those_of_all_points_of_their_stretches(
    file: RunFile, values: np.ndarray, most: int, first: int | None, last: int | None
) -> None:
    found = file.means("loss", most=most, first=first, last=last)
    assert found.axis == "means" and found.x is not None
    assert len(found) <= most + 60  # what waits in no block yet is summed up by itself
    ends = found.steps + 1
    begins = ends - found.x.astype(int)
    assert (begins[1:] == ends[:-1]).all()  # one after the other, and none twice
    begin, end = first or 0, len(values) if last is None else last + 1
    slack = 0 if end - begin <= most * 1024 else 1024
    assert begin - slack <= begins[0] <= begin and end <= ends[-1] <= end + slack
    sizes = found.x.tolist()
    usual = max(set(sizes), key=sizes.count)
    assert sum(size != usual for size in sizes) <= 3  # at the begin, at the end of the blocks, and of what waits
    wanted = [values[a:b].mean() for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
    np.testing.assert_allclose(found.values, wanted, rtol=0, atol=1e-12)


def test_means_leave_out_what_is_not_finite(tmp_path: Path) -> None:
    values = np.ones(300_000)
    values[1000:2000], values[5000] = math.nan, math.inf
    with RunFile(tmp_path / "run.db", create=True) as file:
        put(file, table(loss=values))
        fine, coarse = file.means("loss", most=300), file.means("loss", most=20)
        assert fine.x is not None and coarse.x is not None
        assert fine.x.sum() == coarse.x.sum() == 300_000 - 1001
        assert np.isnan(fine.values[1]) and fine.x[1] == 0  # a thousand points each
        assert set(fine.values[np.isfinite(fine.values)]) == set(coarse.values) == {1.0}


def test_means_of_steps_that_go_back_are_in_the_order_of_steps(tmp_path: Path) -> None:
    with RunFile(tmp_path / "run.db", create=True) as file:
        put(file, table(loss=np.arange(10.0)))
        rest = table(loss=np.arange(10.0))
        with file.transaction():
            file.append(rest)
        found = file.means("loss", most=10)
        assert found.steps.tolist() == list(range(10)) and found.values.tolist() == list(range(10))
        assert found.x is not None and found.x.tolist() == [2.0] * 10
        assert len(file.means("nope", most=10)) == 0
