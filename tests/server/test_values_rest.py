from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import quote

import pytest
from serving import Served, add_run, served

from agnez.record import RunInfo
from agnez.server.app import create_app
from agnez.server.service import Pagination
from agnez.server.values import LONGEST_ID
from agnez.store import Store


def made(server: Served, **fields: Any) -> dict[str, Any]:
    answer = server.call("POST", "/values", fields)
    assert answer.status_code == 201, answer.text
    record: dict[str, Any] = answer.json()
    return record


def failed(answer: Any, code: int, name: str) -> dict[str, Any]:
    assert answer.status_code == code, answer.text
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    error: dict[str, Any] = answer.json()
    assert (error["name"], error["code"]) == (name, code)
    assert error["message"] and error["className"] and "stack" not in error and "Traceback" not in answer.text
    return error


def test_the_script_that_agnez_was_born_with_works(server: Served) -> None:
    first = made(server, name="", type="html", value=[], pos=0, description="")
    second = made(server, name="", type="img", value=[], pos=1, description="")
    for step in range(3):
        cell = {"name": "random", "type": "html", "value": f"<p>{step}</p>", "pos": 0, "description": "numbers"}
        answer = server.call("PATCH", f"/values/{first['_id']}", cell)
        assert answer.status_code == 200
        assert answer.json() == cell | {"_id": first["_id"]}
        picture = {"name": "gif", "type": "img", "value": "./images/main_img.gif", "pos": 1, "description": ""}
        assert server.call("PATCH", f"/values/{second['_id']}", picture).json() == picture | {"_id": second["_id"]}
    assert [cell["value"] for cell in server.call("GET", "/values").json()] == ["<p>2</p>", "./images/main_img.gif"]


def test_each_method_answers_as_the_table_says(server: Served) -> None:
    record = made(server, name="x", pos=1)
    path = f"/values/{record['_id']}"
    assert set(record) == {"name", "pos", "_id"} and isinstance(record["_id"], str)
    found = server.call("GET", "/values?name=x")
    assert (found.status_code, found.json()) == (200, [record])
    assert found.headers["Content-Type"] == "application/json; charset=utf-8"
    assert server.call("GET", path).json() == record
    replaced = server.call("PUT", path, {"name": "y"})
    assert (replaced.status_code, replaced.json()) == (200, {"name": "y", "_id": record["_id"]})
    patched = server.call("PATCH", path, {"meta": {"a": 1}})
    assert (patched.status_code, patched.json()["meta"]) == (200, {"a": 1})
    assert server.call("PATCH", path, {"meta": {"b": 2}}).json()["meta"] == {"b": 2}
    removed = server.call("DELETE", path)
    assert (removed.status_code, removed.json()["_id"]) == (200, record["_id"])
    failed(server.call("GET", path), 404, "NotFound")
    failed(server.call("DELETE", path), 404, "NotFound")


def test_an_array_is_created_at_once_or_not_at_all(server: Served) -> None:
    answer = server.call("POST", "/values", [{"_id": "a", "pos": 1}, {"_id": "b", "pos": 2}])
    assert (answer.status_code, [each["_id"] for each in answer.json()]) == (201, ["a", "b"])
    failed(server.call("POST", "/values", [{"_id": "c"}, {"_id": "a", "pos": 9}]), 409, "Conflict")
    failed(server.call("POST", "/values", [{"_id": "d"}, 7]), 400, "BadRequest")
    failed(server.call("POST", "/values", [{"_id": "e"}, {"_id": "e"}]), 409, "Conflict")
    assert server.call("GET", "/values").json() == [{"_id": "a", "pos": 1}, {"_id": "b", "pos": 2}]
    assert server.call("POST", "/values", []).json() == []


def test_a_taken_id_is_a_conflict_and_a_removed_one_is_free(server: Served) -> None:
    made(server, _id="mine", value="first")
    assert failed(server.call("POST", "/values", {"_id": "mine", "value": "second"}), 409, "Conflict")
    assert server.call("GET", "/values/mine").json()["value"] == "first"
    server.call("DELETE", "/values/mine")
    assert made(server, _id="mine", value="third")["value"] == "third"


