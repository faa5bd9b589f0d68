"""The query language of services and stores: which records, in which order, and what of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from agnez.errors import BadValueError
from agnez.record import Json

Record: TypeAlias = dict[str, Json]
T = TypeVar("T")
Test: TypeAlias = Callable[[Record], bool]

DEPTH = 32
"""Levels of objects and arrays that a query may have."""

MOST = 10_000
"""Parts, between one & and the next, that the query of an address may have."""

_MOST_COUNT = 2**61
"""What stands for any greater $limit or $skip: their sum is one that SQL knows."""

_NUMBER = re.compile(r"-?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?")


class Text(str):
    """Mark text of an address: it may mean a number, true, false or null, as the value it is compared with tells."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Hold a query that was read: `matches` tests a record; `limit` None means all; `select` None means whole records.

    `pinned` holds the fields that must equal one string, so that a service can read less. `filters` is what `matches`
    was made of, for who finds another way to the same answer.
    """

    matches: Test
    sort: tuple[tuple[str, int], ...]
    limit: int | None
    skip: int
    select: tuple[str, ...] | None
    pinned: Mapping[str, str]
    filters: Mapping[str, Json]

    def sorted(self, records: Iterable[Record]) -> list[Record]:
        """Return the records that match, in the order asked for; ties keep the order they came in."""
        return self.ordered(filter(self.matches, records), lambda record: record)

    def ordered(self, things: Iterable[T], record: Callable[[T], Record]) -> list[T]:
        """Return things in the order asked for of their records; ties keep the order they came in."""
        found = list(things)
        for path, direction in reversed(self.sort):
            found.sort(key=lambda each: _rank(record(each), path), reverse=direction < 0)
        return found

    def asks_of(self, field: str) -> bool:
        """Tell whether its conditions or its order may look at a field."""
        return any(path.partition(".")[0] == field for path, _ in self.sort) or _asks_of(self.filters, field)

    def selects(self, field: str) -> bool:
        """Tell whether a field, or a part of it, is in the answer."""
        return self.select is None or any(path.partition(".")[0] == field for path in self.select)

    def picked(self, records: Iterable[Record]) -> list[Record]:
        """Return of the records that match, in their order, those that `$skip` and `$limit` leave."""
        end = None if self.limit is None else self.skip + self.limit
        return self.sorted(records)[self.skip : end]

    def within(self, name: str, value: str) -> Query:
        """Return the query narrowed to the records that have one text in a field."""
        filters: dict[str, Json] = {"$and": [{name: value}, self.filters]}
        return replace(self, matches=_all_of(filters), pinned={**self.pinned, name: value}, filters=filters)

    def trimmed(self, record: Record) -> Record:
        """Return what `$select` asks for of a record, and its `_id`."""
        if self.select is None:
            return record
        trimmed: Record = {}
        for path in self.select:
            _copy(record, path.split("."), trimmed)
        return trimmed | {"_id": record["_id"]}


def read(raw: Json) -> Query:
    """Read a query that came as JSON; None is the empty one.

    Raises:
        BadValueError: it is no object, too deep, or asks for something that there is not.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise BadValueError("A query is an object")
    _check(raw)
    fields = dict(raw)
    limit, skip = fields.pop("$limit", None), fields.pop("$skip", 0)
    sort, select = fields.pop("$sort", None), fields.pop("$select", None)
    return Query(
        matches=_all_of(fields),
        sort=_sort(sort),
        limit=None if limit is None else _count("$limit", limit),
        skip=_count("$skip", skip),
        select=_select(select),
        pinned={name: str(value) for name, value in fields.items() if isinstance(value, str)},
        filters=fields,
    )


def read_text(text: str) -> Query:
    """Read the query of an address, written as the `qs` of JavaScript writes it.

    Raises:
        BadValueError: as `read`.

    >>> read_text("pos[$gt]=1").matches({"_id": "a", "pos": 2})
    True
    """
    import qs_codec  # 40 ms that only a server takes

    if text.count("&") >= MOST:
        raise BadValueError(f"A query may have {MOST} parts, not more")
    # A greater number in brackets is the name of a field, as in JavaScript's qs.
    reader = qs_codec.DecodeOptions(depth=DEPTH, strict_depth=True, list_limit=MOST, parameter_limit=MOST)
    try:
        raw = qs_codec.decode(text, reader) if text else {}
    except IndexError as error:
        raise BadValueError(f"A query may have {DEPTH} levels, not more") from error
    except ValueError as error:
        raise BadValueError(f"This query cannot be read: {error}") from error
    return read(_marked(raw))


