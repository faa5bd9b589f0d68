"""The life of a run: ended by whatever may end it, shown as it is, gone on with, forked, deleted and restored."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import agnez
from agnez.errors import BadValueError, ConflictError, NotFoundError, StoreError
from agnez.record import Batch, Point, RunInfo, State
from agnez.store import RunFile, Store, life, lists, witness
from agnez.store.life import AHEAD, SILENCE, Observer, owned, seen, settle

SECOND = 1_000_000


def start(**options: object) -> agnez.Run:
    return agnez.init(**{"project": "tests", "server": None, **options})  # type: ignore[arg-type]


def record(count: int, first: int = 0, **options: object) -> agnez.Run:
    """Record a run whose values are its steps, and finish it."""
    with start(**options) as run:
        for step in range(first, first + count):
            run.log({"loss": step}, step=step)
    return run


def steps(store: Store, id: str, metric: str = "loss", branch: int | None = None) -> list[int]:
    with store.open_run(id) as file:
        return file.read(metric, branch=branch).steps.tolist()


def shown(store: Store, id: str) -> RunInfo:
    with store.open_run(id) as file:
        return seen(file.info())


@contextmanager
def script(tmp_path: Path, text: str) -> Iterator[subprocess.Popen[str]]:
    """Run a training script; what it prints can be read line by line."""
    path = tmp_path / "train.py"
    path.write_text(f"import agnez, os, signal, sys, time\n{text}")
    process = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# --- killed ---

FAST = """
run = agnez.init("tests", id="killed", server=None)
after = time.monotonic_ns()
for step in range(1_000_000):
    run.log({"loss": step})
    print(step, time.monotonic_ns(), flush=True)
    after += 1_000_000
    time.sleep(max(0, after - time.monotonic_ns()) / 1e9)
"""


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_loses_nothing_older_than_half_a_second_and_the_run_goes_on(
    store: Store, tmp_path: Path, seed: int
) -> None:
    moment = random.Random(seed).randrange(300, 1500)
    with script(tmp_path, FAST) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(moment)]
        killed = _now()
        process.kill()
        lines += process.stdout.read().splitlines()
        process.wait()
    logged = np.array([list(map(int, line.split())) for line in lines if line.count(" ") == 1 and line.strip()][:-1])
    stalls = np.diff(logged[:, 1]).max()  # what the machine stood still for counts for nobody
    owed = logged[logged[:, 1] < killed - 500_000_000 - stalls]

    kept = steps(store, "killed")
    assert kept == list(range(len(kept))) and len(kept) >= len(owed)
    gone = shown(store, "killed")
    assert gone.state == "crashed" and gone.ended == gone.heartbeat and gone.reason is not None
    assert gone.reason.startswith("its process ended without a word; last heard of 20")

    with start(id="killed", resume="must") as run:
        assert run.state == "running" and shown(store, "killed").state == "running"
        for _ in range(10):
            run.log({"loss": run.step})
    with store.open_run("killed") as file:
        again = file.read("loss")
        assert len(file.segments()) == 2 and not file.segments()[1].branches
    np.testing.assert_array_equal(again.steps, np.arange(len(kept) + 10))
    np.testing.assert_array_equal(again.values, np.arange(len(kept) + 10))
    assert shown(store, "killed").state == "finished"


def _now() -> int:
    import time

    return time.monotonic_ns()


# --- asked to end ---

BUSY = """
run = agnez.init("tests", id="asked", server=None)
for step in range(10_000):
    run.log({"loss": step})
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


def test_a_preempted_job_keeps_all_it_logged_and_ends_as_it_would_have(store: Store, tmp_path: Path) -> None:
    with script(tmp_path, BUSY) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.terminate()
        process.terminate()  # schedulers ask twice
        assert process.wait(60) == -signal.SIGTERM
    info = shown(store, "asked")
    assert (info.state, info.reason) == ("interrupted", "SIGTERM: the job was asked to end")
    assert steps(store, "asked") == list(range(10_000))


def test_a_signal_in_the_middle_of_finish_waits_for_it(store: Store, tmp_path: Path) -> None:
    text = BUSY.replace(
        'print("ready"', 'run.on_close(lambda: os.kill(os.getpid(), signal.SIGTERM)); run.finish(); print("done"'
    )
    with script(tmp_path, text) as process:
        assert process.wait(60) == -signal.SIGTERM
    assert steps(store, "asked") == list(range(10_000)) and shown(store, "asked").state != "crashed"