def test_patch_and_remove_without_an_id_act_on_all_that_match(server: Served) -> None:
    server.call("POST", "/values", [{"_id": "a", "type": "q"}, {"_id": "b", "type": "q"}, {"_id": "c", "type": "r"}])
    patched = server.call("PATCH", "/values?type=q", {"done": True})
    assert (patched.status_code, [each["_id"] for each in patched.json()]) == (200, ["a", "b"])
    assert server.call("PATCH", "/values?type=none", {"done": True}).json() == []
    assert [each["_id"] for each in server.call("DELETE", "/values?done=true").json()] == ["a", "b"]
    assert server.call("DELETE", "/values?done=true").json() == []
    assert [each["_id"] for each in server.call("GET", "/values").json()] == ["c"]
    failed(server.call("PUT", "/values", {"a": 1}), 400, "BadRequest")


def test_identity_never_changes(server: Served) -> None:
    made(server, _id="a", x=1)
    assert server.call("PATCH", "/values/a", {"_id": "b", "x": 2}).json() == {"_id": "a", "x": 2}
    assert server.call("PUT", "/values/a", {"_id": "b", "x": 3}).json() == {"_id": "a", "x": 3}
    failed(server.call("GET", "/values/b"), 404, "NotFound")
    failed(server.call("POST", "/values", {"_id": 7}), 400, "BadRequest")


def test_a_record_that_does_not_match_the_query_is_not_found(server: Served) -> None:
    made(server, _id="a", type="html")
    for method, data in (("GET", None), ("PUT", {"x": 1}), ("PATCH", {"x": 1}), ("DELETE", None)):
        failed(server.call(method, "/values/a?type=img", data), 404, "NotFound")
        assert server.call("GET", "/values/a?type=html").json() == {"_id": "a", "type": "html"}


def test_select_trims_every_method_and_keeps_the_id(server: Served) -> None:
    query = "?%24select%5B0%5D=name"
    short = {"_id": "a", "name": "n"}
    assert server.call("POST", "/values" + query, short | {"pos": 1}).json() == short
    assert server.call("GET", "/values" + query).json() == [short]
    assert server.call("GET", "/values/a" + query).json() == short
    assert server.call("PATCH", "/values/a" + query, {"pos": 2}).json() == short
    assert server.call("PUT", "/values/a" + query, {"name": "n", "pos": 3}).json() == short
    assert server.call("DELETE", "/values/a" + query).json() == short


@pytest.mark.parametrize(
    "id",
    [
        "constructor",
        "__proto__",
        "hasOwnProperty",
        "with space",
        "a/b",
        "/",
        "a//b/",
        "ünï",
        "100%",
        "a+b",
        "?#&=",
        "x" * 4096,
        "..",
        "a\\b",
        "'; DROP TABLE cells; --",
        "nope.word",
        ".",
        "null",
        "undefined",
        "\x00",
        "series",
    ],
)
def test_any_string_is_an_id(server: Served, id: str) -> None:
    path = "/values/" + quote(id, safe="")
    failed(server.call("GET", path), 404, "NotFound")
    failed(server.call("PATCH", path, {"a": 1}), 404, "NotFound")
    assert made(server, _id=id, x=1) == {"_id": id, "x": 1}
    assert server.call("GET", path).json() == {"_id": id, "x": 1}
    assert server.call("PATCH", path, {"x": 2}).json() == {"_id": id, "x": 2}
    assert server.call("DELETE", path).json() == {"_id": id, "x": 2}


@pytest.mark.parametrize("path", ["/values%2Fa", "/values%2F", "/values%2Fa/b", "/values%2F%2F"])
def test_a_slash_that_is_written_as_a_letter_leads_to_no_service(server: Served, path: str) -> None:
    made(server, _id="a"), made(server, _id="b")
    for method, data in (("GET", None), ("POST", {"x": 1}), ("PUT", {"x": 1}), ("PATCH", {"x": 1}), ("DELETE", None)):
        answer = server.call(method, path, data)
        assert answer.status_code in (404, 405), (method, answer.text)
    assert server.call("GET", "/%76alues").json() == [{"_id": "a"}, {"_id": "b"}]


