import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex

from agnez.render import Curves, Line
from agnez.render.curves import draw_curves, thin
from agnez.render.decimate import decimate
from agnez.render.tokens import SERIES


def curves(*lines: Line, **more: object) -> Curves:
    return Curves("Loss", "epoch", lines, **more)  # type: ignore[arg-type]


def shown(figure: object, label: str) -> object:
    return next(line for line in figure.axes[0].lines if line.get_label() == label)  # type: ignore[attr-defined]


def test_no_extreme_and_no_gap_is_lost_when_points_are() -> None:
    x = np.arange(1_000_003.0)
    y = np.sin(x / 1000)
    y[123_456], y[654_321], y[777_777] = 99.0, -99.0, np.nan
    few_x, few_y = decimate(x, y)
    assert len(few_x) == len(few_y) <= 2000
    assert (np.diff(few_x) > 0).all() and few_x[0] == 0 and few_x[-1] == x[-1]
    assert np.nanmax(few_y) == 99.0 and np.nanmin(few_y) == -99.0
    assert 777_777 in few_x[np.isnan(few_y)]
    assert few_x[np.nanargmax(few_y)] == 123_456


def test_few_points_stay_all() -> None:
    x = np.arange(2000.0)
    assert decimate(x, x)[0] is x


def test_points_that_came_out_of_order_are_drawn_in_order() -> None:
    (line,) = thin(curves(Line("train", np.array([2.0, 1.0, np.nan, 3.0]), np.array([20.0, 10.0, 5.0, 30.0])))).lines
    assert line.x.tolist() == [1, 2, 3] and line.y.tolist() == [10, 20, 30]


def test_what_is_not_finite_leaves_a_gap_and_a_mark() -> None:
    y = np.array([1.0, np.nan, 2.0, np.inf])
    figure = draw_curves(curves(Line("train", np.arange(4.0), y, "train")))
    assert np.isnan(shown(figure, "train").get_ydata()).tolist() == [False, True, False, True]  # type: ignore[attr-defined]
    assert shown(figure, "_not finite").get_xdata().tolist() == [1, 3]  # type: ignore[attr-defined]


def test_a_role_has_its_colour_and_its_stroke() -> None:
    x = np.arange(3.0)
    figure = draw_curves(curves(*(Line(role, x, x, role) for role in ("batch", "val", "train"))))  # type: ignore[arg-type]
    batch, val, train = (shown(figure, role) for role in ("batch", "val", "train"))
    assert to_hex(train.get_color()) == to_hex(batch.get_color()) == SERIES[0].light  # type: ignore[attr-defined]
    assert to_hex(val.get_color()) == SERIES[1].light  # type: ignore[attr-defined]
    assert [line.get_linestyle() for line in (batch, val, train)] == ["-", "--", "-"]  # type: ignore[attr-defined]
    assert batch.get_alpha() == 0.25 and batch.get_zorder() < train.get_zorder()  # type: ignore[attr-defined]


def test_more_lines_than_colours_differ_by_their_dashes() -> None:
    x = np.arange(3.0)
    figure = draw_curves(curves(*(Line(f"layer {k}", x, x + k) for k in range(20))))
    lines = [shown(figure, f"layer {k}") for k in range(20)]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 20  # type: ignore[attr-defined]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[-1].startswith("and ") and texts[-1].endswith(" more")


def test_the_title_says_which_epoch_it_shows() -> None:
    x = np.arange(3.0)
    figure = draw_curves(curves(Line("train", x, x), epoch=13))
    assert "Loss · epoch 13" in [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize(
    "y",
    [np.empty(0), np.array([np.nan]), np.array([3.0]), np.zeros(5), np.array([1e300, -1e300, 1e-300]), np.full(4, 1e9)],
)
def test_any_numbers_can_be_drawn(y: np.ndarray) -> None:
    x = np.arange(len(y), dtype=float)
    for percent in (False, True):
        figure = draw_curves(curves(Line("train", x, y, "train"), Line("val", x[:1], y[:1], "val"), percent=percent))
        figure.draw_without_rendering()
        assert np.isfinite(figure.axes[0].get_ylim()).all()


def test_nothing_of_the_users_matplotlib_changes() -> None:
    """Draw in a process of its own, where the user has set odd rcParams and no pyplot was ever imported."""
    code = """
import matplotlib, sys, threading, warnings
warnings.simplefilter("error")
matplotlib.rcParams.update({"text.usetex": True, "font.size": 40, "axes.grid": True, "figure.autolayout": True,
                            "axes.spines.left": True, "lines.marker": "s", "axes.facecolor": "red"})
before, backend = dict(matplotlib.rcParams), matplotlib.rcParams._get_backend_or_none()
import numpy as np
from agnez.render import Curves, Line, render_job
x = np.arange(5.0)
html = []
thread = threading.Thread(target=lambda: html.append(render_job(Curves("$a_b$ %", "epoch", (Line("t_$1", x, x),) * 2))))
thread.start(); thread.join()
assert "agnez-own" in html[0], html
assert "FF0000" not in html[0]
assert matplotlib.rcParams._get_backend_or_none() == backend
after = dict(matplotlib.rcParams)
assert {k: v for k, v in after.items() if k != "backend"} == {k: v for k, v in before.items() if k != "backend"}
import matplotlib.pyplot as plt
assert plt.get_fignums() == []
assert not any(name in sys.modules for name in ("tkinter", "PyQt5", "PyQt6", "gi"))
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={"PATH": "/usr/bin", "HOME": matplotlib.get_cachedir()}
    )
