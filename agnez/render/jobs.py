"""A job of the renderer, and how it is done: the same in the helper process and on a thread."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from agnez.render.curves import Curves, draw_curves
from agnez.render.freeze import FrozenFigure, thaw
from agnez.render.html import figure_html


class Source(Protocol):
    """Read the numbers of a figure where it is drawn, which may be a process that doesn't know the user's script."""

    @property
    def epoch(self) -> int | None:
        """Tell the epoch that the figure shows."""

    def __call__(self) -> Curves:
        """Read the numbers."""


Job: TypeAlias = Curves | FrozenFigure | Source


class ThawError(Exception):
    """Report a figure that this process can't unpickle, while the one that froze it can."""


def render_job(job: Job) -> str:
    """Draw a job's figure as HTML.

    Raises:
        ThawError: a class of the user's figure can't be found in this process.
    """
    if not isinstance(job, FrozenFigure):
        return figure_html(draw_curves(job if isinstance(job, Curves) else job()), themed=True)
    try:
        thawed = thaw(job.data)
    except Exception as error:  # unpickling runs constructors of the user's classes, which may raise anything
        raise ThawError(f"{type(error).__name__}: {error}") from error
    return figure_html(thawed.figure, artists=thawed.artists)
