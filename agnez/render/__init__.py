"""Figures as interactive HTML: ours from numbers, and any matplotlib figure of the user's.

Importing this package is cheap: matplotlib and mpld3 are imported when the first figure is drawn.
"""

from __future__ import annotations

from agnez.render.assets import asset_path, inlined, localise, relative
from agnez.render.curves import Curves, Line, Role
from agnez.render.freeze import FrozenFigure, freeze, is_figure
from agnez.render.html import figure_html, figure_parts, figure_png_html
from agnez.render.jobs import Job, Source, render_job
from agnez.render.renderer import Mode, Renderer, Result

__all__ = [
    "Curves",
    "FrozenFigure",
    "Job",
    "Line",
    "Mode",
    "Renderer",
    "Result",
    "Role",
    "Source",
    "asset_path",
    "figure_html",
    "figure_parts",
    "figure_png_html",
    "freeze",
    "inlined",
    "is_figure",
    "localise",
    "relative",
    "render_job",
]
