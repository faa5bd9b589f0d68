from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import Listener, Served, add_run, served
from test_embed import _client, free_port, until

import agnez
from agnez import wire
from agnez.errors import BadValueError
from agnez.record import Batch, Json, Point, RunInfo, Series
from agnez.server import ports, posting
from agnez.server.app import create_app
from agnez.server.embed import Serving
from agnez.store import RunReader, Store, life


def made(server: Served, **facts: Json) -> str:
    answer = server.call("POST", "/runs", {"project": "lua"} | facts)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["_id"])


def post(server: Served, run: str, body: Any, query: str = "", kind: str = "application/json") -> dict[str, Any]:
    answer = send(server, run, body, query, kind)
    assert answer[0] == 200, answer
    return answer[1]


def send(
    server: Served, run: str, body: Any, query: str = "", kind: str = "application/json"
) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = server.call("POST", f"/runs/{run}/points{query}", data=data, headers={"Content-Type": kind})
    return answer.status_code, answer.json()


def steps_and_values(store: Store, run: str, metric: str = "loss") -> list[tuple[int, float]]:
    with RunReader(store, run) as reader:
        series = reader.series(metric)
    return list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_is_made_and_has_what_it_was_made_with(server: Served, store: Store) -> None:
    facts: dict[str, Json] = {"name": "try", "config": {"lr": 0.1}, "tags": ["a"], "notes": "n", "_id": "mine"}
    answer = server.call("POST", "/runs", {"project": "lua"} | facts)
    record = answer.json()
    assert answer.status_code == 201
    assert {name: record[name] for name in facts} == facts
    assert (record["project"], record["state"], record["summary"]) == ("lua", "running", {})
    assert server.call("GET", "/runs/mine").json() == record
    assert server.call("GET", "/projects/lua").json()["runs"] == 1
    again = server.call("POST", "/runs", {"project": "lua", "_id": "mine"})
    assert (again.status_code, again.json()["name"]) == (409, "Conflict")


def test_a_run_without_a_name_or_an_id_gets_both(server: Served) -> None:
    first, second = (server.call("POST", "/runs", {"project": "lua"}).json() for _ in range(2))
    assert first["_id"] != second["_id"]
    assert first["name"].endswith("-1") and second["name"].endswith("-2")


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"project": ""},
        {"project": 3},
        {"project": "p", "_id": "../x"},
        {"project": "p", "_id": 7},
        {"project": "p", "config": []},
        {"project": "p", "tags": "a"},
        {"project": "p", "notes": 1},
        {"project": "p", "created": -1},
        {"project": "p", "colour": "red"},
        {"project": "p", "config": {"a": "x" * 1_100_000}},
        [{"project": "p"}],
    ],
)
def test_what_describes_no_run_makes_none(server: Served, facts: Json) -> None:
    answer = server.call("POST", "/runs", facts)
    assert (answer.status_code, answer.json()["name"]) == (400, "BadRequest")
    assert server.call("GET", "/runs").json() == []


def test_a_run_can_be_told_of_and_ended(server: Served, store: Store) -> None:
    run = made(server)
    progress = {"epoch": 1, "epochs": 3, "step": 10, "steps_per_epoch": 10}
    record = server.call("PATCH", f"/runs/{run}", {"name": "new", "tags": ["x"], "progress": progress}).json()
    assert (record["name"], record["tags"], record["progress"]) == ("new", ["x"], progress)
    record = server.call("PATCH", f"/runs/{run}", {"state": "failed", "reason": "out of memory"}).json()
    assert (record["state"], record["reason"]) == ("failed", "out of memory")
    assert record["ended"] is not None
    assert [each["state"] for each in server.call("GET", "/runs").json()] == ["failed"]
    for wrong in ({"state": "crashed"}, {"project": "other"}, {"progress": {"epoch": -1}}, {"name": ""}, {"name": 3}):
        assert server.call("PATCH", f"/runs/{run}", wrong).status_code == 400
    assert server.call("PATCH", "/runs/nope", {"name": "x"}).status_code == 404


