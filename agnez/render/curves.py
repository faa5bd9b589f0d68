"""Our own figures: curves of numbers, drawn with matplotlib in the page's colours.

Nothing here touches pyplot or rcParams, since it may run on a thread of the user's process: every property that
matters is set on the artist itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from agnez.errors import AgnezError
from agnez.render import tokens
from agnez.render.decimate import Floats, decimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

Role: TypeAlias = Literal["batch", "train", "val", "test", "other"]

# One point is one CSS pixel at this resolution, so that sizes mean the same to matplotlib and to the browser.
_DPI = 72
_WIDTH, _HEIGHT = 420, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 12, 30, 30
_EDGE = 2  # where title and legend begin
_LEGEND_ROW = 17
_LEGEND_ROWS = 2
_LEGEND_STEP = 15.5
_STROKE = 16.5
_STROKE_ROOM = 22.0
_COLUMN_GAP = 15.4
_LABEL_MOST = 16  # letters
_FONT = 11.0
_MARKS_MOST = 40
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True, slots=True)
class Line:
    """Give one line its points: `x` and `y` of one length; a non-finite `y` becomes a gap with a mark."""

    label: str
    x: Floats
    y: Floats
    role: Role = "other"


@dataclass(frozen=True, slots=True)
class Curves:
    """Describe one figure of ours; `percent` says that the values are shares, from 0 to 1."""

    title: str
    x_label: str
    lines: tuple[Line, ...]
    epoch: int | None = None
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Be the mpld3 plugin that shows all values at the pointer; its drawing is in `figure.js`."""

    properties: dict[str, Any]

    def get_dict(self) -> dict[str, Any]:
        """Give mpld3 what the plugin's script gets as its properties."""
        return {"type": "agnez-cursor", **self.properties}

    def javascript(self) -> str:
        """Give no script of its own."""
        return ""

    def css(self) -> str:
        """Give no style of its own."""
        return ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """Hold what the legend says of a line."""

    label: str
    value: str

    @property
    def text(self) -> str:
        """Join label and value; of a long label the end tells more than the beginning."""
        return f"{self.short}  {self.value}".rstrip()

    @property
    def short(self) -> str:
        """Cut the label to what a legend has room for."""
        return self.label if len(self.label) <= _LABEL_MOST else "…" + self.label[1 - _LABEL_MOST :]


@dataclass(frozen=True, slots=True)
class _Style:
    """Say how a line is drawn."""

    color: str
    dash: str
    width: float
    alpha: float
    zorder: float


def thin(curves: Curves) -> Curves:
    """Sort each line by x, make what isn't finite a gap, and keep at most 2,000 points of it."""
    return replace(curves, lines=tuple(_thin(line) for line in curves.lines))


def draw_curves(curves: Curves) -> Figure:
    """Draw a matplotlib figure, which belongs to no canvas of pyplot's."""
    from matplotlib.figure import Figure

    curves = thin(curves)
    entries = [_Entry(line.label, _last(line, curves.percent)) for line in curves.lines]
    columns = _legend_columns(entries, curves.x_label)
    rows = min(_LEGEND_ROWS, math.ceil(len(entries) / columns))
    figure = Figure(figsize=(_WIDTH / _DPI, (_HEIGHT + _LEGEND_ROW * rows) / _DPI), dpi=_DPI)
    figure.set_layout_engine("none")  # whatever the user's rcParams say
    ax = _add_axes(figure, _BOTTOM + _LEGEND_ROW * max(rows, 1))
    _dress(ax)
    artists = [_draw_line(ax, line, style) for line, style in zip(curves.lines, _styles(curves.lines), strict=True)]
    _set_scales(ax, curves)
    _mark_gaps(ax, curves.lines)
    title = _write_labels(ax, curves)
    values = _add_legend(ax, list(zip(entries, artists, strict=True)), columns) if len(entries) > 1 else []
    figure.set_label(_said(curves))
    _connect(figure, curves, artists, title, values)
    return figure


def _add_axes(figure: Figure, bottom: float) -> Axes:
    """Place the axes; `bottom` is the room below them, in points."""
    height = figure.get_figheight() * _DPI
    figure.patch.set_facecolor(tokens.PANEL.light)
    return figure.add_axes(
        (_LEFT / _WIDTH, bottom / height, 1 - (_LEFT + _RIGHT) / _WIDTH, 1 - (bottom + _TOP) / height)
    )


