from __future__ import annotations

import os
import time
from typing import Any

import pytest
from serving import Served, add_run

from agnez import wire
from agnez._version import __version__
from agnez.query import read
from agnez.record import Finding
from agnez.server.news import RunNews
from agnez.server.posted import Posted
from agnez.server.records import Runs
from agnez.store import Store
from agnez.store.life import seen
from agnez.wire import run_record


def test_runs_are_listed_newest_first_and_queried(server: Served, store: Store) -> None:
    first = add_run(store, "first", created=1, config={"lr": 0.1})
    second = add_run(store, "second", created=2, config={"lr": 0.2}, project="other")
    runs = server.call("GET", "/runs").json()
    assert [run["_id"] for run in runs] == [second, first]
    assert runs[1]["summary"]["loss"]["count"] == 100
    assert [run["_id"] for run in server.call("GET", "/runs?project=digits").json()] == [first]
    assert [run["_id"] for run in server.call("GET", "/runs?config.lr[$gt]=0.15").json()] == [second]
    assert server.call("GET", f"/runs/{first}?%24select=state").json() == {"_id": first, "state": "finished"}
    assert server.call("GET", f"/runs/{first}").json() == runs[1]
    assert server.call("GET", "/runs/nope").json()["name"] == "NotFound"
    assert server.call("GET", f"/runs/{first}?project=other").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"project": "digits"},
        {"state": "crashed"},
        {"state": {"$ne": "crashed"}, "config.lr": {"$gt": 0.1}},
        {"$or": [{"ended": None}, {"config.deep.er": "x"}], "name": {"$nin": ["a"]}},
        {"summary.loss.count": {"$gte": 100}, "tags": "good"},
        {"archived": False, "heartbeat": None},
        {"host": None, "pid": None, "machine": None},
        {"_id": {"$in": ["nope"]}},
        {"reason": None},
    ],
    ids=str,
)
def test_the_index_finds_what_reading_all_runs_finds(store: Store, query: dict[str, Any]) -> None:
    now = time.time_ns() // 1000
    add_run(store, "a", config={"lr": 0.1, "deep": {"er": "x"}}, tags=("good",))
    add_run(store, "b", config={"lr": 0.2, "deep.er": "x"}, project="other", archived=True)
    add_run(store, "c", state="running", heartbeat=now - 120_000_000, host="elsewhere", pid=1, config={"lr": 0.3})
    add_run(store, "d", state="failed", reason="ValueError", ended=now)
    asked = read(query)
    every = [run_record(seen(info)) for info in store.runs()]
    found = Runs(store, Posted(store), RunNews(lambda *_: None, began=0)).find(asked)
    assert found == asked.picked(every)
    assert len(store.search(read({"project": "other"}))) == 1


def test_a_run_whose_process_is_gone_shows_as_crashed(server: Served, store: Store) -> None:
    now = time.time_ns() // 1000
    silent = add_run(store, "silent", state="running", heartbeat=now - 120_000_000, host="elsewhere", pid=1)
    alive = add_run(store, "alive", state="running", heartbeat=now, host="elsewhere", pid=os.getpid())
    assert server.call("GET", f"/runs/{silent}").json()["state"] == "crashed"
    assert server.call("GET", f"/runs/{alive}").json()["state"] == "running"
    assert [run["_id"] for run in server.call("GET", "/runs?state=crashed").json()] == [silent]


def test_a_list_needs_no_file_of_a_run(server: Served, store: Store) -> None:
    run = add_run(store, config={"lr": 0.1})
    os.remove(store.run_path(run))
    (record,) = server.call("GET", "/runs").json()
    assert (record["_id"], record["summary"]["loss"]["count"], record["config"]) == (run, 100, {"lr": 0.1})
    assert server.call("GET", "/runs?summary.loss.last[$lt]=0.02&%24select[]=name").json() == [
        {"_id": run, "name": "run"}
    ]
    assert server.call("GET", "/projects").json()[0]["runs"] == 1


