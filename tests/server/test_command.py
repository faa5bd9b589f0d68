"""`agnez server` with what its options promise, run as a user does."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from serving import Client, Pair, add_run

from agnez.store import Store

ORIGIN = "https://lab.example"
READS = "reads-" + "b" * 16


class Told:
    """Hold the links that a server printed, and ask it."""

    def __init__(self, lines: list[str], session: requests.Session) -> None:
        self.text = "".join(lines)
        self.session = session
        self.links = re.findall(r"https?://[^\s)]+", self.text)
        self.url, _, self.token = self.links[0].partition("?token=")

    def code(self, method: str, path: str, token: str | None, **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return self.session.request(method, self.url + path, headers=sent, json={"n": 1}, timeout=20).status_code


@contextmanager
def told(store: Store, *options: str, lines: int = 2, trusted: Path | None = None) -> Iterator[Told]:
    """Start a server on a free port, and read as many lines as it is to print."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-u", "-m", "agnez", "server", "--dir", str(store.directory), "--port", str(port)]
    with (
        subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process,
        requests.Session() as session,
    ):
        assert process.stdout is not None
        session.trust_env = False
        if trusted is not None:
            session.verify = str(trusted)
        try:
            yield Told([process.stdout.readline() for _ in range(lines)], session)
        finally:
            process.terminate()
            process.wait(20)


def test_it_prints_a_link_that_opens_all_and_one_that_only_looks(store: Store) -> None:
    run = add_run(store)
    with told(store, "--token", "--allow-origin", ORIGIN, "--base-url", "/lab") as server:
        assert server.url.endswith("/lab/") and len(server.token) >= 32
        looks = server.links[1].partition("?token=")[2]
        assert server.text.splitlines()[1].startswith("agnez: to look only: ") and looks != server.token
        for path in ("", "values", f"runs/{run}", "about"):
            assert server.code("GET", path, None) == server.code("GET", path, "wrong") == 401
        for token, may in ((server.token, 201), (looks, 403), (None, 401)):
            assert server.code("POST", "values", token) == may
        assert server.code("GET", f"runs/{run}", looks) == 200
        assert server.code("POST", "values", server.token, Origin=ORIGIN) == 201
        assert server.code("POST", "values", server.token, Origin="https://elsewhere.example") == 403
        assert server.code("GET", "values", server.token, Host="elsewhere.example") == 403
        page = server.session.get(server.links[0], timeout=20)
        assert (page.status_code, page.url) == (200, server.url) and "<script" in page.text
        client = Client(reconnection=False)
        host = server.url.removesuffix("/lab/")
        client.connect(host, socketio_path="/lab/socket.io", auth={"token": looks}, wait_timeout=20)
        refused = client.call("create", ("values", {"n": 2}), timeout=20)
        assert refused["name"] == "Forbidden" and client.call("find", ("runs", {}), timeout=20)[1][0]["_id"] == run
        client.disconnect()


def test_a_token_of_ones_own_is_not_printed(store: Store) -> None:
    full = "full-" + "a" * 16
    with told(store, "--token", full, "--read-token", READS, lines=1) as server:
        assert full not in server.text and READS not in server.text
        assert server.code("POST", "values", full) == 201
        assert (server.code("GET", "values", READS), server.code("POST", "values", READS)) == (200, 403)


def test_it_serves_tls_and_answers_to_a_further_name(store: Store, pair: Pair) -> None:
    files = ("--certfile", str(pair.certificate), "--keyfile", str(pair.key))
    with told(store, *files, "--allow-host", "box.lab.example", lines=1, trusted=pair.certificate) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert server.code("GET", "values", None) == 200
        assert server.code("GET", "values", None, Host="box.lab.example") == 200
        assert server.code("GET", "values", None, Host="other.example") == 403
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url.replace("https:", "http:"), timeout=20)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--token", "short"], "at least 16 characters"),
        (["--base-url", "/a b"], "--base-url"),
        (["--allow-origin", "lab.example"], "lab.example"),
        (["--trusted-proxy", "proxy"], "proxy"),
        (["--certfile", __file__], "TLS cannot be served with"),
        (["--certfile", "/nowhere.pem"], "does not exist"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(store: Store, options: list[str], said: str) -> None:
    command = [sys.executable, "-m", "agnez", "server", "--dir", str(store.directory), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and said in done.stderr and "Traceback" not in done.stderr