def _thin(line: Line) -> Line:
    x = np.asarray(line.x, dtype=np.float64).ravel()
    y = np.asarray(line.y, dtype=np.float64).ravel()
    if len(x) != len(y):
        raise AgnezError(f"the line {line.label} has {len(x)} x for {len(y)} y; give it one x for each y")
    placed = np.isfinite(x)
    x, y = x[placed], y[placed]
    if (np.diff(x) < 0).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    x, y = decimate(x, np.where(np.isfinite(y), y, np.nan))
    return replace(line, x=_place(x), y=_shorten(y))


def _place(x: Floats) -> Floats:
    """Round to a millionth of the range, which no screen can show; whole numbers stay as they are."""
    span = float(x[-1] - x[0]) if len(x) else 0.0
    return np.round(x, max(0, 6 - math.floor(math.log10(span)))) if 1e-9 < span < math.inf else x


def _shorten(y: Floats) -> Floats:
    """Round to seven significant digits: more than a tooltip shows, in half the bytes."""
    size = np.abs(y)
    usual = np.isfinite(size) & (size > 1e-30) & (size < 1e30)
    power = 10.0 ** (6 - np.floor(np.log10(np.where(usual, size, 1.0))))
    return np.where(usual, np.round(y * power) / power, y)


def _styles(lines: tuple[Line, ...]) -> list[_Style]:
    """Give each line its style: a role's first line has the role's colour, the next ones take those left."""
    first = {"train": 0, "val": 1, "test": 2}
    used = {first[line.role] for line in lines if line.role in first}
    spare = [index for index in range(len(tokens.SERIES)) if index not in used]
    seen: dict[Role, int] = {}
    others = 0
    styles = []
    for line in lines:
        nth = seen[line.role] = seen.get(line.role, -1) + 1
        if line.role in first and nth == 0:
            index, turn = first[line.role], 0
        elif line.role == "batch":
            index, turn = nth % len(tokens.SERIES), 0
        else:
            cycle = spare or list(range(len(tokens.SERIES)))
            index, turn = cycle[others % len(cycle)], others // len(cycle)
            others += 1
        styles.append(_style(line.role, tokens.SERIES[index].light, turn))
    return styles


def _style(role: Role, color: str, turn: int) -> _Style:
    if role == "batch":
        return _Style(color, "-", 0.9, 0.25, 2.0)
    dash = {"val": "--", "test": "-."}.get(role, _DASHES[turn % len(_DASHES)])
    return _Style(color, dash, 1.75, 1.0, 4.0 if role == "val" else 3.0)


def _dress(ax: Axes) -> None:
    """Clear the axes of everything but hairlines and the ticks' labels."""
    for spine in ax.spines.values():
        spine.set_visible(False)
        spine.set_edgecolor(tokens.LINE.light)
    ax.patch.set_facecolor(tokens.PANEL.light)
    ax.patch.set_alpha(0.0)
    ax.set_axisbelow(True)
    ax.minorticks_off()
    ax.grid(visible=False)
    ax.yaxis.grid(visible=True, color=tokens.GRID.light, linewidth=1.0, linestyle="-", alpha=1.0)
    for axis in ("x", "y"):
        ax.tick_params(axis=axis, which="both", length=0, labelsize=10, labelcolor=tokens.SECOND.light, pad=6)
    ax.tick_params(axis="x", bottom=True, top=False, labelbottom=True, labeltop=False, labelrotation=0)
    ax.tick_params(axis="y", left=True, right=False, labelleft=True, labelright=False, labelrotation=0)


def _draw_line(ax: Axes, line: Line, style: _Style) -> Line2D:
    (artist,) = ax.plot(
        line.x,
        line.y,
        color=style.color,
        linestyle=style.dash,
        linewidth=style.width,
        alpha=style.alpha,
        zorder=style.zorder,
        marker="",
        label=line.label,
        drawstyle="default",
    )
    finite = np.flatnonzero(np.isfinite(line.y))
    if len(finite) and line.role != "batch":
        head = finite[-1]
        ax.plot(
            line.x[head : head + 1],
            line.y[head : head + 1],
            linestyle="none",
            marker="o",
            markersize=6.0,
            color=style.color,
            markeredgecolor=tokens.PANEL.light,
            markeredgewidth=1.5,
            zorder=5,
            label="_head",
        )
    return artist


