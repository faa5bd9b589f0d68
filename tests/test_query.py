from __future__ import annotations

from typing import Any

import pytest

from agnez.errors import BadValueError
from agnez.query import DEPTH, Query, read, read_text

RECORDS: list[dict[str, Any]] = [
    {"_id": "a", "name": "a", "pos": 1, "flag": True, "meta": {"layer": "fc", "size": 3}, "tags": ["x", "y"]},
    {"_id": "b", "name": "b", "pos": 10, "flag": False, "meta": {"layer": "conv"}, "tags": []},
    {"_id": "c", "name": "007", "pos": 2.5, "flag": None, "list": [{"n": 1}, {"n": 5}]},
    {"_id": "d", "name": "7", "pos": "5"},
    {"_id": "e", "name": 7, "pos": [1, 20], "flag": ""},
    {"_id": "f", "name": True, "pos": None},
    {"_id": "g"},
]


def ids(query: Query) -> str:
    return "".join(str(record["_id"]) for record in query.sorted(RECORDS))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (None, "abcdefg"),
        ({}, "abcdefg"),
        ({"name": "7"}, "d"),
        ({"name": 7}, "e"),
        ({"name": 7.0}, "e"),
        ({"name": 1}, ""),
        ({"name": True}, "f"),
        ({"flag": None}, "cdfg"),
        ({"flag": {"$ne": None}}, "abe"),
        ({"flag": ""}, "e"),
        ({"pos": 1}, "ae"),
        ({"pos": [1, 20]}, "e"),
        ({"pos": [20, 1]}, ""),
        ({"tags": "x"}, "a"),
        ({"tags": []}, "b"),
        ({"tags": ["x", "y"]}, "a"),
        ({"tags": {"$ne": "x"}}, "bcdefg"),
        ({"tags": {"$in": ["y", "z"]}}, "a"),
        ({"tags": {"$nin": ["x"]}}, "bcdefg"),
        ({"name": {"$in": []}}, ""),
        ({"name": {"$nin": []}}, "abcdefg"),
        ({"flag": {"$in": [True, None]}}, "acdfg"),
        ({"meta": {"layer": "conv"}}, "b"),
        ({"meta": {"layer": "fc"}}, ""),
        ({"meta.layer": "fc"}, "a"),
        ({"meta.layer.deeper": "fc"}, ""),
        ({"list.n": 5}, "c"),
        ({"list.1.n": 5}, "c"),
        ({"list.0.n": 5}, ""),
        ({"pos": {"$gt": 1}}, "bce"),
        ({"pos": {"$gte": 1, "$lt": 10}}, "ace"),
        ({"pos": {"$lte": "5"}}, "d"),
        ({"pos": {"$gt": None}}, ""),
        ({"pos": {"$lt": True}}, ""),
        ({"flag": {"$lt": True}}, "b"),
        ({"$or": [{"name": "a"}, {"pos": {"$gt": 5}}]}, "abe"),
        ({"$or": []}, ""),
        ({"$and": []}, "abcdefg"),
        ({"$and": [{"$or": [{"name": "a"}, {"name": "b"}]}, {"flag": False}]}, "b"),
        ({"$or": [{"name": "a"}], "flag": False}, ""),
        ({"$limit": 2, "$skip": "1"}, "abcdefg"),
        ({"constructor": None, "_id": "a"}, "a"),
        ({"__class__": {"$ne": 1}, "_id": "a"}, "a"),
        ({"": 1}, ""),
    ],
)
def test_json_is_compared_as_it_is(query: Any, found: str) -> None:
    assert ids(read(query)) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abcdefg"),
        ("name=007", "ce"),
        ("name=7", "de"),
        ("name=7.0", "e"),
        ("name=true", "f"),
        ("name=1", ""),
        ("flag=", "ce"),
        ("flag=false", "b"),
        ("flag=0", ""),
        ("pos=1", "ae"),
        ("pos=2.5", "c"),
        ("pos=25e-1", "c"),
        ("pos[$gt]=1", "bcde"),
        ("pos[$gt]=5", "be"),
        ("pos[$gt]=abc", ""),
        ("pos[$in]=1&pos[$in]=5", "ade"),
        ("pos[]=1&pos[]=20", "e"),
        ("tags[$nin][]=x&name[$ne]=b", "cdefg"),
        ("meta[layer]=conv", "b"),
        ("meta[layer]=fc&meta[size]=3", "a"),
        ("meta.size[$gte]=3", "a"),
        ("%24or%5B0%5D%5Bname%5D=a&%24or%5B1%5D%5Bpos%5D%5B%24gt%5D=9", "abe"),
        ("$and[0][$or][0][name]=a&$and[0][$or][1][name]=b&$and[1][flag]=false", "b"),
    ],
)
def test_text_means_what_the_stored_value_makes_of_it(query: str, found: str) -> None:
    assert ids(read_text(query)) == found


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ({"pos": 1}, "gfacbde"),
        ({"pos": -1}, "edbcafg"),
        ({"pos": "-1"}, "edbcafg"),
        ({"flag": 1, "pos": -1}, "dfgceba"),
        ({"meta.layer": -1}, "abcdefg"),
        ({"nothing": -1}, "abcdefg"),
    ],
)
def test_any_mixture_of_values_sorts_the_same_way(sort: Any, order: str) -> None:
    assert ids(read({"$sort": sort})) == order


