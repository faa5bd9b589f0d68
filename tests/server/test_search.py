"""Queries over all cells: the answer is the plain one, however little was read for it, and whoever wrote meanwhile."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from agnez.query import Query, read
from agnez.record import RunInfo
from agnez.server import search
from agnez.server.search import Search
from agnez.store import Store, lightcells

LONG = "x" * 2000


@pytest.fixture
def filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with cells of ten runs, and ten without one."""
    monkeypatch.setattr(lightcells, "_SETTLED_NS", 0)  # the files are new, and nobody has them open
    dice = random.Random(1)
    for place in range(10):
        store.create_run(RunInfo(f"r{place}", "p", "n", created=place)).close()
        add(store, f"r{place}", [cell(dice, f"r{place}.{each}", f"r{place}") for each in range(3)])
    add(store, None, [cell(dice, f"loose{each}", dice.choice(["r1", None])) for each in range(10)])
    return store


def cell(dice: random.Random, id: str, run: str | None) -> dict[str, Any]:
    value = dice.choice([LONG, "short", [], {"deep": LONG}, None])
    pos, kind = dice.randrange(4), dice.choice(["html", "img"])
    return {"_id": id, "run": run, "type": kind, "pos": pos, "value": value, "meta": {"n": pos}}


def add(store: Store, run: str | None, cells: list[dict[str, Any]]) -> None:
    with store.cells(run) as there:
        for each in cells:
            there.create(each, "me")


def plainly(store: Store, query: Query) -> list[dict[str, Any]]:
    """Read every file, and ask Python."""
    every: list[Any] = []
    for run in [None, *(info.id for info in reversed(store.runs()))]:
        with store.cells(run) as cells:
            every += cells.find()
    return query.picked(every)


QUERIES: list[dict[str, Any]] = [
    {},
    {"type": "img"},
    {"type": "img", "$limit": 4, "$skip": 2},
    {"type": {"$in": ["img"]}, "$sort": {"pos": -1, "_id": 1}},
    {"meta.n": {"$gt": 1}, "$sort": {"pos": 1}, "$limit": 5, "$skip": 3},
    {"value": LONG},
    {"value.deep": LONG},
    {"$or": [{"value": "short"}, {"pos": 3}]},
    {"$sort": {"value": 1}, "$limit": 7},
    {"run": "r1"},
    {"run": "r1", "_id": {"$ne": "r1.0"}},
    {"_id": "r3.1"},
    {"_id": "loose3"},
    {"_id": "nope"},
    {"run": None},
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_the_answer_is_that_of_reading_everything(filled: Store, query: dict[str, Any]) -> None:
    wanted, asked = plainly(filled, read(query)), Search(filled)
    for _ in range(2):  # the second time much is known
        assert asked.found(read(query)) == wanted
        short = read({**query, "$select": ["pos"]})
        assert [short.trimmed(each) for each in asked.found(short)] == [short.trimmed(each) for each in wanted]
    whole = {name: value for name, value in query.items() if name not in ("$limit", "$skip")}
    every = plainly(filled, read(whole))
    total, page = asked.page(read({**query, "$skip": 1}), 3)
    assert (total, page) == (len(every), every[1:4])
    assert len(asked.records(read({**whole, "$select": ["pos"]}))) == len(every)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """Note which files of cells are opened."""
    files: list[str | None] = []
    cells = Store.cells

    def noted(store: Store, run: str | None) -> Any:
        files.append(run)
        return cells(store, run)

    monkeypatch.setattr(search.Store, "cells", noted)
    yield files


def test_only_the_files_of_what_is_found_are_opened(filled: Store, opened: list[str | None]) -> None:
    asked = Search(filled)
    asked.found(read({"type": "img"}))
    opened.clear()
    assert asked.found(read({"type": "nope"})) == []
    assert len(asked.found(read({"$select": ["pos"]}))) == 40
    assert opened == [None, None]
    opened.clear()
    asked.found(read({"run": "r2", "type": "img"}))
    assert opened == [None, "r2"]
    opened.clear()
    assert len(asked.found(read({"pos": {"$gte": 0}, "_id": {"$in": ["r4.0", "r5.0"]}}))) == 2
    assert set(opened) <= {None, "r4", "r5"}


WRITER = """
import sys
from pathlib import Path
from agnez.store import Store
store = Store(Path(sys.argv[1]))
with store.cells("r4") as kept:  # which keeps the file's journal there
    for line in sys.stdin:
        run, id, pos = line.split()
        if run == "kept":
            kept.patch(id, {"pos": int(pos)}, "other")
        else:
            with store.cells(run) as cells:
                cells.patch(id, {"pos": int(pos)}, "other")
        print("done", flush=True)
"""


def test_what_another_process_writes_is_found_at_once(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightcells, "_SETTLED_NS", 1_000_000_000)
    asked = Search(filled)
    command = [sys.executable, "-c", WRITER, str(filled.directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None and writer.stdout is not None
        for number in range(100, 160):
            run, id = (("kept", "r4.1"), ("r5", "r5.2"), ("r4", "r4.0"))[number % 3]
            writer.stdin.write(f"{run} {id} {number}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "done\n"
            assert [each["_id"] for each in asked.found(read({"pos": number}))] == [id]
            assert asked.found(read({"pos": number - 3})) == []
        writer.stdin.close()
    assert len(asked.found(read({"pos": {"$gte": 100}}))) == 3


def test_runs_that_come_go_and_come_back_are_found_as_they_are(filled: Store) -> None:
    asked, query = Search(filled), read({"run": {"$ne": None}, "$select": ["_id"]})
    before = len(asked.found(query))
    with filled.open_run("r3") as file:
        info = file.info()
    filled.publish(RunInfo(**{**{name: getattr(info, name) for name in info.__slots__}, "state": "finished"}))
    with filled.open_run("r3") as file, file.transaction():
        file.write_info(RunInfo("r3", "p", "n", created=3, state="finished"))
    filled.trash("r3")
    assert len(asked.found(query)) == before - 3
    filled.restore("r3")
    assert len(asked.found(query)) == before
    filled.create_run(RunInfo("new", "p", "n", created=99)).close()
    add(filled, "new", [{"_id": "new.x", "run": "new", "value": LONG}])
    assert asked.found(read({"run": {"$ne": None}}))[-1] == {"_id": "new.x", "run": "new", "value": LONG}


def test_a_damaged_run_hides_no_other(filled: Store) -> None:
    filled.run_path("r2").write_bytes(b"no file of SQLite" * 1000)
    found = Search(filled).found(read({"type": {"$in": ["html", "img"]}}))
    assert {each["run"] for each in found} >= {f"r{place}" for place in range(10) if place != 2}
