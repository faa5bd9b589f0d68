"""Every service speaks the same protocol: find with filters and pages, get, events, over REST and over the sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from serving import Client, Served, add_run, alive, served

from agnez.record import Finding, Json, Progress, RunInfo, Summary
from agnez.server import news, ports
from agnez.server.app import create_app
from agnez.server.embed import Serving
from agnez.server.follower import IDLE_SECONDS
from agnez.server.news import RunNews
from agnez.server.service import Pagination
from agnez.store import Store

PATHS = ("runs", "projects", "findings", "values")
EVENTS = ("created", "updated", "patched", "removed")


class Hearer:
    """A client of the namespace `/` that keeps what it hears."""

    def __init__(self, url: str, *paths: str) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._news = threading.Condition()
        self.client = Client(reconnection=False)
        for event in [f"{path} {what}" for path in (*PATHS, *paths) for what in EVENTS]:
            self.client.on(event, self._keeper(event))
        self.client.connect(url, wait_timeout=20)

    def wait(self, *events: str) -> list[Any]:
        """Wait until these events came, in this order among others, and return what they bore."""
        with self._news:
            assert self._news.wait_for(lambda: self._found(events) is not None, 20), self.heard
        return self._found(events) or []

    def of(self, event: str) -> list[Any]:
        return [record for name, record in self.heard if name == event]

    def _found(self, events: tuple[str, ...]) -> list[Any] | None:
        found: list[Any] = []
        for name, record in list(self.heard):
            if len(found) < len(events) and name == events[len(found)]:
                found.append(record)
        return found if len(found) == len(events) else None

    def _keeper(self, event: str) -> Callable[[Any], None]:
        def keep(record: Any) -> None:
            with self._news:
                self.heard.append((event, record))
                self._news.notify_all()

        return keep


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    listener = ports.listen(0)
    assert listener is not None
    serving = Serving(store, listener)
    url = f"http://{ports.HOST}:{listener.getsockname()[1]}"
    serving.start()
    yield url
    serving.stop(goodbye=0.1)


@pytest.fixture
def hearer(address: str) -> Iterator[Hearer]:
    hearer = Hearer(address)
    yield hearer
    hearer.client.disconnect()


def finding(run: str, sentence: str = "The loss is NaN.", metric: str = "loss") -> Finding:
    return Finding(run, "non-finite", "error", sentence, "Lower the rate.", metric, 3, 5)


# --- find and get ----------------------------------------------------------------------------------------------------


def test_every_service_takes_every_part_of_a_query(server: Served, store: Store, listen: Callable[..., Any]) -> None:
    runs = [add_run(store, name, created=at, config={"lr": at / 10}) for at, name in enumerate("abc", 1)]
    with store.open_run(runs[0]) as file, file.transaction():
        file.write_findings([finding(runs[0], metric=metric) for metric in ("loss", "accuracy", "norm")])
    add_run(store, "d", created=9, project="other")
    client = listen()
    for path, query, found in (
        ("runs", {"project": "digits", "config.lr": {"$gte": 0.2}, "$sort": {"name": 1}}, ["b", "c"]),
        ("runs", {"$or": [{"name": "a"}, {"name": {"$in": ["c", "x"]}}], "$sort": {"created": 1}}, ["a", "c"]),
        ("runs", {"summary.loss.count": 100, "name": {"$nin": ["a"]}, "$limit": 2, "$skip": 1}, ["c", "b"]),
        ("projects", {"runs": {"$gt": 1}}, ["digits"]),
        ("projects", {"$sort": {"_id": -1}, "$limit": 1}, ["other"]),
        ("findings", {"run": runs[0], "metric": {"$ne": "norm"}, "$sort": {"metric": 1}}, ["accuracy", "loss"]),
        ("findings", {"$and": [{"severity": "error"}, {"first_step": {"$lt": 4}}], "$skip": 2}, ["norm"]),
    ):
        named = {"runs": "name", "projects": "_id", "findings": "metric"}[path]
        records = client.result("find", path, query)
        assert [record[named] for record in records] == found, query
        short = client.result("find", path, {**query, "$select": [named]})
        assert short == [{"_id": record["_id"], named: record[named]} for record in records]
        for record in records:
            assert client.result("get", path, record["_id"]) == record
            assert client.result("get", path, record["_id"], {"$select": [named]}).keys() == {"_id", named}
            assert server.call("GET", f"/{path}/{record['_id']}").json() == record
        assert client.error("get", path, "nope")["name"] == "NotFound"
        assert client.error("find", path, {"$foo": 1})["name"] == "BadRequest"
    assert server.call("GET", "/runs?config.lr[$gte]=0.2&$sort[name]=1&$select[]=name").json() == [
        {"_id": runs[1], "name": "b"},
        {"_id": runs[2], "name": "c"},
    ]


def test_every_service_answers_in_pages_where_that_is_configured(store: Store) -> None:
    runs = [add_run(store, str(at), created=at, project=str(at)) for at in range(5)]
    with store.open_run(runs[0]) as file, file.transaction():
        file.write_findings([finding(runs[0], metric=str(at)) for at in range(5)])
    with served(create_app(store, pagination=Pagination(2, 3))) as server:
        server.call("POST", f"/runs/{runs[0]}/cells", [{"name": str(at)} for at in range(5)])
        for path in ("runs", "projects", "findings", "values", f"runs/{runs[0]}/cells"):
            page = server.call("GET", f"/{path}?$skip=1").json()
            assert (page["total"], page["limit"], page["skip"], len(page["data"])) == (5, 2, 1, 2), path
            page = server.call("GET", f"/{path}?$limit=9").json()
            assert (page["limit"], len(page["data"])) == (3, 3)
            assert server.call("GET", f"/{path}?$limit=0").json() == {"total": 5, "limit": 0, "skip": 0, "data": []}


# --- the cells of a run ----------------------------------------------------------------------------------------------


def test_the_cells_of_a_run_are_a_service(server: Served, store: Store, listen: Callable[..., Any]) -> None:
    run, other = add_run(store, "a"), add_run(store, "b")
    path, client = f"runs/{run}/cells", listen()
    first = client.result("create", path, {"name": "x"})
    second = server.call("POST", f"/{path}", {"_id": "loose", "name": "y", "run": other}).json()
    foreign = client.result("create", f"runs/{other}/cells", {"name": "x"})
    assert first["_id"].startswith(f"{run}.") and first["run"] == second["run"] == run
    assert client.result("find", path, {"$sort": {"name": 1}}) == [first, second]
    assert server.call("GET", f"/{path}/?name=x").json() == [first]
    assert server.call("GET", f"/values?run={run}&name=y").json() == [second]
    assert server.call("GET", f"/{path}/loose").json() == client.result("get", path, "loose") == second
    patched = client.result("patch", path, "loose", {"name": "z", "run": other})
    assert patched == second | {"name": "z"}
    assert server.call("PATCH", f"/{path}", {"pos": 1}).json() == [patched | {"pos": 1}, first | {"pos": 1}]
    assert server.call("PUT", f"/{path}/loose", {"name": "w"}).json() == {"_id": "loose", "name": "w", "run": run}
    for method, data in (("GET", None), ("PATCH", {"a": 1}), ("PUT", {"a": 1}), ("DELETE", None)):
        assert server.call(method, f"/{path}/{foreign['_id']}", data).status_code == 404
    assert server.call("DELETE", f"/{path}/loose").json()["name"] == "w"
    assert client.result("remove", path, None, {"name": "x"}) == [first | {"pos": 1}]
    assert client.result("find", path) == [] and client.result("find", "values") == [foreign]
    heard = client.wait_for(8)
    assert heard[0] == ("created", first)


def test_what_changes_among_the_cells_of_a_run_is_told_as_events_of_theirs(server: Served, store: Store) -> None:
    run = add_run(store)
    hearer = Hearer(server.url, f"runs/{run}/cells")
    path = f"/runs/{run}/cells"
    cell = server.call("POST", path, {"name": "x"}).json()
    server.call("PATCH", f"/values/{cell['_id']}?$select=pos", {"pos": 1})  # whichever service is asked
    server.call("PUT", f"{path}/{cell['_id']}", {"name": "y"})
    server.call("POST", "/values", {"_id": "of no run"})
    server.call("DELETE", f"/values?run={run}")
    created, patched, updated, removed = hearer.wait(
        *(f"runs/{run}/cells {event}" for event in ("created", "patched", "updated", "removed"))
    )
    assert created == cell and patched == {"_id": cell["_id"], "pos": 1}
    assert updated == removed == {"_id": cell["_id"], "name": "y", "run": run}
    ours = [name for name, _ in hearer.heard if name.startswith("runs/")]
    assert [name.partition(" ")[2] for name in ours] == ["created", "patched", "updated", "removed"]
    hearer.client.disconnect()


def test_a_cell_that_comes_to_name_another_run_leaves_one_and_joins_the_other(server: Served, store: Store) -> None:
    one, two = add_run(store, "one"), add_run(store, "two")
    server.call("POST", "/values", {"_id": "loose", "run": one})
    hearer = Hearer(server.url, f"runs/{one}/cells", f"runs/{two}/cells")
    server.call("PATCH", "/values/loose", {"run": two})
    server.call("PUT", "/values/loose", {"name": "of none"})
    hearer.wait("values patched", "values updated", f"runs/{two}/cells removed")
    heard = [name.replace(one, "one").replace(two, "two") for name, _ in hearer.heard]
    assert heard == [
        "values patched",
        "runs/one/cells removed",
        "runs/two/cells created",
        "values updated",
        "runs/two/cells removed",
    ]
    hearer.client.disconnect()


def test_a_run_of_another_process_that_is_changed_before_it_was_seen_was_created_first() -> None:
    told: list[str] = []
    runs = RunNews(lambda path, event, record: told.append(f"{path} {event}"), began=10)
    runs.look([RunInfo("old", "digits", "old", created=1)], [], 0, lambda: [{"_id": "digits"}])
    assert told == []  # what was there before is no news
    info = RunInfo("new", "digits", "renamed", created=20)
    runs.tell("patched", info, {"_id": "new"})
    runs.look([info], [], 1, lambda: [{"_id": "digits"}])
    assert told == ["runs created", "runs patched"]


def test_a_change_of_a_run_that_waits_for_the_disk_keeps_none_of_the_others(
    hearer: Hearer, address: str, store: Store
) -> None:
    slow, other = add_run(store, "slow", **alive()), add_run(store, "other", **alive())
    hearer.wait("runs created", "runs created")

    def rename() -> None:
        requests.patch(f"{address}/runs/{slow}", json={"name": "x"}, timeout=20)

    with store.open_run(slow) as file, file.transaction():  # as a process that writes for long
        asked = threading.Thread(target=rename)
        asked.start()
        time.sleep(0.3)
        with store.open_run(other) as there:
            there.cells.create({"_id": f"{other}.a", "run": other}, "other")
        (created,) = hearer.wait("values created")
        assert created["_id"] == f"{other}.a" and asked.is_alive()
    asked.join(20)
    assert hearer.wait("values created", "runs patched")[1]["name"] == "x"


def test_each_change_of_a_run_by_the_server_is_an_event_of_its_own(hearer: Hearer, address: str) -> None:
    def call(method: str, path: str, json: Any = None) -> Any:
        answer = requests.request(method, f"{address}{path}", json=json, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    run = call("POST", "/runs", {"project": "digits", "name": "first"})["_id"]  # at once, one after the other
    call("PATCH", f"/runs/{run}", {"name": "second"})
    call("PATCH", f"/runs/{run}?$select=state", {"state": "finished"})
    removed = call("DELETE", f"/runs/{run}")
    call("POST", "/runs", {"project": "digits", "name": "last"})
    hearer.wait("runs created", "runs removed", "runs created", "projects created")
    time.sleep(2 * IDLE_SECONDS)  # the follower has looked by now, and finds no news in it
    runs = [(name, record) for name, record in hearer.heard if name.startswith("runs ")]
    assert [name for name, _ in runs] == [
        f"runs {what}" for what in ("created", "patched", "patched", "removed", "created")
    ]
    assert [record.get("name") for _, record in runs] == ["first", "second", None, "second", "last"]
    assert runs[2][1] == {"_id": run, "state": "finished"} and runs[3][1] == removed
    assert [record["runs"] for record in hearer.of("projects created")] == [1]


def test_a_path_that_leads_to_no_service_is_not_found(server: Served, store: Store, listen: Callable[..., Any]) -> None:
    run, client = add_run(store), listen()
    for path in ("runs/nope/cells", "runs/../cells", "runs//cells", f"runs/{run}/cell", f"values/{run}/cells"):
        assert client.error("find", path)["name"] == "NotFound"
        assert client.error("create", path, {"a": 1})["name"] == "NotFound"
    assert server.call("GET", "/runs/nope/cells").json()["message"] == "No run found for id 'nope'"
    assert server.call("POST", "/runs/nope/cells", {"a": 1}).status_code == 404
    assert server.call("GET", "/runs//cells").status_code == 404


# --- events ----------------------------------------------------------------------------------------------------------


def test_what_other_processes_do_to_runs_is_heard(hearer: Hearer, address: str, store: Store) -> None:
    run = add_run(store, **alive())
    created, project = hearer.wait("runs created", "projects created")
    assert (created["_id"], created["state"], created["summary"]["loss"]["count"]) == (run, "running", 100)
    assert (project["_id"], project["runs"]) == ("digits", 1)
    store.edit(run, name="renamed", tags=["good"])
    assert hearer.wait("runs created", "runs patched")[1]["name"] == "renamed"
    with store.open_run(run) as file:
        with file.transaction():
            file.write_info(replace(file.info(), state="finished", ended=time.time_ns() // 1000))
        store.publish(file.info())
    last = hearer.wait("runs created", "runs patched", "runs patched")[2]
    assert (last["name"], last["tags"], last["state"]) == ("renamed", ["good"], "finished")
    assert last == requests.get(f"{address}/runs/{run}", timeout=20).json()
    add_run(store, created=9)
    assert hearer.wait("projects created", "projects patched")[1]["runs"] == 2
    store.trash(run)
    assert hearer.wait("runs removed", "projects patched")[0] == last


def test_findings_are_heard_as_they_come_and_go(hearer: Hearer, store: Store) -> None:
    run = add_run(store, **alive())
    with store.open_run(run) as file:
        with file.transaction():
            file.write_findings([finding(run)])
        (created,) = hearer.wait("findings created")
        assert (created["run"], created["sentence"]) == (run, "The loss is NaN.")
        with file.transaction():
            file.write_findings([finding(run, "It is NaN."), finding(run, metric="val/loss")])
        patched, further = hearer.wait("findings patched", "findings created")
        assert (patched["_id"], patched["sentence"], further["metric"]) == (created["_id"], "It is NaN.", "val/loss")
        with file.transaction():
            file.write_findings([])
        hearer.wait("findings removed", "findings removed")


def test_what_was_there_before_is_no_news(store: Store) -> None:
    run = add_run(store, **alive())
    with store.open_run(run) as file, file.transaction():
        file.write_findings([finding(run)])
    listener = ports.listen(0)
    assert listener is not None
    serving = Serving(store, listener)
    serving.start()
    hearer = Hearer(f"http://{ports.HOST}:{listener.getsockname()[1]}")
    add_run(store, "later", project="other")
    hearer.wait("runs created", "projects created")
    assert [record["name"] for record in hearer.of("runs created")] == ["later"]
    assert [record["_id"] for record in hearer.of("projects created")] == ["other"]
    assert hearer.of("findings created") == []
    hearer.client.disconnect()
    serving.stop(goodbye=0.1)


def test_a_run_that_only_gets_further_is_told_of_at_a_bounded_rate() -> None:
    told: list[tuple[str, str, Json]] = []
    runs = RunNews(lambda path, event, record: told.append((path, event, record)), began=10)

    def look(changed: list[RunInfo], now: float) -> None:
        runs.look(changed, [], now, list)

    info = RunInfo("a", "digits", "a", created=20)
    look([], now=0)
    look([info], now=0)
    for tick in range(1, 101):  # 20 s, five looks a second
        info = replace(info, heartbeat=tick, progress=Progress(step=tick), summary={"loss": Summary(count=tick)})
        look([info], now=tick / 5)
    steps = [record["progress"]["step"] for _, _, record in told]  # type: ignore[index,call-overload]
    assert steps == [None, 25, 50, 75, 100]
    for tick in range(101, 201):
        info = replace(info, heartbeat=tick)
        look([info], now=tick / 5)
    assert len(told) == 5  # a heartbeat alone is never told
    info = replace(info, progress=Progress(step=101))
    look([info], now=40.1)
    info = replace(info, progress=Progress(step=102))
    look([info], now=40.2)
    assert len(told) == 6
    look([], now=40.1 + news.PROGRESS_SECONDS)  # and what was held back is told in the end
    assert told[-1][2]["progress"]["step"] == 102  # type: ignore[index,call-overload]
    info = replace(info, progress=Progress(step=103), state="finished")
    look([info], now=45.2)
    assert (told[-1][2]["progress"]["step"], len(told)) == (103, 8)  # type: ignore[index,call-overload]
