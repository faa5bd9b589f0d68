"""The charts of docs/benchmarks.md: dots on logarithmic axes, each named where it stands, in either theme.

A chart is one SVG file. It carries the colours of the page as custom properties, so that it follows the theme of who
looks; its panel has a background of its own, so that it can be read on any.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from agnez.render.tokens import ERROR, GRID, INK, LINE, PANEL, SECOND, SERIES, THIRD, Token

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
_TOKENS = (PANEL, INK, SECOND, THIRD, LINE, GRID, ERROR, *SERIES)
_SIDES = ((9, 0, "left"), (-9, 0, "right"), (0, 13, "center"), (0, -13, "center"), (0, 26, "center"))
_OWN, _PEER, _FLOOR = SERIES[0], SECOND, THIRD
_PANEL, _LETTER = 235, 5.0  # points: about the width of an axis, and of a letter beside its dots
_STYLE = {
    "svg.fonttype": "none",  # text stays text; the viewer's own face is narrower than the one measured with
    "svg.hashsalt": "agnez",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": LINE.light,
    "xtick.color": SECOND.light,
    "ytick.color": INK.light,
    "text.color": INK.light,
    "figure.facecolor": PANEL.light,
    "axes.facecolor": PANEL.light,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """Place a tracker on a chart: its `value`, what is `written` beside it, and how `far` (a 99th percentile) it goes.

    `kind` is "own", "peer" or "floor".
    """

    name: str
    value: float
    written: str
    kind: str
    far: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Hold one axis: its title, its marks, the `goal`, and how its ticks are written."""

    title: str
    marks: Sequence[Mark]
    ticks: Callable[[float], str]
    goal: float | None = None
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """Place a tracker on a plane."""

    name: str
    x: float
    y: float
    kind: str


def ranked(path: Path, title: str, panels: Sequence[Panel]) -> None:
    """Draw panels side by side, each with its best at the top."""
    rows = max(len(panel.marks) for panel in panels)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.6, 0.95 + 0.34 * rows + 0.45), layout="constrained")
        figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold")
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            _rank(axes, panel)
        save(figure, path)