def _marked(raw: Json) -> Json:
    if isinstance(raw, Mapping):
        return {str(key): _marked(value) for key, value in raw.items()}
    if isinstance(raw, str):
        return Text(raw)
    return [_marked(each) for each in raw] if isinstance(raw, Sequence) else raw


def _check(raw: Json) -> None:
    """Refuse what is too deep or not JSON; without recursion, so that nothing is too deep for the check itself."""
    level: list[Json] = [raw]
    for _ in range(DEPTH):
        deeper: list[Json] = []
        for value in level:
            if isinstance(value, Mapping):
                deeper.extend(value.values())
            elif isinstance(value, list):
                deeper.extend(value)
            elif not (value is None or isinstance(value, str | int | float)):
                raise BadValueError("A query is made of JSON")
        if not deeper:
            return
        level = deeper
    if any(isinstance(value, Mapping | list) for value in level):
        raise BadValueError(f"A query may have {DEPTH} levels, not more")


# --- conditions ------------------------------------------------------------------------------------------------------


def _all_of(fields: Mapping[str, Json]) -> Test:
    tests = [_condition(name, value) for name, value in fields.items()]
    return lambda record: all(test(record) for test in tests)


def _any_of(branches: Iterable[Mapping[str, Json]]) -> Test:
    tests = [_all_of(branch) for branch in branches]
    return lambda record: any(test(record) for test in tests)


def _asks_of(filters: Mapping[str, Json], field: str) -> bool:
    for name, value in filters.items():
        if name in ("$or", "$and"):
            if any(_asks_of(branch, field) for branch in _branches(name, value)):
                return True
        elif name.partition(".")[0] == field:
            return True
    return False


def _condition(name: str, value: Json) -> Test:
    if name == "$or":
        return _any_of(_branches(name, value))
    if name == "$and":
        tests = [_all_of(branch) for branch in _branches(name, value)]
        return lambda record: all(test(record) for test in tests)
    if name.startswith("$"):
        raise _unknown(name)
    path = name.split(".")
    tests_of_field = [_OPERATORS[operator](operand) for operator, operand in operators_of(value)]
    return lambda record: all(test(_values(record, path)) for test in tests_of_field)


def _branches(name: str, value: Json) -> list[Mapping[str, Json]]:
    branches = array_of(value)
    if branches is None or not all(isinstance(branch, Mapping) for branch in branches):
        raise BadValueError(f"{name} takes an array of queries")
    return [branch for branch in branches if isinstance(branch, Mapping)]


def operators_of(value: Json) -> list[tuple[str, Json]]:
    """Return the operators that a field is tested by, each with its operand; `$eq` stands for plain equality."""
    if not isinstance(value, Mapping) or not any(key.startswith("$") for key in value):
        _refuse_operators(value)
        return [("$eq", value)]
    for key in value:
        if key not in _ASKABLE:
            raise _unknown(key)
    return list(value.items())


