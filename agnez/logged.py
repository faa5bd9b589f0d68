"""What `log` was given, sorted by kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from agnez.errors import BadValueError
from agnez.media import Image, Images, Media
from agnez.names import check_speakable
from agnez.render import is_figure
from agnez.scalars import Scalar, freeze

Loggable: TypeAlias = object
"""A number (Python's, NumPy's, a tensor of one element), a matplotlib Figure, media (`agnez.media.KINDS`, a list of
`Image`), or a mapping of names to these."""


@dataclass(slots=True)
class Logged:
    """Hold the values of one call by their full names: numbers frozen, all else as it was given."""

    numbers: dict[str, Scalar] = field(default_factory=dict)
    epochs: list[object] = field(default_factory=list)  # what the name `epoch` stands for: one at most
    figures: dict[str, object] = field(default_factory=dict)
    media: dict[str, Media] = field(default_factory=dict)


def sort(values: Mapping[str, Loggable]) -> Logged:
    """Sort values, and flatten nested mappings with `/`.

    Raises:
        BadValueError: one is of no kind that can be recorded, or a name is none.
    """
    found = Logged()
    try:
        _sort(values, "", found)
    except RecursionError:
        raise BadValueError("these values are nested without an end: log takes mappings of names to numbers") from None
    return found


def _sort(values: Mapping[str, Loggable], prefix: str, found: Logged) -> None:
    if not isinstance(values, Mapping):
        raise BadValueError(f"log takes a mapping of names to numbers, such as {{'loss': 0.5}}; this is {values!r}")
    for key, value in values.items():
        if not isinstance(key, str) or not key:
            raise BadValueError(f"{key!r} is no name for a metric: names are text")
        name = prefix + key
        if not name.isascii():
            check_speakable(name, "a metric's name")
        if type(value) is float:
            found.numbers[name] = value
        elif name == "epoch":
            found.epochs.append(value)
        elif isinstance(value, Mapping):
            _sort(value, f"{name}/", found)
        elif isinstance(value, Media):
            found.media[name] = value
        elif isinstance(value, list | tuple) and value and all(isinstance(each, Image) for each in value):
            found.media[name] = Images(value)
        else:
            _sort_other(name, value, found)


def _sort_other(name: str, value: Loggable, found: Logged) -> None:
    try:
        found.numbers[name] = freeze(name, value)
    except BadValueError:
        if not is_figure(value):
            raise
        found.figures[name] = value
