from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from agnez.spare import Spare, idle_seconds, used_seconds


def test_time_is_scarce_while_less_than_one_processor_idles_and_no_sooner_plenty_than_it_is() -> None:
    now, idle = 0.0, 0.0
    spare = Spare(lambda: idle, lambda: now, used=lambda _: now)
    first = spare.is_scarce()
    assert first == ((os.cpu_count() or 1) <= 2)  # nothing is known yet
    found = []
    for processors in (3.0, 0.9, 1.15, 1.3, 1.15, 0.2):
        now, idle = now + 2.0, idle + 2.0 * processors
        found.append(spare.is_scarce())
    assert found == [False, True, True, False, False, True]


def test_nothing_is_scarce_while_nobody_trains() -> None:
    now, used = 0.0, {1: 5.0, 2: 0.0}
    spare = Spare(lambda: 0.2 * now, lambda: now, trainings=lambda: list(used), used=lambda process: used[process])
    spare.is_scarce()
    found = []
    for worked in (0.2, 0.2, 0.9):  # of a processor each
        now += 2.0
        used = {process: seconds + 2 * worked for process, seconds in used.items()}
        found.append(spare.is_scarce())
        used.pop(2, None)  # it ends
    assert found == [True, False, True]


def test_it_is_looked_at_every_two_seconds_at_most() -> None:
    now, looks = 0.0, 0

    def idle() -> float:
        nonlocal looks
        looks += 1
        return 100.0 * looks

    spare = Spare(idle, lambda: now)
    for tick in range(100):
        now = tick / 10
        spare.is_scarce()
    assert looks == 5


def test_where_nobody_can_tell_it_stays_as_it_was() -> None:
    spare = Spare(lambda: None, lambda: 0.0)
    assert spare.is_scarce() == ((os.cpu_count() or 1) <= 2)


def test_only_processors_that_are_open_to_the_process_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    stat.write_text(
        "cpu  9 9 9 999 9 9\ncpu0 1 1 1 200 100 1 1 1\ncpu1 1 1 1 400 0 1 1 1\ncpu2 1 1 1 5000 0 1 1\nintr 5\n"
    )
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert idle_seconds(stat) == pytest.approx(700 / os.sysconf("SC_CLK_TCK"))
    assert idle_seconds(tmp_path / "none") is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell it in other ways")
def test_this_machine_tells() -> None:
    found = idle_seconds()
    assert found is not None and found > 0
    assert used_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.5)
    assert used_seconds(2**30) == 0