def test_an_id_may_be_long_but_not_endless(server: Served) -> None:
    assert made(server, _id="ü" * LONGEST_ID)["_id"] == "ü" * LONGEST_ID
    failed(server.call("POST", "/values", {"_id": "ü" * (LONGEST_ID + 1)}), 400, "BadRequest")
    assert len(server.call("GET", "/values").json()) == 1


def test_a_cell_of_a_run_by_its_id_cannot_say_that_it_is_of_another(server: Served, store: Store) -> None:
    run, other = add_run(store, "a"), add_run(store, "b")
    made(server, _id=f"{run}.x", run=run), made(server, _id=f"{run}.y"), made(server, _id="loose", run=other)
    for said in (other, "nope", 5, [run]):
        failed(server.call("POST", "/values", {"_id": f"{run}.z", "run": said}), 409, "Conflict")
        failed(server.call("PUT", f"/values/{run}.x", {"run": said}), 409, "Conflict")
        failed(server.call("PATCH", f"/values/{run}.y", {"run": said}), 409, "Conflict")
        failed(server.call("PATCH", "/values", {"run": said}), 409, "Conflict")
    assert server.call("PATCH", "/values/loose", {"run": run}).json()["run"] == run
    assert [each["_id"] for each in server.call("GET", f"/values?run={run}").json()] == ["loose", f"{run}.x"]
    assert server.call("PATCH", f"/values/{run}.x", {"run": None}).json()["run"] is None
    assert [each["_id"] for each in server.call("GET", "/values?run=").json()] == [f"{run}.x"]
    assert made(server, run=f"{run}.b")["run"] == f"{run}.b"  # the server gives no _id that it would refuse


def test_a_trailing_slash_is_the_same_path_without_a_redirect(server: Served) -> None:
    assert server.call("POST", "/values/", {"_id": "a"}).status_code == 201
    for path in ("/values/", "/values/a/"):
        found = server.call("GET", path)
        assert (found.status_code, found.history) == (200, [])


def test_head_is_get_without_a_body(server: Served) -> None:
    made(server, _id="a")
    for path in ("/values", "/values/a"):
        head, get = server.call("HEAD", path), server.call("GET", path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == str(len(get.content))
    assert server.call("HEAD", "/values/nope").status_code == 404


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "PROPFIND", "FOO", "LINK"])
def test_other_verbs_are_not_allowed(server: Served, method: str) -> None:
    for path in ("/values", "/values/a", "/values/", "/runs", "/about", "/"):
        failed(server.call(method, path), 405, "MethodNotAllowed")


def test_a_service_method_by_header_is_not_allowed(server: Served) -> None:
    answer = server.call("POST", "/values", {"a": 1}, headers={"X-Service-Method": "resetPassword"})
    failed(answer, 405, "MethodNotAllowed")
    assert server.call("GET", "/values").json() == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b'"text"',
        b"7",
        b"null",
        b"true",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'[{"a": -Infinity}]',
        b'{"a": 1e999}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"1" * 10_000,
        b"{'a': 1}",
    ],
)
def test_malformed_bodies_are_bad_requests(server: Served, body: bytes) -> None:
    answer = server.call("POST", "/values", data=body, headers={"Content-Type": "application/json"})
    failed(answer, 400, "BadRequest")
    assert server.call("GET", "/values").json() == []


def test_other_content_types_are_refused(server: Served) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        failed(
            server.call("POST", "/values", data=b'{"a":1}', headers={"Content-Type": kind}), 415, "UnsupportedMediaType"
        )
    failed(server.call("POST", "/values", data=b'{"a":1}'), 415, "UnsupportedMediaType")
    fine = server.call("POST", "/values", data=b'{"a":1}', headers={"Content-Type": "application/json;charset=UTF-8"})
    assert fine.status_code == 201


def test_an_oversized_body_is_answered_and_not_cut_off(server: Served) -> None:
    body = b'{"a": "' + b"x" * (17 * 1024 * 1024) + b'"}'
    answer = server.call("POST", "/values", data=body, headers={"Content-Type": "application/json"})
    failed(answer, 413, "PayloadTooLarge")


