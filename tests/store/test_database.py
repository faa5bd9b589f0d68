from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from contract import put, table

from agnez.errors import StoreError
from agnez.store import RunFile, database, journal
from agnez.store.runfile import MIGRATIONS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def fill(path: Path, count: int = 30_000) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=count)
    with RunFile(path, create=True) as file:
        put(file, table(loss=values, other=values))
    return values


def test_files_that_are_not_ours_get_a_sentence(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE x (y)")
    with pytest.raises(StoreError, match="not a file of Agnez"):
        RunFile(path)
    path.write_bytes(b"no database at all, but long enough to be looked at " * 40)
    with pytest.raises(StoreError, match="cannot be read"):
        RunFile(path)


def test_a_file_that_is_missing_is_not_made(path: Path) -> None:
    with pytest.raises(StoreError, match="missing"):
        RunFile(path)
    assert not path.exists()


def test_a_newer_schema_is_left_alone(path: Path) -> None:
    fill(path, 1)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer Agnez"):
        RunFile(path)


def test_a_file_of_schema_1_is_lifted(path: Path) -> None:
    connection = database.connect(path, MIGRATIONS[:1], create=True)
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO metrics VALUES (?, ?, '{}')", [(1, "loss"), (2, "acc")])
    rows = [(1, call, call - 1, None if call == 7 else call / 3, 1_000_000 * call) for call in range(1, 3001)]
    connection.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?)", [*rows, (2, 10, 9, 0.5, 0)])
    connection.execute("INSERT INTO facts VALUES ('cursor', '3000')")
    connection.execute("COMMIT")
    connection.close()
    for _ in range(2):
        with RunFile(path) as file:
            loss = file.read("loss")
            assert loss.calls.tolist() == list(range(1, 3001)) and math.isnan(loss.values[6]) and loss.times[0] == 1.0
            assert loss.values[0] == 1 / 3 and file.summaries()["loss"].non_finite == 1 and file.cursor() == 3000
            assert file.metrics() == ["loss", "acc"] and file.segments()[0].first_step == 0
            assert file.read("acc").values.tolist() == [0.5]
    with RunFile(path) as file:
        put(file, table(acc=[1.0]))
        assert file.read("acc").calls.tolist() == [10, 3001]


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_a_sentence_or_does_no_harm(path: Path, seed: int) -> None:
    values = fill(path)
    random = np.random.default_rng(seed)
    whole = bytearray(path.read_bytes())
    if seed % 2:
        del whole[int(random.integers(100, len(whole))) :]
    else:
        for page in random.integers(1, len(whole) // 2048, 3).tolist():
            begin = page * 2048 + 1024  # a torn page: its second half was never written
            whole[begin : begin + 1024] = bytes(1024)
    path.write_bytes(whole)
    try:
        with RunFile(path) as file:
            for name in file.metrics():
                assert len(file.read(name)) in (0, len(values))
                file.view(name, most=100)
    except StoreError as error:
        assert "damaged" in str(error) or "cannot be read" in str(error) or "missing" in str(error)


_MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local xfs rw 0 0
share /mnt/with\\040space cifs rw 0 0
me@host: /mnt/far fuse.sshfs rw 0 0
/dev/sdc1 /mnt/stick fuseblk rw 0 0
overlay /mnt/far overlay rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "mode"),
    [
        ("/data", "wal"),
        ("/home/me/store", "delete"),
        ("/homework", "wal"),
        ("/home/local/store", "wal"),
        ("/mnt/with space/x", "delete"),
        ("/mnt/stick", "wal"),
        ("/mnt/far", "wal"),
    ],
)
def test_the_journal_goes_by_the_file_system_of_the_folder(folder: str, mode: str) -> None:
    assert journal.suited(Path(folder), _MOUNTS) == mode


def test_nothing_told_of_mounts_means_a_local_disk() -> None:
    assert journal.suited(Path("/anywhere"), "") == "wal"


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_file_gets_the_journal_that_suits_and_changes_with_its_folder(
    path: Path, mode: journal.Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "suited", lambda folder: "wal" if mode == "delete" else "delete")
    fill(path, 10)
    monkeypatch.setattr(journal, "suited", lambda folder: mode)
    with RunFile(path) as file:
        put(file, table(loss=[1.0]))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == mode


_READ = """
import os, sys
from pathlib import Path
from agnez.store import RunFile
if os.getuid() == 0:  # who may write anything
    os.setgid(65534), os.setuid(65534)
with RunFile(Path(sys.argv[1])) as file:
    sys.exit(0 if len(file.read("loss")) == 10 and 1 < len(file.view("loss", most=5)) <= 5 else 1)
"""


@pytest.mark.skipif(os.name == "nt", reason="rights are kept otherwise there")
def test_a_store_that_cannot_be_written_opens_for_reading() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "runs"
        folder.mkdir()
        fill(folder / "run.db", 10)
        (folder / "run.db").chmod(0o444)
        folder.chmod(0o555)
        Path(name).chmod(0o755)
        try:
            subprocess.run([sys.executable, "-c", _READ, str(folder / "run.db")], check=True, timeout=60)
        finally:
            folder.chmod(0o755)
        assert [path.name for path in folder.iterdir()] == ["run.db"]


def test_a_full_disk_loses_nothing_that_was_there(path: Path) -> None:
    with RunFile(path, create=True) as file:
        put(file, table(loss=range(100)))
        pages = file._connection.execute("PRAGMA page_count").fetchone()[0]
        file._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            put(file, table(loss=np.random.default_rng(0).normal(size=10_000)))
        assert len(file.read("loss")) == 100
        file._connection.execute("PRAGMA max_page_count = 1000000")
        put(file, table(loss=range(5)))
        assert len(file.read("loss")) == 105