def _set_scales(ax: Axes, curves: Curves) -> None:
    """End both axes on round numbers, so that they change in steps while the curves grow."""
    from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter, ScalarFormatter

    x = np.concatenate([np.empty(0), *(line.x for line in curves.lines)])
    y = np.concatenate([np.empty(0), *(line.y for line in curves.lines)])
    y = y[np.isfinite(y)]
    steps = [1, 2, 5, 10]
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=steps, integer=curves.x_label in ("epoch", "step"), min_n_ticks=1))
    plain = {"useOffset": False, "useMathText": False, "useLocale": False}
    ax.xaxis.set_major_formatter(ScalarFormatter(**plain))
    ax.yaxis.set_major_formatter(
        PercentFormatter(xmax=1.0, symbol=" %") if curves.percent else ScalarFormatter(**plain)
    )
    left, right = (float(x.min()), float(x.max())) if len(x) else (0.0, 1.0)
    low, high = (float(y.min()), float(y.max())) if len(y) else (0.0, 1.0)
    ax.set_xlim(_spread(left, right))
    bottom, top, step = _round_out(low, high, floor=0.0 if low >= 0 else None, ceiling=1.0 if curves.percent else None)
    ax.set_ylim(bottom, top)
    ax.yaxis.set_major_locator(MultipleLocator(step))


def _spread(low: float, high: float) -> tuple[float, float]:
    """Leave room for the dots at a line's ends; a line that begins at zero begins at the edge."""
    if low == high:
        return low - 0.5, high + 0.5
    by = (high - low) * 0.02
    return (low if low == 0 else low - by), high + by


def _round_out(low: float, high: float, *, floor: float | None, ceiling: float | None) -> tuple[float, float, float]:
    """Widen a range to the ticks around it, but not past a floor or a ceiling that the numbers respect.

    Give its two ends and the distance of its ticks.
    """
    from matplotlib.ticker import MaxNLocator

    least = abs(high) * 0.1 or 1.0
    if high - low < abs(high) * 1e-9:
        low, high = low - least, high + least
    by = (high - low) * 0.04
    bottom = low - by if floor is None else max(low - by, floor)
    top = high + by if ceiling is None or high > ceiling else min(high + by, ceiling)
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(bottom, top)
    bottom, top = float(ticks[0]), float(ticks[-1])
    room = (top - bottom) * 0.02  # for half a line's width at either end
    return bottom - room, top + room, float(ticks[1] - ticks[0])