def test_unknown_addresses_are_json_too(server: Served) -> None:
    for path in ("/nope", "/values2", "/assets/nope.js", "/runs/nope/series", "/runs/nope", "/frame?cell=nope"):
        failed(server.call("GET", path), 404, "NotFound")
    failed(server.call("GET", "/frame"), 400, "BadRequest")


def test_an_unforeseen_fault_says_nothing_of_the_inside(
    server: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(server.app.values, "find", broken)
    answer = server.call("GET", "/values")
    failed(answer, 500, "GeneralError")
    assert "secret" not in answer.text
    assert "a secret of the inside" in caplog.text


def test_answers_are_json_whatever_is_accepted(server: Served) -> None:
    for accept in ("application/json", "*/*", "text/html", None):
        answer = server.call("GET", "/values/nope", headers={"Accept": accept})
        failed(answer, 404, "NotFound")


def test_the_absolute_form_of_a_request_works(server: Served) -> None:
    made(server, _id="a/b")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", f"{server.url}/values/a%2Fb", headers={"Host": server.host})
    assert json.loads(connection.getresponse().read()) == {"_id": "a/b"}
    connection.close()


def test_cells_of_a_run_rest_with_it(server: Served, store: Store) -> None:
    run = add_run(store)
    other = add_run(store)
    made(server, _id=f"{run}.loss", run=run, pos=1)
    made(server, _id=f"{other}.loss", run=other, pos=1)
    made(server, _id="loose", pos=0)
    made(server, _id="named", run=run, pos=2)
    with store.cells(run) as cells:
        assert [cell["_id"] for cell in cells.find()] == [f"{run}.loss"]
    ids = [cell["_id"] for cell in server.call("GET", "/values").json()]
    assert ids == ["loose", "named", f"{run}.loss", f"{other}.loss"]
    ids = [cell["_id"] for cell in server.call("GET", f"/values?run={run}").json()]
    assert ids == ["named", f"{run}.loss"]
    assert server.call("GET", "/values?run=nope").json() == []
    patched = server.call("PATCH", f"/values?run={run}", {"seen": True}).json()
    assert [cell["_id"] for cell in patched] == ["named", f"{run}.loss"]
    assert server.call("DELETE", f"/values/{run}.loss").json()["seen"] is True


def test_queries_of_the_wire_page_over_rest(server: Served) -> None:
    records: Any = [
        {"_id": "a", "name": "a", "pos": 1, "flag": True, "meta": {"layer": "fc"}, "tags": ["x", "y"]},
        {"_id": "b", "name": "b c", "pos": 10, "flag": False, "meta": {"layer": "conv"}, "tags": []},
        {"_id": "c", "name": "007", "pos": 2, "flag": None},
    ]
    server.call("POST", "/values", records)

    def ids(query: str) -> list[str]:
        answer = server.call("GET", "/values?" + quote(query, safe="=&+%"))
        assert answer.status_code == 200, answer.text
        return [each["_id"] for each in answer.json()]

    assert ids("name[$in][0]=a&name[$in][1]=b c") == ["a", "b"]
    assert ids("name=b+c") == ["b"]
    assert ids("$or[0][pos][$gt]=1&$or[1][flag]=true") == ["a", "b", "c"]
    assert ids("pos[$gt]=1&pos[$lt]=10") == ["c"]
    assert ids("$sort[pos]=-1") == ["b", "c", "a"]
    assert ids("$select[0]=name&$limit=2") == ["a", "b"]
    assert ids("$limit=0") == []
    assert ids(f"$skip={10**30}&$limit={2**63}") == []
    assert ids("$skip=2") == ["c"]
    assert ids("meta.layer=fc") == ["a"]
    assert ids("meta[layer]=fc") == ["a"]
    assert ids("tags=x") == ["a"]
    assert ids("flag=") == ["c"]
    assert ids("flag=true") == ["a"]
    assert ids("name=007") == ["c"]
    assert ids("name=7") == []
    assert ids("name[$in][]=a&name[$in][]=007") == ["a", "c"]
    assert ids("name[$in]=a&name[$in]=007") == ["a", "c"]
    assert ids("name[$in]=a") == ["a"]
    assert ids("name[$ne]=a") == ["b", "c"]
    assert ids("name[$nin][]=a&name[$nin][]=007") == ["b"]
    assert ids("&".join(f"pos[$in][{index}]={index}" for index in range(60))) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "query",
    [
        "$foo=1",
        "name[$regex]=a",
        "$where=1",
        "$limit=x",
        "$limit=-1",
        "$skip=1.5",
        "$sort[a]=2",
        "$sort=a",
        "$or=1",
        "a[b][$in][]=1",
        "a" + "[b]" * 40 + "=1",
        "$or[0][$limit]=1",
        "&".join("a" * 10_001),
    ],
)
def test_queries_that_ask_for_what_there_is_not_are_bad_requests(server: Served, query: str) -> None:
    for path in ("/values?", "/runs?"):
        failed(server.call("GET", path + query), 400, "BadRequest")