def _refuse_operators(value: Json) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key.startswith("$"):
                raise _unknown(key)
            _refuse_operators(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_operators(inner)


def _unknown(name: str) -> BadValueError:
    return BadValueError(f"Invalid query parameter {name}")


# --- operators: each takes its operand, and gives a test of the values at a path (none: the field is missing) --------

Values: TypeAlias = list[Json]
ValuesTest: TypeAlias = Callable[[Values], bool]


def _equal_to(operand: Json) -> ValuesTest:
    def test(values: Values) -> bool:
        return any(_same(value, operand) for value in values) if values else operand is None

    return test


def _one_of(operand: Json) -> ValuesTest:
    choices = array_of(operand)
    if choices is None:
        raise BadValueError("$in and $nin take an array")
    _refuse_operators(choices)
    tests = [_equal_to(choice) for choice in choices]
    return lambda values: any(test(values) for test in tests)


def _not(make: Callable[[Json], ValuesTest]) -> Callable[[Json], ValuesTest]:
    def negated(operand: Json) -> ValuesTest:
        test = make(operand)
        return lambda values: not test(values)

    return negated


def _ordered(accept: Callable[[int], bool]) -> Callable[[Json], ValuesTest]:
    def make(operand: Json) -> ValuesTest:
        def fits(value: Json) -> bool:
            order = _compare(value, operand)
            return order is not None and accept(order)

        return lambda values: any(fits(value) for value in values)

    return make


_OPERATORS: Mapping[str, Callable[[Json], ValuesTest]] = {
    "$eq": _equal_to,
    "$ne": _not(_equal_to),
    "$in": _one_of,
    "$nin": _not(_one_of),
    "$lt": _ordered(lambda order: order < 0),
    "$lte": _ordered(lambda order: order <= 0),
    "$gt": _ordered(lambda order: order > 0),
    "$gte": _ordered(lambda order: order >= 0),
}
_ASKABLE = _OPERATORS.keys() - {"$eq"}


# --- values ----------------------------------------------------------------------------------------------------------


def _values(value: Json, path: Sequence[str]) -> Values:
    """Return what a path leads to: arrays stand for themselves and for each of their elements."""
    if not path:
        return [value, *value] if isinstance(value, list) else [value]
    if isinstance(value, Mapping):
        return _values_of_key(value, path)
    if isinstance(value, list):
        found = [each for inner in value if isinstance(inner, Mapping) for each in _values(inner, path)]
        if path[0].isdecimal() and len(path[0]) < 10 and int(path[0]) < len(value):
            found += _values(value[int(path[0])], path[1:])
        return found
    return []


def _values_of_key(value: Mapping[str, Json], path: Sequence[str]) -> Values:
    """Follow a path into an object; a key may hold dots itself: {"optimizer.lr": 0.1}. The shortest wins."""
    for end in range(1, len(path) + 1):
        key = ".".join(path[:end])
        if key in value:
            return _values(value[key], path[end:])
    return []


_KINDS: Mapping[type, int] = {type(None): 0, int: 1, float: 1, str: 2, Text: 2, bool: 3, list: 4, dict: 5}


def _kind(value: object) -> int:
    return _KINDS.get(type(value), 6)


def _same(stored: Json, asked: Json) -> bool:
    asked = _meant(asked, stored)
    if isinstance(stored, Mapping) and isinstance(asked, Mapping):
        return stored.keys() == asked.keys() and all(_same(stored[key], asked[key]) for key in stored)
    if isinstance(stored, list) and isinstance(asked, list):
        return len(stored) == len(asked) and all(map(_same, stored, asked))
    return _kind(stored) == _kind(asked) and stored == asked


def _compare(stored: Json, asked: Json) -> int | None:
    """Return -1, 0 or 1 as stored is less, equal or greater; None where the two have no order."""
    asked = _meant(asked, stored)
    kind = _kind(stored)
    if kind not in (1, 2, 3) or kind != _kind(asked):
        return None
    left: float = stored  # type: ignore[assignment]  # or text, or truth: of one kind, which is all that < asks
    right: float = asked  # type: ignore[assignment]
    if left == right:
        return 0
    return (left > right) - (left < right) or None  # a NaN has no order


def _meant(asked: Json, stored: Json) -> Json:
    """Return what text of an address means beside a stored value."""
    if not isinstance(asked, Text):
        return asked
    if isinstance(stored, bool):
        return {"true": True, "false": False}.get(asked, asked)
    if isinstance(stored, int | float):
        return meant_number(asked)
    if stored is None and asked in ("", "null"):
        return None
    return asked


def meant_number(text: str) -> int | float | str:
    """Return the number that text of an address means beside a number; the text itself where it means none."""
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def array_of(value: Json) -> list[Json] | None:
    """Return an array; a lone text of an address is an array of one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, Text) else None


# --- $limit, $skip, $sort, $select -----------------------------------------------------------------------------------


def _count(name: str, value: Json) -> int:
    number = meant_number(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number // 1 or number < 0:
        raise BadValueError(f"{name} takes a number from 0")
    return min(int(number), _MOST_COUNT)


def _sort(value: Json) -> tuple[tuple[str, int], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise BadValueError("$sort takes an object of fields, each 1 or -1")
    return tuple((path, _direction(direction)) for path, direction in value.items())


def _direction(value: Json) -> int:
    number = meant_number(value) if isinstance(value, str) else value
    if isinstance(number, bool) or number not in (1, -1):
        raise BadValueError("$sort takes 1 or -1 for each field")
    return 1 if number == 1 else -1


def _select(value: Json) -> tuple[str, ...] | None:
    if value is None:
        return None
    fields = array_of(value)
    if fields is None or not all(isinstance(field, str) for field in fields):
        raise BadValueError("$select takes an array of fields")
    return tuple(str(field) for field in fields)


def _rank(record: Record, path: str) -> tuple[int, float, str]:
    """Return a key that sorts values of all kinds: missing, null, numbers, text, truth, and the rest."""
    values = _values(record, path.split("."))
    if not values:
        return -1, 0, ""
    value, kind = values[0], _kind(values[0])
    if isinstance(value, int | float):
        return kind, value, ""
    return kind, 0, value if isinstance(value, str) else ""


def _copy(source: Mapping[str, Json], path: Sequence[str], target: dict[str, Json]) -> None:
    name, rest = path[0], path[1:]
    if name not in source:
        return
    value = source[name]
    if not rest:
        target[name] = value
    elif isinstance(value, Mapping):
        inner = target.setdefault(name, {})
        if isinstance(inner, dict) and inner is not value:
            _copy(value, rest, inner)
