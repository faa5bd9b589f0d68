from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import matplotlib
import numpy as np
import pytest

matplotlib.use("agg")

from matplotlib.figure import Figure

from agnez.render import Curves, FrozenFigure, Line, Mode, Renderer, Result, freeze
from agnez.spare import Spare

LIMIT = 60.0


def loss(epoch: int) -> Curves:
    x = np.arange(1.0, epoch + 2)
    return Curves("Loss", "epoch", (Line("train", x, 1 / x, "train"),), epoch)


class Inbox:
    """Collect results, and let a test wait for what it needs."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.threads: set[str] = set()
        self._changed = threading.Condition()

    def __call__(self, result: Result) -> None:
        with self._changed:
            self.results.append(result)
            self.threads.add(threading.current_thread().name)
            self._changed.notify_all()

    def wait(self, enough: Callable[[list[Result]], bool]) -> list[Result]:
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.results), LIMIT)
            return list(self.results)


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self._now = 0.0
        self._conditions: set[threading.Condition] = set()

    def now(self) -> float:
        return self._now

    def wait(self, condition: threading.Condition, timeout: float | None) -> None:
        self._conditions.add(condition)
        condition.wait(LIMIT)

    def advance(self, seconds: float) -> None:
        self._now += seconds
        for condition in list(self._conditions):
            with condition:
                condition.notify_all()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture(params=["thread", "process"])
def mode(request: pytest.FixtureRequest) -> Mode:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def helped(inbox: Inbox) -> Iterator[Renderer]:
    renderer = Renderer(inbox, period=0.0, mode="process")
    yield renderer
    renderer.close(LIMIT)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_set_of_figures_is_drawn_beside_the_caller(inbox: Inbox, mode: Mode) -> None:
    renderer = Renderer(inbox, mode=mode)
    renderer.submit_set({"loss": loss(3), "accuracy": loss(4)})
    results = inbox.wait(lambda each: len(each) == 2)
    assert renderer.close(LIMIT)
    assert [(each.key, each.epoch, each.error, each.note) for each in results] == [
        ("loss", 3, None, None),
        ("accuracy", 4, None, None),
    ]
    assert all('class="agnez-figure agnez-own"' in (each.html or "") for each in results)
    assert inbox.threads == {"agnez-render"}
    assert renderer.mode == mode


def test_nothing_starts_before_the_first_job(inbox: Inbox) -> None:
    threads = threading.active_count()
    renderer = Renderer(inbox)
    assert threading.active_count() == threads and renderer.helper_pid is None
    assert renderer.close(LIMIT) and renderer.close(LIMIT)


def test_the_newest_wins_and_the_last_is_always_drawn(inbox: Inbox) -> None:
    clock = Clock()
    renderer = Renderer(inbox, period=2.0, share=100.0, mode="thread", clock=clock)
    renderer.submit("loss", loss(1))
    inbox.wait(lambda each: len(each) == 1)
    for epoch in (2, 3, 4):
        renderer.submit("loss", loss(epoch))
    renderer.submit("other", loss(9))
    clock.advance(1.9)
    renderer.submit("loss", loss(5))
    assert len(inbox.results) == 1
    clock.advance(0.1)
    inbox.wait(lambda each: len(each) == 3)
    renderer.submit("loss", loss(6))
    renderer.submit("loss", loss(7))
    assert renderer.close(LIMIT)
    assert [(each.key, each.epoch) for each in inbox.results] == [("loss", 1), ("loss", 5), ("other", 9), ("loss", 7)]
    renderer.submit("loss", loss(8))
    assert len(inbox.results) == 4


@dataclass(frozen=True)
class Dear:
    """A source that takes some time of a core to read."""

    epoch: int | None

    def __call__(self) -> Curves:
        begun = time.thread_time()
        while time.thread_time() < begun + 0.01:
            pass
        return loss(5)


def test_after_a_dear_set_the_next_waits_longer(inbox: Inbox) -> None:
    clock = Clock()
    renderer = Renderer(inbox, period=2.0, share=1e-6, mode="thread", clock=clock)
    renderer.submit("loss", Dear(1))
    inbox.wait(lambda each: len(each) == 1)
    renderer.submit("loss", Dear(2))
    clock.advance(9_000)
    renderer.submit("loss", Dear(3))
    assert len(inbox.results) == 1
    clock.advance(1e9)
    assert [each.epoch for each in inbox.wait(lambda each: len(each) == 2)] == [1, 3]
    assert renderer.close(LIMIT)


@pytest.mark.parametrize(("idle", "least"), [(2.0, 10.0), (0.5, 40.0)])
def test_where_time_is_scarce_a_set_waits_four_times_as_long(inbox: Inbox, idle: float, least: float) -> None:
    clock = Clock()
    spare = Spare(lambda: idle * clock.now(), clock.now)
    spare.is_scarce()
    clock.advance(10)
    renderer = Renderer(inbox, period=2.0, share=1e-3, mode="thread", clock=clock, spare=spare)
    renderer.submit("loss", Dear(1))
    (first,) = inbox.wait(lambda each: len(each) == 1)
    assert first.epoch == 1
    renderer.submit("loss", Dear(2))
    clock.advance(least - 0.1)  # a dear one takes a hundredth of a second at the least
    assert len(inbox.results) == 1
    clock.advance(1e9)
    assert [each.epoch for each in inbox.wait(lambda each: len(each) == 2)] == [1, 2]
    assert renderer.close(LIMIT)


def test_a_failing_figure_is_a_sentence_and_the_next_is_drawn(inbox: Inbox, mode: Mode) -> None:
    renderer = Renderer(inbox, period=0.0, mode=mode)
    bad = Curves("Loss", "epoch", (Line("train", np.arange(3.0), np.arange(4.0)),), 1)
    renderer.submit_set({"bad": bad, "broken": FrozenFigure(b"nonsense", 2), "good": loss(3)})
    results = {each.key: each for each in inbox.wait(lambda each: len(each) == 3)}
    assert renderer.close(LIMIT)
    for key in ("bad", "broken"):
        assert results[key].html is None and (results[key].error or "").startswith(f"the figure {key} can't be drawn: ")
    assert results["good"].html


def test_a_listener_that_raises_does_not_stop_the_renderer(caplog: pytest.LogCaptureFixture) -> None:
    seen = Inbox()

    def listen(result: Result) -> None:
        seen(result)
        raise RuntimeError("listener")

    renderer = Renderer(listen, period=0.0, mode="thread")
    renderer.submit_set({"a": loss(1), "b": loss(2)})
    seen.wait(lambda each: len(each) == 2)
    assert renderer.close(LIMIT)


def test_a_users_figure_is_drawn_by_the_helper(helped: Renderer, inbox: Inbox) -> None:
    figure = Figure()
    figure.add_subplot().plot([1, 2, 3])
    helped.submit("mine", FrozenFigure(freeze(figure), 4))
    (result,) = inbox.wait(lambda each: len(each) == 1)
    assert result.error is None and result.epoch == 4 and 'class="agnez-figure"' in (result.html or "")


@dataclass(frozen=True)
class Numbers:
    """A source whose class the helper can't import."""

    epoch: int | None

    def __call__(self) -> Curves:
        return loss(5)


