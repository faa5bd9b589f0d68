from __future__ import annotations

from contextlib import closing

import pytest

import agnez
from agnez.dashboard import MOST_FIGURES, Dashboard, layout_id
from agnez.errors import BadValueError
from agnez.record import CellRecord, Json
from agnez.store import Cells, Store


def cells(store: Store, run: agnez.Run) -> dict[str, CellRecord]:
    with store.cells(run.id) as found:
        return {str(each["_id"]).partition(".")[2]: each for each in found.find()}


def place(cell: CellRecord) -> tuple[Json, ...]:
    return cell["pos"], cell.get("rows", 1), cell.get("columns", 1)


def save_layout(store: Store, revision: int, **spots: CellRecord) -> None:
    with closing(store.open_loose_cells()) as connection, connection:
        value: Json = {"revision": revision, "cells": dict(spots)}
        Cells(connection).create({"_id": layout_id("p"), "type": "layout", "project": "p", "value": value}, "page")


def test_a_script_arranges_its_dashboard_as_subplots(store: Store) -> None:
    with agnez.init("p", dir=store.directory, server=None) as run:
        board = run.dashboard(rows=2, cols=3)
        board.subplot((1, 2), ["train/loss", "val/loss"], name="Loss of both")
        board.subplot(6, "accuracy", name="Right")
        run.log({"train/loss": 1.0, "batch/loss": 2.0, "reward": 3.0})
        run.log({"val/loss": 1.0, "val/accuracy": 0.5})
    found = cells(store, run)
    both = found["train/loss+val/loss"]
    assert (both["name"], both["metrics"]) == ("Loss of both", ["train/loss", "val/loss"])
    assert place(both) == (0, 1, 2)
    assert place(found["accuracy"]) == (5, 1, 1)
    assert (found["accuracy"]["name"], found["accuracy"]["metrics"]) == ("Right", ["val/accuracy"])
    assert {key: found[key]["metrics"] for key in ("loss", "reward")} == {"loss": ["batch/loss"], "reward": ["reward"]}
    assert all(found[key]["pos"] >= 6 for key in ("loss", "reward"))  # below the grid
    assert all(cell["grid"] == [2, 3] for cell in found.values())


def test_a_grid_alone_is_filled_row_by_row(store: Store) -> None:
    with agnez.init("p", dir=store.directory, server=None) as run:
        run.dashboard(rows=2, cols=2)
        run.log({"loss": 1.0, "accuracy": 1.0, "reward": 1.0})
    found = cells(store, run)
    assert [found[key]["pos"] for key in ("loss", "accuracy", "reward")] == [0, 1, 2]
    assert found["loss"]["grid"] == [2, 2]


def test_subplots_may_come_late_and_mix_their_grids(store: Store) -> None:
    with agnez.init("p", dir=store.directory, server=None) as run:
        run.log({"loss": 1.0, "accuracy": 0.5})
        run.flush()
        run.subplot(2, 1, 1, "accuracy")
        run.subplot(2, 2, 4, ["lr"])
        run.log({"lr": 1.0})
    found = cells(store, run)
    assert place(found["accuracy"]) == (0, 1, 2)
    assert place(found["lr"]) == (3, 1, 1)
    assert found["loss"]["pos"] >= 4
    assert {tuple(cell["grid"]) for cell in found.values()} == {(2, 2)}


def test_a_picture_stands_where_its_name_was_put(store: Store) -> None:
    with agnez.init("p", dir=store.directory, server=None) as run:
        run.subplot(1, 2, 2, "filters")
        run.log({"filters": agnez.Text("# said"), "loss": 1.0})
    assert place(cells(store, run)["filters"]) == (1, 1, 1)


def test_a_wrong_place_is_an_error_where_it_stands(store: Store) -> None:
    with agnez.init("p", dir=store.directory, server=None) as run:
        with pytest.raises(BadValueError, match="from 1 to 6"):
            run.subplot(2, 3, 7, "loss")
        with pytest.raises(BadValueError, match="cols"):
            run.dashboard(rows=2, cols=0)


def test_a_run_that_goes_on_keeps_what_a_script_put_together(store: Store) -> None:
    for step in range(2):
        with agnez.init("p", id="a", resume="allow", dir=store.directory, server=None) as run:
            if step == 0:
                run.subplot(1, 2, 2, ["train/loss", "val/loss"])
            run.log({"train/loss": 1.0, "val/loss": 2.0, "other": 1.0})
    found = cells(store, run)
    assert set(found) == {"train/loss+val/loss", "other"}
    assert place(found["train/loss+val/loss"]) == (1, 1, 1)


def test_a_new_run_takes_over_how_the_cells_of_its_project_stand(store: Store) -> None:
    save_layout(store, 7, accuracy={"pos": 0, "rows": 2}, loss={"pos": 1, "hidden": True}, reward={"pos": "odd"})
    with agnez.init("p", dir=store.directory, server=None) as run:
        run.log({"loss": 1.0, "accuracy": 1.0, "reward": 1.0})
    found = cells(store, run)
    assert place(found["accuracy"]) == (0, 2, 1)
    assert found["accuracy"]["layout"] == 7
    assert (found["loss"]["pos"], found["loss"]["hidden"]) == (1, True)
    assert "layout" not in found["reward"]
    with agnez.init("q", dir=store.directory, server=None) as other:
        other.log({"loss": 1.0})
    assert "layout" not in cells(store, other)["loss"]


def test_the_script_has_the_last_word_over_the_project(store: Store) -> None:
    save_layout(store, 3, loss={"pos": 5, "columns": 3})
    with agnez.init("p", dir=store.directory, server=None) as run:
        run.subplot(1, 2, 1, "loss")
        run.log({"loss": 1.0})
    found = cells(store, run)["loss"]
    assert (place(found), found["layout"]) == ((0, 1, 1), 3)


@pytest.mark.parametrize("value", [None, [], {"revision": "x"}, {"revision": 1, "cells": [1]}, {"cells": {"loss": 3}}])
def test_a_layout_that_makes_no_sense_costs_a_run_nothing(store: Store, value: Json) -> None:
    with closing(store.open_loose_cells()) as connection, connection:
        Cells(connection).create({"_id": layout_id("p"), "value": value}, "someone")
    with agnez.init("p", dir=store.directory, server=None) as run:
        run.log({"loss": 1.0})
    assert cells(store, run)["loss"]["pos"] == 0
    assert run.series("loss").values.tolist() == [1.0]


def test_of_thousands_of_quantities_the_first_are_drawn_as_figures() -> None:
    dashboard = Dashboard("abc")
    assert len(dashboard.place(f"metric{number}" for number in range(1000))) == 1000
    assert [metrics for _, _, metrics in dashboard.figures()] == [(f"metric{n}",) for n in range(MOST_FIGURES)]
