from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from agnez.store.forking import free_locks_in_children

FORKS = 100


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads and forks are at odds on other systems")
def test_a_forked_child_uses_sqlite_while_other_threads_of_its_parent_do(tmp_path: Path) -> None:
    """Without the cure about every third child hangs."""
    free_locks_in_children()
    over = threading.Event()
    workers = [threading.Thread(target=use, args=(tmp_path / str(name), over), daemon=True) for name in range(3)]
    for worker in workers:
        worker.start()
    try:
        outcomes = [os.waitpid(fork(tmp_path), 0)[1] for _ in range(FORKS)]
    finally:
        over.set()
        for worker in workers:
            worker.join()
    assert outcomes == [0] * FORKS
    assert sum(read(path) for path in tmp_path.glob("child-*.db")) == FORKS


def fork(folder: Path) -> int:
    child = os.fork()
    if not child:
        signal.alarm(10)
        writer = threading.Thread(target=write, args=(folder / f"child-{os.getpid()}.db",))  # as a recorder does
        writer.start()
        writer.join()
        os._exit(0)
    return child


def use(path: Path, over: threading.Event) -> None:
    while not over.is_set():
        write(path)
        read(path)
        path.unlink()


def write(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE points (value)")
    connection.execute("INSERT INTO points VALUES (1)")
    connection.close()


def read(path: Path) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute("SELECT count(*) FROM points").fetchone()
    connection.close()
    return int(count)
