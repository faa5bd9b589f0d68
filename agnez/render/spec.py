"""What mpld3 makes of a figure, mended where the browser needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agnez.render import tokens

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Spec = dict[str, Any]

_IMAGES_MOST = 4
_SCALES = ("linear", "log")
_COLOR_KEYS = frozenset(
    {"color", "edgecolor", "facecolor", "edgecolors", "facecolors", "axesbg", "fontcolor", "axiscolor"}
)
_OUR_DASHES = {"6,6": "5,3.5", "4,4,2,4": "7,3,1.5,3", "2,2": "1.5,3"}


class Unconvertible(Exception):
    """Say, as the end of a sentence, why mpld3 can't draw a figure."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Hold mpld3's description of a figure, and the style and script of the plugins the user gave it."""

    spec: Spec
    css: str
    javascript: str


def figure_spec(figure: Figure, *, themed: bool, artists: Mapping[str, Any]) -> Drawn:
    """Describe a figure for mpld3's script; settles its layout.

    Raises:
        Unconvertible: the figure has something that mpld3 can't draw.
    """
    check_convertible(figure)
    from agnez.render.exporter import export

    with _one_tick(figure) if themed else nullcontext():
        drawn = Drawn(*export(figure, settled=themed))  # no artist of ours finds its place only by drawing
    _renew_ids(drawn.spec["plugins"], artists)
    # mpld3 takes points for pixels; in a user's figure lines and texts would be too small for their room
    scale = 1.0 if themed else figure.dpi / 72
    for axes in drawn.spec["axes"]:
        _size(axes, scale)
    if themed:
        for ax, axes in zip(figure.axes, drawn.spec["axes"], strict=True):
            _count_ticks(ax, axes)
        _theme(drawn.spec, _color_variables())
    return drawn


def check_convertible(figure: Figure) -> None:
    """Raise Unconvertible when mpld3 can't draw the figure, or would draw it wrong."""
    shown = [ax for ax in figure.axes if ax.get_visible()]
    if not shown:
        raise Unconvertible("the figure has no axes")
    for ax in shown:
        _check_axes(ax)
    if sum(len(ax.images) for ax in figure.axes) > _IMAGES_MOST:
        raise Unconvertible(f"mpld3 is slow with more than {_IMAGES_MOST} images")
    if figure.legends or figure.images or figure.lines or figure.patches:
        raise Unconvertible("mpld3 doesn't draw what belongs to no axes, such as a figure's own legend")


def _check_axes(ax: Axes) -> None:
    if ax.name != "rectilinear":
        raise Unconvertible(f"mpld3 doesn't draw {ax.name} axes")
    for scale in (ax.get_xscale(), ax.get_yscale()):
        if scale not in _SCALES:
            raise Unconvertible(f"mpld3 doesn't know the {scale} scale")
    if any(type(child).__name__ in ("Table", "Quiver", "Barbs") for child in ax.get_children()):
        raise Unconvertible("mpld3 doesn't draw tables and arrows of a field")
    if any(getattr(text, "arrow_patch", None) is not None for text in ax.texts):
        raise Unconvertible("mpld3 doesn't draw the arrows of annotations")
    if any(_is_formula(text) for text in _texts(ax) if text.get_visible()):
        raise Unconvertible("mpld3 doesn't draw formulas")


def _texts(ax: Axes) -> list[Text]:
    legend = ax.get_legend()
    return [*ax.texts, ax.title, ax.xaxis.label, ax.yaxis.label, *(legend.get_texts() if legend else ())]


def _is_formula(text: Text) -> bool:
    """Tell whether matplotlib would set a text as a formula: it holds an even number of bare dollar signs."""
    dollars = text.get_text().replace("\\$", "").count("$")
    return text.get_parse_math() and dollars > 0 and dollars % 2 == 0


def _renew_ids(plugins: list[Spec], artists: Mapping[str, Any]) -> None:
    """Let the user's plugins find their artists: the ids they hold are those of the figure before it was copied."""
    if not artists:
        return
    from mpld3.utils import get_id

    def renew(value: Any) -> Any:
        if isinstance(value, str):
            old = next((old for old in artists if value.startswith(old)), None)
            return value if old is None else get_id(artists[old]) + value.removeprefix(old)
        if isinstance(value, list | tuple):
            return [renew(item) for item in value]
        return value

    plugins[:] = [{key: renew(value) for key, value in plugin.items()} for plugin in plugins]


def _size(axes: Spec, scale: float) -> None:
    """Turn points to pixels, and give texts a unit: browsers ignore a bare number."""
    for line in axes["lines"]:
        line["linewidth"] *= scale
    for path in axes["paths"]:
        path["edgewidth"] *= scale
    for text in axes["texts"]:
        text["fontsize"] = f"{text['fontsize'] * scale:g}px"
    for axis in axes["axes"]:
        if axis["fontsize"]:
            axis["fontsize"] *= scale


@contextmanager
def _one_tick(figure: Figure) -> Iterator[None]:
    """Leave one tick to each axis: its style is all that mpld3 asks for, D3 draws the ticks, and each takes long."""
    from matplotlib.ticker import LinearLocator

    locators = [(axis, axis.get_major_locator()) for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    for axis, _ in locators:
        axis.set_major_locator(LinearLocator(1))
    try:
        yield
    finally:
        for axis, locator in locators:
            axis.set_major_locator(locator)


def _count_ticks(ax: Axes, axes: Spec) -> None:
    """Ask D3 for as many ticks as give matplotlib's step: it takes a count for a hint, and likes halves of epochs."""
    for axis, described in zip((ax.xaxis, ax.yaxis), axes["axes"], strict=True):
        limits = axis.get_view_interval()
        ticks = axis.get_majorticklocs()
        described["nticks"] = max(1, round((limits[1] - limits[0]) / (ticks[1] - ticks[0]))) if len(ticks) > 1 else 1


def _color_variables() -> dict[str, str]:
    """Map each colour of the light palette, as mpld3 writes it, to the CSS variable of both themes."""
    from mpld3.mplexporter.utils import export_color

    return {export_color(token.light): token.variable for token in tokens.TOKENS}


def _theme(value: Any, variables: Mapping[str, str]) -> None:
    """Replace the palette's colours by CSS variables, and dashes by ours, wherever they stand."""
    replace: Callable[[Any], Any] = lambda color: variables.get(color, color) if isinstance(color, str) else color  # noqa: E731
    if isinstance(value, list):
        for item in value:
            _theme(item, variables)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key in _COLOR_KEYS:
            value[key] = [replace(color) for color in item] if isinstance(item, list) else replace(item)
        elif key == "dasharray":
            value[key] = _OUR_DASHES.get(item, item)
        elif key != "data":
            _theme(item, variables)
