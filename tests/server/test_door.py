"""Who is let in: tokens, cookies, read-only links, programs, sockets; pages of named origins."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import socketio
from playwright.sync_api import Browser
from serving import Client, Served, add_run, both_engines, served_by, standing
from websocket import create_connection

from agnez.record import Json
from agnez.server.reach import Reach
from agnez.server.tokens import Tokens
from agnez.server.viewers import _MOST_STRANGERS
from agnez.store import Store

FULL, READS, WRONG = "full-" + "a&b=c#d%" + "a" * 16, "reads-" + "b" * 16, "wrong-" + "c" * 16
ENGINE = "/socket.io/?EIO=4&transport=polling"
engine = both_engines
HTML = {"Accept": "text/html,*/*"}


@pytest.fixture
def locked(store: Store, engine: str) -> Iterator[Served]:
    reach = Reach(tokens=Tokens(FULL, READS, salt="s"), origins=["https://lab.example"])
    with standing(engine, store, reach=reach) as server:
        yield server


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refused(answer: requests.Response, code: int, name: str) -> None:
    assert answer.status_code == code, answer.text
    assert (answer.json()["name"], answer.json()["code"]) == (name, code)


def enter(server: Served, token: str, query: str = "") -> tuple[requests.Session, requests.Response]:
    """Open the link as a browser does, and return its session and the first answer."""
    session = requests.Session()
    session.trust_env = False
    return session, session.get(server.url + "/?" + query, params={"token": token}, allow_redirects=False)


def test_without_a_token_nothing_is_read_and_nothing_changes(locked: Served) -> None:
    for path in ("/", "/values", "/values/a", "/about", "/runs", "/frame?cell=a", "/nope", "/runs/x/series"):
        refused(locked.call("GET", path), 401, "NotAuthenticated")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        refused(locked.call(method, "/values/a", {"a": 1}), 401, "NotAuthenticated")
    assert locked.call("GET", "/values", headers=bearer(FULL)).json() == []


def test_a_wrong_token_says_no_more_than_none(locked: Served) -> None:
    none = locked.call("GET", "/values")
    assert none.headers["WWW-Authenticate"] == 'Bearer realm="Agnez"'
    for headers in (bearer(WRONG), bearer(""), bearer(FULL[:-1]), {"Cookie": "agnez-1234=x"}):
        wrong = locked.call("GET", "/values", headers=headers)
        assert (wrong.status_code, wrong.text) == (401, none.text)
    missing, given = locked.call("GET", "/", headers=HTML), locked.call("GET", f"/?token={WRONG}", headers=HTML)
    assert (missing.status_code, missing.text) == (given.status_code, given.text) == (401, missing.text)
    assert "<form" in missing.text and "script" not in missing.text
    assert "form-action 'self'" in missing.headers["Content-Security-Policy"]


def test_a_link_becomes_a_cookie_and_leaves_the_address(locked: Served) -> None:
    session, answer = enter(locked, FULL, "run=a%20b")
    assert (answer.status_code, answer.headers["Location"]) == (303, "./?run=a+b")
    name, value, *rest = re.split("[=;] ?", answer.headers["Set-Cookie"])
    assert name.startswith("agnez-") and FULL not in value
    assert "HttpOnly" in rest and "Lax" in rest and "Secure" not in rest and "Path" not in rest
    assert answer.headers["Cache-Control"] == "no-store"
    assert session.post(locked.url + "/values", json={"_id": "a"}).status_code == 201
    assert session.get(locked.url + "/values").json() == [{"_id": "a"}]
    assert enter(locked, FULL)[1].headers["Location"] == "./"
    stale = session.get(f"{locked.url}/", params={"token": WRONG}, allow_redirects=False)
    assert stale.status_code == 303  # an old link does not lock out who is in already


def test_the_form_takes_a_token_and_only_from_our_own_page(locked: Served) -> None:
    form = {"data": {"token": FULL}, "allow_redirects": False, "timeout": 20}
    answer: Any = requests.post(f"{locked.url}/", headers={"Origin": locked.url}, **form)  # type: ignore[arg-type]
    assert answer.status_code == 303 and "Set-Cookie" in answer.headers
    other: Any = requests.post(f"{locked.url}/", headers={"Origin": "http://evil.example"}, **form)  # type: ignore[arg-type]
    assert other.status_code == 403 and "Set-Cookie" not in other.headers
    wrong = requests.post(f"{locked.url}/", data={"token": WRONG}, headers=HTML, timeout=20)
    assert wrong.status_code == 401 and "Set-Cookie" not in wrong.headers
    assert requests.post(f"{locked.url}/", data={"token": "x" * 9000}, timeout=20).status_code == 401


def test_under_tls_the_cookie_travels_by_tls_only(store: Store, engine: str) -> None:
    from agnez.server.forwarded import read_proxy

    reach = Reach(tokens=Tokens(FULL, salt="s"), proxies=[read_proxy("127.0.0.1")])
    with served_by(engine, store, reach=reach) as server:
        answer = requests.get(
            server.url,
            params={"token": FULL},
            headers={"X-Forwarded-Proto": "https"},
            allow_redirects=False,
            timeout=20,
        )
        assert "; Secure" in answer.headers["Set-Cookie"]


def test_a_reader_sees_all_and_changes_nothing(locked: Served) -> None:
    assert locked.call("POST", "/values", {"_id": "a"}, headers=bearer(FULL)).status_code == 201
    session, _ = enter(locked, READS)
    for headers, ask in (({}, session.request), (bearer(READS), requests.request)):
        assert ask("GET", f"{locked.url}/values", headers=headers, timeout=20).json() == [{"_id": "a"}]  # type: ignore[operator]
        for method, path in (("POST", ""), ("PUT", "/a"), ("PATCH", "/a"), ("PATCH", ""), ("DELETE", "/a")):
            answer = ask(method, f"{locked.url}/values{path}", json={"b": 1}, headers=headers, timeout=20)  # type: ignore[operator]
            refused(answer, 403, "Forbidden")
    assert locked.call("GET", "/values", headers=bearer(FULL)).json() == [{"_id": "a"}]


@pytest.mark.parametrize("namespace", ["/", "/live"])
@pytest.mark.parametrize("auth", [None, {"token": WRONG}, {"token": 5}, "x", {"token": {"a": 1}}])
def test_a_socket_without_a_token_joins_no_namespace(locked: Served, namespace: str, auth: object) -> None:
    client = Client(reconnection=False)
    heard: list[Any] = []
    client.on("connect_error", heard.append, namespace=namespace)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(locked.url, namespaces=[namespace], transports=["websocket"], auth=auth)
    assert [each["data"]["name"] for each in heard if isinstance(each, dict)] == ["NotAuthenticated"]
    client.disconnect()


def test_what_is_sent_before_a_namespace_was_joined_is_not_heard(locked: Served) -> None:
    place = f"ws://{locked.host}/socket.io/?EIO=4&transport=websocket"
    wire = create_connection(place, timeout=10)
    assert wire.recv().startswith("0{")
    wire.send('420["find","values",{}]')
    wire.send("40")
    assert wire.recv().startswith("44{")  # the error of the namespace comes first: nothing answered before
    wire.shutdown()


def ways_in(server: Served, token: str) -> list[dict[str, object]]:
    session, _ = enter(server, token)
    cookie = "; ".join(f"{each.name}={each.value}" for each in session.cookies)
    return [{"auth": {"token": token}}, {"headers": bearer(token)}, {"headers": {"Cookie": cookie}}]


@pytest.mark.parametrize("way", [0, 1, 2])
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_socket_with_a_token_may_do_what_that_allows(locked: Served, way: int, transport: str) -> None:
    for token, name in ((FULL, None), (READS, "Forbidden")):
        client = Client(reconnection=False)
        client.connect(locked.url, namespaces=["/"], transports=[transport], **ways_in(locked, token)[way])
        assert call(client, "find", "values", {})[0] is None
        for method, arguments in (
            ("create", ({"_id": f"new{way}{transport}"},)),
            ("update", ("a", {"b": 1})),
            ("patch", (None, {"b": 1})),
            ("remove", (None,)),
        ):
            ack = call(client, method, "values", *arguments, {})
            if name is not None:
                assert (ack[0]["name"], ack[0]["code"]) == (name, 403)
            elif method == "create":
                assert ack[0] is None
        hang_up(client)


def hang_up(client: Client) -> None:
    """End without a wait: a client that polls would wait for its next answer."""
    threading.Thread(target=client.disconnect, daemon=True).start()


def call(client: Client, method: str, *arguments: Json) -> list[Any]:
    result = client.call(method, arguments, timeout=20)
    return list(result) if isinstance(result, tuple | list) else [result]


def test_strangers_hold_few_sockets_open(locked: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"ws://{locked.host}/socket.io/?EIO=4&transport=websocket"
    wires = [create_connection(place, timeout=10) for _ in range(_MOST_STRANGERS)]
    for spelling in ("", "&sid=", "&xsid=1"):
        refused(locked.call("GET", ENGINE + spelling), 503, "Unavailable")
    assert locked.call("GET", ENGINE, headers=bearer(READS)).status_code == 200  # who has a token is not held up
    monkeypatch.setattr("agnez.server.viewers._STRANGER_SECONDS", -1.0)
    assert locked.call("GET", ENGINE).status_code == 200
    for wire in wires:
        while wire.connected and (said := wire.recv()) not in ("", "1"):  # told to go
            assert said.startswith("0{")
        wire.shutdown()


def test_guessing_is_slowed_and_holds_nobody_else_up(locked: Served) -> None:
    codes = [locked.call("GET", "/values", headers=bearer(f"{WRONG}{number}")).status_code for number in range(30)]
    assert codes[:10] == [401] * 10 and codes[10:].count(429) >= 15
    _, answer = enter(locked, READS)
    assert answer.status_code in (303, 429)
    refused(locked.call("GET", "/values", headers=bearer(WRONG)), 429, "TooManyRequests")
    assert locked.call("GET", "/values", headers=bearer(WRONG)).headers["Retry-After"] == "1"
    client = Client(reconnection=False)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(locked.url, auth={"token": WRONG}, transports=["websocket"])
    client.disconnect()


def test_old_cookies_do_not_count_as_guesses(locked: Served) -> None:
    _, answer = enter(locked, FULL)
    name = answer.headers["Set-Cookie"].partition("=")[0]
    for number in range(50):
        assert locked.call("GET", "/values", headers={"Cookie": f"{name}=old{number}"}).status_code == 401
    assert locked.call("GET", "/values", headers=bearer(READS)).status_code == 200


def test_the_page_opens_by_the_link_alone_and_lives(
    locked: Served, engine: str, browser: Browser, tmp_path: Any
) -> None:
    locked.call("POST", "/values", {"_id": "a", "type": "html", "name": "hi", "value": FIGURE}, headers=bearer(FULL))
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{locked.url}/?token=")
    assert page.title() == "Agnez" and page.locator("form").is_visible()
    page.fill("input", WRONG)
    page.click("button")
    page.wait_for_load_state()
    assert page.locator("form").is_visible() and context.cookies() == []
    page.fill("input", FULL)
    page.click("button")
    page.wait_for_selector("[data-testid=cell]")
    assert page.url == f"{locked.url}/"
    [cookie] = context.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
    figure = page.frame_locator("[data-testid=figure]")
    assert figure.locator("#drawn").text_content(timeout=20_000) == "d3 5"
    assert page.evaluate("document.cookie") == ""
    context.close()


def test_a_page_that_may_only_look_says_so_calmly_and_changes_nothing(
    locked: Served, store: Store, browser: Browser
) -> None:
    run = add_run(store)
    for number, name in enumerate(("first", "second")):
        record = {"_id": f"{run}.{name}", "run": run, "type": "chart", "name": name, "metrics": ["loss"], "pos": number}
        locked.call("POST", "/values", record, headers=bearer(FULL))
    before = locked.call("GET", "/values", headers=bearer(FULL)).json()
    context = browser.new_context()
    page, errors = context.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{locked.url}/?token={READS}")
    page.locator("[data-name=first]").get_by_test_id("cell-menu").click()
    page.get_by_test_id("cell-later").click()
    notice = page.get_by_text("You may only look here")
    notice.wait_for()
    order = page.locator("[data-testid=cell]").evaluate_all("all => all.map(each => each.dataset.name)")
    assert order == ["second", "first"], "it is moved for who looks"
    assert errors == [] and locked.call("GET", "/values", headers=bearer(FULL)).json() == before
    context.close()


FIGURE = """<p id="drawn"></p><script src="/assets/mpld3/d3.v5.min.js"></script>
<script>document.getElementById("drawn").textContent = "d3 " + d3.version[0]</script>"""


# --- pages of named origins ------------------------------------------------------------------------------------------

LAB = {"Origin": "https://lab.example"}


def shared(answer: requests.Response) -> list[str]:
    return [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_named_origin_is_answered_and_its_preflight_too(locked: Served) -> None:
    asked = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
    preflight = locked.call("OPTIONS", "/values/a", headers=LAB | asked)
    assert (preflight.status_code, preflight.text) == (204, "")
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://lab.example"
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    site = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    made = locked.call("POST", "/values", {"_id": "a"}, headers=LAB | site | bearer(FULL))
    assert made.status_code == 201 and made.headers["Access-Control-Allow-Origin"] == "https://lab.example"
    assert "Access-Control-Allow-Credentials" not in made.headers
    wrong = locked.call("GET", "/values", headers=LAB | site)
    assert wrong.status_code == 401 and "Access-Control-Allow-Origin" in wrong.headers  # it may read why
    assert made.headers["Vary"] == "Origin"
    wire = create_connection(
        f"ws://{locked.host}/socket.io/?EIO=4&transport=websocket", origin=LAB["Origin"], timeout=10
    )
    assert wire.recv().startswith("0{")
    wire.shutdown()


@pytest.mark.parametrize(
    "origin", ["https://lab.example.evil", "http://lab.example", "https://lab.example:8443", "null"]
)
def test_any_other_origin_is_refused_and_shares_nothing(locked: Served, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for answer in (
        locked.call("OPTIONS", "/values", headers=asked),
        locked.call("POST", "/values", {}, headers={"Origin": origin} | bearer(FULL)),
        locked.call("GET", "/values", headers={"Origin": origin} | bearer(FULL)),
    ):
        assert shared(answer) == []


def test_without_named_origins_there_is_no_sharing(server: Served) -> None:
    asked = {"Origin": server.url, "Access-Control-Request-Method": "GET"}
    for method, headers in (("OPTIONS", asked), ("GET", LAB), ("GET", {"Origin": server.url})):
        assert shared(server.call(method, "/values", headers=headers)) == []
