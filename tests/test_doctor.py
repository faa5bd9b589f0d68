from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from agnez.errors import NotFoundError, StoreError
from agnez.record import Batch, RunInfo, Series
from agnez.store import RunFile, Store, media
from agnez.store.doctor import Remark, examine
from agnez.store.salvage import salvage

COUNT = 60_000
WRITER = """
import itertools, sys, time
import agnez
run = agnez.init("live", dir=sys.argv[1], server=None, config={"lr": 0.1})
print(run.id, flush=True)
for step in itertools.count():
    for turn in range(40):
        run.log({"step": 40 * step + turn, "root": (40 * step + turn) ** 0.5})
    time.sleep(0.001)  # the training
"""


def batch(first: int, count: int, *, step: int | None = None) -> Batch:
    """Return points of two metrics, each of which tells by its value whether it is right."""
    calls = np.repeat(np.arange(count), 2)
    steps = calls + (first if step is None else step)
    places = np.tile([0, 1], count)
    values = np.sqrt(calls + first) * (1 - 2 * places)
    return Batch(("up", "down"), places, calls, steps, values, 1_700_000_000_000_000 + 1000 * (calls + first), 2)


def fill(store: Store, id: str = "abc", count: int = COUNT) -> Path:
    """Make a finished run of two metrics, `count` points each, and return its file."""
    info = RunInfo(id, "digits", f"name-of-{id}", 1, config={"lr": 0.1}, state="finished")
    with store.create_run(info) as file:
        for first in range(0, count, 500):
            with file.transaction():
                file.append(batch(first, min(500, count - first)))
        with file.transaction():
            file.cells.create({"_id": f"{id}.up", "value": "x"}, "recorder")
    with store.open_run(id) as file:
        store.publish(file.info())
    return store.run_path(id)


def right(series: Series) -> bool:
    """Tell whether each point is as `batch` made it, whichever of them are there."""
    sign = 1 if series.metric == "up" else -1
    times = 1_700_000_000 + series.steps / 1000
    return (
        np.array_equal(series.values, sign * np.sqrt(series.steps))
        and np.allclose(series.times, times, rtol=0, atol=1e-5)
        and np.array_equal(series.calls, series.steps + 1)
    )


def remarks(store: Store, *runs: str, repair: bool = False) -> list[Remark]:
    return list(examine(store.directory, runs, repair=repair))


def contents(store: Store) -> dict[str, str]:
    files = [path for path in store.directory.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def zero(path: Path, pages: list[int]) -> None:
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(18)[16:], "big")
        for page in pages:
            file.seek((page - 1) * size)
            file.write(bytes(size))


