from __future__ import annotations

from pathlib import Path

import pytest

from agnez.errors import NotFoundError, StoreError
from agnez.record import RunInfo
from agnez.store import Store


def info(id: str = "abc", **facts: object) -> RunInfo:
    return RunInfo(**{"id": id, "project": "digits", "name": "calm-ibis-1", "created": 1, **facts})  # type: ignore[arg-type]


def test_a_copied_run_folder_is_taken_up(store: Store, tmp_path: Path) -> None:
    store.create_run(info()).close()
    other = tmp_path / "other" / "runs"
    other.mkdir(parents=True)
    (store.directory / "runs" / "abc").rename(other / "abc")
    assert [run.id for run in Store(tmp_path / "other").runs()] == ["abc"]


@pytest.mark.parametrize("id", ["../abc", "", "a/b", "a.b", "x" * 65, "é"])
def test_an_id_that_is_no_folder_of_a_run_is_not_found(store: Store, id: str) -> None:
    with pytest.raises(NotFoundError):
        store.open_run(id)


def test_a_folder_that_cannot_be_written_is_an_error_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="dir="):
        Store(tmp_path / "file" / "store")
