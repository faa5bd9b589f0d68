"""The OpenAPI document against the server that it speaks of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser
from serving import Served, add_run, served

from agnez.server.app import create_app
from agnez.server.reach import Reach
from agnez.server.service import Pagination
from agnez.server.tokens import Tokens
from agnez.store import Store

EXCEPTIONS = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")

INTERNAL = {
    "/": "the page",
    "/api": "the document, to be read",
    "/assets/<path:name>": "what the page is made of",
    "/<path:name>": "the user's files, with --static",
}
"""Addresses that no program is meant to ask."""


@pytest.mark.slow
@pytest.mark.parametrize(("pagination", "examples"), [(None, 25), (Pagination(2, 5), 6)], ids=["arrays", "pages"])
def test_the_server_does_just_what_the_document_says(
    store: Store, tmp_path: Path, pagination: Pagination | None, examples: int
) -> None:
    add_run(store)
    with served(create_app(store, pagination=pagination)) as server:
        check(server, tmp_path, examples)


def check(server: Served, folder: Path, examples: int) -> None:
    """Have schemathesis send what the document allows, and what it does not."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", EXCEPTIONS]
    told = [
        "--checks",
        "all",
        "--generation-deterministic",
        "--max-examples",
        str(examples),
        "--warnings",
        "off",
        "--no-color",
    ]
    done = subprocess.run(
        [*command, "run", f"{server.url}/openapi.json", *told],
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    paths = server.call("GET", "/openapi.json").json()["paths"]
    asked = sum(map(len, paths.values())) - 1  # the document itself is read, not tested
    assert f"Tested: {asked}\n" in done.stdout, done.stdout


def test_every_address_is_in_the_document_or_is_internal(store: Store, tmp_path: Path) -> None:
    app = create_app(store, static=tmp_path)
    paths = app.flask.test_client().get("/openapi.json", base_url="http://localhost").json["paths"]  # type: ignore[index]
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    served = {
        (method, _template(rule.rule))
        for rule in app.flask.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
        if rule.rule not in INTERNAL
    }
    assert served - told == {("PUT", "/values"), ("PUT", "/runs/{id}/cells")}, "those answer that an id is missing"
    assert told - served == set()


FULL, READS = "c" * 16, "r" * 16


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


STRANGERS = [
    pytest.param({}, 401, id="who shows no token"),
    pytest.param(bearer("w" * 16), 401, id="who shows a wrong one"),
    pytest.param(bearer(READS), 403, id="who may only read"),
    pytest.param(bearer(FULL) | {"Host": "evil.example"}, 403, id="a name that was rebound"),
    pytest.param(bearer(FULL) | {"Origin": "https://evil.example"}, 403, id="a page from elsewhere"),
    pytest.param(bearer(FULL) | {"Sec-Fetch-Site": "cross-site"}, 403, id="a page of another site"),
]


@pytest.mark.parametrize(("headers", "code"), STRANGERS)
def test_whom_the_door_refuses_is_told_so_as_the_document_has_it(
    store: Store, headers: dict[str, str], code: int
) -> None:
    with served(create_app(store, reach=Reach(tokens=Tokens(FULL, READS, salt="s")))) as locked:
        document = locked.call("GET", "/openapi.json", headers=bearer(FULL)).json()
        assert document["security"] == [{"token": []}]
        for path, methods in document["paths"].items():
            for method in methods:
                refused = locked.call(method.upper(), path.replace("{", "").replace("}", ""), headers=headers)
                if refused.status_code < 400 or refused.status_code in (400, 404):
                    assert method == "get" and code == 403, "that it may read does nobody harm"
                    continue
                assert refused.status_code in ((401, 429) if code == 401 else (403,)), (method, path)
                assert_told(document, methods[method], refused)


def test_who_guesses_is_told_to_wait_as_the_document_has_it(store: Store) -> None:
    with served(create_app(store, reach=Reach(tokens=Tokens(FULL, READS, salt="s")))) as locked:
        document = locked.call("GET", "/openapi.json", headers=bearer(FULL)).json()
        for methods in document["paths"].values():
            assert all({"401", "403", "429"} <= each["responses"].keys() for each in methods.values())
        refused = [locked.call("GET", "/values", headers=bearer("w" * 16)) for _ in range(20)]
        assert refused[-1].status_code == 429
        assert_told(document, document["paths"]["/values"]["get"], refused[-1])


def test_a_server_that_asks_for_no_token_promises_none_of_its_refusals(server: Served) -> None:
    document = server.call("GET", "/openapi.json").json()
    each = [operation["responses"].keys() for methods in document["paths"].values() for operation in methods.values()]
    assert "security" not in document and not any({"401", "429"} & codes for codes in each)
    assert all("403" in codes for codes in each)


def assert_told(document: dict[str, Any], operation: dict[str, Any], answer: requests.Response) -> None:
    """Check that an answer is one that the document has: its body, and the headers that say what to do."""
    name = operation["responses"][str(answer.status_code)]["$ref"].rpartition("/")[2]
    told = document["components"]["responses"][name]
    exact = told["content"]["application/json"]["schema"]["allOf"][1]["properties"]
    error = answer.json()
    assert {field: {"const": error[field]} for field in exact} == exact and error["message"]
    assert answer.headers["Content-Type"].startswith("application/json")
    for header in ("WWW-Authenticate", "Retry-After"):
        assert (header in answer.headers) == (header in told.get("headers", {})), (header, answer.status_code)


def test_the_page_shows_each_operation_and_record_and_needs_no_script(server: Served, browser: Browser) -> None:
    document = server.call("GET", "/openapi.json").json()
    page, complaints = browser.new_page(color_scheme="dark"), list[str]()
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{server.url}/api")
    ids = set(page.eval_on_selector_all("[id]", "all => all.map(each => each.id)"))
    links = page.eval_on_selector_all("a[href^='#']", "all => all.map(each => each.hash.slice(1))")
    operations = {each["operationId"] for methods in document["paths"].values() for each in methods.values()}
    assert ids == operations | document["components"]["schemas"].keys() == set(links) | ids
    assert page.locator("script").count() == 0
    assert page.evaluate("getComputedStyle(document.body.parentElement).backgroundColor") == "rgb(18, 20, 23)"
    assert complaints == []
    page.close()


def _template(rule: str) -> str:
    nested = "<_outer>" in rule
    rule = rule.replace("<_outer>", "{id}").replace("<anything:_>", "{record}" if nested else "{id}")
    return rule.replace("<_>", "{id}").replace("<", "{").replace(">", "}")