def test_a_run_goes_on_in_a_new_segment(server: Served, store: Store) -> None:
    run = made(server)
    post(server, run, [{"step": step, "loss": 1.0} for step in range(10)])
    server.call("PATCH", f"/runs/{run}", {"state": "interrupted"})
    assert send(server, run, {"step": 5, "loss": 2.0})[0] == 409
    record = server.call("PATCH", f"/runs/{run}", {"state": "running"}).json()
    assert (record["state"], record["ended"]) == ("running", None)
    post(server, run, [{"step": step, "loss": 2.0} for step in range(5, 8)])
    assert steps_and_values(store, run) == [(step, 1.0 if step < 5 else 2.0) for step in range(8)]


def test_a_run_that_a_process_records_is_not_ours_to_write(server: Served, store: Store) -> None:
    info = life.owned(RunInfo(id="local", project="p", name="local", created=1))
    with store.create_run(info):
        status, error = send(server, "local", {"step": 0, "loss": 1.0})
        assert (status, error["name"]) == (409, "Conflict")
        assert f"process {info.pid}" in error["message"]
        assert server.call("PATCH", "/runs/local", {"state": "finished"}).status_code == 409
        assert server.call("PATCH", "/runs/local", {"notes": "seen"}).json()["notes"] == "seen"
        assert server.call("DELETE", "/runs/local").status_code == 409


def test_a_run_that_has_ended_is_deleted_and_a_running_one_is_not(server: Served, store: Store) -> None:
    run = made(server)
    post(server, run, {"step": 0, "loss": 1.0})
    assert server.call("DELETE", f"/runs/{run}").status_code == 409
    server.call("PATCH", f"/runs/{run}", {"state": "finished"})
    assert server.call("DELETE", f"/runs/{run}").json()["_id"] == run
    assert server.call("GET", f"/runs/{run}").status_code == 404
    assert send(server, run, {"step": 1, "loss": 1.0})[0] == 404
    assert [info.id for info in store.trashed()] == [run]
    store.restore(run)
    server.call("PATCH", f"/runs/{run}", {"state": "running"})
    post(server, run, {"step": 1, "loss": 0.5})
    assert steps_and_values(store, run) == [(0, 1.0), (1, 0.5)]


def test_both_transports_make_change_and_delete_runs(server: Served, listen: Callable[..., Listener]) -> None:
    client = listen()
    record: Any = client.result("create", "runs", {"project": "js", "_id": "over-socket"})
    assert record["state"] == "running"
    assert client.error("create", "runs", {"project": "js", "_id": "over-socket"})["code"] == 409
    record = client.result("patch", "runs", "over-socket", {"state": "finished"})
    assert record["state"] == "finished"
    assert client.error("update", "runs", "over-socket", {"project": "js"})["code"] == 405
    client.result("remove", "runs", "over-socket")
    assert client.error("get", "runs", "over-socket")["code"] == 404


def test_the_programs_signs_of_life_count(server: Served, store: Store) -> None:
    run = made(server)
    with store.open_run(run) as file:
        first = file.facts()
    long_ago = (first.heartbeat or 0) - life.SILENCE - 1_000_000
    with store.open_run(run) as file, file.transaction():
        file.write_info(life.replace(first, heartbeat=long_ago))
    assert server.call("GET", f"/runs/{run}").json()["state"] == "crashed"
    assert post(server, run, []) == {"taken": 0, "repeated": 0, "refused": []}
    assert server.call("GET", f"/runs/{run}").json()["state"] == "running"


# --- points -----------------------------------------------------------------------------------------------------------


def test_one_object_and_an_array_and_lines_are_taken(server: Served, store: Store) -> None:
    run = made(server)
    assert post(server, run, {"step": 3, "loss": 0.5, "accuracy": 0.25}) == {"taken": 1, "repeated": 0, "refused": []}
    assert post(server, run, [{"step": 4, "loss": 0.25}, {"step": 5, "loss": 1}])["taken"] == 2
    lines = b'{"step": 6, "loss": 2.5}\n\n{"step": 7.0, "loss": -1}\r\n'
    assert post(server, run, lines, kind="application/x-ndjson")["taken"] == 2
    assert steps_and_values(store, run) == [(3, 0.5), (4, 0.25), (5, 1.0), (6, 2.5), (7, -1.0)]
    assert steps_and_values(store, run, "accuracy") == [(3, 0.25)]