def test_sort_keys_count_in_the_order_given() -> None:
    assert ids(read({"flag": {"$in": [True, False]}, "$sort": {"flag": 1, "name": -1}})) == "ba"
    assert read_text("$sort[b]=1&$sort[a]=-1").sort == (("b", 1), ("a", -1))


def test_select_keeps_the_id_and_reaches_into_objects() -> None:
    assert read({"$select": ["name"]}).trimmed(RECORDS[0]) == {"name": "a", "_id": "a"}
    assert read({"$select": ["meta.layer", "nope", "tags.0"]}).trimmed(RECORDS[0]) == {
        "meta": {"layer": "fc"},
        "_id": "a",
    }
    assert read({"$select": []}).trimmed(RECORDS[0]) == {"_id": "a"}
    assert read_text("$select=name").trimmed(RECORDS[0]) == {"name": "a", "_id": "a"}
    assert read({"$select": ["meta", "meta.layer"]}).trimmed(RECORDS[0])["meta"] == RECORDS[0]["meta"]
    assert RECORDS[0]["meta"] == {"layer": "fc", "size": 3}


def test_counts_may_be_text() -> None:
    query = read({"$limit": "3", "$skip": 2.0})
    assert (query.limit, query.skip) == (3, 2)
    assert read_text("$limit=0").limit == 0
    assert read({"$limit": 10**30, "$skip": 10**30}).picked(RECORDS) == []


@pytest.mark.parametrize(
    "query",
    [
        "text",
        7,
        True,
        [],
        [{}],
        {"$foo": 1},
        {"name": {"$regex": "a"}},
        {"name": {"$eq": 1}},
        {"name": {"$gt": 1, "other": 2}},
        {"meta": {"layer": {"$in": ["fc"]}}},
        {"meta": [{"$gt": 1}]},
        {"name": {"$in": [{"$gt": 1}]}},
        {"name": {"$in": "a"}},
        {"name": {"$nin": 5}},
        {"name": {"$in": {"0": "a"}}},
        {"$or": {"name": "a"}},
        {"$or": ["a"]},
        {"$and": None},
        {"$or": [{"$limit": 1}]},
        {"$or": [{"$nope": 1}]},
        {"name": {"$or": [{"a": 1}]}},
        {"$limit": -1},
        {"$limit": "x"},
        {"$limit": 1.5},
        {"$limit": True},
        {"$limit": []},
        {"$limit": ""},
        {"$limit": " 1"},
        {"$skip": None},
        {"$skip": {"a": 1}},
        {"$limit": float("nan")},
        {"$limit": float("inf")},
        {"$sort": "name"},
        {"$sort": {"name": 2}},
        {"$sort": {"name": True}},
        {"$sort": {"name": []}},
        {"$sort": ["name"]},
        {"$select": "name"},
        {"$select": [1]},
        {"$select": {"a": 1}},
        {"name": b"bytes"},
    ],
)
def test_what_is_no_query_is_refused_in_a_sentence(query: Any) -> None:
    with pytest.raises(BadValueError, match=r"\w \w"):
        read(query)


def test_nesting_has_a_bound_and_no_depth_breaks_it() -> None:
    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = [value]
        return {"a": value}

    read(nested(DEPTH - 1))
    for levels in (DEPTH, DEPTH + 1, 100_000):
        with pytest.raises(BadValueError, match="levels"):
            read(nested(levels))
    read_text("a" + "[b]" * (DEPTH - 2) + "=1")
    for levels in (DEPTH, 5000):
        with pytest.raises(BadValueError, match="levels"):
            read_text("a" + "[b]" * levels + "=1")


def test_what_must_equal_one_text_is_known_beforehand() -> None:
    query = read_text("run=r1&type[$ne]=img&$or[0][_id]=x")
    assert dict(query.pinned) == {"run": "r1"}


def test_a_great_number_in_brackets_names_a_field_and_too_many_parts_are_refused() -> None:
    assert read_text("a[99999]=x").matches({"_id": "1", "a": {"99999": "x"}})
    assert read_text("&".join(["a[$in]=x"] * 10_000)).matches({"_id": "1", "a": "x"})
    with pytest.raises(BadValueError, match="10000 parts"):
        read_text("&".join(["a=x"] * 10_001))