def test_a_signal_that_comes_while_a_lock_is_held_does_not_hang_the_job(store: Store, tmp_path: Path) -> None:
    text = """
from agnez import session
import threading
session._SPARE_SECONDS = session.END_SECONDS = 0.2
run = agnez.init("tests", id="asked", server=None)
lock = threading.Lock()
run.on_close(lambda: lock.acquire())
with lock:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""
    with script(tmp_path, text) as process:
        assert process.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_users_stays_theirs(store: Store, tmp_path: Path, when: str) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
    with script(tmp_path, own + BUSY if when == "before" else BUSY.replace("print", own + "print")) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(60) == 3
    assert shown(store, "asked").state == "finished" and len(steps(store, "asked")) == 10_000


def test_a_forked_child_that_is_asked_to_end_leaves_the_run_to_its_parent(store: Store, tmp_path: Path) -> None:
    text = """
run = agnez.init("tests", id="parent", server=None)
for _ in range(50):  # the signal may come in the middle of a fork
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(1)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
run.log({"loss": 0})
run.flush()
with run._store.open_run("parent") as file:
    print(file.info().state, flush=True)
"""
    with script(tmp_path, text) as process:
        out, err = process.communicate(timeout=60)
    assert out == "running\n", err
    assert shown(store, "parent").state == "finished"


def test_outside_the_main_thread_no_handler_is_installed(tmp_path: Path) -> None:
    text = """
import threading
thread = threading.Thread(target=lambda: agnez.init("tests", server=None))
thread.start()
thread.join()
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    with script(tmp_path, text) as process:
        assert process.wait(60) == 0


# --- crashed, and why ---


def running(**facts: object) -> RunInfo:
    made = RunInfo(id="abc", project="digits", name="calm-ibis-1", created=100 * SECOND, heartbeat=100 * SECOND)
    return replace(made, **facts)  # type: ignore[arg-type]


def test_a_process_that_lives_shows_its_run_as_running_whatever_the_clocks_say() -> None:
    mine = replace(owned(running()), heartbeat=100 * SECOND)
    for now in (100 * SECOND, 0, 100 * SECOND + 10 * SILENCE, 10**18):
        assert seen(mine, now) == mine and Observer().seen(mine, now) == mine


def test_a_number_that_another_process_bears_by_now_makes_no_run_alive() -> None:
    mine = owned(running())
    earlier = replace(mine, machine={**mine.machine, "process": "1 1"})
    found = seen(earlier)
    assert found.state == "crashed" and str(found.reason).startswith(
        "its process ended without a word; last heard of 20"
    )
    restarted = str(mine.machine["process"]).split()[0] + " 4711"  # the same process, that became another program
    assert seen(replace(mine, machine={**mine.machine, "process": restarted})).state == "crashed"


def test_a_restart_of_the_machine_is_named_once_the_run_is_silent() -> None:
    mine = owned(running())
    before = replace(mine, machine={**mine.machine, "boot": "another"})
    assert mine.heartbeat is not None
    assert seen(before, mine.heartbeat + SECOND).state == "running"  # it may be a machine of the same name
    found = seen(before, mine.heartbeat + SILENCE + 1)
    assert found.state == "crashed" and str(found.reason).startswith("the machine was restarted since; last heard of")


def test_process_numbers_of_another_container_tell_nothing() -> None:
    mine = owned(running())
    other = replace(mine, pid=2**22 + 1, machine={**mine.machine, "namespace": "pid:[1]"})
    assert mine.heartbeat is not None
    assert seen(replace(mine, pid=2**22 + 1)).state == "crashed"
    assert seen(other, mine.heartbeat).state == "running"
    assert seen(other, mine.heartbeat + SILENCE + 1).state == "crashed"


@pytest.mark.parametrize("text", ["low 0\noom_kill {}\n", "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"])
def test_the_out_of_memory_killer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    counter = tmp_path / "memory.events"
    counter.write_text(text.format(2))
    monkeypatch.setattr(witness, "_counters", lambda: [tmp_path / "none", counter])
    mine = replace(owned(running()), pid=2**22 + 1)
    assert str(seen(mine).reason).startswith("its process ended without a word")
    counter.write_text(text.format(3))
    assert str(seen(mine).reason).startswith("the kernel's out-of-memory killer struck; last heard of")
    other = {**mine.machine, "memory": {**mine.machine["memory"], "file": 1}}  # type: ignore[dict-item]
    assert str(seen(replace(mine, machine=other)).reason).startswith("its process ended without a word")