def test_times_steps_and_nested_names(server: Served, store: Store) -> None:
    run = made(server)
    post(server, run, [{"time": 1700000000.25, "train": {"loss": 1}}, {"train/loss": 2}, {"step": 9, "train/loss": 3}])
    post(server, run, {"train/loss": 4})
    with RunReader(store, run) as reader:
        series = reader.series("train/loss")
    assert series.steps.tolist() == [0, 1, 9, 10]
    assert series.times[0] == 1700000000.25
    assert series.times[1] > 1.7e9


def test_what_json_lacks_is_written_as_text(server: Served, store: Store) -> None:
    run = made(server)
    post(server, run, [{"loss": "NaN"}, {"loss": "Infinity"}, {"loss": "-Infinity"}])
    values = [value for _, value in steps_and_values(store, run)]
    assert math.isnan(values[0]) and values[1:] == [math.inf, -math.inf]
    (finding,) = server.call("GET", f"/findings?run={run}").json()
    assert finding["kind"] == "non_finite"


def test_each_refused_point_is_named_and_the_others_are_taken(server: Served, store: Store) -> None:
    run = made(server)
    wrong: list[Json] = [
        {"step": 1, "loss": None},
        {"step": 1.5, "loss": 1},
        {"step": 2**62, "loss": 1},
        {"step": 1},
        {"step": 1, "time": -1, "loss": 1},
        {"step": 1, "time": "now", "loss": 1},
        {"step": 1, "loss": True},
        {"step": 1, "loss": "low"},
        {"step": 1, "": 1},
        {"step": 1, "x" * 4001: 1},
        {"step": 1, "\ud800": 1},
        [1],
        None,
    ]
    reply = post(server, run, [{"step": 0, "loss": 1}, *wrong, {"step": 2, "loss": 3}])
    assert (reply["taken"], reply["repeated"]) == (2, 0)
    assert [each["index"] for each in reply["refused"]] == list(range(1, 1 + len(wrong)))
    assert "null" in reply["refused"][0]["message"]
    assert steps_and_values(store, run) == [(0, 1.0), (2, 3.0)]
    reply = post(server, run, b'{"loss": 1}\n{"loss": NaN}\nnot json\n', kind="application/x-ndjson")
    assert (reply["taken"], [each["index"] for each in reply["refused"]]) == (1, [1, 2])


@pytest.mark.parametrize("place", ["{}", '{{"loss": {}}}', '{{"step": {}, "loss": 1}}', '{{"time": {}, "loss": 1}}'])
def test_an_array_that_is_deep_is_refused_like_any_other(server: Served, place: str) -> None:
    run = made(server)
    for levels in (1, 400, 700, 900, 950):
        body = place.format("[" * levels + "7" + "]" * levels).encode()
        if place == "{}":
            body = b"[" + body + b"]"
        (refused,) = post(server, run, body)["refused"]
        assert refused["index"] == 0 and "an array is no" in refused["message"]


def test_a_body_of_nothing_but_faults_is_refused_whole(server: Served, store: Store) -> None:
    run = made(server)
    status, error = send(server, run, [{"loss": 1.0}, *[{}] * (posting.MOST_REFUSED + 1)])
    assert (status, error["name"]) == (400, "BadRequest")
    with RunReader(store, run) as reader:
        assert reader.metrics() == []
    for body, kind in ((b"{", "application/json"), (b"[" * 100_000, "application/json"), (b"\xff", posting.JSON)):
        assert send(server, run, body, kind=kind)[0] == 400
    assert send(server, run, b"{}", kind="text/plain")[0] == 415


# --- once and only once -----------------------------------------------------------------------------------------------


def test_a_retry_never_doubles_a_point(server: Served, store: Store) -> None:
    run = made(server)
    points = [{"step": step, "loss": float(step)} for step in range(10)]
    assert post(server, run, points[:4], "?writer=w&sequence=0") == {"taken": 4, "repeated": 0, "refused": []}
    assert post(server, run, points[:4], "?writer=w&sequence=0") == {"taken": 0, "repeated": 4, "refused": []}
    assert post(server, run, points[2:6], "?writer=w&sequence=2") == {"taken": 2, "repeated": 2, "refused": []}
    assert post(server, run, points[:2], "?writer=other&sequence=0")["taken"] == 2
    assert server.call("GET", f"/runs/{run}/points?writer=w").json() == {"writer": "w", "last": 5}
    assert server.call("GET", f"/runs/{run}/points?writer=new").json() == {"writer": "new", "last": None}
    assert [step for step, _ in steps_and_values(store, run)] == [0, 1, 2, 3, 4, 5, 0, 1]


