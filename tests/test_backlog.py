from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from agnez.backlog import Backlog
from agnez.record import Batch, Point

POINT = 40  # bytes


def batch(number: int, points: int = 100) -> Batch:
    return Batch.of([Point("loss", step, number, step) for step in range(points)])


def drained(backlog: Backlog) -> list[float]:
    found: list[float] = []
    while portion := backlog.portion():
        found += [float(each.values[0]) for each in portion]
        backlog.forget(len(portion))
    return found


def test_batches_come_back_in_order_from_memory_and_file() -> None:
    backlog = Backlog(memory=300 * POINT)
    assert all(backlog.add(batch(number)) for number in range(10))
    assert (len(backlog), backlog.calls) == (10, 1000)
    first = backlog.portion()
    assert [each.values[0] for each in first] == [0, 1, 2]
    np.testing.assert_array_equal(first[2].steps, np.arange(100))
    backlog.forget(1)
    assert backlog.add(batch(10))  # behind those in the file, though there is room in memory
    assert drained(backlog) == list(range(1, 11))
    assert (len(backlog), backlog.calls) == (0, 0)
    assert backlog.add(batch(11)) and drained(backlog) == [11]


def test_past_all_bounds_the_newest_are_refused() -> None:
    backlog = Backlog(memory=200 * POINT, spill=15_000)
    kept = [backlog.add(batch(number)) for number in range(10)]
    assert kept[:4] == [True] * 4 and kept[-1] is False
    assert drained(backlog) == list(range(sum(kept)))
    assert backlog.add(batch(10)) and drained(backlog) == [10]


def test_without_a_folder_for_temporary_files_memory_is_all_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    backlog = Backlog(memory=200 * POINT)
    assert [backlog.add(batch(number)) for number in range(3)] == [True, True, False]
    assert drained(backlog) == [0, 1]


def test_a_batch_larger_than_the_memory_is_taken_where_nothing_else_waits() -> None:
    backlog = Backlog(memory=10 * POINT)
    assert backlog.add(batch(0)) and drained(backlog) == [0]


def test_nothing_is_left_behind_when_it_is_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    backlog = Backlog(memory=POINT)
    backlog.add(batch(0))
    backlog.add(batch(1))
    backlog.close()
    backlog.close()
    assert not list(tmp_path.iterdir())