def test_the_facts_of_this_machine_are_there_on_linux() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("other systems tell less")
    assert {"boot", "namespace", "process"} <= set(witness.facts())


def test_a_single_look_at_another_machine_goes_by_the_clocks() -> None:
    far = running(host="elsewhere", machine=witness.facts())
    beat = far.heartbeat
    assert beat is not None
    assert [seen(far, beat + after).state for after in (0, SILENCE, SILENCE + 1, -SILENCE, -AHEAD, -AHEAD - 1)] == [
        "running",
        "running",
        "crashed",
        "running",  # a clock that runs ahead
        "running",
        "crashed",  # a clock that was set back
    ]
    assert seen(far, beat + SILENCE + 1).reason == "no sign of life; last heard of 1970-01-01 00:01:40 UTC"
    assert seen(replace(far, state="finished"), beat + SILENCE + 1).state == "finished"


class FakeClock:
    """Stand still until told otherwise."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("wrong", [0, -3600 * SECOND, 3600 * SECOND, 400 * 86400 * SECOND, -400 * 86400 * SECOND])
def test_an_observer_knows_the_living_and_the_dead_whatever_the_clocks_say(wrong: int) -> None:
    """`wrong` is by how much the other machine's clock is ahead of ours."""
    clock = FakeClock()
    observer = Observer(clock)
    now = 10**15

    def look(beat: int) -> State:
        return observer.seen(running(host="elsewhere", heartbeat=beat + wrong), now + int(clock.seconds * 1e6)).state

    look(now)
    for second in (5, 10, 15):  # it beats
        clock.seconds = second
        assert look(now + second * SECOND) == "running"
    clock.seconds = 59
    assert look(now + 15 * SECOND) == "running"
    clock.seconds = 61
    assert look(now + 15 * SECOND) == "crashed"
    clock.seconds = 62
    assert look(now + 62 * SECOND) == "running"  # it was only cut off


def test_an_observer_does_not_mind_when_our_clock_is_set() -> None:
    clock = FakeClock()
    observer = Observer(clock)
    observer.seen(running(host="elsewhere", heartbeat=100), 100)
    clock.seconds = 5
    assert observer.seen(running(host="elsewhere", heartbeat=5 * SECOND), 10**15).state == "running"
    clock.seconds = 10
    assert observer.seen(running(host="elsewhere", heartbeat=10 * SECOND), 0).state == "running"


