from __future__ import annotations

import pytest

from agnez.errors import BadValueError
from agnez.subplots import Grid, Spot, names


def test_places_are_those_that_matplotlib_gives() -> None:
    import matplotlib.pyplot as plt

    figure = plt.figure()
    try:
        for place in [*range(1, 7), (1, 3), (2, 3), (4, 6), (1, 6), (2, 5), (3, 6)]:
            grid = Grid(2, 3)
            grid.place("it", (2, 3), place)  # type: ignore[arg-type]  # a union of int and pair
            spec = figure.add_subplot(2, 3, place).get_subplotspec()
            assert spec is not None
            spot = grid.spots()["it"]
            assert divmod(spot.pos, 3) == (spec.rowspan.start, spec.colspan.start)
            assert (spot.rows, spot.columns) == (len(spec.rowspan), len(spec.colspan))
    finally:
        plt.close(figure)


def test_grids_are_mixed_as_in_matplotlib() -> None:
    grid = Grid(2, 1)
    grid.place("above", (2, 1), 1)
    grid.place("left", (2, 2), 3)
    grid.place("right", (2, 3), 6)
    assert grid.shape == (2, 6)
    assert grid.spots() == {"above": Spot(0, 1, 6), "left": Spot(6, 1, 3), "right": Spot(10, 1, 2)}


@pytest.mark.parametrize("place", [0, 7, -1, 1.0, True, "1", (2, 1), (3, 4), (1, 7), (1, 2, 3), (0, 1)])
def test_a_place_that_cannot_be_is_refused_in_words(place: object) -> None:
    with pytest.raises(BadValueError, match=r"1 to 6|goes back"):
        Grid(2, 3).place("it", (2, 3), place)  # type: ignore[arg-type]


def test_grids_that_do_not_go_together_say_so() -> None:
    grid = Grid(1, 5)
    with pytest.raises(BadValueError, match="1 x 35"):
        grid.place("it", (1, 7), 1)
    with pytest.raises(BadValueError, match="rows is a whole number"):
        Grid(0, 3)
    with pytest.raises(BadValueError, match="cols"):
        Grid(2, 25)


def test_names_are_names() -> None:
    assert names("loss") == ("loss",)
    assert names(["a", "b", "a"]) == ("a", "b")
    for wrong in ([], "", [""], [1]):
        with pytest.raises(BadValueError, match="a subplot shows"):
            names(wrong)  # type: ignore[arg-type]
