from __future__ import annotations

import math
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agnez.errors import ConflictError, NotFoundError, StoreError
from agnez.record import Batch, Finding, Point, Progress, RunInfo
from agnez.store import Store
from agnez.store.decimation import decimate
from agnez.store.life import SILENCE, seen


def info(id: str = "abc", **facts: object) -> RunInfo:
    return RunInfo(**{"id": id, "project": "digits", "name": "calm-ibis-1", "created": 1, **facts})  # type: ignore[arg-type]


def points(metric: str, values: list[float]) -> list[Point]:
    return [Point(metric, step, value, 1_000_000 * step) for step, value in enumerate(values)]


def test_points_are_read_back_exactly_and_in_order(store: Store) -> None:
    values = [0.1, math.nan, math.inf, -math.inf, 1e-300, 3.0]
    with store.create_run(info()) as file, file.transaction():
        file.append(Batch.of(points("loss", values)))
        file.append(Batch.of([Point("loss", 2, 7.0, 5), Point("other", 0, 1.0, 5)]))
    with store.open_run("abc") as file:
        cursor, (loss, other), decimated = file.series()
    assert cursor == 8 and not decimated
    np.testing.assert_array_equal(loss.values, [*values, 7.0])
    np.testing.assert_array_equal(loss.steps, [0, 1, 2, 3, 4, 5, 2])
    assert loss.times[1] == 1.0 and other.metric == "other"


def test_a_cursor_gets_what_came_after_it_and_no_more(store: Store) -> None:
    file = store.create_run(info())
    with file.transaction():
        file.append(Batch.of(points("loss", [1, 2, 3])))
    reader = store.open_run("abc")
    cursor, _, _ = reader.series()
    with file.transaction():
        file.append(Batch.of(points("val", [9])))
    after, found, _ = reader.series(after=cursor)
    assert [each.metric for each in found] == ["val"] and after == cursor + 1
    assert reader.series(after=after)[1] == []


def test_a_reopened_file_goes_on_where_it_stood(store: Store) -> None:
    with store.create_run(info()) as file, file.transaction():
        file.append(Batch.of(points("loss", [3, 1])))
    with store.open_run("abc") as file, file.transaction():
        file.append(Batch.of(points("loss", [2])))
    with store.open_run("abc") as file:
        summary = file.info().summary["loss"]
        assert file.series()[1][0].values.tolist() == [3, 1, 2]
    assert (summary.count, summary.min, summary.max, summary.last) == (3, 1, 3, 2)


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    file = store.create_run(info())
    with pytest.raises(RuntimeError), file.transaction():
        file.append(Batch.of(points("loss", [1])))
        raise RuntimeError
    with file.transaction():
        file.append(Batch.of(points("loss", [2])))
    assert file.series()[1][0].values.tolist() == [2]


def test_facts_and_findings_come_back_whole(store: Store) -> None:
    full = info(
        config={"lr": 0.1, "layers": [1, 2]},
        tags=("a", "b"),
        state="failed",
        reason="ValueError: no",
        progress=Progress(1, 2, 3, 4),
        problems=("full",),
        host="h",
        pid=7,
    )
    finding = Finding("abc", "non_finite", "error", "s", "a", "loss", 1, 2)
    with store.create_run(full) as file, file.transaction():
        file.write_findings([finding])
    with store.open_run("abc") as file:
        assert file.info() == full and file.findings() == [finding]
    assert store.runs() == [full] and store.runs("another") == []


def test_decimation_keeps_every_extreme_the_ends_and_a_nan() -> None:
    rng = np.random.default_rng(0)
    from agnez.record import Series

    values = rng.normal(size=10_000)
    values[1234], values[7777], values[5000] = 99, -99, np.nan
    kept = decimate(Series("x", np.arange(10_000), values, np.arange(1e4), np.arange(10_000)), 500)
    assert len(kept) <= 500
    assert {99.0, -99.0} <= set(kept.values.tolist()) and np.isnan(kept.values).any()
    assert kept.steps[0] == 0 and kept.steps[-1] == 9999 and (np.diff(kept.steps) > 0).all()


def test_cells_merge_conflict_and_leave_a_tombstone(store: Store) -> None:
    with store.cells(None) as cells:
        cells.create({"_id": "a", "x": {"deep": 1}, "y": 1}, "me")
        with pytest.raises(ConflictError):
            cells.create({"_id": "a"}, "me")
        assert cells.patch("a", {"x": {}, "_id": "b"}, "me") == {"_id": "a", "x": {}, "y": 1}
        assert cells.replace("a", {"z": 1}, "you") == {"_id": "a", "z": 1}
        cells.remove("a", "me")
        with pytest.raises(NotFoundError):
            cells.get("a")
        (change,) = cells.changes(0)
        assert change.record is None and change.origin == "me"
        cells.create({"_id": "a", "again": True}, "me")
        assert cells.find() == [{"_id": "a", "again": True}]


def test_a_copied_run_folder_is_taken_up(store: Store, tmp_path: Path) -> None:
    store.create_run(info()).close()
    other = tmp_path / "other" / "runs"
    other.mkdir(parents=True)
    (store.directory / "runs" / "abc").rename(other / "abc")
    assert [run.id for run in Store(tmp_path / "other").runs()] == ["abc"]


@pytest.mark.parametrize("id", ["../abc", "", "a/b", "a.b", "x" * 65, "é"])
def test_an_id_that_is_no_folder_of_a_run_is_not_found(store: Store, id: str) -> None:
    with pytest.raises(NotFoundError):
        store.open_run(id)


def test_files_that_are_not_ours_get_a_sentence(store: Store) -> None:
    path = store.run_path("alien")
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE x (y)")
    connection.close()
    with pytest.raises(StoreError, match="not a file of Agnez"):
        store.open_run("alien")
    path.write_bytes(b"no database at all, but long enough to be looked at " * 40)
    with pytest.raises(StoreError, match="cannot be read"):
        store.open_run("alien")


def test_a_newer_schema_is_left_alone(store: Store) -> None:
    with store.create_run(info()):
        pass
    connection = sqlite3.connect(store.run_path("abc"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer Agnez"):
        store.open_run("abc")


def test_a_folder_that_cannot_be_written_is_an_error_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="dir="):
        Store(tmp_path / "file" / "store")


def test_a_run_counts_as_crashed_when_its_process_is_gone_or_silent() -> None:
    now = time.time_ns() // 1000
    far = info(host="elsewhere", created=now, heartbeat=now)
    assert seen(far, now).state == "running"
    assert seen(far, now + SILENCE + 1).state == "crashed"
    assert seen(replace(far, state="finished"), now + SILENCE + 1).state == "finished"