def test_what_only_this_process_can_load_is_drawn_here(helped: Renderer, inbox: Inbox) -> None:
    class Local(Figure):
        pass

    Local.__module__, Local.__qualname__ = __name__, "Local"
    globals()["Local"] = Local
    figure = Local()
    figure.add_subplot().plot([1, 2, 3])
    helped.submit_set({"mine": FrozenFigure(freeze(figure)), "numbers": Numbers(5), "loss": loss(1)})
    results = inbox.wait(lambda each: len(each) == 3)
    assert [each.error for each in results] == [None] * 3
    assert helped.mode == "process" and helped.helper_pid is not None


def test_a_killed_helper_costs_no_figure(helped: Renderer, inbox: Inbox) -> None:
    helped.submit("loss", loss(1))
    inbox.wait(lambda each: len(each) == 1)
    first = helped.helper_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    helped.submit("loss", loss(2))
    restarted = inbox.wait(lambda each: len(each) == 2)[1]
    assert restarted.html and "started again" in (restarted.note or "")
    second = helped.helper_pid
    assert second is not None and second != first and helped.mode == "process"
    os.kill(second, signal.SIGKILL)
    helped.submit("loss", loss(3))
    threaded = inbox.wait(lambda each: len(each) == 3)[2]
    assert threaded.html and "thread" in (threaded.note or "")
    assert helped.mode == "thread" and helped.helper_pid is None
    helped.submit("loss", loss(4))
    assert inbox.wait(lambda each: len(each) == 4)[3].note is None


