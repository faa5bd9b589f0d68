"""What every backend of the store has to do with points: one class of tests, to be run against each."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import pytest

from agnez.errors import BadValueError
from agnez.record import Batch, Point, RunInfo, Series, Summary
from agnez.store import RunFile

SECOND = 1_000_000


def points(metric: str, values: Sequence[float], first: int = 0) -> list[Point]:
    """Return points of one metric at rising steps, a second apart."""
    return [Point(metric, step, float(value), SECOND * step) for step, value in enumerate(values, first)]


def table(**columns: Sequence[float]) -> Batch:
    """Return a batch in which each call logs one value of each metric."""
    values = np.array(list(columns.values()), dtype=np.float64)
    metrics, calls = values.shape
    numbers = np.repeat(np.arange(calls), metrics)
    places = np.tile(np.arange(metrics), calls)
    return Batch(tuple(columns), places, numbers, numbers, values.T.ravel(), numbers * SECOND, metrics)


def put(file: RunFile, batch: Batch | Sequence[Point]) -> None:
    """Append in a transaction of its own."""
    with file.transaction():
        file.append(batch if isinstance(batch, Batch) else Batch.of(batch))


def bits(values: np.ndarray) -> list[int]:
    """Return what makes floats the same: NaN equals NaN here, and 0.0 is not -0.0."""
    return np.where(np.isnan(values), np.nan, values).view(np.int64).tolist()


class PointsContract:
    """Say what is true of points in any backend; a subclass says how a file of a run is opened."""

    @abstractmethod
    def open(self) -> RunFile:
        """Open the one file of the test, which is made the first time."""

    def read(self, metric: str) -> Series:
        """Read a metric in a file opened afresh."""
        with self.open() as file:
            return file.read(metric)

    def test_points_are_read_back_exactly_and_in_order(self) -> None:
        values = [0.1, math.nan, math.inf, -math.inf, 1e-300, -0.0, 5e-324, 1.7976931348623157e308]
        with self.open() as file:
            put(file, [*points("loss", values), Point("loss", 2, 7.0, 5), Point("other", 0, 1.0, 5)])
        loss = self.read("loss")
        assert bits(loss.values) == bits(np.array([*values, 7.0]))
        assert loss.steps.tolist() == [*range(8), 2] and loss.calls.tolist() == list(range(1, 10))
        assert loss.times.tolist() == [*map(float, range(8)), 5e-6]
        assert self.read("other").values.tolist() == [1.0]

    def test_any_whole_number_of_64_bits_is_a_step_and_a_time(self) -> None:
        ends = [-(2**63), 2**63 - 1, 0, -1, 2**62]
        with self.open() as file:
            put(file, [Point("x", step, 0.0, step) for step in ends])
        assert self.read("x").steps.tolist() == ends
        assert self.read("x").times.tolist() == [end / 1e6 for end in ends]

    def test_any_text_is_a_name(self) -> None:
        names = ["", "a\0b", "a", "'; DROP TABLE tail; --", "ünï/çødé 🦩", "\\u0000", '"', "n" * 5000]
        with self.open() as file:
            put(file, [Point(name, 0, float(place), 0) for place, name in enumerate(names)])
            assert file.metrics() == names
        with self.open() as file:
            assert file.metrics() == names
            assert [file.read(name).values.tolist() for name in names] == [[place] for place in range(len(names))]

    def test_a_cursor_gets_what_came_after_it_and_no_more(self) -> None:
        with self.open() as file, self.open() as reader:
            put(file, points("loss", [1, 2, 3]))
            cursor, _, _ = reader.series()
            put(file, points("val", [9]))
            after, found, _ = reader.series(after=cursor)
            assert [each.metric for each in found] == ["val"] and after == cursor + 1 == reader.cursor()
            assert reader.series(after=after)[1] == []

    def test_a_cursor_gets_the_same_once_all_is_compacted(self) -> None:
        with self.open() as file, self.open() as reader:
            put(file, table(a=range(3000), b=range(3000)))
            cursor = reader.cursor()
            put(file, table(b=range(10), c=range(10)))
            before = reader.series(after=cursor - 1000)
            file.compact()
            for _, found, _ in [before, reader.series(after=cursor - 1000)]:
                assert {each.metric: len(each) for each in found} == {"a": 1000, "b": 1010, "c": 10}
            assert [len(each) for each in reader.series(["c", "b"], after=cursor)[1]] == [10, 10]

    def test_calls_of_the_same_metrics_are_read_back_among_others(self) -> None:
        random = np.random.default_rng(0)
        many = random.normal(size=(3, 400))
        many[1, 7] = math.nan
        with self.open() as file, self.open() as reader:
            put(file, points("b", [5]))  # so it has the first place
            put(file, table(a=many[0], b=many[1], c=many[2]))
            put(file, table(c=[1], a=[2]))
            put(file, table(a=many[2], c=many[0]))
            cursor, found, _ = reader.series(after=201)  # in the midst of them
            assert {each.metric: len(each) for each in found} == {"a": 601, "b": 200, "c": 601} and cursor == 802
            assert [each.calls[0] for each in found] == [202, 202, 202]
            calls = np.repeat(range(802), [1, *[3] * 400, 2, *[2] * 400])
            assert file.logged(0, 802).calls.tolist() == calls.tolist()
        for _ in range(2):  # from the tail, which closing has packed then
            a, b = self.read("a"), self.read("b")
            assert bits(a.values) == bits(np.concatenate([many[0], [2], many[2]]))
            assert bits(b.values) == bits(np.concatenate([[5], many[1]]))
            assert a.steps.tolist() == [*range(400), 0, *range(400)] and a.times[7] == 7.0

    def test_a_transaction_that_fails_leaves_nothing(self) -> None:
        with self.open() as file:
            put(file, points("loss", [5]))
            with pytest.raises(RuntimeError), file.transaction():
                file.append(Batch.of(points("loss", range(100_000))))
                file.append(Batch.of(points("new", [1])))
                raise RuntimeError
            assert file.metrics() == ["loss"] and file.summaries()["loss"].count == 1
            put(file, points("newer", [2]))
            put(file, points("loss", [3]))
            assert file.metrics() == ["loss", "newer"]
            assert file.read("loss").values.tolist() == [5, 3] and file.read("newer").values.tolist() == [2]

    def test_a_reopened_file_goes_on_where_it_stood(self) -> None:
        for values in ([3, 1], [2], [math.nan, 7]):
            with self.open() as file:
                put(file, points("loss", values))
        with self.open() as file:
            (summary,) = file.summaries().values()
            assert file.read("loss").values[:3].tolist() == [3, 1, 2]
        assert summary == Summary(7, 1, 1, 1, 7, 1, 5, 1, 3.25)

    def test_summaries_tell_the_last_the_extremes_and_the_mean(self) -> None:
        with self.open() as file:
            put(file, points("loss", [2.0, -1.0, math.nan]))
            put(file, points("loss", [8.0, math.inf], first=3))
            put(file, points("nothing", [math.nan, -math.inf]))
            loss, nothing = file.summaries().values()
        assert loss == Summary(math.inf, 4, -1.0, 1, 8.0, 3, 5, 2, 3.0)
        assert (nothing.count, nothing.non_finite, nothing.last, nothing.last_step) == (2, 2, -math.inf, 1)
        assert all(map(math.isnan, (nothing.min, nothing.max, nothing.mean)))

    def test_the_mean_of_huge_numbers_is_finite(self) -> None:
        with self.open() as file:
            put(file, points("x", [1.7e308] * 5000))
            put(file, points("x", [-1.7e308] * 5000))
            assert abs(file.summaries()["x"].mean) < 1e294

    def test_views_show_the_true_extremes_and_what_is_not_finite(self) -> None:
        values = np.random.default_rng(0).normal(size=300_000)
        values[123_456], values[200_000], values[7] = 99, -99, 50
        values[250_000], values[250_001] = math.nan, math.inf
        with self.open() as file:
            put(file, table(loss=values))
            view = file.view("loss", most=1000)
            part = file.view("loss", most=1000, first=100_000, last=199_999)
            near = file.view("loss", most=1000, first=249_990, last=250_010)
        assert len(view) <= 1000 and {99.0, -99.0, 50.0} <= set(view.values.tolist())
        assert (~np.isfinite(view.values)).any() and (np.diff(view.steps) > 0).all()
        assert view.steps[[0, -1]].tolist() == [0, 299_999]
        np.testing.assert_array_equal(view.values, values[view.steps])
        assert part.steps[[0, -1]].tolist() == [100_000, 199_999] and part.values.max() == 99
        assert bits(near.values) == bits(values[249_990:250_011])

    def test_a_view_along_the_time_takes_seconds(self) -> None:
        with self.open() as file:
            put(file, table(loss=range(10_000)))
            view = file.view("loss", most=100, x="time", first=1000.0, last=2999.0)
            few = file.view("loss", most=100, x="time", first=1000.0, last=1009.0)
        assert view.steps[[0, -1]].tolist() == [1000, 2999] and 50 < len(view) <= 100
        assert few.times.tolist() == list(range(1000, 1010))

    def test_steps_out_of_order_are_kept_and_seen_in_order(self) -> None:
        steps = np.random.default_rng(0).permutation(20_000)
        with self.open() as file:
            put(file, [Point("x", step, float(step % 977), 0) for step in steps.tolist()])
            view = file.view("x", most=500)
            assert file.read("x").steps.tolist() == steps.tolist()
            assert sorted(file.read("x", first=10, last=20).steps.tolist()) == list(range(10, 21))
        assert (np.diff(view.steps) >= 0).all() and view.values.max() == 976 and len(view) <= 500

    def test_a_view_of_too_few_points_is_an_error(self) -> None:
        with self.open() as file, pytest.raises(BadValueError, match="at least 5"):
            file.view("loss", most=4)

    def test_what_is_not_there_is_empty(self) -> None:
        with self.open() as file:
            assert len(file.read("x")) == len(file.view("x", most=10)) == file.cursor() == 0
            assert file.series() == (0, [], False) and file.metrics() == [] and file.greatest_step() is None
            put(file, points("x", [1]))
            assert len(file.read("x", first=5)) == len(file.view("x", most=10, first=5)) == 0
            assert len(file.read("x", branch=0)) == 0

    def test_a_segment_that_begins_further_on_goes_on(self) -> None:
        with self.open() as file:
            put(file, points("x", [1, 2, 3]))
            file.begin_segment()
            put(file, points("x", [4], first=3))
            assert file.read("x").values.tolist() == [1, 2, 3, 4] and file.greatest_step() == 3
            assert [(each.first_call, each.first_step, each.branches) for each in file.segments()] == [
                (1, 0, False),
                (4, 3, False),
            ]

    def test_a_segment_that_begins_earlier_branches_off_and_overwrites_nothing(self) -> None:
        with self.open() as file, self.open() as reader:
            put(file, [*points("x", [9, 8, 7, 6]), *points("rare", [5], first=3)])
            assert reader.read("x").values.tolist() == [9, 8, 7, 6]
            file.begin_segment()
            put(file, points("x", [1, 2], first=2))
            for each in (file, reader):
                assert each.read("x").values.tolist() == [9, 8, 1, 2] and len(each.read("rare")) == 0
                assert each.read("x", branch=0).values.tolist() == [7, 6] and len(each.read("x", branch=1)) == 0
                assert each.read("rare", branch=0).values.tolist() == [5]
                assert each.summaries()["x"] == Summary(2, 3, 1, 2, 9, 0, 4, 0, 5.0)
                assert each.view("x", most=5).values.tolist() == [9, 8, 1, 2] and each.greatest_step() == 3
            file.begin_segment()
            put(file, points("x", [0], first=1))
            assert reader.read("x").values.tolist() == [9, 0]
            assert reader.read("x", branch=1).values.tolist() == [1, 2]
            assert reader.read("x", branch=0).values.tolist() == [8, 7, 6]

    def test_a_segment_that_fails_with_its_transaction_never_was(self) -> None:
        with self.open() as file:
            put(file, points("x", [1, 2, 3]))
            with pytest.raises(RuntimeError), file.transaction():
                file.begin_segment()
                file.append(Batch.of(points("x", [7])))
                raise RuntimeError
            put(file, points("x", [5], first=1))
            assert len(file.segments()) == 1 and file.read("x").values.tolist() == [1, 2, 3, 5]

    def test_a_reader_and_the_writer_do_not_wait_for_each_other(self) -> None:
        with self.open() as file, self.open() as reader, file.transaction():
            file.write_info(RunInfo(id="a", project="p", name="n", created=0))
            file.append(table(a=range(100_000)))
            assert reader.series() == (0, [], False)
