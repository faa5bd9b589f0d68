from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from agnez import wire
from agnez.errors import BadValueError
from agnez.record import Progress, RunInfo, Series, Summary

GOLDEN = Path(__file__).parent / "wire"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text("utf-8"))
GOOD = [name for name, facts in EXPECTED.items() if facts != "refused"]


def numbers(said: list[float | str]) -> list[float]:
    return [wire.read_number(each) for each in said]


@pytest.mark.parametrize("name", GOOD)
def test_golden_messages_are_read_and_written_to_the_byte(name: str) -> None:
    golden, expected = (GOLDEN / f"{name}.bin").read_bytes(), EXPECTED[name]
    messages = wire.read_bundle(golden)
    for message, facts in zip(messages, expected, strict=True):
        assert (message.run, message.cursor, message.after, message.decimated) == (
            facts["run"],
            facts["cursor"],
            facts["after"],
            facts["decimated"],
        )
        assert [each.metric for each in message.series] == [metric for metric, *_ in facts["series"]]
        for each, (_, *columns) in zip(message.series, facts["series"], strict=True):
            assert each.axis == (columns.pop() if len(columns) > 3 else None)
            ours = [each.steps, each.values, each.times] + ([] if each.x is None else [each.x])
            for column, theirs in zip(ours, columns, strict=True):
                np.testing.assert_array_equal(column, numbers(theirs))
    again = [
        wire.points_message(each.run, each.cursor, each.series, after=each.after, decimated=each.decimated)
        for each in messages
    ]
    assert b"".join(again) == golden
    if len(messages) == 1:
        assert wire.read_points(golden).cursor == messages[0].cursor
    else:
        with pytest.raises(BadValueError, match="where one was expected"):
            wire.read_points(golden)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in GOOD])
def test_messages_that_are_damaged_or_newer_are_refused(name: str) -> None:
    for read in (wire.read_points, wire.read_bundle):
        with pytest.raises(BadValueError):
            read((GOLDEN / f"{name}.bin").read_bytes())


def test_columns_that_do_not_lie_in_a_row_are_written_too() -> None:
    strided = np.arange(12.0).reshape(3, 4)
    message = wire.points_message(
        "r", "1", [Series("x", strided[:, 0].astype(int), strided[:, 1], strided[:, 2], strided[:, 0].astype(int))]
    )
    assert wire.read_points(message).series[0].values.tolist() == [1, 5, 9]


def test_json_is_what_every_language_reads() -> None:
    info = RunInfo("r", "p", "n", 1, summary={"loss": Summary(math.nan, 1, -math.inf, 0, math.inf, 1, 2, 2)})
    record = json.loads(wire.dump(wire.run_record(info)))
    assert record["summary"]["loss"]["last"] == "NaN" and record["progress"]["epoch"] is None
    assert wire.read_progress({"epoch": 1}) == Progress(epoch=1)
    assert math.isnan(wire.read_summary(record["summary"]["loss"]).last)
    for bad in (math.nan, object(), {1, 2}):
        with pytest.raises(BadValueError):
            wire.dump(bad)  # type: ignore[arg-type]
    for bad in ("nan", None, True, []):
        with pytest.raises(BadValueError):
            wire.read_number(bad)  # type: ignore[arg-type]


def test_a_list_tells_the_main_summaries_of_very_many() -> None:
    many = {f"layer/{number}": Summary(last=1.0) for number in range(1000)} | {"val/loss": Summary(), "lr": Summary()}
    assert list(wire.headline(many))[:3] == ["val/loss", "lr", "layer/0"]
    assert len(wire.headline(many)) == wire.MOST_LISTED
    few = {f"layer/{number}": Summary() for number in range(wire.MOST_LISTED)}
    assert wire.headline(few) == few
