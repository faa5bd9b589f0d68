"""Files that are kept open between changes, and what happens to them meanwhile."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest

from agnez.errors import ConflictError, NotFoundError
from agnez.record import RunInfo
from agnez.store import Store
from agnez.store.held import HeldCells
from agnez.wire import Told, dump


@pytest.fixture
def held(store: Store) -> Iterator[HeldCells]:
    held = HeldCells(store)
    yield held
    held.close()


def add(held: HeldCells, run: str | None, id: str) -> None:
    with held.writing(run) as cells:
        cells.create({"_id": id}, "me")


def ids(store: Store, run: str | None) -> list[object]:
    with store.cells(run) as cells:
        return [cell["_id"] for cell in cells.find()]


def test_what_is_written_is_there_for_others_at_once_and_all_of_it_or_nothing(store: Store, held: HeldCells) -> None:
    add(held, None, "a")
    add(held, None, "b")
    assert ids(store, None) == ["a", "b"]
    with pytest.raises(ConflictError), held.writing(None) as cells:
        cells.create({"_id": "c"}, "me")
        cells.create({"_id": "a"}, "me")
    add(held, None, "d")
    assert ids(store, None) == ["a", "b", "d"]


def test_other_writers_get_their_turn(store: Store, held: HeldCells) -> None:
    def write(name: str) -> None:
        for at in range(20):
            with store.cells(None) as cells:
                cells.create({"_id": f"{name}{at}"}, name)

    others = [threading.Thread(target=write, args=(name,)) for name in "xy"]
    for other in others:
        other.start()
    for at in range(20):
        add(held, None, f"mine{at}")
    for other in others:
        other.join(20)
    assert len(ids(store, None)) == 60


def test_a_run_that_went_is_not_written_to_and_one_that_came_back_is(store: Store, held: HeldCells) -> None:
    store.create_run(RunInfo("abc", "p", "n", 1, state="finished")).close()
    add(held, "abc", "abc.1")
    store.trash("abc")
    with pytest.raises(NotFoundError):
        add(held, "abc", "abc.2")
    store.restore("abc")
    add(held, "abc", "abc.3")
    assert ids(store, "abc") == ["abc.1", "abc.3"]
    store.trash("abc")
    store.create_run(RunInfo("abc", "p", "another", 2, state="finished")).close()
    add(held, "abc", "abc.4")
    assert ids(store, "abc") == ["abc.4"]


def test_a_folder_that_was_deleted_under_it_is_made_anew(store: Store, held: HeldCells) -> None:
    add(held, None, "a")
    for path in store.directory.glob("cells.db*"):
        path.unlink()
    add(held, None, "b")
    assert ids(store, None) == ["b"]
    shutil.rmtree(store.directory)
    store.directory.mkdir()
    add(held, None, "c")
    assert ids(store, None) == ["c"]


def test_few_files_are_kept_open(store: Store, held: HeldCells) -> None:
    for at in range(20):
        store.create_run(RunInfo(f"r{at}", "p", "n", 1)).close()
        add(held, f"r{at}", f"r{at}.x")
    assert len(held._held) == 8
    add(held, "r0", "r0.y")
    assert ids(store, "r0") == ["r0.x", "r0.y"]
    held.close()
    add(held, "r0", "r0.z")
    assert len(ids(store, "r0")) == 3


@pytest.mark.parametrize("fields", [{}, {"a": 1}, {"a": {"b": "é\"'"}, "list": []}])
def test_a_record_brings_the_json_along_that_it_would_be_written_as(store: Store, fields: dict[str, object]) -> None:
    with store.cells(None) as cells:
        for told in (
            cells.create({**fields, "_id": 'q"1'}, "me"),  # type: ignore[dict-item]
            cells.patch('q"1', {}, "me"),
            cells.replace('q"1', fields, "me"),  # type: ignore[arg-type]
        ):
            assert isinstance(told, Told)
            assert told == cells.get('q"1') == {**fields, "_id": 'q"1'}
            assert told.text == dump(told) == dump(dict(told))
