"""The query language beside a model of it, as plain as Python allows. Each property is tried on 150 inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from agnez.query import read, read_text

examples = settings(max_examples=150, deadline=None, database=None, derandomize=True)

NAMES = ["a", "b", "constructor", "__proto__"]
numbers = st.integers(-3, 3) | st.sampled_from([0.5, -1.5, 2.0, 1e300])
words = st.sampled_from(["", "x", "y", "xy", "é", "Z"])
scalars = st.none() | st.booleans() | numbers | words
names = st.sampled_from(NAMES)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2), max_leaves=5
)
records = st.lists(st.dictionaries(names, values, max_size=4), max_size=6).map(
    lambda found: [{**fields, "_id": str(place)} for place, fields in enumerate(found)]
)
paths = st.lists(names | st.sampled_from(["0", "1"]), min_size=1, max_size=3).map(".".join)
comparisons = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["$lt", "$lte", "$gt", "$gte"], scalars),
        "$ne": values,
        **dict.fromkeys(["$in", "$nin"], st.lists(values, max_size=3)),
    },
).filter(bool)
conditions = st.dictionaries(paths, values | comparisons, max_size=2)
filters = st.recursive(
    conditions,
    lambda inner: st.fixed_dictionaries(
        {}, optional={"$or": st.lists(inner, max_size=2), "$and": st.lists(inner, max_size=2), "a": scalars}
    ),
    max_leaves=4,
)
directions = st.dictionaries(names, st.sampled_from([1, -1]), max_size=3)


# --- the model -------------------------------------------------------------------------------------------------------


def reach(value: Any, path: list[str]) -> Iterator[Any]:
    """Give all that a path leads to."""
    if not path:
        yield value
        if isinstance(value, list):
            yield from value
        return
    name, rest = path[0], path[1:]
    if isinstance(value, dict) and name in value:
        yield from reach(value[name], rest)
    if isinstance(value, list):
        for each in value:
            if isinstance(each, dict):
                yield from reach(each, path)
        if name.isdigit() and int(name) < len(value):
            yield from reach(value[int(name)], rest)


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return {"int": "number", "float": "number"}.get(type(value).__name__, type(value).__name__)


def same(one: Any, other: Any) -> bool:
    if kind(one) != kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


def equals(found: list[Any], asked: Any) -> bool:
    return asked is None if not found else any(same(value, asked) for value in found)


def holds(operator: str, found: list[Any], asked: Any) -> bool:
    if operator == "$ne":
        return not equals(found, asked)
    if operator in ("$in", "$nin"):
        return any(equals(found, each) for each in asked) == (operator == "$in")
    ordered = [value for value in found if kind(value) == kind(asked) and kind(value) in ("number", "str", "truth")]
    if operator == "$lt":
        return any(value < asked for value in ordered)
    if operator == "$lte":
        return any(value <= asked for value in ordered)
    if operator == "$gt":
        return any(value > asked for value in ordered)
    return any(value >= asked for value in ordered)


def fits(record: Any, query: dict[str, Any]) -> bool:
    for name, asked in query.items():
        if name == "$or":
            good = any(fits(record, branch) for branch in asked)
        elif name == "$and":
            good = all(fits(record, branch) for branch in asked)
        elif isinstance(asked, dict) and any(key.startswith("$") for key in asked):
            found = list(reach(record, name.split(".")))
            good = all(holds(operator, found, operand) for operator, operand in asked.items())
        else:
            good = equals(list(reach(record, name.split("."))), asked)
        if not good:
            return False
    return True


def rank(record: dict[str, Any], name: str) -> tuple[Any, ...]:
    """Return where a record belongs: those without the field first, then by kind, then by value."""
    if name not in record:
        return (-1,)
    value = record[name]
    order = ["NoneType", "number", "str", "truth", "list", "dict"].index(kind(value))
    return (order, value) if kind(value) in ("number", "str", "truth") else (order,)


def arranged(found: list[Any], sort: dict[str, int]) -> list[Any]:
    for name, direction in reversed(sort.items()):
        found = sorted(found, key=lambda record: rank(record, name), reverse=direction < 0)
    return found


# --- the properties --------------------------------------------------------------------------------------------------


@given(records=records, query=filters)
@examples
def test_the_records_found_are_those_of_the_model(records: list[Any], query: dict[str, Any]) -> None:
    assert read(query).sorted(records) == [record for record in records if fits(record, query)]


@given(records=records, query=conditions, sort=directions)
@examples
def test_the_order_is_that_of_the_model(records: list[Any], query: dict[str, Any], sort: dict[str, int]) -> None:
    found = [record for record in records if fits(record, query)]
    assert read({**query, "$sort": sort}).sorted(records) == arranged(found, sort)


@given(records=records, query=filters)
@examples
def test_a_condition_and_its_negation_part_the_records(records: list[Any], query: dict[str, Any]) -> None:
    for path, asked in query.items():
        if path.startswith("$") or (isinstance(asked, dict) and any(key.startswith("$") for key in asked)):
            continue
        found = read({path: asked}).sorted(records)
        left = read({path: {"$ne": asked}}).sorted(records)
        assert sorted(each["_id"] for each in found + left) == [each["_id"] for each in records]
        assert read({path: {"$in": [asked]}}).sorted(records) == found
        assert read({"$or": [{path: asked}, {path: {"$ne": asked}}]}).sorted(records) == records
        assert read({"$and": [{path: asked}, {path: {"$ne": asked}}]}).sorted(records) == []


@given(records=records, select=st.lists(names, max_size=3))
@examples
def test_what_is_selected_is_what_is_there_and_the_id(records: list[Any], select: list[str]) -> None:
    for record in records:
        kept = {name: record[name] for name in select if name in record}
        assert read({"$select": select}).trimmed(record) == {**kept, "_id": record["_id"]}


# In an address all is text. Where no stored text looks like a number or like truth, it means the same as JSON.
told = st.booleans() | numbers | words.filter(bool)
comparisons_told = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["$lt", "$lte", "$gt", "$gte", "$ne"], told),
        **dict.fromkeys(["$in", "$nin"], st.lists(told, min_size=1, max_size=30)),
    },
).filter(bool)
# Alone in brackets, digits are a place in an array to `qs`, whatever stood there before.
named = st.tuples(names, paths).map(".".join) | names
conditions_told = st.dictionaries(named, told | comparisons_told, min_size=1, max_size=2)
filters_told = st.recursive(
    conditions_told,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "$or": st.lists(inner, min_size=1, max_size=2),
            "$and": st.lists(inner, min_size=1, max_size=2),
            "a": told,
        },
    ).filter(bool),
    max_leaves=4,
)


def address(value: Any, name: str = "") -> Iterator[str]:
    """Write a query as the `qs` of JavaScript does."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from address(inner, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from address(inner, f"{name}[{place}]")
    else:
        text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
        yield f"{quote(name)}={quote(text)}"


@given(records=records, query=filters_told)
@examples
def test_an_address_means_what_the_same_query_means_as_json(records: list[Any], query: dict[str, Any]) -> None:
    text = "&".join(address(query))
    assert read_text(text).sorted(records) == read(query).sorted(records), text
