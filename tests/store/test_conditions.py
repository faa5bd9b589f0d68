"""What SQL says of a query is what Python says, wherever it says anything."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnez.query import Query, Text, read, read_text
from agnez.store.conditions import condition
from agnez.wire import dump

examples = settings(max_examples=1000, deadline=None, database=None, derandomize=True)

# Few names and few values, so that conditions hold as often as not.
NAMES = ["a"] * 6 + ["b"] * 4 + ["a.b", "b.a", "é", "constructor", "__proto__", "it's", 'q"', "", "\\n", "\n"]
SCALARS = [
    None,
    True,
    False,
    0,
    1,
    1.0,
    2,
    2.5,
    -3,
    0.1,
    0.1 + 0.2,
    0.3,
    1e300,
    5e-324,
    2.0**53,
    2**53 + 1,
    2**63,
    10**30,
]
SCALARS += [
    -0.0,
    1e16 + 2,
    -(2**63),
    "",
    "x",
    "xy",
    "é",
    "1",
    "2.5",
    "true",
    "null",
    "a\0b",
    "a\0",
    "a",
    "\U0001f600",
    "\uffff",
]
OPERATORS = ["$lt", "$lte", "$gt", "$gte", "$ne"]


class Dice:
    """Make up records and queries."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def value(self, depth: int = 2) -> Any:
        kind = self.dice.random() if depth else 0
        if kind < 0.7:
            return self.dice.choice(SCALARS)
        if kind < 0.8:
            return [self.value(depth - 1) for _ in range(self.dice.randrange(3))]
        return self.object(depth - 1)

    def object(self, depth: int = 2) -> dict[str, Any]:
        return {self.dice.choice(NAMES): self.value(depth) for _ in range(self.dice.randrange(4))}

    def record(self) -> dict[str, Any]:
        return {**self.object(), "_id": self.dice.choice(["x", "y", "é", "a\0b"])}

    def operand(self) -> Any:
        value = self.value(1)
        return Text(value) if isinstance(value, str) and self.dice.random() < 0.5 else value

    def path(self) -> str:
        if self.dice.random() < 0.1:
            return "_id"
        return ".".join(self.dice.choice([*NAMES, "0"]) for _ in range(self.dice.choice([1, 1, 1, 2, 2, 3, 4])))

    def test(self) -> Any:
        kind = self.dice.random()
        if kind < 0.5:
            return self.operand()
        if kind < 0.75:
            return {operator: self.operand() for operator in self.dice.sample(OPERATORS, self.dice.choice([1, 1, 2]))}
        return {self.dice.choice(["$in", "$nin"]): [self.operand() for _ in range(self.dice.randrange(5))]}

    def query(self, depth: int = 2) -> dict[str, Any]:
        if depth and self.dice.random() < 0.25:
            return {self.dice.choice(["$or", "$and"]): [self.query(depth - 1) for _ in range(self.dice.randrange(4))]}
        return {self.path(): self.test() for _ in range(self.dice.choice([1, 1, 2]))}


def told(query: Query, records: list[dict[str, Any]]) -> list[bool | None]:
    """Return what SQL says of each record."""
    asked = condition(query.filters)
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE cells (place INTEGER PRIMARY KEY, id TEXT, body TEXT)")
    rows = [(record["_id"], dump({key: each for key, each in record.items() if key != "_id"})) for record in records]
    connection.executemany("INSERT INTO cells (id, body) VALUES (?, ?)", rows)
    found = connection.execute(f"SELECT {asked.sql} FROM cells ORDER BY place", asked.parameters).fetchall()
    connection.close()
    return [None if said is None else bool(said) for (said,) in found]


def agree(query: Query, records: list[dict[str, Any]]) -> int:
    """Compare both, and return for how many records SQL knew the answer."""
    said, sure = told(query, records), 0
    for record, sql in zip(records, said, strict=True):
        if sql is not None:
            sure += 1
            assert sql == query.matches(record), (record, query.filters, sql)
    return sure


@given(dice=st.randoms(use_true_random=True))
@examples
def test_sql_and_python_agree(dice: random.Random) -> None:
    made = Dice(dice)
    agree(read(made.query()), [made.record() for _ in range(20)])


@given(dice=st.randoms(use_true_random=True))
@examples
def test_numbers_are_compared_to_the_last_bit(dice: random.Random) -> None:
    numbers = [number for number in SCALARS if isinstance(number, int | float) and not isinstance(number, bool)]
    numbers += [dice.uniform(-1, 1) * 10.0 ** dice.randrange(-300, 300) for _ in range(10)]
    numbers += [math.nextafter(number, math.inf) for number in numbers if isinstance(number, float)]
    records = [{"_id": "x", "n": number} for number in numbers]
    for operator in OPERATORS:
        agree(read({"n": {operator: dice.choice(numbers)}}), records)
    agree(read({"n": dice.choice(numbers)}), records)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"a.b": 1}, [None, True, True, False, False]),
        ({"a": [{"b": 1}]}, [None, None, False, None, False]),
        ({"a": {"$ne": None}}, [None, True, False, True, True]),
        ({"a": {"$lte": True}}, [None, False, False, False, True]),
        ({"a": {"$lt": True}}, [None, False, False, False, False]),
    ],
)
def test_what_is_left_to_python_and_what_is_not(query: dict[str, Any], said: list[bool | None]) -> None:
    records: list[dict[str, Any]] = [{"a": [{"b": 1}]}, {"a": {"b": 1}}, {"a.b": 1}, {"a": {}, "a.b": 1}, {"a": True}]
    records = [{**record, "_id": "x"} for record in records]
    agree(read(query), records)
    assert told(read(query), records) == said


def random_records(count: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(0)
    for place in range(count):
        yield {
            "_id": str(place),
            "type": dice.choice(["html", "img", "chart"]),
            "pos": dice.randrange(100),
            "meta": {"layer": dice.choice(["fc", "conv"]), "rate": dice.random()},
            "flag": dice.choice([True, False, None]),
        }


@pytest.mark.parametrize(
    "query",
    [
        {"type": "img"},
        {"type": {"$in": ["img", "html"]}, "pos": {"$gte": 10, "$lt": 90}},
        {"type": {"$ne": "img"}, "flag": None},
        {"$or": [{"meta.layer": "fc"}, {"meta.rate": {"$gt": 0.5}}], "_id": {"$nin": ["3", "4"]}},
        {"$and": [{"flag": True}, {"missing": None}]},
        {"pos": {"$lt": "5"}},
    ],
)
def test_of_ordinary_queries_sql_knows_every_answer(query: dict[str, Any]) -> None:
    records = list(random_records(300))
    assert agree(read(query), records) == len(records)


def test_text_of_an_address_too_is_compared_by_the_type_of_what_is_stored() -> None:
    records = [
        {"_id": str(at), "v": v} for at, v in enumerate([7, 7.5, "7", "007", True, "true", None, "", "null", {}])
    ]
    for query in ("v=7", "v=7.5", "v=007", "v=true", "v=", "v=null", "v[$gt]=6", "v[$ne]=7", "v[$in]=7&v[$in]=true"):
        assert agree(read_text(query), records) >= len(records) - 2  # of numbers that nearly agree, Python is asked


def test_what_is_too_much_for_sql_is_left_to_python() -> None:
    many = {"$or": [{"a": at} for at in range(1000)]}
    assert told(read(many), [{"_id": "1", "a": 1}]) == [None]
    assert told(read({"a.b.c.d": 1}), [{"_id": "1"}]) == [None]
    assert told(read({"a": "\ud800"}), [{"_id": "1", "a": "x"}]) == [None]
