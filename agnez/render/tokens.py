"""The colours of the page, each with its light and its dark value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Token:
    """Name a colour by its role: CSS knows it as `--agnez-<name>`, matplotlib draws with its light value."""

    name: str
    light: str
    dark: str

    @property
    def variable(self) -> str:
        """Give the CSS expression that stands for this colour in either theme."""
        return f"var(--agnez-{self.name})"


PANEL = Token("panel", "#ffffff", "#1a1d22")
INK = Token("ink", "#1d2025", "#e8e9eb")
SECOND = Token("second", "#5c626c", "#a3aab4")
THIRD = Token("third", "#9299a3", "#6d7580")
LINE = Token("line", "#e4e2dc", "#2a2e35")
GRID = Token("grid", "#efede8", "#23272d")
ERROR = Token("error", "#b42318", "#f0766a")

SERIES = (
    Token("series-1", "#0f766e", "#4fc3b4"),
    Token("series-2", "#d9603b", "#f08a66"),
    Token("series-3", "#4f5bd5", "#8d97ff"),
    Token("series-4", "#b8860b", "#e0b94c"),
    Token("series-5", "#712572", "#b981c7"),
    Token("series-6", "#3d8bbd", "#aadaf8"),
)

TOKENS = (PANEL, INK, SECOND, THIRD, LINE, GRID, ERROR, *SERIES)


def theme_css() -> str:
    """Write the custom properties of both themes; the document's `data-theme="dark"` chooses the second."""
    light = "".join(f"--agnez-{token.name}:{token.light};" for token in TOKENS)
    dark = "".join(f"--agnez-{token.name}:{token.dark};" for token in TOKENS)
    return f":root{{{light}}}\n:root[data-theme=dark]{{{dark}}}\n"
