"""A matplotlib figure as a piece of HTML: mpld3's drawing, or a picture where mpld3 can't."""

from __future__ import annotations

import base64
import functools
import hashlib
import html as markup
import io
import json
import re
from collections.abc import Mapping
from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from agnez.render import tokens
from agnez.render.assets import ADDRESS, D3, MPLD3
from agnez.render.spec import Unconvertible, figure_spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PIXELS_MOST = 4_000_000

_DRAWING = Template("""\
<style>
$css</style>
<div class="agnez-figure$kind" id="$id" role="figure" aria-label="$alt" style="background:$background"></div>
<script type="application/json" id="$id-spec">$spec</script>
<script src="$address$d3"></script>
<script src="$address$mpld3"></script>
<script>
$js
agnezFigure("$id", function (mpld3) {$extra_js
}, $lasting);
</script>
""")

_PICTURE = Template("""\
<style>
$css</style>
<figure class="agnez-picture">
<img src="data:image/png;base64,$png" alt="$alt" width="$width" height="$height">
<figcaption>$note</figcaption>
</figure>
""")


def figure_html(figure: Figure, *, themed: bool = False, artists: Mapping[str, Any] | None = None) -> str:
    """Draw a figure as HTML that holds its data once and loads its scripts from our server.

    A figure that mpld3 can't convert becomes a picture with a note. `themed` says that the figure is one of ours,
    whose colours follow the page's theme and whose size follows the frame; any other keeps its colours and its shape.
    `artists` maps the ids that the figure's mpld3 plugins use to the artists of this copy. Drawing settles a figure's
    layout: give a copy of what isn't yours.
    """
    try:
        drawn = figure_spec(figure, themed=themed, artists=artists or {})
    except Unconvertible as error:
        return figure_png_html(figure, note=str(error))
    except Exception as error:  # mpld3 meets artists that it doesn't know in many ways
        return figure_png_html(figure, note=f"mpld3 can't convert this figure ({type(error).__name__}: {error})")
    spec = script_json(drawn.spec)
    return _DRAWING.substitute(
        css=tokens.theme_css() + _resource("figure.css") + drawn.css.replace("</", "<\\/"),
        kind=" agnez-own" if themed else "",
        id="fig-" + hashlib.blake2s(spec.encode(), digest_size=8).hexdigest(),
        alt=markup.escape(_description(figure)),
        background="transparent" if themed else _background(figure),
        spec=spec,
        address=ADDRESS,
        d3=D3,
        mpld3=MPLD3,
        js=_resource("figure.js"),
        extra_js=drawn.javascript.replace("</", "<\\/"),
        lasting="false" if drawn.css.strip() or drawn.javascript.strip() else "true",
    )


def figure_parts(html: str) -> dict[str, Any] | None:
    """Return what makes a figure of `figure_html`, for the frame that shows an earlier one to draw it.

    It is its `spec` as mpld3 takes it, its `label`, its `background`, and whether it is one of our `own`. None where
    the HTML is another's, or the figure brings scripts or styles of its user's.

    >>> figure_parts("<b>hello</b>") is None
    True
    """
    found = _PARTS.fullmatch(html)
    if found is None:
        return None
    try:
        spec = json.loads(found["spec"])
    except ValueError:
        return None
    return {
        "spec": spec,
        "label": markup.unescape(found["label"]),
        "background": found["background"],
        "own": found["own"] is not None,
    }


_PARTS = re.compile(
    r"<style>\n.*</style>\n"
    r'<div class="agnez-figure(?P<own> agnez-own)?" id="(?P<id>fig-[0-9a-f]{16})" role="figure" '
    r'aria-label="(?P<label>[^"]*)" style="background:(?P<background>[#\w]+)"></div>\n'
    r'<script type="application/json" id="(?P=id)-spec">(?P<spec>[^<]*)</script>\n'
    r'.*\nagnezFigure\("(?P=id)", function \(mpld3\) \{\s*\}, true\);\n</script>\n?',
    re.DOTALL,
)


def figure_png_html(figure: Figure, *, note: str) -> str:
    """Draw a figure as a picture inside the HTML, with a note that says why it is one.

    The figure gets a canvas of its own: give a copy of what isn't yours.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    width, height = (float(side) for side in figure.get_size_inches())
    sharp = min(figure.dpi * 2, (_PIXELS_MOST / (width * height)) ** 0.5)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(buffer, format="png", dpi=sharp)
    return _PICTURE.substitute(
        css=tokens.theme_css() + _resource("figure.css"),
        png=base64.b64encode(buffer.getvalue()).decode("ascii"),
        alt=markup.escape(_description(figure)),
        width=round(width * figure.dpi),
        height=round(height * figure.dpi),
        note=markup.escape(f"A picture: {note}."),
    )


def script_json(value: Any) -> str:
    """Write JSON that is safe inside a script element.

    Copes with numpy's types; numbers that aren't finite become strings, which mpld3's scales take for gaps.

    >>> script_json({"a": [1.0, float("nan")], "t": "</script>"})
    '{"a":[1.0,"NaN"],"t":"\\\\u003c/script\\\\u003e"}'
    """
    try:
        text = _json(value)
    except (TypeError, ValueError):  # arrays, or numbers that aren't finite: rare, and to look for them takes long
        text = _json(_plain(value))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Turn what numpy made into what JSON knows."""
    if isinstance(value, float):
        return _number(float(value))
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # arrays and scalars of numpy
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset) or hasattr(value, "__iter__"):
        return [_plain(item) for item in value]
    return str(value)


def _number(value: float) -> float | str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _background(figure: Figure) -> str:
    from matplotlib.colors import to_hex

    return to_hex(figure.get_facecolor(), keep_alpha=True)


def _description(figure: Figure) -> str:
    titles = [str(figure.get_label()), *(text.get_text() for text in figure.texts)]
    titles += [ax.get_title() for ax in figure.axes]
    said = ", ".join(" ".join(title.split()) for title in titles if title)
    return f"Figure: {said}" if said else "Figure without a title"


@functools.cache
def _resource(name: str) -> str:
    return resources.files("agnez.render").joinpath(name).read_text(encoding="utf-8")