def _mark_gaps(ax: Axes, lines: tuple[Line, ...]) -> None:
    """Put a cross on the floor of the axes where a number wasn't finite."""
    gaps = np.unique(np.concatenate([np.empty(0), *(line.x[np.isnan(line.y)] for line in lines)]))
    if not len(gaps):
        return
    gaps = gaps[:: -(-len(gaps) // _MARKS_MOST)]
    floor, top = ax.get_ylim()
    ax.plot(
        gaps,
        np.full(len(gaps), floor + 0.04 * (top - floor)),
        linestyle="none",
        marker="x",
        markersize=6.0,
        markeredgewidth=1.75,
        color=tokens.ERROR.light,
        zorder=6,
        label="_not finite",
    )


def _said(curves: Curves) -> str:
    return curves.title if curves.epoch is None else f"{curves.title} · epoch {curves.epoch}"


def _write_labels(ax: Axes, curves: Curves) -> Text:
    """Write the title above the axes and the name of x below them; give the title's text."""
    width, height = _size(ax)
    title = _add_text(
        ax,
        _said(curves),
        ((_EDGE - _LEFT) / width, 1 + 13 / height),
        fontsize=13,
        fontweight="bold",
        color=tokens.INK.light,
    )
    place = (1.0, -(_BOTTOM + 5) / height)
    _add_text(ax, curves.x_label, place, color=tokens.SECOND.light, ha="right", va="center")
    return title


def _size(ax: Axes) -> tuple[float, float]:
    """Tell width and height of the axes in points."""
    box = ax.bbox
    return float(box.width), float(box.height)


def _last(line: Line, percent: bool) -> str:
    """Write a line's last value, for the legend; nothing for batches, whose noise says little."""
    if not len(line.y) or line.role == "batch":
        return ""
    value = float(line.y[-1])
    if not math.isfinite(value):
        return "NaN"
    return f"{value * 100:.1f} %" if percent else f"{value:.3g}"


def _legend_columns(entries: list[_Entry], x_label: str) -> int:
    """Tell how many columns of the longest entry fit beside the name of x."""
    longest = max((len(entry.text) for entry in entries), default=1)
    room = _WIDTH - 24 - 6.2 * len(x_label)
    return max(1, min(len(entries), int(room // (longest * 6.0 + 34))))


def _add_legend(ax: Axes, entries: list[tuple[_Entry, Line2D]], columns: int) -> list[tuple[Text, str, str]]:
    """Name the lines, as many as have room; give each text with its label and its value, which the page makes bold.

    These are plain strokes and texts: matplotlib's own legend finds its place only by drawing the whole figure, which
    takes longer than all the rest.
    """
    room = columns * _LEGEND_ROWS
    shown = entries if len(entries) <= room else entries[: max(1, room - 1)]
    labels = [entry.text for entry, _ in shown]
    if len(shown) < len(entries):
        labels.append(f"and {len(entries) - len(shown)} more")
    texts = _legend_texts(ax, labels, columns)
    for (_, artist), text in zip(shown, texts, strict=False):
        _add_stroke(ax, artist, text)
    return [(text, entry.short, entry.value) for text, (entry, _) in zip(texts, shown, strict=False)]


def _legend_texts(ax: Axes, labels: list[str], columns: int) -> list[Text]:
    """Write labels below the axes, down each column in turn; a column is as wide as its longest label."""
    from matplotlib.backends.backend_agg import RendererAgg

    width, height = _size(ax)
    ruler = RendererAgg(1, 1, _DPI)  # type: ignore[no-untyped-call]  # matplotlib does not annotate it
    texts: list[Text] = []
    x = float(_EDGE - _LEFT + _STROKE_ROOM)
    for column in np.array_split(np.array(labels), columns):
        added = [
            _add_text(ax, label, (x / width, -(_BOTTOM + 9 + row * _LEGEND_STEP) / height), color=tokens.SECOND.light)
            for row, label in enumerate(column.tolist())
        ]
        x += max((text.get_window_extent(ruler).width for text in added), default=0.0) + _COLUMN_GAP + _STROKE_ROOM
        texts += added
    return texts


def _add_stroke(ax: Axes, artist: Line2D, text: Text) -> None:
    """Draw a short piece of a line before its name."""
    from matplotlib.lines import Line2D

    width, height = _size(ax)
    x, y = text.get_position()
    left, middle = x - _STROKE_ROOM / width, y + 3.85 / height
    stroke = Line2D(
        [left, left + _STROKE / width],
        [middle, middle],
        transform=ax.transAxes,
        color=artist.get_color(),
        linestyle=artist.get_linestyle(),
        linewidth=artist.get_linewidth(),
        alpha=max(0.5, artist.get_alpha() or 1.0),  # a batch's short stroke would be too faint
        marker="",
        drawstyle="default",
        clip_on=False,
        zorder=7,
        label="_legend",
    )
    ax.add_line(stroke)


def _add_text(ax: Axes, text: str, place: tuple[float, float], **style: Any) -> Text:
    """Write a text at a place in shares of the axes; nothing in it is a formula, whatever the user's rcParams say."""
    plain: dict[str, Any] = {"fontsize": _FONT, "ha": "left", "va": "baseline", "parse_math": False, "usetex": False}
    return ax.text(*place, text, transform=ax.transAxes, **(plain | style))


def _connect(
    figure: Figure, curves: Curves, artists: list[Line2D], title: Text, values: list[tuple[Text, str, str]]
) -> None:
    """Give the figure mpld3's zoom buttons and our cursor."""
    from mpld3 import plugins
    from mpld3.utils import get_id

    cursor = Cursor(
        {
            "ids": [get_id(artist) for artist in artists],
            "labels": [line.label for line in curves.lines],
            "title": get_id(title),
            "values": [[get_id(text), label, value] for text, label, value in values],
            "xlabel": curves.x_label,
            "percent": curves.percent,
        }
    )
    plugins.connect(figure, cursor)
