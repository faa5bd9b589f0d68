"""Reading what was recorded: `agnez.open`, lists of runs and queries over them, series, axes, ranks, histories."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import agnez
from agnez.errors import BadValueError, MissingExtraError, NotFoundError, StoreError
from agnez.record import Batch, Point, RunInfo, Series
from agnez.store import RunFile, RunReader, Store
from agnez.store import axis as axes
from agnez.store import cursor as cursors
from agnez.store.ranks import aggregate
from agnez.stored import StoredRun

BEGAN = 1_000_000_000_000_000  # microseconds


def add_run(store: Store, id: str = "abc", **facts: object) -> RunFile:
    info: dict[str, object] = {"project": "digits", "name": "calm-ibis-1", "created": BEGAN, "state": "finished"}
    file = store.create_run(RunInfo(id=id, **(info | facts)))  # type: ignore[arg-type]
    return file


def log(file: RunFile, *calls: Mapping[str, float], step: int = 0, time: float = 0.0) -> None:
    """Log calls one step and one second apart, from `time` seconds after the beginning on."""
    names = tuple(dict.fromkeys(name for call in calls for name in call))
    rows = [(names.index(name), at, value) for at, call in enumerate(calls) for name, value in call.items()]
    metrics, at, values = (np.array(column) for column in zip(*rows, strict=True))
    times = BEGAN + int(time * 1e6) + at.astype(np.int64) * 1_000_000
    with file.transaction():
        file.append(Batch(names, metrics.astype(np.int64), at.astype(np.int64), at + step, values.astype(float), times))


def opened(store: Store, id: str = "abc") -> StoredRun:
    return agnez.open(store.directory).run(id)


# --- stores and lists ------------------------------------------------------------------------------------------------


def test_a_folder_without_a_store_is_not_made_one(tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(StoreError, match=str(folder)):
            agnez.open(folder)
    assert list(tmp_path.iterdir()) == []


def test_runs_come_newest_first_and_projects_with_them(store: Store) -> None:
    for number in range(3):
        add_run(store, f"r{number}", created=BEGAN + number, project=f"p{number % 2}").close()
    opened = agnez.open()
    assert [run.id for run in opened.runs()] == ["r2", "r1", "r0"]
    assert [run.id for run in opened.runs("p0")] == ["r2", "r0"]
    assert opened.projects() == ["p0", "p1"]
    runs = opened.runs()
    assert runs[-1].id == "r0" and [run.id for run in runs[:2]] == ["r2", "r1"] and "calm-ibis-1" in repr(runs)


def test_runs_are_found_by_what_they_are(store: Store) -> None:
    for number, rate in enumerate([0.1, 0.01, 0.001]):
        config = {"lr": rate, "model": {"depth": number}, "opt.name": "sgd"}
        with add_run(store, f"r{number}", created=BEGAN + number, config=config, tags=(f"t{number}",)) as file:
            log(file, {"val/loss": 3.0 - number}, {"val/loss": math.nan})
            store.publish(file.info())
    opened = agnez.open()

    def found(query: object) -> list[str]:
        return [run.id for run in opened.runs(query=query)]  # type: ignore[arg-type]

    assert found({"config.lr": {"$lt": 0.05}}) == ["r2", "r1"]
    assert found({"config.model.depth": 1}) == ["r1"]
    assert found({"config.opt.name": "sgd", "tags": "t0"}) == ["r0"]
    assert found({"summary.val/loss.min": {"$lte": 2}, "$sort": {"summary.val/loss.min": -1}}) == ["r1", "r2"]
    assert found({"$sort": {"config.lr": -1}, "$limit": 1, "$skip": 1}) == ["r1"]
    assert found({"$or": [{"_id": "r0"}, {"_id": "r2"}]}) == ["r2", "r0"]
    assert found(lambda run: run.config["lr"] > 0.05) == ["r0"]
    for bad in ({"$nonsense": 1}, {"$select": ["name"]}, {"config.lr": {"$lt": object()}}):
        with pytest.raises(BadValueError):
            found(bad)


def test_a_run_tells_its_facts(store: Store) -> None:
    with add_run(
        store, config={"lr": 0.1}, tags=("a",), notes="slow", state="failed", reason="no", ended=BEGAN
    ) as file:
        log(file, {"loss": 1.0}, {"loss": 0.5, "acc": 0.25}, {"loss": math.inf})
    run = opened(store)
    assert (run.id, run.name, run.project, run.state, run.reason) == ("abc", "calm-ibis-1", "digits", "failed", "no")
    assert (run.config, run.tags, run.notes, run.archived) == ({"lr": 0.1}, ("a",), "slow", False)
    assert run.created == run.ended and run.created.timestamp() == 1e9
    assert (run.metrics, run.ranks, run.branches) == (["loss", "acc"], [0], [])
    loss = run.summary["loss"]
    assert (loss.last, loss.min, loss.min_step, loss.max, loss.mean, loss.count) == (math.inf, 0.5, 1, 1.0, 0.75, 3)


def test_what_is_not_there_is_said_with_what_is_near(store: Store) -> None:
    with add_run(store) as file:
        log(file, {"train/loss": 1.0, "lr": 0.1})
    run = opened(store)
    with pytest.raises(NotFoundError, match="did you mean train/loss"):
        run.series("train/los")
    with pytest.raises(NotFoundError, match="it has train/loss and lr"):
        run.series("zzz")
    with pytest.raises(NotFoundError, match="rank 3; it has 0"):
        run.series("lr", rank=3)
    with pytest.raises(NotFoundError, match="epoch"):
        run.series("lr", x="epoch")
    with pytest.raises(NotFoundError, match="did you mean abc"):
        agnez.open().run("abd")
    for bad in ({"most": 3}, {"first": 2, "last": 1}, {"first": math.nan}, {"rank": "median"}):
        with pytest.raises(BadValueError):
            run.series("lr", **bad)


def test_a_run_that_goes_on_is_read_afresh(store: Store) -> None:
    file = add_run(store, state="running", heartbeat=time.time_ns() // 1000)
    log(file, {"loss": 1.0})
    run = opened(store)
    assert len(run.series("loss")) == 1
    log(file, {"loss": 0.5}, step=1)
    assert run.series("loss").values.tolist() == [1.0, 0.5]


# --- axes ------------------------------------------------------------------------------------------------------------


def test_points_stand_where_the_axis_stood_at_their_call(store: Store) -> None:
    with add_run(store, axes={"val/*": "epoch"}) as file:
        log(file, {"val/loss": 9.0}, {"epoch": 1.0, "val/loss": 2.0}, {"loss": 1.0}, {"val/loss": 1.5}, {"epoch": 2.0})
        log(file, {"val/loss": 1.0}, step=5, time=5)
    run = opened(store)
    declared = run.series("val/loss")
    assert declared.axis == "epoch"
    np.testing.assert_array_equal(declared.x, [np.nan, 1, 1, 2])
    assert run.series("loss").x is None
    np.testing.assert_array_equal(run.series("loss", x="epoch").x, [1])
    np.testing.assert_array_equal(run.series("val/loss", x="relative").x, [0, 1, 3, 5])
    np.testing.assert_array_equal(run.series("val/loss", x="time").x, declared.times)
    np.testing.assert_array_equal(run.series("val/loss", x="step").x, [0, 1, 3, 5])


def test_a_range_is_of_the_axis_that_was_asked_for(store: Store) -> None:
    with add_run(store) as file:
        log(file, *({"loss": float(step), "samples": 10.0 * step} for step in range(20)), step=100)
    run = opened(store)
    assert run.series("loss", first=105, last=107).values.tolist() == [5, 6, 7]
    assert run.series("loss", first=104.5, last=105.5).values.tolist() == [5]
    assert run.series("loss", x="relative", first=5, last=7).values.tolist() == [5, 6, 7]
    assert run.series("loss", x="time", first=1e9 + 5, last=1e9 + 7).values.tolist() == [5, 6, 7]
    assert run.series("loss", x="samples", first=50, last=70).values.tolist() == [5, 6, 7]
    assert run.series("loss", x="samples", first=1000).values.tolist() == []
    few = run.series("loss", x="samples", first=0, last=150, most=10)
    assert few.x is not None and len(few) <= 10 and {0.0, 15.0} <= set(few.values)


VALUES = some.floats(width=16)


@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(some.integers(-50, 50), VALUES), min_size=1, max_size=300), some.integers(10, 60))
def test_thinned_points_keep_every_extreme(points: list[tuple[int, float]], most: int) -> None:
    x, values = np.array([at for at, _ in points], dtype=float), np.array([value for _, value in points])
    places = np.arange(len(points))
    series = Series("loss", places, values, places.astype(float), places)
    thin = axes.thin(series, x, most)
    assert len(thin) <= most or len(series) <= most
    assert thin.steps[0] == 0 and thin.steps[-1] == len(points) - 1 and (np.diff(thin.steps) > 0).all()
    np.testing.assert_array_equal(thin.values, values[thin.steps])
    finite, left = values[np.isfinite(values)], thin.values[np.isfinite(thin.values)]
    if len(finite):
        assert (left.min(), left.max()) == (finite.min(), finite.max())
    assert np.isfinite(values).all() == np.isfinite(thin.values).all()


@settings(max_examples=60, deadline=None)
@given(some.lists(some.integers(0, 30), unique=True), some.lists(some.integers(0, 30)))
def test_as_of_is_the_last_value_up_to_a_call(places: list[int], keys: list[int]) -> None:
    places.sort()
    found = axes.as_of(np.array(keys, dtype=int), np.array(places, dtype=int), np.array(places, dtype=float))
    wanted = [max((place for place in places if place <= key), default=math.nan) for key in keys]
    np.testing.assert_array_equal(found, np.array(wanted, dtype=float))


# --- several files ---------------------------------------------------------------------------------------------------


def test_the_files_of_several_processes_are_one_series(store: Store) -> None:
    own = add_run(store, axes={"aug": "epoch"})
    log(own, {"loss": 1.0, "epoch": 1.0}, time=0)
    with store.join_process("abc", 0) as child:
        log(child, {"loss": 7.0, "aug": 0.5}, step=50, time=1)
    log(own, {"loss": 2.0, "epoch": 2.0}, step=1, time=2)
    with store.join_process("abc", 0) as child:
        log(child, {"aug": 0.25}, step=60, time=3)
    run = opened(store)
    assert run.metrics == ["loss", "epoch", "aug"]
    loss = run.series("loss")
    assert (loss.values.tolist(), loss.steps.tolist()) == ([1, 7, 2], [0, 50, 1])
    aug = run.series("aug")
    np.testing.assert_array_equal(aug.x, [1, 2])  # what the other process had logged by then
    summary = run.summary["loss"]
    assert (summary.count, summary.min, summary.max, summary.max_step) == (3, 1, 7, 50)
    assert math.isclose(summary.mean, 10 / 3)
    history = run.history(["loss", "aug"])
    np.testing.assert_array_equal(history["loss"], [1, 7, 2, np.nan])
    np.testing.assert_array_equal(history["aug"], [np.nan, 0.5, np.nan, 0.25])


def test_a_cursor_knows_its_place_in_every_file(store: Store) -> None:
    own = add_run(store, axes={"loss": "epoch"})
    log(own, {"loss": 1.0, "epoch": 1.0})
    with RunReader(store, "abc") as reader:
        first = reader.page()
        assert first.cursor == "1" == reader.cursor()
        log(own, {"loss": 2.0}, step=1, time=2)
        child = store.join_process("abc", 0)
        log(child, {"loss": 7.0, "aug": 1.0}, step=9, time=1)
        assert [each.values.tolist() for each in reader.page(after=first.cursor).series] == [[2.0]]
        reader.files(0, look=True)
        second = reader.page(after=first.cursor)
        (loss,) = (each for each in second.series if each.metric == "loss")
        assert loss.values.tolist() == [7, 2]
        np.testing.assert_array_equal(loss.x, [1, 1])
        assert reader.page(after=second.cursor).series == []
        assert cursors.distance(first.cursor, second.cursor) == 2
        assert reader.page(after="99,no-such-file=3").cursor == second.cursor
        for bad in ("", "-1", "1.5", "x", "1,=2", "1,a=b", "9" * 40):
            with pytest.raises(BadValueError):
                reader.page(after=bad)


def test_an_axis_is_known_however_a_reader_came_to_its_place(store: Store) -> None:
    file = add_run(store, axes={"loss": "epoch"})
    calls = [{"loss": float(at), **({"epoch": at / 4} if at % 4 == 0 else {})} for at in range(40)]
    log(file, *calls)
    with RunReader(store, "abc") as staying:
        for after in ("0", "7", "7", "30", "12", "39"):
            with RunReader(store, "abc") as fresh:
                mine, theirs = staying.page(["loss"], after=after).series[0], fresh.page(after=after).series
            (loss,) = (each for each in theirs if each.metric == "loss")
            np.testing.assert_array_equal(mine.x, loss.x)
            np.testing.assert_array_equal(mine.x, loss.steps // 4)


@settings(max_examples=25, deadline=None)
@given(some.data())
def test_a_reader_by_cursor_gets_everything_once(data: some.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        files = [add_run(store), store.join_process("abc", 0)]
        logged: list[list[float]] = [[], []]
        read: list[float] = []
        cursor, number = cursors.START, 0.0
        with RunReader(store, "abc") as reader:
            for which in data.draw(some.lists(some.sampled_from([0, 1, None]), max_size=15)):
                if which is None:
                    page = reader.page(after=cursor)
                    cursor, read = page.cursor, read + [v for each in page.series for v in each.values.tolist()]
                else:
                    number += 1
                    log(files[which], {"loss": number}, step=int(number), time=number)
                    logged[which].append(number)
            page = reader.page(after=cursor)
            read += [v for each in page.series for v in each.values.tolist()]
            assert sorted(read) == sorted(logged[0] + logged[1])
            if read:
                assert reader.series("loss").values.tolist() == sorted(read)
        for file in files:
            file.close()


# --- ranks -----------------------------------------------------------------------------------------------------------


def test_ranks_are_read_one_by_one_and_together(store: Store) -> None:
    with add_run(store, axes={"loss": "epoch"}) as file:
        log(file, *({"loss": float(step), "epoch": step / 2} for step in range(4)))
    with store.join_run("abc", 1) as file:
        log(file, *({"loss": 10.0 + step, "epoch": step / 2} for step in range(2)), {"other": 1.0})
    run = opened(store)
    assert run.ranks == [0, 1] and run.metrics == ["loss", "epoch"]
    assert run.series("loss").values.tolist() == run.series("loss", rank=0).values.tolist() == [0, 1, 2, 3]
    assert run.series("loss", rank=1).values.tolist() == [10, 11]
    mean = run.series("loss", rank="mean")
    assert (mean.steps.tolist(), mean.values.tolist()) == ([0, 1, 2, 3], [5, 6, 2, 3])
    np.testing.assert_array_equal(mean.x, [0, 0.5, 1, 1.5])
    assert run.series("loss", rank="max").values.tolist() == [10, 11, 2, 3]
    assert run.series("loss", rank="min", first=1, last=2).values.tolist() == [1, 2]
    assert run.series("other", rank="mean").values.tolist() == [1.0]
    with pytest.raises(NotFoundError, match="rank 1"):
        run.series("accuracy", rank=1)


@settings(max_examples=50, deadline=None)
@given(some.lists(some.lists(some.tuples(some.integers(0, 5), VALUES), max_size=8), min_size=1, max_size=4))
def test_aggregates_are_what_a_plain_loop_says(ranks: list[list[tuple[int, float]]]) -> None:
    parts = [series_of(points) for points in ranks]
    last = [dict(points) for points in ranks]
    steps = sorted({step for points in last for step in points})
    for how, plain in (("mean", np.mean), ("min", np.min), ("max", np.max)):
        found = aggregate(parts, how)  # type: ignore[arg-type]
        with np.errstate(invalid="ignore"):
            wanted = [plain([points[step] for points in last if step in points]) for step in steps]
        assert found.steps.tolist() == steps
        np.testing.assert_allclose(found.values, wanted)


def series_of(points: Sequence[tuple[int, float]]) -> Series:
    steps = np.array([step for step, _ in points], dtype=np.int64)
    return Series("loss", steps, np.array([v for _, v in points], dtype=float), steps.astype(float), steps)


# --- branches --------------------------------------------------------------------------------------------------------


def test_what_a_resumed_run_left_behind_can_still_be_read(store: Store) -> None:
    with add_run(store) as file:
        log(file, *({"loss": float(step)} for step in range(5)))
        file.begin_segment()
        log(file, {"loss": 30.0}, {"loss": 40.0}, step=3, time=10)
    run = opened(store)
    assert run.series("loss").values.tolist() == [0, 1, 2, 30, 40]
    assert run.branches == [0]
    assert run.series("loss", branch=0).values.tolist() == [3, 4]
    assert len(run.series("loss", branch=0, most=10)) == 2
    assert run.history()["loss"].tolist() == [0, 1, 2, 30, 40]


# --- tables ----------------------------------------------------------------------------------------------------------


def test_a_history_has_a_row_for_each_call(store: Store) -> None:
    with add_run(store) as file:
        log(file, {"a": 1.0}, {"a": 2.0, "b": 5.0}, {"b": 6.0, "step": 9.0})
    run = opened(store)
    history = run.history()
    assert list(history) == ["step", "time", "a", "b", "metric/step"]
    np.testing.assert_array_equal(history["step"], [0, 1, 2])
    np.testing.assert_array_equal(history["time"], 1e9 + np.arange(3))
    np.testing.assert_array_equal(history["a"], [1, 2, np.nan])
    np.testing.assert_array_equal(history["metric/step"], [np.nan, np.nan, 9])
    assert list(run.history(["b"])["step"]) == [1, 2]
    assert run.to_pandas(["b"])["b"].tolist() == run.to_polars(["b"])["b"].to_list() == [5, 6]
    with pytest.raises(NotFoundError):
        run.history(["c"])
    add_run(store, "empty").close()
    assert {name: len(column) for name, column in opened(store, "empty").history().items()} == {"step": 0, "time": 0}


def test_runs_become_tables(store: Store) -> None:
    with add_run(store, "r0", config={"lr": 0.1, "model": {"depth": 3}}) as file:
        log(file, {"loss": 1.0}, {"loss": 0.5})
        store.publish(file.info())
    add_run(store, "r1", created=BEGAN + 1, config={"layers": [1, 2], "lr": "auto"}).close()
    runs = agnez.open().runs()
    pandas, polars = runs.to_pandas(), runs[1:].to_polars()
    assert pandas["id"].tolist() == ["r1", "r0"] and pandas["loss"].iloc[1] == 0.5
    assert pandas["config.model.depth"].iloc[1] == 3 and pandas["config.layers"].iloc[0] == [1, 2]
    assert polars["loss"].to_list() == [0.5] and polars["config.lr"].to_list() == [0.1]
    assert runs.to_polars().height == 2
    assert len(runs[:0].to_pandas()) == runs[:0].to_polars().height == 0


def test_a_table_without_its_library_says_what_to_install(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_run(store).close()
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
        for table in (agnez.open().runs(), opened(store)):
            with pytest.raises(MissingExtraError, match=rf"pip install 'agnez\[{name}\]'"):
                getattr(table, f"to_{name}")()


def test_reading_loads_no_server(store: Store) -> None:
    add_run(store).close()
    heavy = ("flask", "socketio", "matplotlib", "qs_codec", "pandas", "polars")
    script = f"import agnez, sys; agnez.open().runs(); print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


# --- the index -------------------------------------------------------------------------------------------------------


def test_the_index_forgets_a_run_and_takes_it_up_again(store: Store) -> None:
    add_run(store, "r0").close()
    add_run(store, "r1").close()
    with store.catalog() as catalog:
        revision, infos, gone = catalog.changes(0)
        assert [info.id for info in infos] == ["r0", "r1"] and gone == []
        info = catalog.get("r0")
        assert info is not None
        catalog.remove("r0")
        assert catalog.ids() == {"r1"} and catalog.get("r0") is None and [each.id for each in catalog.runs()] == ["r1"]
        revision, infos, gone = catalog.changes(revision)
        assert (infos, gone) == ([], ["r0"])
        catalog.put(info, revive=False)  # its recorder has not heard of it
        assert catalog.ids() == {"r1"}
        catalog.adopt(info)
        assert catalog.ids() == {"r0", "r1"} and [each.id for each in catalog.changes(revision)[1]] == ["r0"]
        catalog.adopt(replace(info, name="older news"))
        assert (catalog.get("r0") or info).name == "calm-ibis-1"
        assert (catalog.projects()[0].runs, catalog.count("digits"), catalog.count("nope")) == (2, 2, 0)


def test_summaries_in_the_index_are_those_of_the_run(store: Store) -> None:
    with add_run(store) as file:
        log(file, {"loss": math.nan, "größe": 1.0}, {"loss": -math.inf})
        store.publish(file.info())
        (info,) = store.runs()
        mine, theirs = dict(info.summary.items()), file.summaries()
    assert list(mine) == list(theirs) == ["loss", "größe"]
    for name in mine:
        np.testing.assert_array_equal(np.array(mine[name]), np.array(theirs[name]))
        assert len(info.summary) == 2 and np.array_equal(info.summary[name], theirs[name], equal_nan=True)
    with store.catalog() as catalog:
        assert catalog.get("abc") == info


def test_points_of_a_batch_of_points(store: Store) -> None:
    with add_run(store) as file, file.transaction():
        file.append(Batch.of([Point("loss", 3, 1.0, 5), Point("loss", 3, 2.0, 5)]))
    series = opened(store).series("loss")
    assert series.steps.tolist() == [3, 3] and series.calls.tolist() == [1, 2]


# --- what was just written -------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(some.lists(some.tuples(some.sampled_from(["write", "fail", "keep", "drop", "seal"]), some.integers(1, 4))))
def test_what_is_at_hand_is_what_is_in_the_file(deeds: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        file, number = add_run(store), 0.0
        ends = [0]
        with RunReader(store, "abc") as reader:
            for deed, count in deeds:
                if deed == "write":
                    log(file, *({"a": number + at, **({"b": -number} if at % 2 else {})} for at in range(count)))
                    number, ends = number + count, [*ends, ends[-1] + count]
                elif deed == "fail":
                    with pytest.raises(ZeroDivisionError), file.transaction():
                        file.append(Batch.of([Point("a", 0, math.nan, 0)]))
                        raise ZeroDivisionError
                elif deed == "seal":
                    file.compact()
                else:
                    reader.keep_recent(deed == "keep")
                for after in range(ends[-1] + 1):
                    at_hand = file.at_hand(after)
                    if at_hand is not None:
                        cursor, found, _ = reader.own.series(after=after)
                        assert at_hand[0] == cursor and after in ends
                        assert_same(at_hand[1], found)
            reader.keep_recent(False)
        file.close()


def assert_same(one: Sequence[Series], other: Sequence[Series]) -> None:
    by_name = {each.metric: each for each in other}
    assert sorted(by_name) == sorted(each.metric for each in one)
    for each in one:
        for name in ("steps", "values", "times", "calls"):
            np.testing.assert_array_equal(getattr(each, name), getattr(by_name[each.metric], name))


def test_only_the_newest_points_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agnez.store.recent.MOST_POINTS", 5)
    with add_run(store) as file, RunReader(store, "abc") as reader:
        reader.keep_recent(True)
        for start in range(0, 12, 3):
            log(file, *({"loss": float(at)} for at in range(start, start + 3)), step=start)
        assert file.at_hand(6) is None
        assert [each.values.tolist() for each in (file.at_hand(9) or (0, []))[1]] == [[9, 10, 11]]
        reader.keep_recent(False)
        assert file.at_hand(9) is None
