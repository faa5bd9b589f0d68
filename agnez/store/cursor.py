"""How far a reader of a run has come: a place in each file of it, as a word that only this module understands."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agnez.errors import BadValueError

START = "0"
"""The cursor of who has read nothing."""

_CURSOR = re.compile(r"(\d{1,18})((?:,[\w.-]{1,80}=\d{1,18})*)", re.ASCII)


def write(places: Mapping[str, int]) -> str:
    """Write the number of the last call that was read of each file; the name of the run's own file is empty.

    >>> write({"": 12, "process-71-0a1b": 4})
    '12,process-71-0a1b=4'
    """
    others = sorted((name, place) for name, place in places.items() if name and place)
    return ",".join([str(places.get("", 0)), *(f"{name}={place}" for name, place in others)])


def read(cursor: str) -> dict[str, int]:
    """Read what `write` wrote.

    Raises:
        BadValueError: it is no cursor.

    >>> read("12,process-71-0a1b=4")
    {'': 12, 'process-71-0a1b': 4}
    """
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise BadValueError(f"{cursor[:100]!r} is no cursor: give one that came with points, or {START}")
    own, others = found.groups()
    places = {"": int(own)}
    for other in others.split(",")[1:]:
        name, _, place = other.rpartition("=")
        places[name] = int(place)
    return places


def distance(start: str, end: str) -> int:
    """Return how many calls lie between two cursors.

    >>> distance("2,process-71-0a1b=4", "12,process-71-0a1b=5")
    11
    """
    before = read(start)
    return sum(max(0, place - before.get(name, 0)) for name, place in read(end).items())
