"""What pages are told over their sockets: everything they lack, once, whoever wrote it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from serving import Client, add_run

from agnez import wire
from agnez.record import Batch, Finding, Point
from agnez.server import ports
from agnez.server.embed import Serving
from agnez.store import RunFile, Store, witness


class Page:
    """A real client of the page's namespace, which keeps what it is told."""

    def __init__(self, url: str) -> None:
        self.told: list[tuple[str, Any]] = []
        self.points: list[wire.PointsMessage] = []
        self._news = threading.Condition()
        self.client = Client(reconnection=False)
        for event in ("runs", "cells", "findings", "points", "resync", "gone"):
            self.client.on(event, self._keeper(event), namespace="/live")
        self.client.connect(url, namespaces=["/live"], wait_timeout=20)

    def watch(self, run: str | None, after: object = "0") -> None:
        assert self.client.call("watch", {"run": run, "after": after}, namespace="/live") == {"ok": True}

    def mark(self, run: str | None, *marks: tuple[str, str, list[str]]) -> None:
        """Watch a run, and metrics of runs from cursors on."""
        wish = {"run": run, "marks": [{"run": of, "after": after, "metrics": names} for of, after, names in marks]}
        assert self.client.call("watch", wish, namespace="/live") == {"ok": True}

    def wait(self, condition: Callable[[], Any]) -> None:
        with self._news:
            assert self._news.wait_for(condition, 20), self.told

    def of(self, event: str) -> list[Any]:
        return [payload for name, payload in self.told if name == event]

    def values(self, metric: str = "loss") -> list[float]:
        return [v for each in self.points for s in each.series if s.metric == metric for v in s.values.tolist()]

    def _keeper(self, event: str) -> Callable[[Any], None]:
        def keep(payload: Any) -> None:
            with self._news:
                if event == "points":
                    self.points += wire.read_bundle(payload)
                self.told.append((event, payload))
                self._news.notify_all()

        return keep


@pytest.fixture
def serving(store: Store) -> Iterator[tuple[Serving, str]]:
    listener = next(filter(None, (ports.listen(port) for port in ports.candidates(free_port()))))
    serving = Serving(store, listener)
    address = f"http://{ports.HOST}:{listener.getsockname()[1]}"
    serving.start()
    yield serving, address
    serving.stop(goodbye=0.1)


@pytest.fixture
def page(serving: tuple[Serving, str]) -> Iterator[Page]:
    page = Page(serving[1])
    yield page
    page.client.disconnect()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ports.HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def running(store: Store, name: str = "run", **facts: object) -> str:
    """Add a run that this process writes."""
    now = time.time_ns() // 1000
    alive = {"host": socket.gethostname(), "pid": os.getpid(), "machine": witness.facts(), "heartbeat": now}
    return add_run(store, name, state="running", **alive, **facts)


def log(file: RunFile, *values: float, step: int, metric: str = "loss") -> None:
    with file.transaction():
        file.append(Batch.of([Point(metric, step + at, v, 1_000_000 * (step + at)) for at, v in enumerate(values)]))


def test_a_page_is_told_what_lies_past_its_cursor(page: Page, store: Store) -> None:
    run = running(store)
    page.watch(run, after="90")
    page.wait(lambda: page.points)
    (first,) = page.points
    assert (first.run, first.after, first.cursor, len(first.series[0])) == (run, "90", "100", 10)
    with store.open_run(run) as file:
        log(file, 5.0, step=100)
        page.wait(lambda: len(page.points) == 2)
        log(file, 6.0, 7.0, step=101)
        page.wait(lambda: page.values()[-1] == 7.0)
    assert [each.after for each in page.points] == ["90", *(each.cursor for each in page.points[:-1])]
    assert page.values()[10:] == [5, 6, 7]


