"""Whatever is appended, compacted, begun anew and reopened, in whatever order: it reads back exactly."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contract import bits
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agnez.record import Batch, Series
from agnez.store import RunFile, blocks, points, view

FLOATS = st.floats(width=64) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.25, 0.5])
STEPS = st.integers(-5, 40) | st.integers(-(2**63), 2**63 - 1)
TIMES = st.integers(0, 2**52)


@dataclass(frozen=True)
class Logged:
    """Hold a point as the test remembers it."""

    metric: str
    call: int
    step: int
    value: float
    time: int
    segment: int


@st.composite
def batches(draw: st.DrawFn, most: int = 40) -> Batch:
    names = tuple(draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5, unique=True)))
    rows = draw(
        st.lists(st.tuples(st.integers(0, len(names) - 1), st.integers(0, 2), STEPS, FLOATS, TIMES), max_size=most)
    )
    calls, seen = [], set[int]()
    for metric, gap, *_ in rows:  # a call logs a metric once at most, so numbers rise where one comes again
        if calls and not gap and metric not in seen:
            calls.append(calls[-1])
            seen.add(metric)
        else:
            calls.append(calls[-1] + max(1, gap) if calls else gap)
            seen = {metric}
    columns = [np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 2, 4)]
    values = np.array([row[3] for row in rows], dtype=np.float64)
    return Batch(names, columns[0], np.array(calls, dtype=np.int64), columns[1], values, columns[2])


@st.composite
def runs(draw: st.DrawFn) -> Batch:
    """Return many points as a training logs them: steps that mostly rise, some values that are not finite."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    calls, metrics, first = draw(st.integers(1, 120)), draw(st.integers(1, 3)), draw(st.integers(0, 300))
    count = calls * metrics
    steps = first + np.arange(calls) + (random.integers(0, 50, calls) if draw(st.integers(0, 9)) == 0 else 0)
    values = np.round(random.normal(size=count), draw(st.integers(0, 17)))
    if draw(st.integers(0, 3)) == 0:
        values[random.integers(0, count, 1 + count // 20)] = random.choice([math.nan, math.inf, -math.inf])
    times = 1_000_000 * steps + random.integers(0, 1000, calls)
    number = np.repeat(np.arange(calls), metrics)
    places = np.tile(np.arange(metrics), calls)
    return Batch(("a", "b", "c")[:metrics], places, number, steps[number], values, times[number], metrics)


class History(RuleBasedStateMachine):
    """Do to a file what recorders do, and remember it."""

    @initialize(full=st.sampled_from([1, 7, 60, 10_000]))
    def begin(self, full: int) -> None:
        self.patch = pytest.MonkeyPatch()
        for module in (blocks, view):
            self.patch.setattr(module, "SIZE", 8)
        self.patch.setattr(blocks, "PAGE", 3)
        self.patch.setattr(points, "_FULL_POINTS", full)
        self.patch.setattr(points, "_FULL_POINTS_PER_METRIC", 1)
        self.patch.setattr(points, "UNLOCKED", 40)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "run.db"
        self.file = RunFile(self.path, create=True)
        self.reader = RunFile(self.path)
        self.logged: list[Logged] = []
        self.cursors = [0]
        self.segment = 0
        self.fresh = False

    def teardown(self) -> None:
        self.file.close()
        self.reader.close()
        self.patch.undo()
        self.folder.cleanup()

    @rule(batch=batches())
    def append(self, batch: Batch) -> None:
        with self.file.transaction():
            self.file.append(batch)
        self._remember(batch)
        self.cursors.append(self.file.cursor())

    @rule(batch=runs())
    def train(self, batch: Batch) -> None:
        self.append(batch)

    @rule(count=st.integers(1, 5), calls=st.integers(1, 30))
    def go_on(self, count: int, calls: int) -> None:
        """Append what a training that nothing befalls logs."""
        for _ in range(count):
            first = 1 + max((each.step for each in self.logged if each.step < 2**40), default=0)
            number = np.arange(calls)
            self.append(Batch(("a",), number * 0, number, first + number, np.sin(first + number), first + number))

    @rule(ones=st.lists(batches(most=8), max_size=4))
    def append_several(self, ones: list[Batch]) -> None:
        with self.file.transaction():
            for batch in ones:
                self.file.append(batch)
                self._remember(batch)

    @rule(batch=batches(), compact=st.booleans())
    def fail(self, batch: Batch, compact: bool) -> None:
        with pytest.raises(ZeroDivisionError), self.file.transaction():
            self.file.append(batch)
            if compact:
                self.file.compact()
            raise ZeroDivisionError

    @rule()
    def compact(self) -> None:
        self.file.compact()

    @rule()
    def begin_segment(self) -> None:
        self.file.begin_segment()
        self.fresh = True

    @rule()
    def reopen(self) -> None:
        self.file.close()
        self.file = RunFile(self.path)

    @rule()
    def lose_power(self) -> None:
        """Leave the file as a killed process does: nothing is compacted."""
        self.file._connection.close()
        self.file = RunFile(self.path)

    @rule(which=st.randoms(use_true_random=False), fresh=st.booleans())
    def follow(self, which: Any, fresh: bool) -> None:
        reader = RunFile(self.path) if fresh else self.reader
        after = which.choice(self.cursors)
        cursor, found, decimated = reader.series(after=after)
        assert cursor == self._last_call() and not decimated
        lines = {name: [each for each in self._line(name) if each.call > after] for name in self._names()}
        assert [each.metric for each in found] == [name for name, line in lines.items() if line]
        for each in found:
            _check(each, lines[each.metric])
        if fresh:
            reader.close()

    @rule(metric=st.sampled_from("aaabcdefgh"), bounds=st.lists(STEPS, min_size=2, max_size=2).map(sorted))
    def read(self, metric: str, bounds: list[int]) -> None:
        first, last = bounds
        _check(self.reader.read(metric), self._line(metric))
        inside = [each for each in self._line(metric) if first <= each.step <= last]
        _check(self.reader.read(metric, first=first, last=last), inside)
        for number in range(self.segment + 1):
            line = set(self._line(metric))
            left = [each for each in self.logged if each.metric == metric and each.segment == number]
            _check(self.file.read(metric, branch=number), [each for each in left if each not in line])

    @rule(metric=st.sampled_from("aaabcdefgh"), most=st.integers(5, 60), axis=st.sampled_from(["step", "time"]))
    def look(self, metric: str, most: int, axis: Any) -> None:
        self._look(metric, most, axis, -math.inf, math.inf)

    @rule(metric=st.sampled_from("aaabc"), most=st.integers(5, 60), where=st.tuples(st.floats(0, 1), st.floats(0, 1)))
    def look_near(self, metric: str, most: int, where: tuple[float, float]) -> None:
        steps = sorted(each.step for each in self._line(metric))
        if steps:
            first, last = sorted(steps[int(part * (len(steps) - 1))] for part in where)
            self._look(metric, most, "step", first, last)

    def _look(self, metric: str, most: int, axis: Any, first: float, last: float) -> None:
        places: Callable[[Logged], int] = (lambda each: each.step) if axis == "step" else (lambda each: each.time)
        bounds = {"first": first, "last": last} if math.isfinite(first) else {}
        seen = self.reader.view(metric, most=most, x=axis, **bounds)
        line = [each for each in self._line(metric) if first <= places(each) <= last]
        assert len(seen) <= most and (len(seen) == len(line) or len(line) > most)
        calls = {each.call: each for each in line}
        _check(seen, sorted((calls[call] for call in seen.calls.tolist()), key=places))
        finite = [each.value for each in line if math.isfinite(each.value)]
        if finite:
            assert {min(finite), max(finite)} <= set(seen.values.tolist())
        assert (len(finite) < len(line)) == (not np.isfinite(seen.values).all())

    @invariant()
    def sums_up(self) -> None:
        for file in (self.file, self.reader):
            found = file.summaries()
            assert list(found) == self._names() == file.metrics()
            for name, summary in found.items():
                line = self._line(name)
                finite = [each.value for each in line if math.isfinite(each.value)]
                assert (summary.count, summary.non_finite) == (len(line), len(line) - len(finite))
                if line:
                    assert summary.last_step == line[-1].step and _same(summary.last, line[-1].value)
                if finite:
                    assert (summary.min, summary.max) == (min(finite), max(finite))
                    assert summary.min_step == next(each.step for each in line if each.value == summary.min)
                    assert min(finite) <= summary.mean <= max(finite) or math.isclose(summary.mean, finite[0])

    def _remember(self, batch: Batch) -> None:
        if not len(batch):
            return
        if self.fresh and self.logged:
            self.segment += 1
        self.fresh = False
        first = self._last_call() + 1
        rows = zip(batch.metrics, batch.calls, batch.steps, batch.values, batch.times, strict=True)
        self.logged += [
            Logged(batch.names[metric], first + int(call), int(step), float(value), int(time), self.segment)
            for metric, call, step, value, time in rows
        ]

    def _last_call(self) -> int:
        return self.logged[-1].call if self.logged else 0

    def _names(self) -> list[str]:
        return self.file.metrics() if set(self.file.metrics()) == {each.metric for each in self.logged} else []

    def _line(self, metric: str) -> list[Logged]:
        """Return the main line as the contract has it: below the first step of every later segment."""
        firsts = [
            next(each.step for each in self.logged if each.segment == number)
            for number in range(self.segment + 1)
            if self.logged
        ]
        return [
            each
            for each in self.logged
            if each.metric == metric and all(each.step < first for first in firsts[each.segment + 1 :])
        ]


def _check(found: Series, expected: list[Logged]) -> None:
    assert found.calls.tolist() == [each.call for each in expected]
    assert found.steps.tolist() == [each.step for each in expected]
    assert bits(found.values) == bits(np.array([each.value for each in expected], dtype=np.float64))
    assert found.times.tolist() == [each.time / 1e6 for each in expected]


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
