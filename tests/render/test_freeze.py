import io
import sys
import threading
from collections.abc import Iterator

import matplotlib
import mpld3
import numpy as np
import pytest

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from agnez.errors import AgnezError
from agnez.render import FrozenFigure, freeze, is_figure, render_job
from agnez.render.freeze import thaw


@pytest.fixture
def figure() -> Iterator[Figure]:
    figure, axes = plt.subplots(1, 2)
    axes[0].plot([1, 2, 3], label="a line")
    axes[0].legend()
    axes[1].imshow(np.eye(4))
    figure.suptitle("mine")
    yield figure
    plt.close(figure)


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


class Mine(Figure):
    pass


def test_a_figure_is_recognised_by_its_type_alone(figure: Figure) -> None:
    assert is_figure(figure) and is_figure(Mine())
    assert not is_figure(Figure) and not is_figure(figure.axes[0]) and not is_figure("Figure")


def test_the_users_figure_stays_as_it_was(figure: Figure) -> None:
    before = png(figure)
    figure.axes[0].set_xlim(0, 7)
    figure.axes[0].set_xlim(auto=True)
    state = {key: id(value) for key, value in vars(figure).items()}
    canvas, number, dpi, stale = figure.canvas, figure.number, figure.dpi, figure.stale
    html = render_job(FrozenFigure(freeze(figure)))
    assert "agnez-figure" in html
    assert (figure.canvas, figure.number, figure.dpi, figure.stale) == (canvas, number, dpi, stale)
    assert {key: id(value) for key, value in vars(figure).items()} == state
    assert plt.figure(number) is figure
    figure.axes[0].set_xlim(auto=True)
    figure.axes[0].relim()
    figure.axes[0].autoscale()
    assert png(figure) == before


def test_a_copy_is_not_opened_in_pyplot(figure: Figure) -> None:
    numbers = plt.get_fignums()
    copies = []
    data = freeze(figure)
    thread = threading.Thread(target=lambda: copies.append(thaw(data).figure))
    thread.start()
    thread.join()
    assert copies[0] is not figure
    assert plt.get_fignums() == numbers


def test_what_cannot_be_copied_gets_a_sentence(figure: Figure) -> None:
    figure.axes[0].xaxis.set_major_formatter(lambda value, position: "x")
    with pytest.raises(AgnezError, match=r"can't be copied .* by a function of a module"):
        freeze(figure)
    with pytest.raises(AgnezError, match="not list"):
        freeze([1, 2])


def test_tooltips_of_the_user_find_their_artists_in_the_copy(figure: Figure) -> None:
    line = figure.axes[0].lines[0]
    (points,) = figure.axes[0].plot([1, 2], [3, 4], "o")
    mpld3.plugins.connect(
        figure,
        mpld3.plugins.LineLabelTooltip(line, "the label"),
        mpld3.plugins.PointHTMLTooltip(points, ["<b>one</b>", "two"]),
    )
    before = [dict(plugin.get_dict()) for plugin in figure.mpld3_plugins]
    thawed = thaw(freeze(figure))
    from agnez.render.spec import figure_spec

    drawn = figure_spec(thawed.figure, themed=False, artists=thawed.artists)
    axes = drawn.spec["axes"][0]
    known = {each["id"] for each in [*axes["lines"], *axes["markers"]]}
    asked = [plugin["id"] for plugin in drawn.spec["plugins"] if "id" in plugin]
    assert len(asked) == 2 and set(asked) <= known
    assert [plugin.get_dict() for plugin in figure.mpld3_plugins] == before
    assert "htmltooltip" in drawn.javascript


def test_recognising_imports_nothing() -> None:
    import subprocess

    code = (
        "import sys, agnez.render as r; assert not r.is_figure(1); r.Renderer(print); "
        "print([m for m in ('matplotlib', 'mpld3', 'jinja2', 'flask') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