def test_a_retry_after_a_restart_never_doubles_a_point(store: Store) -> None:
    points = [{"step": step, "loss": float(step)} for step in range(8)]
    with served(create_app(store)) as server:
        run = made(server)
        post(server, run, points[:5], "?writer=w&sequence=1")
    with served(create_app(Store(store.directory))) as server:
        assert post(server, run, points[3:], "?writer=w&sequence=4") == {"taken": 3, "repeated": 2, "refused": []}
        assert [step for step, _ in steps_and_values(store, run)] == list(range(8))


def test_two_servers_of_one_store_agree(store: Store) -> None:
    points = [{"step": step, "loss": float(step)} for step in range(6)]
    with served(create_app(store)) as first, served(create_app(Store(store.directory))) as second:
        run = made(first)
        post(first, run, points[:2], "?writer=w&sequence=0")
        assert post(second, run, points[:4], "?writer=w&sequence=0")["repeated"] == 2
        assert post(first, run, points, "?writer=w&sequence=0") == {"taken": 2, "repeated": 4, "refused": []}
        second.call("PATCH", f"/runs/{run}", {"state": "finished"})
        assert send(first, run, {"loss": 1.0})[0] == 409
        assert first.call("PATCH", f"/runs/{run}", {"state": "running"}).json()["state"] == "running"
        assert second.call("GET", f"/runs/{run}").json()["state"] == "running"
    assert [step for step, _ in steps_and_values(store, run)] == list(range(6))


def test_numbers_left_out_are_refused(server: Served, store: Store) -> None:
    run = made(server)
    post(server, run, [{"loss": 1.0}], "?writer=w&sequence=1")
    status, error = send(server, run, [{"loss": 1.0}], "?writer=w&sequence=3")
    assert status == 409 and "is 2, not 3" in error["message"]
    for query in (
        "?writer=w",
        "?sequence=3",
        "?writer=a/b&sequence=1",
        "?writer=w&sequence=x",
        "?writer=w&sequence=-1",
    ):
        assert send(server, run, [{"loss": 1.0}], query)[0] == 400


def test_refused_points_have_their_numbers_too(server: Served, store: Store) -> None:
    run = made(server)
    body = [{"step": 0, "loss": 1}, {"step": 1, "loss": None}, {"step": 2, "loss": 3}]
    reply = post(server, run, body, "?writer=w&sequence=0")
    assert (reply["taken"], len(reply["refused"])) == (2, 1)
    reply = post(server, run, [*body, {"step": 3, "loss": 4}], "?writer=w&sequence=0")
    assert (reply["taken"], reply["repeated"], [each["index"] for each in reply["refused"]]) == (1, 2, [1])
    assert [step for step, _ in steps_and_values(store, run)] == [0, 2, 3]


def test_a_retry_of_the_last_points_of_a_run_that_has_ended_is_answered(server: Served) -> None:
    run = made(server)
    post(server, run, [{"loss": 1.0}], "?writer=w&sequence=0")
    server.call("PATCH", f"/runs/{run}", {"state": "finished"})
    assert post(server, run, [{"loss": 1.0}], "?writer=w&sequence=0")["repeated"] == 1
    assert send(server, run, [{"loss": 1.0}], "?writer=w&sequence=1")[0] == 409