def root_page(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    return int(page)


@contextmanager
def writing(directory: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Have a process log; give its run once its journal was merged into the file, and grew anew."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        id = process.stdout.readline().strip()
        path = Store(directory).run_path(id)
        while path.stat().st_size < 300_000:
            assert process.poll() is None
        yield id, process
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_a_sound_store_has_no_remark_and_is_not_changed(store: Store) -> None:
    fill(store)
    with store.cells(None) as cells:
        cells.create({"_id": "loose", "x": 1}, "me")
    before = contents(store)
    assert remarks(store) == [] and remarks(store, repair=True) == []
    assert contents(store) == before


def test_a_resumed_run_with_branches_is_sound(store: Store) -> None:
    path = fill(store, count=3000)
    with RunFile(path) as file:
        for first, step in ((3000, 2000), (4000, 100)):
            file.begin_segment()
            with file.transaction():
                file.append(batch(first, 1000, step=step))
    assert [each for each in remarks(store, "abc") if each.kind == "fault"] == []


DAMAGE: dict[str, Callable[[Path], None]] = {
    "cut to a half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut within a page": lambda path: os.truncate(path, path.stat().st_size * 2 // 3 + 77),
    "a page of zeros": lambda path: zero(path, [path.stat().st_size // 2048 // 2]),
    "many pages of zeros": lambda path: zero(path, list(range(30, path.stat().st_size // 2048, 41))),
    "its first page lost": lambda path: zero(path, [1]),
    "its names lost": lambda path: zero(path, [root_page(path, "metrics")]),
    "its summaries lost": lambda path: zero(path, [root_page(path, "sealed"), root_page(path, "pages")]),
    "its facts lost": lambda path: zero(path, [root_page(path, "facts")]),
    "the root of its blocks lost": lambda path: zero(path, [root_page(path, "blocks")]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_can_be_read_of_a_damaged_file_comes_back_right_and_the_rest_is_told(store: Store, damage: str) -> None:
    path = fill(store)
    DAMAGE[damage](path)
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [each.kind for each in remarks(store, "abc")] == ["fault"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == content
    (mended,) = remarks(store, "abc", repair=True)
    (kept,) = [each for each in path.parent.glob("run.db.damaged-*") if "-wal" not in each.name]
    assert mended.kind == "mended" and kept.name in mended.sentence
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == content
    assert remarks(store) == []
    with store.open_run("abc") as file:
        _, found, _ = file.series()
        info = file.info()
    saved = sum(map(len, found))
    assert {each.metric for each in found} == {"up", "down"} and all(map(right, found))
    assert f" {saved:,} points were saved" in mended.sentence
    assert saved == 2 * COUNT or "missing" in mended.sentence
    assert saved >= 2 * COUNT * (0.1 if "cut" in damage else 0.6)
    assert info.name == "name-of-abc" and info.config == {"lr": 0.1}  # from the file or, where it lost them, the index
    assert "its file was damaged" in info.problems[-1]
    assert store.runs()[0].problems == info.problems


@pytest.mark.parametrize("seed", range(12))
def test_whatever_befalls_its_pages_no_block_comes_back_wrong(store: Store, seed: int) -> None:
    path = fill(store, count=8000)
    content, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(6):
        here, there = (chance.randrange(len(content) // 2048) * 2048 for _ in range(2))
        kind = chance.choice(["noise", "flip", "swap", "half"])
        if kind == "noise":
            content[here : here + 2048] = chance.randbytes(2048)
        elif kind == "flip":
            content[here + chance.randrange(2048)] ^= 1 << chance.randrange(8)
        elif kind == "swap":
            one, other = content[here : here + 2048], content[there : there + 2048]
            content[here : here + 2048], content[there : there + 2048] = other, one
        else:
            content[here + 1024 : here + 2048] = content[there : there + 1024]
    path.write_bytes(content)
    told = remarks(store, "abc", repair=True)
    assert remarks(store, "abc") == [] or "left as it is" in told[0].sentence
    if remarks(store, "abc") == []:
        with store.open_run("abc") as file:
            assert all(right(each) for each in file.series()[1] if each.metric in ("up", "down"))


def test_a_damaged_file_of_a_further_process_is_mended_too(store: Store) -> None:
    fill(store, count=10)
    with store.join_process("abc", 0) as file, file.transaction():
        file.append(batch(0, 30_000))
    (path,) = set(store.files("abc")) - {store.run_path("abc")}
    os.truncate(path, path.stat().st_size * 3 // 4)
    (mended,) = remarks(store, repair=True)
    assert mended.kind == "mended" and path.name in mended.sentence and remarks(store) == []
    with RunFile(path) as file, store.open_run("abc") as main:
        assert all(map(right, file.series()[1])) and len(file.series()[1][0]) > 1000
        assert main.info().problems == ()


def test_missing_points_are_told_with_their_range(store: Store) -> None:
    path = fill(store)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM blocks WHERE id IN (SELECT id FROM blocks ORDER BY id LIMIT 2 OFFSET 3)")
    connection.commit()
    connection.close()
    assert any("block 5 of 'up' comes where block 3 should" in each.sentence for each in remarks(store))
    (mended,) = remarks(store, repair=True)
    assert "missing: 2,048 points of 'up' after step 3,071 and before step 5,120." in mended.sentence


def test_a_bit_that_flipped_within_a_block_is_found(store: Store) -> None:
    path = fill(store)
    connection = sqlite3.connect(path)
    id, body = connection.execute("SELECT id, body FROM blocks LIMIT 1 OFFSET 9").fetchone()
    connection.execute("UPDATE blocks SET body = ? WHERE id = ?", (body[:-1] + bytes([body[-1] ^ 16]), id))
    connection.commit()
    connection.close()
    (fault,) = remarks(store)
    assert "block 9 of 'up' does not hold what was written" in fault.sentence


def test_segments_survive_a_salvage(store: Store, tmp_path: Path) -> None:
    path = fill(store, count=3000)
    with RunFile(path) as file:
        file.begin_segment()
        with file.transaction():
            file.append(batch(3000, 1000, step=2000))
    saved = salvage(path, tmp_path / "new.db", run="abc")
    assert saved.points == 8000 and saved.lost == ()
    with RunFile(path) as old, RunFile(tmp_path / "new.db") as new:
        assert [each.first_step for each in new.segments()] == [0, 2000] and new.segments()[1].branches
        for branch in (None, 0):
            ours, theirs = old.read("up", branch=branch), new.read("up", branch=branch)
            np.testing.assert_array_equal(ours.values, theirs.values)
            np.testing.assert_array_equal(ours.calls, theirs.calls)
        assert old.summaries() == new.summaries()


def test_a_file_that_was_copied_while_it_was_written_is_mended_or_sound(store: Store, tmp_path: Path) -> None:
    with writing(store.directory) as (id, process):
        for turn in range(4):
            other = Store(tmp_path / f"other-{turn}")
            other.run_folder(id).mkdir(parents=True)
            shutil.copyfile(store.run_path(id), other.run_path(id))  # without its -wal: what cp run.db does
        assert process.poll() is None
    for turn in range(4):
        other = Store(tmp_path / f"other-{turn}")
        left = [each for each in remarks(other, repair=True) if each.kind == "fault"]
        assert left == [] and [each for each in remarks(other) if each.kind == "fault"] == []
        with other.open_run(id) as file:
            step, root = file.series()[1]
        np.testing.assert_array_equal(step.values, step.steps)
        np.testing.assert_array_max_ulp(root.values, np.sqrt(root.steps))


def test_a_run_that_is_being_written_is_looked_at_and_never_repaired(store: Store) -> None:
    with writing(store.directory) as (id, process):
        command = [sys.executable, "-m", "agnez", "doctor", "--repair", "--dir", str(store.directory)]
        looked = subprocess.run(command, capture_output=True, text=True)
        assert looked.returncode == 0 and looked.stdout.endswith("is sound\n"), looked.stdout
        with store.open_run(id) as file:
            cursor = file.cursor()
            while file.cursor() <= cursor:  # it ends only when the writer wrote on
                assert process.poll() is None


def test_the_journal_of_a_killed_run_counts_and_is_merged(store: Store) -> None:
    with writing(store.directory) as (id, _):
        pass
    path = store.run_path(id)
    assert path.with_name("run.db-wal").stat().st_size
    notes = [each for each in remarks(store, id) if "was not closed" in each.sentence]
    assert [each.kind for each in notes] == ["note"]
    assert "its journal is merged" in remarks(store, id, repair=True)[0].sentence
    assert not path.with_name("run.db-wal").exists() and remarks(store, id) == []
    with store.open_run(id) as file:
        step = file.read("step")
    np.testing.assert_array_equal(step.values, np.arange(len(step)))
    assert len(step) > 10_000


@pytest.mark.parametrize("how", ["missing", "damaged", "emptied", "wrong"])
def test_the_index_is_made_anew_from_the_runs(store: Store, how: str) -> None:
    fill(store, "abc", 10)
    fill(store, "def", 10)
    expected = store.runs()
    path = store.directory / "catalog.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if how == "wrong":
        connection.execute("UPDATE runs SET facts = json_set(facts, '$.name', 'another') WHERE id = 'abc'")
        connection.execute("DELETE FROM runs WHERE id = 'def'")
        connection.commit()
    connection.close()
    if how == "missing":
        path.unlink()
    elif how == "damaged":
        path.write_bytes(path.read_bytes()[:2000] + bytes(3000))
    elif how == "emptied":
        path.write_bytes(b"")
    faults = remarks(store)
    assert {each.kind for each in faults} == {"fault"}
    assert {each.kind for each in remarks(store, repair=True)} == {"mended"}
    assert Store(store.directory).runs() == expected and remarks(store) == []


def test_what_is_foreign_or_newer_or_unreadable_is_told_and_left(store: Store) -> None:
    for id in ("foreign", "newer", "noise"):
        fill(store, id, 10)
    connection = sqlite3.connect(store.run_path("newer"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    store.run_path("foreign").unlink()
    connection = sqlite3.connect(store.run_path("foreign"))
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    store.run_path("noise").write_bytes(np.random.default_rng(0).bytes(30_000))
    before = contents(store)
    for repair in (False, True):
        told = [each.sentence for each in remarks(store, repair=repair) if each.kind == "fault"]
        assert any("foreign" in each and "not a file of Agnez" in each for each in told)
        assert any("newer" in each and "schema 99" in each for each in told)
        assert any("noise" in each and "not a database" in each for each in told)
    assert "left as it is" in "".join(told)
    after = contents(store)
    assert all(after[path] == content for path, content in before.items() if path.endswith("run.db"))


def test_a_store_without_its_facts_gets_new_ones(store: Store) -> None:
    fill(store, "abc", 10)
    path = store.directory / "store.json"
    for content in (None, b"{half"):
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        assert "store.json" in remarks(store)[0].sentence
        assert remarks(store, repair=True)[0].kind == "mended"
        assert remarks(store) == [] and json.loads(path.read_text())["id"]


def test_cells_of_no_run_are_saved(store: Store) -> None:
    with store.cells(None) as cells:
        for number in range(300):
            cells.create({"_id": f"cell-{number}", "value": "x" * 200}, "me")
    path = store.directory / "cells.db"
    os.truncate(path, path.stat().st_size * 2 // 3)
    assert "the cells of no run" in remarks(store)[0].sentence
    (mended,) = remarks(store, repair=True)
    with store.cells(None) as cells:
        assert f" {len(cells.find())} cells were saved" in mended.sentence and len(cells.find()) > 100


def test_media_are_compared_with_cells_and_with_their_names(store: Store) -> None:
    folder = fill(store, "abc", 10).parent
    named, loose, wrong = (media.put(folder, each, "svg") for each in (b"<svg/>", b"<svg></svg>", b"<svg>1</svg>"))
    with store.cells("abc") as cells:
        for id, name in (("abc.a", named), ("abc.b", wrong), ("abc.c", "f" * 32 + ".png")):
            cells.create({"_id": id, "type": "img", "value": media.address("abc", name)}, "me")
    (folder / "media" / wrong).write_bytes(b"<svg>2</svg>")
    half = folder / "media" / f".{named}.0123abcd.partial"
    half.touch()
    os.utime(half, (0, 0))
    told = remarks(store)
    assert [each.kind for each in told] == ["note", "fault", "fault", "note"]
    assert "never finished" in told[0].sentence and wrong in told[1].sentence and "f" * 32 in told[2].sentence
    assert "1 files" in told[3].sentence
    remarks(store, repair=True)
    assert (folder / "media" / loose).is_file() and not half.exists() and not (folder / "media" / wrong).exists()


def test_folders_without_a_run_and_journals_without_a_file_are_told(store: Store) -> None:
    fill(store, "abc", 10)
    store.run_folder("hollow").mkdir()
    (store.run_folder("abc") / "rank-1.db-wal").write_bytes(b"x")
    shutil.copytree(store.run_folder("abc"), store.run_folder("renamed"))
    told = " ".join(each.sentence for each in remarks(store))
    assert "hollow has no run.db" in told and "rank-1.db-wal is a journal" in told
    assert "renamed holds the run 'abc': give the folder that name" in told


def test_where_there_is_nothing_to_look_at_it_is_an_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store in"):
        examine(tmp_path / "nowhere")
    for id in ("nothing", "../store"):
        with pytest.raises(NotFoundError, match=id):
            examine(store.directory, [id])
