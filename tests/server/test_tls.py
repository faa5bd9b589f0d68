"""TLS: on threads as on a hub."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect
from serving import Pair, Served, add_run, both_engines, standing
from websocket import create_connection

from agnez.errors import BadValueError
from agnez.server import tls
from agnez.server.reach import Reach
from agnez.server.standalone import pick_engine
from agnez.server.threads import Threads
from agnez.server.tokens import Tokens
from agnez.store import Store

engine = both_engines
FULL = "full-" + "a" * 16


@pytest.fixture
def server(store: Store, engine: str, pair: Pair) -> Iterator[Served]:
    kind = (pick_engine() if engine == "hub" else Threads).tls
    context = tls.read_context(pair.certificate, pair.key, kind)
    with standing(engine, store, reach=Reach(tokens=Tokens(FULL, salt="s")), tls=context) as server:
        server.url = f"https://{server.host}"
        server.session.verify = str(pair.certificate)
        server.session.headers["Authorization"] = f"Bearer {FULL}"
        yield server


def test_requests_and_sockets_come_by_tls(server: Served, pair: Pair) -> None:
    assert server.session.post(f"{server.url}/values", json={"_id": "a", "n": 0}).status_code == 201
    link = server.session.get(f"{server.url}/?token={FULL}", allow_redirects=False)
    assert "; Secure" in link.headers["Set-Cookie"]
    place = f"wss://localhost:{server.port}/socket.io/?EIO=4&transport=websocket"
    trusted = {"ca_certs": str(pair.certificate)}
    wire = create_connection(place, timeout=20, header=[f"Authorization: Bearer {FULL}"], sslopt=trusted)
    assert wire.recv().startswith("0{")
    wire.send("40")
    assert wire.recv().startswith("40{")
    for number in range(200):  # both directions at once: events, acks and calls cross each other
        wire.send(f'42{number}["patch","values","a",{{"n":{number},"value":"{"x" * 20_000}"}},{{}}]')
    events, acks = [], []
    while len(events) + len(acks) < 400:
        said = wire.recv()
        (events if said.startswith("42[") else acks).append(said)
    assert [said.partition("[")[0] for said in acks] == [f"43{number}" for number in range(200)]
    wire.shutdown()


def test_plain_http_and_stalled_handshakes_hold_nobody_up(server: Served) -> None:
    stalled = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{server.host}/about", timeout=20)
    assert server.session.get(f"{server.url}/about", timeout=5).json()["app"] == "agnez"
    for each in stalled:
        each.close()


def test_the_page_lives_over_tls(server: Served, store: Store, browser: Browser) -> None:
    add_run(store, state="running", name="secured")
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda wire: sockets.append(wire.url))
    page.goto(f"{server.url}/?token={FULL}")
    expect(page.locator("[data-testid=run-name]")).to_have_text("secured", timeout=20_000)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=20_000)
    assert sockets and sockets[0].startswith(f"wss://{server.host}/socket.io/")
    assert [cookie["secure"] for cookie in context.cookies()] == [True]
    context.close()


def test_files_that_make_no_certificate_are_named(engine: str, tmp_path: Path, pair: Pair) -> None:
    (tmp_path / "nonsense").write_text("nonsense")
    box = pair.certificate
    for certificate, key in ((tmp_path / "nonsense", None), (box, None), (box, box)):
        with pytest.raises(BadValueError, match="TLS cannot be served with"):
            tls.read_context(certificate, key, ssl.SSLContext)
