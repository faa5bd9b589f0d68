"""mpld3's walk over a figure, without its mistakes; this module imports mpld3, so import it where it's used.

mpld3 draws what is invisible, misplaces what stands in shares of the axes in one direction only (`axvline`), and leaves
out the colours of axes and the words of their ticks.
"""

from __future__ import annotations

from typing import Any

import matplotlib.ticker as ticker
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.transforms import Transform
from mpld3.mpld3renderer import TEXT_HA_DICT, TEXT_VA_DICT, MPLD3Renderer
from mpld3.mplexporter import Exporter
from mpld3.mplexporter.utils import export_color, get_text_style
from mpld3.utils import get_id

Spec = dict[str, Any]

# Formatters that mpld3 says to D3 in its own way, or that D3's numbers stand in for.
_KNOWN = (
    ticker.ScalarFormatter,
    ticker.LogFormatter,
    ticker.NullFormatter,
    ticker.FixedFormatter,
    ticker.PercentFormatter,
    ticker.StrMethodFormatter,
)


class FigureExporter(Exporter):  # type: ignore[misc]
    """Walk over a figure's artists as mpld3 does, but leave out the invisible and place the rest right."""

    @staticmethod
    def process_transform(
        transform: Transform,
        ax: Axes | None = None,
        data: Any = None,
        return_trans: bool = False,
        force_trans: Transform | None = None,
    ) -> Any:
        """Do the forced part here: mpld3 would warn of transforms that it can handle once they are forced."""
        if force_trans is not None and data is not None:
            data = (transform - force_trans).transform(data)
            transform, force_trans = force_trans, None
        return Exporter.process_transform(transform, ax, data, return_trans, force_trans)

    def draw_line(self, ax: Axes, line: Any, force_trans: Transform | None = None) -> None:
        """Draw a visible line."""
        if line.get_visible():
            super().draw_line(ax, line, force_trans or _placement(ax, line))

    def draw_patch(self, ax: Axes, patch: Any, force_trans: Transform | None = None) -> None:
        """Draw a visible patch."""
        if patch.get_visible():
            super().draw_patch(ax, patch, force_trans or _placement(ax, patch))

    def draw_text(
        self, ax: Axes, text: Any, force_trans: Transform | None = None, text_type: str | None = None
    ) -> None:
        """Draw a visible text."""
        if text.get_visible():
            super().draw_text(ax, text, force_trans or _placement(ax, text), text_type)

    def draw_collection(self, ax: Axes, collection: Any, *args: Any, **more: Any) -> None:
        """Draw a visible collection."""
        if collection.get_visible():
            super().draw_collection(ax, collection, *args, **more)

    def draw_image(self, ax: Axes, image: Any) -> None:
        """Draw a visible image."""
        if image.get_visible():
            super().draw_image(ax, image)


def export(figure: Figure, *, settled: bool) -> tuple[Spec, str, str]:
    """Describe a figure for mpld3's script, with the style and the script of the plugins the user gave it.

    `settled` says that all of the figure already stands where it belongs.
    """
    renderer = MPLD3Renderer()
    if not settled:
        # mpld3 would save a picture of the figure first, only to settle its layout: this does it in a fifth of the time
        figure.draw_without_rendering()
    FigureExporter(renderer, close_mpl=False).crawl_fig(figure)
    _, spec, css, javascript = renderer.finished_figures[0]
    for ax, axes in zip(figure.axes, spec["axes"], strict=True):
        _mend_axes(ax, axes)
    spec["axes"] = [axes for ax, axes in zip(figure.axes, spec["axes"], strict=True) if ax.get_visible()]
    spec["axes"][0]["texts"] += [_text(figure, text) for text in figure.texts if text.get_text() and text.get_visible()]
    return spec, css, javascript


def _placement(ax: Axes, artist: Artist) -> Transform | None:
    """Place in data coordinates what stands in none that mpld3 knows."""
    transform = artist.get_transform()
    known = (ax.transData, ax.transAxes, ax.figure.transFigure)
    return None if any(transform.contains_branch(each) for each in known) else ax.transData


def _mend_axes(ax: Axes, axes: Spec) -> None:
    if not ax.patch.get_visible():
        axes["axesbgalpha"] = 0.0  # the second of two twins would hide the first
    for axis, described in zip((ax.xaxis, ax.yaxis), axes["axes"], strict=True):
        _mend_axis(axis, described)
    axes["axes"] = [
        described
        for axis, described in zip((ax.xaxis, ax.yaxis), axes["axes"], strict=True)
        if ax.axison and axis.get_visible()
    ]


def _mend_axis(axis: Axis, described: Spec) -> None:
    """Give an axis its colours, and the words of its ticks where D3 couldn't find them."""
    labels = axis.get_ticklabels()
    if labels:
        described["fontcolor"] = export_color(labels[0].get_color())
    spine = axis.axes.spines.get(described["position"])
    if spine is not None:
        described["axiscolor"] = export_color(spine.get_edgecolor())
    if described["tickformat_formatter"] or described["scale"] != "linear" or _is_date(axis):
        return
    if not isinstance(axis.get_major_formatter(), _KNOWN):
        low, high = sorted(axis.get_view_interval())
        places = [float(place) for place in axis.get_majorticklocs() if low <= place <= high]
        described["tickvalues"] = places
        described["tickformat"] = axis.get_major_formatter().format_ticks(places)
        described["tickformat_formatter"] = "fixed"


def _is_date(axis: Axis) -> bool:
    return "Date" in type(axis.get_converter()).__name__


def _text(figure: Figure, text: Any) -> Spec:
    """Describe a text of the figure itself (its super title), which mpld3 leaves out."""
    style = get_text_style(text)
    place = (text.get_transform() - figure.transFigure).transform(text.get_position())
    return {
        "text": text.get_text(),
        "position": [float(part) for part in place],
        "coordinates": "figure",
        "h_anchor": TEXT_HA_DICT[style["halign"]],
        "v_baseline": TEXT_VA_DICT.get(style["valign"], "auto"),
        "rotation": -style["rotation"],
        **{key: style[key] for key in ("fontsize", "color", "alpha", "zorder")},
        "id": get_id(text),
    }
