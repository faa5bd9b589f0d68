from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from agnez.diagnosis import Examiner
from agnez.record import Batch, Finding, Point


def examined(*batches: list[Point]) -> list[Finding]:
    examiner = Examiner("abc")
    found: list[Finding] = []
    for each in batches:
        found = examiner(Batch.of(each))
    return found


def losses(*values: float, metric: str = "loss", first: int = 0) -> list[Point]:
    return [Point(metric, step, value, 0) for step, value in enumerate(values, first)]


def test_a_loss_that_recovers_is_a_warning_with_its_range() -> None:
    (finding,) = examined(losses(1, math.nan, math.inf, 2, 3))
    assert (finding.severity, finding.first_step, finding.last_step) == ("warning", 1, 2)
    assert finding.sentence == "loss was NaN from step 1 on, and is finite again since step 3."


def test_a_finding_lives_on_over_batches_and_other_metrics_do_not_matter() -> None:
    (finding,) = examined(losses(1, math.nan), losses(math.nan, metric="accuracy"), losses(math.inf, first=7))
    assert (finding.severity, finding.first_step, finding.last_step) == ("error", 1, 7)
    assert not examined(losses(1, 2), losses(math.nan, metric="accuracy"))


Series = st.lists(
    st.tuples(st.sampled_from(["loss", "val/loss", "x"]), st.integers(0, 5), st.sampled_from([1.0, math.nan])),
    min_size=1,
)


@given(series=Series, cut=st.integers(0, 20))
def test_it_says_the_same_however_the_points_are_cut_into_batches(
    series: list[tuple[str, int, float]], cut: int
) -> None:
    points = [Point(metric, step, value, 0) for metric, step, value in series]
    cuts = [part for part in (points[:cut], points[cut:]) if part]
    assert examined(points) == examined(*cuts) == examined(*([point] for point in points))
