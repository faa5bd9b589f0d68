from __future__ import annotations

import pytest

from agnez.errors import ConflictError, NotFoundError
from agnez.store import Store


def test_cells_merge_conflict_and_leave_a_tombstone(store: Store) -> None:
    with store.cells(None) as cells:
        cells.create({"_id": "a", "x": {"deep": 1}, "y": 1}, "me")
        with pytest.raises(ConflictError):
            cells.create({"_id": "a"}, "me")
        assert cells.patch("a", {"x": {}, "_id": "b"}, "me") == {"_id": "a", "x": {}, "y": 1}
        assert cells.replace("a", {"z": 1}, "you") == {"_id": "a", "z": 1}
        cells.remove("a", "me")
        with pytest.raises(NotFoundError):
            cells.get("a")
        (change,) = cells.changes(0)
        assert change.record is None and change.origin == "me"
        cells.create({"_id": "a", "again": True}, "me")
        assert cells.find() == [{"_id": "a", "again": True}]


def test_a_cell_that_comes_back_is_the_last_change(store: Store) -> None:
    with store.cells(None) as cells:
        cells.create({"_id": "other"}, "me")
        cells.create({"_id": "a", "x": 1}, "me")
        cells.remove("a", "me")
        (gone,) = cells.changes(2)
        cells.create({"_id": "a", "x": 2}, "me")
        (back,) = cells.changes(gone.revision)
        assert (back.id, back.record, cells.revision("a")) == ("a", {"_id": "a", "x": 2}, back.revision)