def test_a_server_killed_in_the_middle_of_a_stream_loses_and_doubles_nothing(tmp_path: Path) -> None:
    here, port = tmp_path / "served", free_port()
    command = [sys.executable, "-m", "agnez", "server", "--dir", str(here), "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, **quiet)]  # type: ignore[call-overload]
    url = f"http://127.0.0.1:{port}/runs"
    answered = threading.Semaphore(0)
    acked: list[int] = []

    def again(method: str, address: str, body: bytes) -> dict[str, Any]:
        """Send until it is answered, as any program that retries does."""
        while True:
            with contextlib.suppress(requests.ConnectionError):
                answer = requests.request(method, address, data=body, headers=headers, timeout=30)
                return dict(answer.json(), status=answer.status_code)
            time.sleep(0.02)

    def stream() -> None:
        for first in range(0, 2000, 10):
            body = json.dumps([{"step": step, "loss": float(step)} for step in range(first, first + 10)]).encode()
            reply = again("POST", f"{url}/mine/points?writer=w&sequence={first}", body)
            assert (reply["status"], reply["taken"] + reply["repeated"], reply["refused"]) == (200, 10, [])
            acked.append(first)
            answered.release()

    headers = {"Content-Type": "application/json"}
    try:
        again("POST", url, b'{"project": "killed", "_id": "mine"}')
        program = threading.Thread(target=stream)
        program.start()
        for _ in range(3):
            for _ in range(20):
                assert answered.acquire(timeout=30)
            processes[-1].kill()
            processes[-1].wait()
            known = len(acked) * 10
            if known and store_of(here).run_path("mine").is_file():
                assert len(steps_and_values(store_of(here), "mine")) >= known
            processes.append(subprocess.Popen(command, **quiet))  # type: ignore[call-overload]
        program.join(60)
        assert steps_and_values(store_of(here), "mine") == [(step, float(step)) for step in range(2000)]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def store_of(directory: Path) -> Store:
    return Store(directory)


def test_many_programs_post_to_one_run_at_once(server: Served, store: Store) -> None:
    run = made(server)

    def program(number: int) -> None:
        for first in range(0, 100, 5):
            body = [{"step": step, f"loss/{number}": float(step)} for step in range(first, first + 5)]
            for _ in range(2):
                post(server, run, body, f"?writer=w{number}&sequence={first}")

    programs = [threading.Thread(target=program, args=(number,)) for number in range(6)]
    for each in programs:
        each.start()
    for each in programs:
        each.join()
    for number in range(6):
        points = steps_and_values(store, run, f"loss/{number}")
        assert points == [(step, float(step)) for step in range(100)]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
POINT_LIKE = st.dictionaries(st.sampled_from(["step", "time", "loss", "a/b", "", "\ud800"]) | st.text(), JSON_VALUES)


@given(body=st.lists(POINT_LIKE | JSON_VALUES, max_size=8))
@settings(max_examples=300, deadline=None)
def test_no_json_whatever_is_more_than_refused(body: list[Any]) -> None:
    found = posting.read(json.dumps(body).encode(), posting.JSON)
    refused = {each.index for each in found.refused}
    assert found.count == len(body)
    assert set(found.points.calls.tolist()) == set(range(len(body))) - refused
    batch = found.settled(skip=0, next_step=3, now=7)
    assert len(batch) == len(found.points) and (np.diff(batch.calls) >= 0).all()


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_no_bytes_whatever_are_more_than_refused(data: st.DataObject) -> None:
    whole = bytearray(binary(Batch.of([Point(name, step, 0.5, 10**15) for step in range(3) for name in ("a", "b")])))
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(BadValueError):
        found = posting.read(bytes(whole[:cut]), posting.BINARY)
        found.settled(skip=0, next_step=0, now=0)
        assert len(found.points.values) == len(found.points.steps) == len(found.points.calls)


# --- bytes ------------------------------------------------------------------------------------------------------------


def binary(batch: Batch) -> bytes:
    return posting.message("any", batch)


def test_a_points_message_is_taken_exactly(server: Served, store: Store) -> None:
    run = made(server)
    points = [Point("loss", step, math.sqrt(step), 1_700_000_000_123_456 + step) for step in range(1000)]
    batch = Batch.of([*points, Point("accuracy", 2**52, math.nan, 5)])
    reply = post(server, run, binary(batch), "?writer=w&sequence=1", kind=posting.BINARY)
    assert reply == {"taken": 1001, "repeated": 0, "refused": []}
    with RunReader(store, run) as reader:
        series = reader.series("loss")
        assert series.values.tolist() == [math.sqrt(step) for step in range(1000)]
        assert np.rint(series.times * 1e6).astype(int).tolist() == [point.time for point in points]
        assert reader.series("accuracy").steps.tolist() == [2**52]
    assert post(server, run, binary(batch), "?writer=w&sequence=1", kind=posting.BINARY)["repeated"] == 1001


def test_numbers_of_one_step_and_time_are_of_one_point(server: Served, store: Store) -> None:
    run = made(server)
    none = np.empty(0, dtype=np.int64)
    steps, times = np.arange(3), np.array([1.0, 2.0, 3.0])
    series = [Series(name, steps, np.ones(3), times, none) for name in ("loss", "accuracy")]
    assert post(server, run, wire.points_message("x", "0", series), kind=posting.BINARY)["taken"] == 3
    with RunReader(store, run) as reader:
        assert reader.history()["accuracy"].tolist() == [1.0, 1.0, 1.0]


def test_a_point_far_ahead_in_a_message_costs_no_time(server: Served) -> None:
    run = made(server)
    far = Series(
        "loss", np.zeros(1, np.int64), np.ones(1), np.ones(1), np.zeros(1, np.int64), np.array([2.0**31]), "call"
    )
    body = wire.points_message("x", "0", [far])
    for repeated in (0, 2**31 + 1):
        reply = post(server, run, body, "?writer=w&sequence=0", kind=posting.BINARY)
        assert reply == {"taken": 2**31 + 1 - repeated, "repeated": repeated, "refused": []}


def test_bytes_that_are_no_points_are_refused(server: Served) -> None:
    run = made(server)
    whole = binary(Batch.of([Point("loss", 1, 1.0, 1)]))
    for wrong in (b"", whole[:20], whole[:-8], b"\x09" + whole[1:], whole.replace(b'"series"', b'"serious"')):
        status, error = send(server, run, wrong, kind=posting.BINARY)
        assert (status, error["name"]) == (400, "BadRequest"), wrong
    bad_step = whole[:-32] + np.array([0.5, 1.0, 1.0, 0.0]).tobytes()
    assert send(server, run, bad_step, kind=posting.BINARY)[0] == 400


# --- what a page shows of it ------------------------------------------------------------------------------------------


def test_a_posted_run_has_cells_and_a_summary_like_any_other(server: Served, store: Store) -> None:
    run = made(server)
    post(server, run, [{"step": 0, "train": {"loss": 1.0}, "epoch": 1}])
    post(server, run, [{"step": 1, "val": {"loss": 2.0}, "learning_rate": 0.1}])
    cells = {cell["_id"]: cell for cell in server.call("GET", f"/values?run={run}").json()}
    assert cells[f"{run}.loss"]["metrics"] == ["train/loss", "val/loss"]
    assert cells[f"{run}.learning_rate"]["type"] == "chart"
    assert len({cell["pos"] for cell in cells.values()}) == 2
    server.call("PATCH", f"/runs/{run}", {"state": "finished"})
    (record,) = server.call("GET", "/runs").json()
    assert record["summary"]["train/loss"]["last"] == 1.0


def test_pages_see_points_as_they_come_and_whether_the_program_lives(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "SILENCE", 1_500_000)  # microseconds, where it is 45 s
    port = free_port()
    listener = ports.listen(port)
    assert listener is not None
    serving = Serving(store, listener)
    serving.start()
    url = f"http://127.0.0.1:{port}/runs"
    try:
        assert requests.post(url, json={"project": "lua", "_id": "mine"}, timeout=30).status_code == 201
        with _client(port, "mine") as (_, seen):

            def state() -> str:
                return str([run["state"] for run in seen["runs"] if run["_id"] == "mine"][-1])

            for step in range(3):
                requests.post(f"{url}/mine/points", json={"step": step, "loss": float(step)}, timeout=30)
                until(lambda step=step: seen["values"] == [float(each) for each in range(step + 1)])
            assert state() == "running"
            until(lambda: state() == "crashed")
            requests.post(f"{url}/mine/points", json=[], timeout=30)
            until(lambda: state() == "running")
            requests.patch(f"{url}/mine", json={"state": "finished"}, timeout=30)
            until(lambda: state() == "finished")
    finally:
        serving.stop(goodbye=0.1)


def test_no_program_here_goes_on_with_a_posted_run_by_chance(server: Served, store: Store) -> None:
    run = made(server, project="lua")
    server.call("PATCH", f"/runs/{run}", {"state": "interrupted"})
    with agnez.init("lua", resume="auto", server=None) as mine:
        assert mine.id != run
    with agnez.init("lua", id=run, resume="must", server=None) as taken:
        taken.log({"loss": 1.0})
    assert send(server, run, {"loss": 1.0})[0] == 409


def test_runs_recorded_elsewhere_stay_as_they_are(server: Served, store: Store) -> None:
    run = add_run(store, host="elsewhere", pid=1)
    assert send(server, run, {"loss": 1.0})[0] == 409
    assert len(steps_and_values(store, run)) == 100