@pytest.mark.parametrize("wrong", [0, 3600 * SECOND])
def test_whether_a_run_elsewhere_lives_is_settled_by_watching_it(
    wrong: int, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    now = life.time.time_ns() // 1000 + wrong
    looks: list[float] = []

    def wait(seconds: float) -> None:
        clock.seconds += seconds

    def alive() -> RunInfo:
        looks.append(clock.seconds)
        return running(host="elsewhere", heartbeat=now + int(clock.seconds // 5) * 5 * SECOND)

    assert settle(alive, clock=clock, wait=wait).state == "running"
    assert looks[-1] == 5  # one beat was enough
    assert "waiting until it is known" in capsys.readouterr().err
    assert settle(lambda: running(host="elsewhere", heartbeat=now), clock=clock, wait=wait).state == "crashed"
    assert clock.seconds <= 5 + SILENCE / 1e6 + 1


# --- gone on with ---


def test_each_mode_of_resume(store: Store) -> None:
    with pytest.raises(NotFoundError, match=r"'one'.*resume='allow'"):
        start(id="one", resume="must")
    assert record(3, id="one", resume="allow", name="first", config={"lr": 1}).first_step == 0
    with pytest.raises(ConflictError, match=r"'one'.*resume='allow'"):
        start(id="one")
    with pytest.raises(ConflictError, match="'one'"):
        start(id="one", resume="never")
    before = shown(store, "one")
    with start(id="one", resume="allow", name="other") as run:
        assert (run.name, run.step, run.config) == ("first", 3, {"lr": 1})
        now = shown(store, "one")
        assert (now.state, now.ended, now.created) == ("running", None, before.created)
        run.log({"loss": 3})
    assert record(1, 4, id="one", resume="must").first_step == 4
    assert steps(store, "one") == [0, 1, 2, 3, 4] and len(store.runs()) == 1


def test_auto_goes_on_with_the_newest_run_that_did_not_finish(store: Store) -> None:
    def end(state: State, **options: object) -> str:
        run = start(resume="auto", **options)
        run.log({"loss": 0})
        run.finish(state)
        return run.id

    first = end("failed")
    assert end("interrupted") == first  # it went on
    named = end("failed", name="special")
    assert named != first and end("failed", name="special") == named
    assert end("finished") == named  # the newest of the project
    assert end("failed") == first
    store.edit(first, archived=True)
    third = end("finished")
    assert third not in (first, named) and end("finished", project="elsewhere") not in (first, named, third)


def test_auto_lets_runs_alone_that_are_running() -> None:
    with start(resume="auto") as one, start(resume="auto") as two:
        assert one.id != two.id


def test_a_run_that_is_running_is_not_taken_up_twice(store: Store) -> None:
    with start(id="one") as run, pytest.raises(ConflictError, match="still running, in this process: finish it"):
        start(id="one", resume="allow")
    assert run.state == "finished"


def test_resuming_at_an_earlier_step_branches_and_keeps_what_was_there(store: Store) -> None:
    record(10, id="one")
    with start(id="one", resume="must") as run:
        for step in range(6, 9):
            run.log({"loss": 100 + step}, step=step)
    with store.open_run("one") as file:
        line, left = file.read("loss"), file.read("loss", branch=0)
    assert line.values.tolist() == [0, 1, 2, 3, 4, 5, 106, 107, 108]
    assert left.values.tolist() == [6, 7, 8, 9]
    with start(id="one", resume="must") as run:
        assert run.step == 9


def test_steps_out_of_order_within_a_run_never_make_a_resumed_one_branch(store: Store) -> None:
    with start(id="one") as run:
        run.log({"loss": 0}, step=10)
        run.log({"loss": 1}, step=5)
    with start(id="one", resume="must") as run:
        run.log({"loss": 2})
    assert steps(store, "one") == [10, 5, 11]


def test_a_dashboard_that_goes_on_keeps_its_cells(store: Store) -> None:
    with start(id="one") as run:
        run.log({"train/loss": 1, "val/loss": 2, "rate": 3})
    with store.cells("one") as cells:
        before = cells.find()
    with start(id="one", resume="must") as run:
        run.log({"rate": 3})
    with store.cells("one") as cells:
        assert cells.find() == before


def test_axes_of_a_resumed_run_stay_declared(store: Store) -> None:
    with start(id="one") as run:
        run.define_metric("val/*", step_metric="epoch")
    with start(id="one", resume="must") as run:
        run.log({"val/loss": 1})
    assert dict(shown(store, "one").axes) == {"val/*": "epoch"}


# --- forked ---


def test_a_fork_begins_with_its_parents_line_up_to_a_step(store: Store) -> None:
    with start(id="parent", config={"lr": 0.1}) as run:
        run.define_metric("val/*", step_metric="epoch")
        for step in range(100):
            run.log({"loss": step, "val/loss": -step} if step % 10 == 0 else {"loss": step})
    with start(id="parent", resume="must") as run:
        run.log({"loss": 0.5}, step=50)
    with start(id="fork", fork_from=("parent", 60)) as run:
        assert run.step == 51 and run.config == {"lr": 0.1}
        run.log({"loss": -1})
    with store.open_run("parent") as mine, store.open_run("fork") as file:
        loss, theirs = file.read("loss"), mine.read("loss")
        assert loss.steps.tolist() == [*range(51), 51] and loss.values.tolist() == [*range(50), 0.5, -1]
        np.testing.assert_array_equal(loss.times[:-1], theirs.times)
        val = file.read("val/loss")
        assert val.steps.tolist() == [0, 10, 20, 30, 40]
        assert set(val.calls) <= set(loss.calls) and loss.calls.tolist() == [*range(1, 53)]  # together as before
        info = file.info()
    assert info.forked_from == ("parent", 60) and dict(info.axes) == {"val/*": "epoch"} and info.project == "tests"
    with store.cells("fork") as cells:
        assert [set(cell["metrics"]) for cell in cells.find()] == [{"loss", "val/loss"}]
    assert record(0, fork_from=("parent", 10**9), config={"lr": 1}).config == {"lr": 1}
    assert record(0, fork_from=("parent", -1)).first_step == 0


def test_a_fork_of_many_points_keeps_all(store: Store) -> None:
    rng = np.random.default_rng(0)
    count = 700_000
    calls = np.repeat(np.arange(count // 2), 2)
    metrics = np.tile([0, 1], count // 2)
    batch = Batch(("a", "b"), metrics, calls, calls, rng.normal(size=count), calls * 1000)
    with store.create_run(running(state="finished")) as file, file.transaction():
        file.append(batch)
    store.create_run(running(id="fork", forked_from=("abc", 300_000))).close()
    with store.open_run("abc") as file, store.open_run("fork") as fork:
        for metric in ("a", "b"):
            mine, theirs = fork.read(metric), file.read(metric, last=300_000)
            np.testing.assert_array_equal(mine.values, theirs.values)
            np.testing.assert_array_equal(mine.times, theirs.times)
            np.testing.assert_array_equal(mine.calls, theirs.calls)
        assert fork.cursor() == 300_001


def test_a_fork_takes_in_what_other_processes_of_the_run_wrote(store: Store) -> None:
    with store.create_run(running()) as file, file.transaction():
        file.append(Batch.of([Point("loss", step, step, step * SECOND) for step in (0, 2, 4)]))
    with store.join_process("abc", 0) as file, file.transaction():
        file.append(Batch.of([Point("loss", step, step, step * SECOND) for step in (1, 3, 5)]))
    store.create_run(running(id="fork", forked_from=("abc", 4))).close()
    assert steps(store, "fork") == [0, 1, 2, 3, 4]


def test_a_fork_of_nothing_is_refused_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        start(id="fork", fork_from=("nothing", 3))
    assert store.runs() == [] and not store.run_path("fork").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"id": "../up"}, "id='../up' is no id"),
        ({"id": 7}, "id=7 is no id"),
        ({"id": "x" * 65}, "up to 64 letters"),
        ({"resume": "yes", "id": "a"}, "resume='yes' is not known: choose of 'allow', 'must', 'never', 'auto'"),
        ({"resume": "must"}, "resume='must' needs the id="),
        ({"fork_from": "abc"}, "fork_from='abc' is no pair"),
        ({"fork_from": ("abc",)}, "is no pair"),
        ({"fork_from": ("abc", 1.5)}, "1.5 is no step"),
        ({"fork_from": ("a/b", 1)}, "fork_from='a/b' is no id"),
        ({"fork_from": ("a", 1), "id": "a"}, "names the run itself"),
        ({"fork_from": ("a", 1), "id": "b", "resume": "must"}, "choose one of the two"),
        ({"rank": -1, "id": "a"}, "rank=-1 is no rank"),
        ({"rank": True, "id": "a"}, "rank=True is no rank"),
        ({"rank": 1}, "rank=1 needs id="),
        ({"notes": 5}, "notes=5 is a int"),
    ],
)
def test_arguments_that_make_no_sense_get_a_sentence(store: Store, wrong: dict[str, object], said: str) -> None:
    with pytest.raises(BadValueError) as error:
        start(**wrong)
    assert said in str(error.value) and store.runs() == []


# --- deleted, and edited ---


def test_a_run_in_the_trash_is_gone_from_lists_and_comes_back_whole(store: Store) -> None:
    record(3, id="one", name="first")
    store.trash("one")
    assert store.runs() == [] and [run.name for run in store.trashed()] == ["first"]
    with pytest.raises(NotFoundError):
        store.open_run("one")
    assert Store(store.directory).runs() == []
    assert store.restore("one").name == "first"
    assert [run.id for run in store.runs()] == ["one"] and store.trashed() == []
    assert steps(store, "one") == [0, 1, 2]


def test_the_trash_keeps_runs_of_one_id_apart(store: Store) -> None:
    for name in ("first", "second"):
        record(1, id="one", name=name)
        store.trash("one")
    assert {run.name for run in store.trashed()} == {"first", "second"}
    assert store.restore("one").name == "second"
    with pytest.raises(ConflictError, match="another run with the id 'one'"):
        store.restore("one")
    assert store.empty_trash() == 1
    assert store.trashed() == [] and store.empty_trash() == 0 and steps(store, "one") == [0]
    with pytest.raises(NotFoundError, match="trash"):
        store.restore("two")


@pytest.mark.parametrize("id", ["../one", "", "a.b"])
def test_only_ids_that_can_be_reach_the_trash(store: Store, id: str) -> None:
    for call in (store.trash, store.restore):
        with pytest.raises(NotFoundError):
            call(id)


def test_a_run_that_is_running_cannot_be_deleted(store: Store) -> None:
    with start(id="one") as run:
        with pytest.raises(ConflictError, match="still running"):
            store.trash("one")
        run.log({"loss": 0})
    store.trash(run.id)


def test_a_damaged_run_can_be_deleted_and_is_listed_with_what_is_wrong(store: Store) -> None:
    record(1, id="one")
    for path in store.run_folder("one").glob("run.db*"):
        path.write_bytes(b"no database at all, but long enough to be looked at " * 40)
    store.trash("one")
    (run,) = store.trashed()
    assert run.id == "one" and "run.db" in str(run.reason)


def test_edits_of_a_running_run_stay(store: Store) -> None:
    with start(id="one", name="mine", tags=["a"]) as run:
        run.log({"loss": 0})
        run.flush()
        edited = store.edit("one", name="theirs", tags=["b", "c"], notes="better", archived=True)
        assert (edited.name, edited.tags, edited.notes, edited.archived) == ("theirs", ("b", "c"), "better", True)
        run.log({"loss": 1})
    info = shown(store, "one")
    assert (info.name, info.tags, info.notes, info.archived) == ("theirs", ("b", "c"), "better", True)
    assert info.state == "finished" and info.summary["loss"].count == 2
    (listed,) = store.runs()
    assert (listed.name, listed.state) == ("theirs", "finished")
    assert store.edit("one", notes="").name == "theirs" and shown(store, "one").notes == ""


def test_edits_that_make_no_sense_are_refused(store: Store) -> None:
    record(1, id="one", name="mine")
    with pytest.raises(BadValueError, match="needs a name"):
        store.edit("one", name="")
    with pytest.raises(BadValueError, match="surrogate"):
        store.edit("one", notes="\ud800")
    with pytest.raises(NotFoundError):
        store.edit("two", name="x")
    assert shown(store, "one").name == "mine"


# --- the folder ---


def test_folders_that_went_are_dropped_from_the_lists_and_known_ones_are_not_opened(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        store.create_run(running(id=f"run-{number}")).close()
    store.run_folder("run-3").rename(store.directory / "elsewhere")
    opened: list[str] = []

    def watched(path: Path) -> RunFile:
        opened.append(path.parent.name)
        return RunFile(path)

    monkeypatch.setattr(lists, "RunFile", watched)
    assert len(Store(store.directory).runs()) == 19 and opened == []
    (store.directory / "elsewhere").rename(store.run_folder("run-3"))
    assert len(Store(store.directory).runs()) == 20 and opened == ["run-3"]


def test_a_store_that_is_not_there_is_made_only_if_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store in"):
        Store(tmp_path / "none", create=False)
    assert not (tmp_path / "none").exists()


def test_an_index_that_is_damaged_names_the_cure(store: Store) -> None:
    for path in store.directory.glob("catalog.db*"):
        path.write_bytes(b"no database at all, but long enough to be looked at " * 40)
    with pytest.raises(StoreError, match="agnez doctor"):
        Store(store.directory)


READ_ONLY = """
import sys
from pathlib import Path
from agnez.store import Store
from agnez.errors import AgnezError
store = Store(Path(sys.argv[1]))
for run in store.runs():
    with store.open_run(run.id) as file:
        print(run.name, file.read("loss").values.tolist())
try:
    store.create_run(run)
except AgnezError as error:
    print(error)
with store.cells(None) as cells:
    print(cells.find())
"""


@pytest.mark.parametrize("index", ["there", "missing"])
def test_a_store_that_cannot_be_written_can_be_read(store: Store, tmp_path: Path, index: str) -> None:
    record(2, id="one", name="first")
    if index == "missing":
        for path in store.directory.glob("catalog.db*"):
            path.unlink()
    with _locked(store.directory):
        command = [sys.executable, "-c", READ_ONLY, store.directory]
        done = subprocess.run(_without_rights(command), capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "first [0.0, 1.0]" and "already" in lines[1] and lines[2] == "[]"


def _without_rights(command: list[object]) -> list[object]:
    """Give up root's right to read and write anywhere, where we have it."""
    if os.geteuid() != 0:
        return command
    drop = "import ctypes, os, sys; [ctypes.CDLL(None).prctl(24, right, 0, 0, 0) for right in (1, 2)]; "
    drop += "os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", drop, *command]


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Have nobody write into a folder."""
    modes = {path: path.stat().st_mode for path in (directory, *directory.rglob("*"))}
    try:
        for path in modes:
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
