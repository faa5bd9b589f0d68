"""Under a prefix and behind proxies: a real nginx, where there is one (tools/nginx.sh), and a real browser."""

from __future__ import annotations

import os
import selectors
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, expect
from serving import Served, add_run, both_engines, standing

from agnez.server.forwarded import read_proxy
from agnez.server.reach import Reach
from agnez.server.tokens import Tokens
from agnez.store import Store

engine = both_engines
FULL = "full-" + "a" * 16
FIGURE = """<p id="drawn"></p><script src="/assets/mpld3/d3.v5.min.js"></script>
<script>document.getElementById("drawn").textContent = "d3 " + d3.version[0]</script>"""
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
BEARER = {"Authorization": f"Bearer {FULL}"}

CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
  server {{
    listen 127.0.0.1:{port};
    location {location} {{
      proxy_pass http://127.0.0.1:{upstream}{path};
      proxy_http_version 1.1;
      proxy_set_header Host {host};
      proxy_set_header Origin {origin};
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      client_max_body_size 16m;
    }}
  }}
}}
"""


@pytest.fixture
def server(store: Store, engine: str) -> Iterator[Served]:
    """Serve under a prefix, with a token, behind a proxy."""
    reach = Reach(tokens=Tokens(FULL, salt="s"), base="/lab/agnez", proxies=[read_proxy("127.0.0.1")])
    with standing(engine, store, reach=reach) as server:
        yield server


@pytest.fixture(params=["keeps the prefix", "takes the prefix off"])
def proxied(request: pytest.FixtureRequest, server: Served, tmp_path: Path) -> Iterator[str]:
    """Put nginx before the server, and return the address of the page behind it."""
    path = "" if request.param == "keeps the prefix" else "/"
    with nginx(tmp_path, server.port, path=path) as address:
        yield address


@contextmanager
def nginx(
    folder: Path, upstream: int, *, location: str = "/lab/agnez/", path: str, own_name: str = ""
) -> Iterator[str]:
    """Run nginx before a server, and return the address behind it; `own_name` is what it tells the server it is."""
    places = ("/usr/sbin", os.path.join(sys.prefix, "nginx/usr/sbin"))
    program = shutil.which("nginx") or shutil.which("nginx", path=os.pathsep.join(places))
    if program is None:
        pytest.skip("nginx is not installed, and tools/nginx.sh could not bring it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    names = {"host": own_name or "$http_host", "origin": f"http://{own_name}" if own_name else "$http_origin"}
    text = CONFIGURATION.format(folder=folder, port=port, upstream=upstream, path=path, location=location, **names)
    (folder / "nginx.conf").write_text(text)
    command = [program, "-e", str(folder / "first.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(port, process)
        yield f"http://localhost:{port}{location.rstrip('/')}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    session = requests.Session()
    session.trust_env = False
    patient = requests.adapters.Retry(20, backoff_factor=0.05)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=patient))
    session.get(f"http://127.0.0.1:{port}/", timeout=20)
    assert process.poll() is None, process.communicate()[1]


def test_behind_nginx_under_a_prefix_the_page_lives(
    proxied: str, server: Served, store: Store, browser: Browser
) -> None:
    run = add_run(store, state="running", name="behind")
    fill(proxied, run)
    context = browser.new_context()
    page = context.new_page()
    lost: list[str] = []
    sockets: list[str] = []
    page.on("response", lambda answer: lost.append(answer.url) if answer.status >= 400 else None)
    page.on("pageerror", lambda error: lost.append(str(error)))
    page.on("websocket", lambda wire: sockets.append(wire.url))
    page.goto(f"{proxied}/?token={FULL}")
    expect(page.locator("[data-testid=run-name]")).to_have_text("behind", timeout=20_000)
    assert page.url == f"{proxied}/"
    [cookie] = context.cookies()
    assert cookie["path"] == "/lab/agnez"
    figure = page.frame_locator("[data-testid=figure]")
    expect(figure.locator("#drawn")).to_have_text("d3 5", timeout=20_000)
    page.wait_for_function("() => [...document.images].some((each) => each.naturalWidth > 0)")
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=20_000)
    assert sockets and all(url.startswith(f"ws{proxied[4:]}/socket.io/") for url in sockets)
    heard = {"_id": f"{run}.new", "run": run, "name": "heard", "type": "img", "value": PICTURE, "pos": 2}
    requests.post(f"{proxied}/values", json=heard, headers=BEARER, timeout=20)
    page.wait_for_selector('[data-testid=cell][data-name="heard"]', timeout=20_000)
    assert lost == []
    context.close()


@contextmanager
def tunnel(folder: Path, upstream: int) -> Iterator[str]:
    """Forward a port as ssh and VS Code do: bytes, whatever they say."""
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as selector:
        ends: dict[socket.socket, socket.socket] = {}

        def work() -> None:
            selector.register(listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is ended:
                        return
                    if key.fileobj is listener:
                        near, far = listener.accept()[0], socket.create_connection(("127.0.0.1", upstream))
                        ends.update({near: far, far: near})
                        selector.register(near, selectors.EVENT_READ)
                        selector.register(far, selectors.EVENT_READ)
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in ends:
                        forward(key.fileobj)

        def forward(end: socket.socket) -> None:
            other = ends[end]
            try:
                data = end.recv(65536)
                other.sendall(data)
            except OSError:
                data = b""
            if not data:
                for each in (end, other):
                    del ends[each]
                    selector.unregister(each)
                    each.close()

        ended, end = socket.socketpair()
        selector.register(ended, selectors.EVENT_READ)
        thread = threading.Thread(target=work)
        thread.start()
        yield f"http://localhost:{listener.getsockname()[1]}"
        end.close()
        thread.join()
        for each in (ended, *ends):
            each.close()


WAYS = {
    "a forwarded port, as of ssh and of VS Code": tunnel,
    "a folder of another server, as Jupyter's proxy has it": partial(nginx, location="/user/me/proxy/3000/", path="/"),
    "a tunnel that calls the server by its own name": partial(nginx, location="/", path="", own_name="localhost:3000"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_training_is_seen_through_what_stands_between_and_was_told_to_nobody(
    way: str, store: Store, engine: str, browser: Browser, tmp_path: Path
) -> None:
    run = add_run(store, state="running", name="behind")
    with standing(engine, store) as plain, WAYS[way](tmp_path, plain.port) as address:
        fill(address, run)
        context = browser.new_context()
        page, lost, sockets = context.new_page(), list[str](), list[str]()
        page.on("response", lambda answer: lost.append(answer.url) if answer.status >= 400 else None)
        page.on("pageerror", lambda error: lost.append(str(error)))
        page.on("websocket", lambda wire: sockets.append(wire.url))
        page.goto(f"{address}/")
        expect(page.locator("[data-testid=run-name]")).to_have_text("behind", timeout=20_000)
        figure = page.frame_locator("[data-testid=figure]")
        expect(figure.locator("#drawn")).to_have_text("d3 5", timeout=20_000)
        page.locator("[data-name=figure]").get_by_test_id("cell-menu").click()
        with page.expect_response(lambda answer: answer.request.method == "PATCH" and "_id=layout" not in answer.url):
            page.get_by_test_id("cell-wider").click()
        heard = {"_id": f"{run}.new", "run": run, "name": "heard", "type": "img", "value": PICTURE, "pos": 2}
        assert requests.post(f"{plain.url}/values", json=heard, timeout=20).status_code == 201
        page.wait_for_selector('[data-testid=cell][data-name="heard"]', timeout=20_000)
        assert sockets and all(url.startswith(f"ws{address[4:]}/socket.io/") for url in sockets)
        assert lost == []
        context.close()


def fill(address: str, run: str) -> None:
    """Make a figure and a picture of a run, by HTTP through the proxy."""
    for record in (
        {"_id": f"{run}.a/b", "run": run, "type": "html", "value": FIGURE, "name": "figure", "pos": 0},
        {"_id": f"{run}.c", "run": run, "type": "img", "value": PICTURE, "pos": 1},
    ):
        answer = requests.post(f"{address}/values", json=record, headers=BEARER, timeout=20)
        assert answer.status_code == 201, answer.text
    answer = requests.patch(f"{address}/values/{run}.a%2Fb", json={"description": "x"}, headers=BEARER, timeout=20)
    assert answer.json()["description"] == "x"


def get(server: Served, path: str, **headers: str) -> requests.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.call("GET", path, headers=BEARER | names)


def test_with_and_without_the_prefix_the_same_is_served(server: Served) -> None:
    server.call("POST", "/lab/agnez/values", {"_id": "a/b"}, headers=BEARER)
    for prefix in ("/lab/agnez", ""):
        assert get(server, f"{prefix}/values/a%2Fb").json() == {"_id": "a/b"}
        assert get(server, f"{prefix}/socket.io/?EIO=4&transport=polling").status_code == 200
    moved = server.session.get(f"{server.url}/lab/agnez?run=x", allow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (308, "./agnez/?run=x")
    assert get(server, "/lab/agnezvalues").status_code == 404


def test_the_frame_of_a_cell_may_load_scripts_from_under_the_prefix(server: Served) -> None:
    server.call("POST", "/values", {"_id": "a", "type": "html", "value": FIGURE}, headers=BEARER)
    assert '<script src="./assets/mpld3/d3.v5.min.js">' in get(server, "/lab/agnez/frame?cell=a").text
    answer = get(server, "/lab/agnez/frame?cell=a", X_Forwarded_Proto="https", X_Forwarded_Host="localhost:8443")
    # A proxy's login would refuse what a frame asks for: the scripts come with it.
    assert "assets/mpld3" not in answer.text and len(answer.content) > 300_000
    assert (
        "script-src 'unsafe-inline' https://localhost:8443/lab/agnez/assets/mpld3/ 'self'"
        in answer.headers["Content-Security-Policy"]
    )
    stripped = get(server, "/frame?cell=a", X_Forwarded_Prefix="/proxy/3000")
    assert f"{server.url}/proxy/3000/assets/mpld3/" in stripped.headers["Content-Security-Policy"]


def test_only_a_named_proxy_is_believed(store: Store, engine: str) -> None:
    said = {"X_Forwarded_Host": "localhost:1", "X_Forwarded_Prefix": "/x", "X_Forwarded_Proto": "https"}
    for proxies, believed in (([], False), (["10.0.0.0/8"], False), (["127.0.0.0/8"], True)):
        reach = Reach(tokens=Tokens(FULL, salt="s"), proxies=[read_proxy(each) for each in proxies])
        with standing(engine, store, reach=reach) as server:
            server.call("POST", "/values", {"_id": "a", "type": "html", "value": "x"}, headers=BEARER)
            policy = get(server, "/frame?cell=a", **said).headers["Content-Security-Policy"]
            assert ("https://localhost:1/x/" in policy) == believed
            # Each stranger behind a believed proxy is slowed by himself; a stranger cannot say he is another.
            claims = [f"{number}.1.1.1, 9.9.9.9" for number in range(12)]
            codes = [
                get(server, "/values", Authorization="Bearer x", X_Forwarded_For=each).status_code for each in claims
            ]
            assert codes[-1] == 429
            other = get(server, "/values", Authorization="Bearer x", X_Forwarded_For="8.8.8.8")
            assert other.status_code == (401 if believed else 429)
            rebound = get(server, "/values", X_Forwarded_Host="evil.example")
            assert rebound.status_code == (403 if believed else 200)
            assert get(server, "/values", Host="evil.example", X_Forwarded_Host="localhost").status_code == 403