def test_pages_when_they_are_configured(store: Store) -> None:
    with served(create_app(store, pagination=Pagination(default=2, most=3))) as server:
        server.call("POST", "/values", [{"_id": str(number)} for number in range(5)])
        page = server.call("GET", "/values?$skip=1").json()
        assert (page["total"], page["limit"], page["skip"], len(page["data"])) == (5, 2, 1, 2)
        assert server.call("GET", "/values?$limit=9").json()["limit"] == 3
        assert server.call("GET", "/values?$limit=0").json()["data"] == []


def test_multi_can_be_off(store: Store) -> None:
    with served(create_app(store, multi=False)) as server:
        failed(server.call("POST", "/values", [{"a": 1}]), 405, "MethodNotAllowed")
        failed(server.call("PATCH", "/values", {"a": 1}), 405, "MethodNotAllowed")
        failed(server.call("DELETE", "/values"), 405, "MethodNotAllowed")


def test_a_client_that_hangs_up_midway_changes_nothing(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = [
            "POST /values HTTP/1.1",
            f"Host: {server.host}",
            "Content-Type: application/json",
            "Content-Length: 999",
        ]
        connection.sendall("\r\n".join([*head, "", '{"a": 1']).encode())
    assert server.call("GET", "/values").json() == []


def test_a_body_in_chunks_is_taken(server: Served) -> None:
    chunks = iter([b'{"_id": ', b'"a"}'])
    answer = server.call("POST", "/values", data=chunks, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (201, {"_id": "a"})


def test_a_store_that_cannot_be_written_is_said_to_be_unavailable(server: Served, store: Store) -> None:
    made(server, _id="a")
    (store.directory / "cells.db").rename(store.directory / "moved")
    (store.directory / "cells.db").mkdir()
    error = server.call("POST", "/values", {"_id": "b"})
    assert error.status_code == 500 and "cells.db cannot be opened" in error.json()["message"]
    (store.directory / "cells.db").rmdir()
    (store.directory / "moved").rename(store.directory / "cells.db")
    assert made(server, _id="b") == {"_id": "b"}


def test_a_cell_that_names_a_run_rests_with_that_run(server: Served, store: Store) -> None:
    store.create_run(RunInfo("abc", "p", "n", 1)).close()
    made = server.call("POST", "/values", {"name": "x", "run": "abc"}).json()
    assert made["_id"].startswith("abc.")
    with store.cells("abc") as cells:
        assert [cell["_id"] for cell in cells.find()] == [made["_id"]]
    assert "." not in server.call("POST", "/values", {"name": "x", "run": "nope"}).json()["_id"]


def test_one_call_changes_the_cells_of_many_runs(server: Served, store: Store) -> None:
    runs = sorted(add_run(store) for _ in range(12))
    server.call("POST", "/values", [{"_id": f"{run}.note", "run": run, "name": "note"} for run in runs])
    changed = server.call("PATCH", "/values?name=note", {"value": 1}).json()
    assert sorted(each["run"] for each in changed) == runs
    assert sorted(each["run"] for each in server.call("DELETE", "/values?value=1").json()) == runs
    assert server.call("GET", "/values?name=note").json() == []