def test_a_run_that_was_edited_or_deleted_is_served_as_such(server: Served, store: Store) -> None:
    run = add_run(store)
    store.edit(run, name="renamed", tags=["good"], archived=True)
    for record in (server.call("GET", f"/runs/{run}").json(), *server.call("GET", "/runs").json()):
        assert (record["name"], record["tags"], record["archived"]) == ("renamed", ["good"], True)
    store.trash(run)
    assert server.call("GET", "/runs").json() == server.call("GET", "/projects").json() == []
    for path in (f"/runs/{run}", f"/runs/{run}/series", f"/runs/{run}/media/{'0' * 32}.png"):
        assert server.call("GET", path).status_code == 404
    store.restore(run)
    assert server.call("GET", f"/runs/{run}").json()["name"] == "renamed"


def test_projects_and_findings_are_for_reading(server: Served, store: Store) -> None:
    run = add_run(store)
    for path in ("/projects", "/findings", "/projects/digits", f"/findings/{run}"):
        for method in ("PUT", "PATCH", "DELETE"):
            answer = server.call(method, path, {"a": 1})
            assert (answer.status_code, answer.json()["name"]) == (405, "MethodNotAllowed")
    assert server.call("POST", "/projects", {"a": 1}).status_code == 405


def test_projects_count_their_runs(server: Served, store: Store) -> None:
    add_run(store, created=1)
    newest = add_run(store, created=2)
    other = add_run(store, created=3, project="a/b c")
    projects = server.call("GET", "/projects").json()
    assert projects == [
        {"_id": "a/b c", "newest": other, "created": 3, "runs": 1},
        {"_id": "digits", "newest": newest, "created": 2, "runs": 2},
    ]
    assert server.call("GET", "/projects/a%2Fb%20c").json()["runs"] == 1
    assert server.call("GET", "/projects/nope").status_code == 404


def test_findings_of_a_run(server: Served, store: Store) -> None:
    run, other = add_run(store), add_run(store)
    finding = Finding(run, "non-finite", "error", "The loss is NaN.", "Lower the rate.", "loss", 3, 5)
    with store.open_run(run) as file, file.transaction():
        file.write_findings([finding])
    found = server.call("GET", f"/findings?run={run}").json()
    assert found == [wire.finding_record(finding)]
    assert server.call("GET", "/findings").json() == found
    assert server.call("GET", f"/findings?run={other}").json() == []
    assert server.call("GET", "/findings?run=nope").json() == []
    assert server.call("GET", f"/findings/{found[0]['_id']}").json() == found[0]


def test_findings_of_runs_that_rest_are_read_once_and_new_ones_are_found(server: Served, store: Store) -> None:
    runs = [add_run(store, name) for name in ("first", "second", "damaged")]
    files = [store.run_path(run) for run in runs]
    for run, file in zip(runs, files, strict=True):
        with store.open_run(run) as opened, opened.transaction():
            opened.write_findings([Finding(run, "non-finite", "error", "NaN.", "Lower it.", "loss", 3, 5)])
        os.utime(file, (1, 1))
    files[2].write_bytes(b"nonsense")
    for _ in range(2):
        assert {each["run"] for each in server.call("GET", "/findings").json()} == set(runs[:2])
        files[0].write_bytes(bytes(files[0].stat().st_size))  # nobody looks into it any more
        os.utime(files[0], (1, 1))
    with store.open_run(runs[1]) as opened, opened.transaction():
        opened.write_findings([])
    assert {each["run"] for each in server.call("GET", "/findings").json()} == {runs[0]}
    store.trash(runs[1])
    assert {each["run"] for each in server.call("GET", "/findings").json()} == {runs[0]}


def test_about_tells_who_serves(server: Served, store: Store) -> None:
    server.app.viewers = lambda: 3
    assert server.call("GET", "/about").json() == {
        "app": "agnez",
        "version": __version__,
        "wire": wire.VERSION,
        "store": store.id,
        "pid": os.getpid(),
        "viewers": 3,
        "loose_cells": 0,
    }