def test_what_a_page_reads_before_it_is_connected_is_what_it_is_told_first(
    serving: tuple[Serving, str], page: Page, store: Store
) -> None:
    run = running(store)
    with store.open_run(run) as file, file.transaction():
        file.cells.create({"_id": f"{run}.figure", "type": "html", "value": "<b>x</b>", "pos": 1}, "")
        file.cells.create({"_id": f"{run}.text", "type": "text", "value": "words", "pos": 2}, "")
    read = requests.get(f"{serving[1]}/board", params={"run": run}, timeout=10).json()
    page.watch(run)
    page.wait(lambda: page.of("cells"))
    layout = {"_id": "layout/digits", "type": "layout", "value": {"revision": 1, "cells": {}}}
    assert (read.pop("findings"), read.pop("project"), read.pop("layouts")) == ([], "digits", [])
    assert page.of("cells")[0] == read and len(read["changed"]) == 2
    assert "<b>" not in str(read) and "words" in str(read)
    requests.post(f"{serving[1]}/values", json=layout, timeout=10).raise_for_status()
    (told,) = requests.get(f"{serving[1]}/board", params={"run": run}, timeout=10).json()["layouts"]
    assert {key: told[key] for key in layout} == layout
    assert requests.get(f"{serving[1]}/board", params={"run": "none"}, timeout=10).status_code == 404
    assert requests.get(f"{serving[1]}/board", timeout=10).status_code == 400


def test_other_processes_of_a_run_are_heard_too(page: Page, store: Store) -> None:
    run = running(store, axes={"aug": "loss"})
    page.watch(run, after="100")
    page.wait(lambda: page.of("cells"))
    with store.join_process(run, 0) as child:
        log(child, 0.5, step=7, metric="aug")
        page.wait(lambda: page.values("aug") == [0.5])
        log(child, 0.25, step=8, metric="aug")
        page.wait(lambda: page.values("aug") == [0.5, 0.25])
    assert page.points[-1].after == page.points[0].cursor != "100"
    series = page.points[0].series[0]
    assert series.axis == "loss" and series.x is not None and series.x.tolist() == [1 / 8]


def test_pages_that_stand_alike_and_that_do_not_all_get_theirs(serving: tuple[Serving, str], store: Store) -> None:
    run = running(store)
    pages = [Page(serving[1]) for _ in range(3)]
    for page, after in zip(pages, ("100", "100", "40"), strict=True):
        page.watch(run, after=after)
    with store.open_run(run) as file:
        log(file, 5.0, step=100)
        for page, count in zip(pages, (1, 1, 61), strict=True):
            page.wait(lambda page=page, count=count: len(page.values()) == count)  # type: ignore[misc]
            page.client.disconnect()