def _rank(axes: Axes, panel: Panel) -> None:
    marks = sorted(panel.marks, key=lambda mark: mark.value, reverse=panel.more_is_better)
    for row, mark in enumerate(marks):
        colour = _colour(mark.kind)
        if mark.far is not None:
            axes.plot([mark.value, mark.far], [row, row], color=colour, linewidth=2, alpha=0.45, solid_capstyle="round")
            axes.plot([mark.far], [row], "|", color=colour, markersize=7, markeredgewidth=1.6)
        axes.plot([mark.value], [row], "o", color=colour, markersize=7.5, fillstyle=_fill(mark.kind), zorder=3)
        axes.annotate(
            mark.written,
            (mark.far or mark.value, row),
            (8, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK.light if mark.kind == "own" else SECOND.light,
            fontweight="bold" if mark.kind == "own" else "normal",
            bbox={"facecolor": PANEL.light, "edgecolor": "none", "pad": 0.8},
        )
    axes.set_yticks(range(len(marks)), [mark.name for mark in marks])
    for label, mark in zip(axes.get_yticklabels(), marks, strict=True):
        label.set_fontweight("bold" if mark.kind == "own" else "normal")
        label.set_color(_colour(mark.kind) if mark.kind == "own" else SECOND.light)
    axes.set_ylim(len(marks) - 0.4, -0.75)
    _logarithmic(axes, panel)
    if panel.goal is not None:
        axes.axvline(panel.goal, color=SERIES[1].light, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            "goal",
            (panel.goal, -0.75),
            (3, -2),
            textcoords="offset points",
            va="top",
            fontsize=8.5,
            color=SERIES[1].light,
        )


def _logarithmic(axes: Axes, panel: Panel) -> None:
    values = [each for mark in panel.marks for each in (mark.value, mark.far) if each]
    low, high = min(values), max(values)
    axes.set_xscale("log")
    written = max(len(mark.written) for mark in panel.marks) * _LETTER + 14
    share = written / (_PANEL - written)  # room for what is written beside the dots
    axes.set_xlim(low / 1.8, high * (high / low) ** share)
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: panel.ticks(value) if value < 2 * high else ""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", length=0, pad=4)
    axes.tick_params(axis="x", which="both", length=0, labelsize=9)
    axes.grid(axis="x", color=GRID.light, linewidth=1)
    axes.set_axisbelow(True)
    axes.set_title(panel.title, loc="left", fontsize=10, color=SECOND.light)


def plane(path: Path, title: str, spots: Sequence[Spot], *, x: str, y: str, bottom: tuple[float, str]) -> None:
    """Draw trackers by two costs, the best at the lower left. `bottom` is where zero stands, and its word."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.6, 4.6), layout="constrained")
        figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold")
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.margins(x=0.14, y=0.12)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: bottom[1] if abs(value / bottom[0] - 1) < 1e-6 else short(value))
        )
        axes.minorticks_off()
        axes.tick_params(which="both", length=0, labelsize=9, labelcolor=SECOND.light)
        axes.grid(color=GRID.light, linewidth=1)
        axes.set_axisbelow(True)
        axes.set_xlabel(x, color=SECOND.light)
        axes.set_ylabel(y, color=SECOND.light)
        for spot in spots:
            axes.plot([spot.x], [spot.y], "o", color=_colour(spot.kind), markersize=9, fillstyle=_fill(spot.kind))
        axes.set_ylim(bottom[0] / 2.5, max(10 * bottom[0], *(spot.y for spot in spots)) * 2)
        figure.draw_without_rendering()  # positions are final now
        figure.set_layout_engine("none")
        _name(axes, spots)
        save(figure, path)


def _name(axes: Axes, spots: Sequence[Spot]) -> None:
    """Write the names beside their dots, each on the first side where it covers neither dot nor name."""
    dots = [axes.transData.transform((spot.x, spot.y)) for spot in spots]
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in dots]
    for spot in sorted(spots, key=lambda spot: spot.kind != "own"):
        for dx, dy, ha in _SIDES:
            text = axes.annotate(
                spot.name,
                (spot.x, spot.y),
                (dx, dy),
                textcoords="offset points",
                ha=ha,
                va="center",
                color=_colour(spot.kind) if spot.kind == "own" else SECOND.light,
                fontweight="bold" if spot.kind == "own" else "normal",
            )
            box = text.get_window_extent()
            inside = axes.bbox.x0 < box.x0 and box.x1 < axes.bbox.x1
            if inside and not any(box.overlaps(each) for each in taken):
                taken.append(box)
                break
            text.remove()


def course(path: Path, title: str, seconds: float, values: Sequence[float], *, unit: str, written: str) -> None:
    """Draw how a quantity went over a time."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9.6, 2.4), layout="constrained")
        figure.suptitle(title, x=0.012, ha="left", fontsize=12.5, fontweight="bold")
        axes = figure.subplots()
        minutes = [seconds / 60 * place / max(len(values) - 1, 1) for place in range(len(values))]
        axes.plot(minutes, values, color=_OWN.light, linewidth=1.8)
        axes.annotate(
            written, (minutes[-1], values[-1]), (0, 8), textcoords="offset points", ha="right", color=_OWN.light
        )
        axes.set_ylim(0, max(values) * 1.45)
        axes.margins(x=0.01)
        axes.tick_params(length=0, labelsize=9, labelcolor=SECOND.light)
        axes.grid(axis="y", color=GRID.light, linewidth=1)
        axes.set_xlabel("minutes", color=SECOND.light, fontsize=9)
        axes.set_ylabel(unit, color=SECOND.light, fontsize=9)
        save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG that follows the theme of who looks at it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(themed(buffer.getvalue()))


def themed(svg: str) -> str:
    """Put custom properties in the place of the colours, with their light values for who knows no properties."""
    for token in _TOKENS:
        svg = re.sub(token.light, f"var(--{token.name}, {token.light})", svg)
    svg = re.sub(r"('DejaVu Sans'(, )?)", r"system-ui, 'DejaVu Sans'\2", svg)
    light, dark = (":root{" + _properties(theme) + "}" for theme in ("light", "dark"))
    style = f"<style>{light}@media(prefers-color-scheme:dark){{{dark}}}</style>"
    lines = (line.rstrip() for line in re.sub(r"(<svg [^>]*>)", rf"\1\n{style}", svg, count=1).splitlines())
    return "\n".join(lines) + "\n"


def _properties(theme: str) -> str:
    return "".join(f"--{token.name}:{getattr(token, theme)};" for token in _TOKENS)


def short(value: float) -> str:
    """Write a number of an axis.

    >>> short(0.5), short(20.0), short(1500), short(1_000_000)
    ('0.5', '20', '1,500', '1 M')
    """
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"


def _colour(kind: str) -> str:
    colours: dict[str, Token] = {"own": _OWN, "peer": _PEER, "floor": _FLOOR}
    return colours[kind].light


def _fill(kind: str) -> str:
    return "none" if kind == "floor" else "full"
