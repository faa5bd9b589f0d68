"""The conditions of a query as SQL over a column of JSON: true, false, or NULL where only Python can tell.

NULL is SQL's own third value: NOT, AND and OR carry it as they must. Python tells where an array is on the way (it
stands for each of its elements), where two floats nearly agree (SQLite does not read the last digit as Python does),
where a text holds NUL, and wherever else there is doubt. What SQL says it knows is what `agnez.query` says too.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from agnez.query import Text, array_of, meant_number, operators_of
from agnez.record import Json

HAS_JSON = sqlite3.sqlite_version_info >= (3, 38)
"""Whether this SQLite surely knows JSON, and the operator that gives a part of it as it is written."""

UNSURE = "NULL"
_MOST_TESTS = 100
_DEEPEST_PATH = 3
_PLAIN_KEY = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]+')
_COMPARISONS = {"$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}


@dataclass(frozen=True, slots=True)
class Condition:
    """Hold an SQL expression and its named parameters."""

    sql: str
    parameters: Mapping[str, str | int | float]


def condition(filters: Mapping[str, Json], *, unknown: Collection[str] = ()) -> Condition:
    """Return the conditions of a query over a table with the columns `id` and `body`, a JSON object.

    `unknown` are fields of the record that the body does not hold, or not as it is told.

    >>> condition({"_id": "a"}).sql
    '(((id = :p0)))'
    """
    builder = _Builder(frozenset(unknown))
    sql = builder.all_of(filters) if HAS_JSON else UNSURE
    if builder.tests > _MOST_TESTS:  # SQLite bounds the depth of an expression
        return Condition(UNSURE, {})
    if builder.reads_body:
        sql = rf"CASE WHEN instr(body, '\u0000') THEN NULL ELSE {sql} END"
    return Condition(sql, builder.parameters)


def part(name: str) -> str | None:
    """Return SQL for a field of the body as it is written there, NULL where it is missing; None: it has none."""
    if not HAS_JSON or not _PLAIN_KEY.fullmatch(name) or "'" in name:
        return None
    return f"""(body -> '$."{name}"')"""


class _Builder:
    def __init__(self, unknown: frozenset[str]) -> None:
        self.parameters: dict[str, str | int | float] = {}
        self.tests = 0
        self.reads_body = False
        self._unknown = unknown

    def all_of(self, fields: Mapping[str, Json]) -> str:
        return self._joined(" AND ", [self._condition(name, value) for name, value in fields.items()], "1")

    def _any_of(self, fields: Sequence[Json]) -> str:
        return self._joined(" OR ", [self.all_of(each) for each in fields if isinstance(each, Mapping)], "0")

    def _joined(self, word: str, terms: list[str], of_none: str) -> str:
        return f"({word.join(terms)})" if terms else of_none

    def _condition(self, name: str, value: Json) -> str:
        if name == "$or":
            return self._any_of(array_of(value) or ())
        if name == "$and":
            branches = [self.all_of(each) for each in array_of(value) or () if isinstance(each, Mapping)]
            return self._joined(" AND ", branches, "1")
        tests = [self._test(name, operator, operand) for operator, operand in operators_of(value)]
        return self._joined(" AND ", tests, "1")

    def _test(self, name: str, operator: str, operand: Json) -> str:
        if operator == "$ne":
            return f"NOT {self._test(name, '$eq', operand)}"
        if operator == "$nin":
            return f"NOT {self._test(name, '$in', operand)}"
        if operator == "$in":
            choices = array_of(operand) or ()
            return self._joined(" OR ", [self._test(name, "$eq", choice) for choice in choices], "0")
        self.tests += 1
        if self.tests > _MOST_TESTS:
            return UNSURE
        if name == "_id":
            return self._of_text("id", operator, operand)
        path = name.split(".")
        if path[0] in self._unknown or path[0] == "_id" or len(path) > _DEEPEST_PATH:
            return UNSURE
        if not all(map(_PLAIN_KEY.fullmatch, path)):
            return UNSURE
        self.reads_body = True
        missing = "1" if operator == "$eq" and operand is None else "0"
        return self._at("$", path, lambda place: self._of_place(place, operator, operand), missing)

    def _at(self, place: str, path: Sequence[str], leaf: Callable[[str], str], missing: str) -> str:
        """Follow a path as `agnez.query` does: a key may hold dots itself, and the shortest wins."""
        cases = []
        for end in range(1, len(path) + 1):
            here = f'{place}."{".".join(path[:end])}"'
            kind = self._kind(here)
            inner = (
                leaf(here)
                if end == len(path)
                else f"CASE {kind} WHEN 'object' THEN {self._at(here, path[end:], leaf, missing)} "
                f"WHEN 'array' THEN NULL ELSE {missing} END"
            )
            cases.append(f"WHEN {kind} IS NOT NULL THEN {inner}")
        return f"CASE {' '.join(cases)} ELSE {missing} END"

    def _of_place(self, place: str, operator: str, operand: Json) -> str:
        """Return the test of a value that is there."""
        kind, value = self._kind(place), f"json_extract(body, {self._bind(place)})"
        if isinstance(operand, Mapping | list):
            return f"CASE WHEN {kind} IN ('object', 'array') THEN NULL ELSE 0 END" if operator == "$eq" else "0"
        cases = {
            "'null'": self._of_null(operator, operand),
            "'true'": _of_truth(True, operator, operand),
            "'false'": _of_truth(False, operator, operand),
            "'integer'": self._of_number(value, operator, operand),
            "'text'": self._of_text(value, operator, operand),
            "'array'": UNSURE,
        }
        cases["'real'"] = cases["'integer'"]
        told = " ".join(f"WHEN {kind} THEN {test}" for kind, test in cases.items() if test != "0")
        return f"CASE {kind} {told} ELSE 0 END"

    def _of_null(self, operator: str, operand: Json) -> str:
        asked = operand is None or (isinstance(operand, Text) and operand in ("", "null"))
        return "1" if asked and operator == "$eq" else "0"

    def _of_number(self, value: str, operator: str, operand: Json) -> str:
        asked = meant_number(operand) if isinstance(operand, Text) else operand
        if isinstance(asked, bool) or not isinstance(asked, int | float):
            return "0"
        if isinstance(asked, int) and not -(2**63) <= asked < 2**63:
            return UNSURE
        bound = self._bind(asked)
        exact = f"{value} {_COMPARISONS.get(operator, '=')} {bound}"
        doubt = 1e-9 * abs(float(asked)) + 1e-300
        nearly = f"{value} BETWEEN {self._bind(asked - doubt)} AND {self._bind(asked + doubt)}"
        return f"CASE WHEN typeof({value}) = 'integer' THEN {exact} WHEN {nearly} THEN NULL ELSE {exact} END"

    def _of_text(self, value: str, operator: str, operand: Json) -> str:
        if not isinstance(operand, str):
            return "0"
        try:
            operand.encode()
        except UnicodeEncodeError:  # half a character, which no stored text has
            return UNSURE
        return f"({value} {_COMPARISONS.get(operator, '=')} {self._bind(str(operand))})"

    def _kind(self, place: str) -> str:
        return f"json_type(body, {self._bind(place)})"

    def _bind(self, value: str | int | float) -> str:
        for name, known in self.parameters.items():
            if type(known) is type(value) and known == value:
                return f":{name}"
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"


def _of_truth(stored: bool, operator: str, operand: Json) -> str:
    asked = {"true": True, "false": False}.get(operand) if isinstance(operand, Text) else operand
    if not isinstance(asked, bool):
        return "0"
    order = (stored > asked) - (stored < asked)
    good = {"$eq": order == 0, "$lt": order < 0, "$lte": order <= 0, "$gt": order > 0, "$gte": order >= 0}
    return "1" if good[operator] else "0"