def test_too_much_at_once_is_left_to_be_read(page: Page, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agnez.server.followed.MANY", 30)
    monkeypatch.setattr("agnez.server.followed.TOO_MANY", 50)
    run = running(store)
    page.watch(run, after="20")
    page.wait(lambda: page.of("resync"))
    with store.open_run(run) as file:
        log(file, 5.0, step=100)
    page.watch(run, after="100")
    page.wait(lambda: page.points)
    assert page.of("resync") == [{"run": run}]
    assert (page.points[0].after, page.values()) == ("100", [5.0])


def test_a_flood_is_thinned_and_keeps_its_extremes(page: Page, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agnez.server.followed.MANY", 30)
    run = running(store)
    with store.open_run(run) as file:
        log(file, *range(50), -7.0, *range(50), step=100)
    page.watch(run, after="100")
    page.wait(lambda: page.points)
    (message,) = page.points
    assert message.decimated and message.cursor == "201"
    assert len(page.values()) <= 30 and {-7.0, 49.0} <= set(page.values())


def test_a_cursor_that_is_none_is_the_beginning(page: Page, store: Store) -> None:
    run = running(store)
    for after in ("nonsense", None, 7, "999999", "100,no-such-file=7"):
        page.points.clear()
        page.watch(run, after=after)
        page.wait(lambda: page.points)
        assert page.points[0].cursor == "100"
    assert page.values() == []


def test_a_branch_has_the_page_read_again(page: Page, store: Store) -> None:
    run = running(store)
    page.watch(run, after="90")
    page.wait(lambda: page.points)
    with store.open_run(run) as file:
        file.begin_segment()
        log(file, 5.0, step=50)
    page.wait(lambda: page.of("resync"))
    assert page.of("resync") == [{"run": run}]


def test_all_runs_are_told_once_then_what_changes(page: Page, store: Store) -> None:
    first, second = running(store, "first", config={"lr": 1}), running(store, "second", config={"lr": 2})
    page.watch(first)
    page.wait(lambda: page.of("runs"))
    (runs,) = page.of("runs")
    assert {run["_id"]: (run["config"], len(run["summary"])) for run in runs} == {
        first: ({"lr": 1}, 1),
        second: ({}, 0),
    }
    page.watch(second)
    page.wait(lambda: len(page.of("runs")) == 2)
    assert [(run["_id"], run["config"]) for run in page.of("runs")[1]] == [(second, {"lr": 2})]
    store.edit(first, name="renamed")
    page.wait(lambda: len(page.of("runs")) == 3)
    assert [(run["_id"], run["name"]) for run in page.of("runs")[2]] == [(first, "renamed")]


def test_a_run_that_is_deleted_leaves_the_lists(page: Page, store: Store) -> None:
    run = add_run(store)
    page.watch(run)
    page.wait(lambda: page.points)
    store.trash(run)
    page.wait(lambda: page.of("gone"))
    assert page.of("gone") == [[run]]
    store.restore(run)
    page.wait(lambda: page.of("runs")[-1][0]["_id"] == run and len(page.of("runs")) == 2)


def test_findings_are_told_when_there_are_new_ones(serving: tuple[Serving, str], page: Page, store: Store) -> None:
    run = running(store)
    page.watch(run, after="100")
    page.wait(lambda: page.of("findings"))
    finding = Finding(run, "non-finite", "error", "The loss is NaN.", "Lower the rate.", "loss", 3, 5)
    with store.open_run(run) as file:
        log(file, 1.0, step=100)
        page.wait(lambda: page.points)
        with file.transaction():
            file.write_findings([finding])
        page.wait(lambda: len(page.of("findings")) == 2)
    assert page.of("findings") == [[], [wire.finding_record(finding)]]
    read = requests.get(f"{serving[1]}/board", params={"run": run}, timeout=10).json()
    assert read["findings"] == page.of("findings")[-1]


def test_nobody_there_costs_nothing_and_who_comes_is_seen(serving: tuple[Serving, str], store: Store) -> None:
    run = running(store)
    with store.open_run(run) as file:
        for step in range(100, 150):
            log(file, 1.0, step=step)
            serving[0].wake()
    page = Page(serving[1])
    page.watch(run, after="100")
    page.wait(lambda: len(page.values()) == 50)
    page.client.disconnect()


def counts(message: wire.PointsMessage) -> dict[str, int]:
    return {each.metric: len(each) for each in message.series}


def test_each_mark_is_answered_at_once_and_names_all_that_it_speaks_of(page: Page, store: Store) -> None:
    run = running(store)
    page.mark(run, (run, "100", ["loss", "unheard"]))
    page.wait(lambda: page.points)
    (first,) = page.points
    assert (first.after, first.cursor, counts(first)) == ("100", "100", {"loss": 0, "unheard": 0})
    with store.open_run(run) as file:
        log(file, 5.0, step=100)
        page.wait(lambda: len(page.points) == 2)
        log(file, 0.5, step=101, metric="unheard")
        page.wait(lambda: len(page.points) == 3)
    assert [counts(each) for each in page.points[1:]] == [{"loss": 1, "unheard": 0}, {"loss": 0, "unheard": 1}]


def test_only_metrics_that_were_named_are_sent(page: Page, store: Store) -> None:
    run = running(store)
    with store.open_run(run) as file:
        for metric in ("a", "b", "c"):
            log(file, 1.0, 2.0, step=0, metric=metric)
    page.mark(run, (run, "100", ["b"]))
    page.wait(lambda: page.points)
    assert [counts(each) for each in page.points] == [{"b": 2}]


def test_marks_from_several_cursors_come_to_one_without_a_gap_or_a_duplicate(page: Page, store: Store) -> None:
    run = running(store)
    with store.open_run(run) as file:
        log(file, *range(10), step=0, metric="late")
        page.mark(run, (run, "90", ["loss"]), (run, "105", ["late"]))
        page.wait(lambda: len(page.points) == 2)
        log(file, 7.0, step=100)
        page.wait(lambda: len(page.points) == 3)
    ends = {each.cursor for each in page.points[:2]}
    assert len(ends) == 1 and counts(page.points[2]) == {"late": 0, "loss": 1}
    assert {page.points[2].after} == ends
    assert page.values("late") == [5, 6, 7, 8, 9] and page.values() == [*(1 / (1 + step) for step in range(90, 100)), 7]


def test_points_of_runs_laid_over_come_in_one_message_with_those_of_the_shown(page: Page, store: Store) -> None:
    runs = [running(store, name) for name in ("shown", "beside", "finished")]
    page.mark(runs[0], *((run, "95", ["loss"]) for run in runs))
    page.wait(lambda: len(page.points) == 3)
    assert {each.run: counts(each) for each in page.points} == {run: {"loss": 5} for run in runs}
    assert len(page.of("points")) == 1
    with store.open_run(runs[1]) as file:
        log(file, 3.0, step=100)
        page.wait(lambda: len(page.points) == 4)
    assert (page.points[3].run, page.points[3].series[0].values.tolist()) == (runs[1], [3.0])


def test_a_wider_watch_of_the_same_run_tells_only_points(page: Page, store: Store) -> None:
    run = running(store)
    page.mark(run, (run, "100", ["loss"]))
    page.wait(lambda: page.points)
    before = len(page.told)
    page.mark(run, (run, "100", ["loss", "more"]))
    page.wait(lambda: len(page.points) == 2)
    assert [event for event, _ in page.told[before:]] == ["points"]


def test_a_page_that_waits_for_a_run_that_is_not_there_hears_so(page: Page, store: Store) -> None:
    page.mark(None, ("no-such-run", "0", ["loss"]))
    page.wait(lambda: page.of("gone"))
    assert page.of("gone") == [["no-such-run"]]


@pytest.mark.parametrize("marks", ["all", [7], [{"run": 7, "after": "0", "metrics": []}], [{"run": "r"}], [{}] * 2001])
def test_marks_that_are_none_are_refused(page: Page, marks: Any) -> None:
    answer = page.client.call("watch", {"run": None, "marks": marks}, namespace="/live")
    assert answer["ok"] is False and "mark" in answer["error"]


def test_a_cell_that_was_removed_and_comes_back_is_told_to_pages_and_to_clients(
    serving: tuple[Serving, str], page: Page, store: Store
) -> None:
    run = running(store)
    heard: list[tuple[str, Any]] = []
    client = Client(reconnection=False)
    for path in ("values", f"runs/{run}/cells"):
        for event in ("created", "removed"):
            client.on(f"{path} {event}", lambda record, name=f"{path} {event}": heard.append((name, record)))
    client.connect(serving[1], wait_timeout=20)
    page.watch(run)
    page.wait(lambda: page.of("cells"))
    cell = {"_id": f"{run}.a", "run": run, "pos": 1}
    with store.open_run(run) as file:  # as another process writes
        for act in (file.cells.create, lambda _, by: file.cells.remove(f"{run}.a", by), file.cells.create):
            told = len(page.of("cells"))
            act(cell, "other")
            page.wait(lambda told=told: len(page.of("cells")) > told)
    client.disconnect()
    assert [each["removed"] for each in page.of("cells")][-3:] == [[], [f"{run}.a"], []]
    assert [each["_id"] for each in page.of("cells")[-1]["changed"]] == [f"{run}.a"]
    named = {"_id": f"{run}.a", "run": run}
    steps = [("created", cell), ("removed", named), ("created", cell)]
    assert heard == [(f"{path} {event}", rec) for event, rec in steps for path in ("values", f"runs/{run}/cells")]


def test_what_is_for_pages_does_not_reach_clients_of_the_services(
    serving: tuple[Serving, str], page: Page, store: Store
) -> None:
    heard: list[str] = []
    client = Client(reconnection=False)
    client.on("*", lambda event, *_: heard.append(event))
    client.connect(serving[1], wait_timeout=20)
    run = running(store)
    page.watch(run)
    with store.open_run(run) as file:
        log(file, 1.0, 2.0, step=100)
        page.wait(lambda: page.values()[-1:] == [2.0])
        with file.transaction():
            file.cells.create({"_id": f"{run}.a", "run": run}, "other")
            file.write_findings([Finding(run, "non-finite", "error", "It is NaN.", "Lower the rate.", "loss", 3, 5)])
        page.wait(lambda: page.of("findings")[-1])
    store.edit(run, name="renamed")
    page.wait(lambda: any(each.get("name") == "renamed" for told in page.of("runs") for each in told))
    client.call("find", ("values", {}), timeout=20)
    client.disconnect()
    services = ("runs", f"runs/{run}/cells", "projects", "findings", "values")
    assert heard and {event.partition(" ")[0] for event in heard} <= set(services)
    assert {event.partition(" ")[2] for event in heard} <= {"created", "updated", "patched", "removed"}
