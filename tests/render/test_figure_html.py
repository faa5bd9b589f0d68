import json
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from agnez.render import Curves, Line, figure_html, render_job
from agnez.render.html import script_json

matplotlib.use("agg")

EVIL = "</script><script>alert(1)</script>\u2028&<b>"


def spec_of(html: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="[\w-]+">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


def figure_with(kind: str) -> Figure:
    figure = Figure()
    if kind == "3d":
        figure.add_subplot(projection="3d").plot([1, 2], [1, 2], [1, 2])
    elif kind == "polar":
        figure.add_subplot(projection="polar").plot([1, 2])
    elif kind in ("symlog", "logit"):
        figure.add_subplot().set_yscale(kind)
    elif kind == "images":
        for k in range(5):
            figure.add_subplot(1, 5, k + 1).imshow(np.eye(3))
    elif kind == "arrow":
        figure.add_subplot().annotate("peak", (0, 0), (1, 1), arrowprops={"arrowstyle": "->"})
    elif kind == "formula":
        figure.add_subplot().set_title(r"$\alpha^2$")
    elif kind == "figure legend":
        figure.add_subplot().plot([1, 2], label="x")
        figure.legend()
    return figure


@pytest.mark.parametrize(
    "kind", ["3d", "polar", "symlog", "logit", "images", "figure legend", "empty", "arrow", "formula"]
)
def test_what_mpld3_cannot_draw_becomes_a_picture_that_says_why(kind: str) -> None:
    html = figure_html(figure_with(kind))
    assert 'src="data:image/png;base64,iVBORw0' in html and "<script" not in html
    assert re.search(r'alt="Figure[^"]*"', html)
    assert re.search(r"<figcaption>A picture: .+\.</figcaption>", html)


def test_an_artist_that_mpld3_stumbles_over_costs_only_the_interaction() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    (line,) = ax.plot([1, 2])
    line.set_gid("odd")
    line.get_xydata = lambda: 1 / 0  # type: ignore[method-assign]
    assert "ZeroDivisionError" in figure_html(figure)


def test_a_title_cannot_close_the_script() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    ax.plot([1, 2], label=EVIL)
    ax.legend()
    ax.set_title(EVIL, parse_math=False)
    ours = render_job(Curves(EVIL, EVIL, tuple(Line(EVIL, np.arange(3.0), np.arange(3.0)) for _ in range(2))))
    for html in (figure_html(figure), ours):
        assert html.count("alert(1)") >= 1 and "<script>alert" not in html and "\u2028" not in html
        assert EVIL in json.dumps(spec_of(html), ensure_ascii=False)
    picture = figure_with("3d")
    picture.suptitle('">' + EVIL, parse_math=False)
    assert "<script" not in figure_html(picture)


def test_json_copes_with_what_numpy_makes() -> None:
    value = {
        "i": np.int64(3),
        "f": np.float32(0.5),
        "a": np.array([[1.0, np.nan], [np.inf, -np.inf]]),
        2: (np.bool_(True),),
    }
    assert json.loads(script_json(value)) == {
        "i": 3,
        "f": 0.5,
        "a": [[1.0, "NaN"], ["Infinity", "-Infinity"]],
        "2": [True],
    }


def test_the_data_stand_in_the_html_once() -> None:
    x = np.arange(50.0)
    html = render_job(Curves("Loss", "epoch", (Line("train", x, np.where(x == 7, 0.7654321, x), "train"),)))
    assert html.count("0.7654321") == 1
    assert 'aria-label="Figure: Loss"' in html
    assert "https://" not in html and "http://" not in html


def test_our_colours_are_variables_and_the_users_are_their_own() -> None:
    x = np.arange(3.0)
    ours = json.dumps(spec_of(render_job(Curves("Loss", "epoch", (Line("train", x, x, "train"),)))))
    assert "var(--agnez-series-1)" in ours and not re.search(r'"#[0-9A-F]{6}"', ours)
    figure = Figure()
    figure.add_subplot().plot([1, 2], color="#0f766e")
    theirs = figure_html(figure)
    assert "var(" not in json.dumps(spec_of(theirs)) and "background:#ffffffff" in theirs


def axes_of(figure: Figure) -> list[dict[str, list[dict[str, object]]]]:
    return spec_of(figure_html(figure))["axes"]  # type: ignore[return-value]


def test_lines_across_the_axes_stand_where_they_belong() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    ax.set(xlim=(0, 10), ylim=(1, 100), yscale="log")
    ax.axvline(3)
    ax.axhline(20)
    ax.axvspan(4, 5)
    html = figure_html(figure)
    (axes,) = spec_of(html)["axes"]  # type: ignore[misc]
    data = spec_of(html)["data"]

    def corners(described: dict[str, str]) -> list[tuple[float, float]]:
        rows = np.array(data[described["data"]], dtype=float)  # type: ignore[index]
        chosen = rows[:, [described["xindex"], described["yindex"]]]
        return [tuple(row) for row in chosen.round(6).tolist()]

    vertical, horizontal = axes["lines"]
    assert {each["coordinates"] for each in [*axes["lines"], *axes["paths"]]} == {"data"}
    assert corners(vertical) == [(3, 1), (3, 100)] and corners(horizontal) == [(0, 20), (10, 20)]
    assert {(4, 1), (5, 100)} <= set(corners(axes["paths"][0]))


def test_what_is_invisible_is_not_drawn() -> None:
    figure = Figure()
    ax, hidden = figure.subplots(1, 2)
    hidden.set_visible(False)
    for artist in (*ax.plot([1, 2]), ax.text(1, 1, "x"), ax.axvspan(0, 1), ax.scatter([1], [1]), ax.imshow(np.eye(2))):
        artist.set_visible(False)
    ax.axis("off")
    (axes,) = axes_of(figure)
    for kind in ("lines", "texts", "paths", "collections", "images", "axes"):
        assert axes[kind] == []


def test_categories_keep_their_names_and_axes_their_colours() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    ax.bar(["cat", "dog"], [1, 2])
    ax.tick_params(colors="#ff0000")
    horizontal = axes_of(figure)[0]["axes"][0]
    assert horizontal["tickformat"] == ["cat", "dog"] and horizontal["tickvalues"] == [0, 1]
    assert horizontal["fontcolor"] == "#FF0000"


def test_a_twin_does_not_hide_its_brother() -> None:
    figure = Figure()
    ax = figure.add_subplot()
    ax.plot([1, 2])
    ax.twinx().plot([5, 3])
    assert axes_of(figure)[1]["axesbgalpha"] == 0


def test_a_super_title_is_drawn() -> None:
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    figure.suptitle("above all")
    texts = spec_of(figure_html(figure))["axes"][0]["texts"]  # type: ignore[index]
    assert [text["coordinates"] for text in texts if text["text"] == "above all"] == ["figure"]