@dataclass(frozen=True)
class Deadly:
    """A job that ends whichever process draws it."""

    epoch: int | None = None

    def __call__(self) -> Curves:
        os._exit(3)

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (3,)


def test_what_kills_the_helper_twice_is_not_tried_in_the_training(helped: Renderer, inbox: Inbox) -> None:
    helped.submit_set({"deadly": Deadly(), "loss": loss(1)})
    deadly, good = inbox.wait(lambda each: len(each) == 2)
    assert deadly.html is None and "twice" in (deadly.error or "")
    assert good.html and helped.mode == "thread"


def test_a_helper_that_cannot_start_leaves_a_thread(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    renderer = Renderer(inbox, period=0.0, mode="process")
    renderer.submit("loss", loss(1))
    (result,) = inbox.wait(lambda each: len(each) == 1)
    assert result.html and "thread" in (result.note or "") and renderer.mode == "thread"
    assert renderer.close(LIMIT)


def test_closing_ends_the_helper(inbox: Inbox) -> None:
    renderer = Renderer(inbox, mode="process")
    renderer.start()
    renderer.submit("loss", loss(1))
    inbox.wait(lambda each: len(each) == 1)
    pid = renderer.helper_pid
    assert pid is not None and alive(pid)
    assert os.getpgid(pid) != os.getpgid(0)  # Ctrl-C doesn't reach it
    assert renderer.close(LIMIT)
    assert not alive(pid)


def test_no_time_at_the_end_is_no_hang(inbox: Inbox) -> None:
    renderer = Renderer(inbox, mode="process")
    renderer.submit("loss", loss(1))
    assert renderer.close(0.0) is False
    inbox.wait(lambda each: len(each) == 1)
    assert renderer.close(LIMIT)


SCRIPT = """
import os, sys, numpy as np
from agnez.render import Curves, Line, Renderer
x = np.arange(3.0)
done = __import__("threading").Event()
renderer = Renderer(lambda result: done.set(), mode="process")
renderer.submit("loss", Curves("Loss", "epoch", (Line("train", x, x),)))
assert done.wait(60)
print(renderer.helper_pid, flush=True)
sys.stdin.read()
"""


def test_the_helper_ends_with_its_parent_and_never_runs_its_script() -> None:
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        helper = int(parent.stdout.readline())
        assert alive(helper)
        parent.kill()
        assert parent.stdout.read() == ""
    ended = threading.Event()
    for _ in range(600):
        if not alive(helper):
            break
        ended.wait(0.05)
    assert not alive(helper)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_a_forked_child_leaves_the_parents_renderer_alone(helped: Renderer, inbox: Inbox) -> None:
    helped.submit("loss", loss(1))
    inbox.wait(lambda each: len(each) == 1)
    code = """
import os, sys, numpy as np
from agnez.render import Curves, Line, Renderer
got = []
import threading
done = threading.Event()
renderer = Renderer(lambda result: (got.append(result), done.set()), mode="process", period=0.0)
job = Curves("Loss", "epoch", (Line("train", np.arange(3.0), np.arange(3.0)),))
renderer.submit("loss", job)
assert done.wait(60)
child = os.fork()
if child == 0:
    renderer.submit("loss", job)
    renderer.close(60)
    os._exit(0 if renderer.helper_pid else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
done.clear()
renderer.submit("loss", job)
assert done.wait(60) and len(got) == 2 and got[1].note is None
assert renderer.close(60)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
