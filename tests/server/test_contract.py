"""The OpenAPI document against the server that it speaks of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from serving import Served, add_run

from agnez.server.app import create_app
from agnez.server.reach import Reach
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
def test_the_server_does_just_what_the_document_says(server: Served, store: Store, tmp_path: Path) -> None:
    add_run(store)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", EXCEPTIONS]
    told = ["--checks", "all", "--generation-deterministic", "--max-examples", "6", "--warnings", "off", "--no-color"]
    done = subprocess.run(
        [*command, "run", f"{server.url}/openapi.json", *told],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        capture_output=True,
        text=True,
        timeout=240,
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


def test_a_server_that_asks_for_a_token_says_so_of_each_operation(store: Store) -> None:
    app = create_app(store, reach=Reach(tokens=Tokens("c" * 16, "r" * 16, salt="s")))
    answer = app.flask.test_client().get("/openapi.json", base_url="http://localhost").json
    assert answer is not None
    assert answer["security"] == [{"token": []}]
    assert all("401" in each["responses"] for methods in answer["paths"].values() for each in methods.values())


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
