"""The dashboard as a frame in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class InlineFrame:
    """Show a dashboard's address in a notebook, `height` pixels high."""

    url: str
    height: int = 720

    def _repr_html_(self) -> str:
        from jinja2 import Environment

        template = files("agnez.templates").joinpath("notebook.html").read_text("utf-8")
        page = Environment(autoescape=True).from_string(template)
        return page.render(url=self.url, height=self.height, label="Agnez dashboard")
