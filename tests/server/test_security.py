from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from serving import Served, served
from websocket import WebSocketBadStatusException, create_connection

from agnez.server.app import create_app
from agnez.server.reach import Reach
from agnez.store import Store

ENGINE = "/socket.io/?EIO=4&transport=polling"


def refused(answer: requests.Response) -> None:
    assert answer.status_code == 403, answer.text
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json()["name"] == "Forbidden" and len(answer.json()["message"]) > 20


def get(server: Served, path: str, **headers: str) -> requests.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.call("GET", path, headers=names)


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "example.org:3000",
        "localhost.example.org",
        "127.0.0.1.example.org",
        "10.0.0.1",
        "[::2]:3000",
        "",
        "localhost:3000, example.org",
        "localhost@example.org",
        "0.0.0.0:3000",
        "a b",
        "localhost:http",
        "[::1",
        "128.0.0.1",
    ],
)
def test_a_foreign_host_name_is_refused_everywhere(server: Served, host: str) -> None:
    for path in ("/", "/values", "/about", "/assets/mpld3/mpld3.js", ENGINE):
        refused(get(server, path, Host=host))
    refused(server.call("POST", "/values", {"a": 1}, headers={"Host": host}))
    assert server.call("GET", "/values").json() == []


@pytest.mark.parametrize("host", ["localhost:8080", "LOCALHOST", "localhost.", "127.9.8.7:1", "[::1]:3000", "[::1]"])
def test_every_name_of_this_machine_is_answered_at_any_port(server: Served, host: str) -> None:
    assert get(server, "/values", Host=host).status_code == 200


def test_a_named_host_is_answered(store: Store) -> None:
    with served(create_app(store, reach=Reach(hosts=["box.lab.example"]))) as server:
        assert get(server, "/values", Host="Box.Lab.example:3000").status_code == 200
        policy = get(server, "/frame?cell=nope", Host="box.lab.example")
        assert policy.status_code == 404
        refused(get(server, "/values", Host="lab.example"))


@pytest.mark.parametrize(
    "origin",
    ["http://example.org", "http://127.0.0.1", "http://localhost:{port}", "null", "", "file://", "http://127.0.0.1:1"],
)
def test_another_origin_can_neither_write_nor_open_a_socket(server: Served, origin: str) -> None:
    origin = origin.format(port=server.port)
    server.call("POST", "/values", {"_id": "a"})
    for method, path, data in (
        ("POST", "/values", {"b": 1}),
        ("PUT", "/values/a", {"b": 1}),
        ("PATCH", "/values/a", {"b": 1}),
        ("DELETE", "/values/a", None),
        ("OPTIONS", "/values", None),
        ("GET", ENGINE, None),
        ("POST", ENGINE + "&sid=x", None),
    ):
        refused(server.call(method, path, data, headers={"Origin": origin}))
    with pytest.raises(WebSocketBadStatusException, match="403"):
        create_connection(f"ws://{server.host}/socket.io/?EIO=4&transport=websocket", origin=origin or "x", timeout=10)
    answer = get(server, "/values", Origin=origin)
    assert answer.json() == [{"_id": "a"}]
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_our_own_origin_may_do_all(server: Served) -> None:
    mine = {"Origin": server.url}
    assert server.call("POST", "/values", {"_id": "a"}, headers=mine).status_code == 201
    assert get(server, ENGINE, Origin=server.url).status_code == 200
    forwarded = {"Origin": "https://localhost:8443", "Host": "localhost:8443"}
    assert server.call("DELETE", "/values/a", headers=forwarded).status_code == 200
    short = {"Origin": "http://localhost", "Host": "localhost:80"}
    assert server.call("POST", "/values", {"_id": "a"}, headers=short).status_code == 201
    wire = create_connection(f"ws://{server.host}/socket.io/?EIO=4&transport=websocket", origin=server.url, timeout=10)
    assert wire.recv().startswith("0{")
    wire.shutdown()


def test_a_page_of_another_site_reads_nothing_but_may_lead_here_or_frame_us(server: Served) -> None:
    for mode, destination in (("cors", "empty"), ("no-cors", "image"), ("no-cors", "script"), ("navigate", "object")):
        for path in ("/values", "/about", "/", "/frame?cell=a", ENGINE):
            refused(get(server, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode=mode, Sec_Fetch_Dest=destination))
    for destination in ("document", "iframe"):
        crossing = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": destination}
        assert get(server, "/about", **crossing).status_code == 200
        refused(get(server, ENGINE, **crossing))
        refused(server.call("POST", "/values", {}, headers={k.replace("_", "-"): v for k, v in crossing.items()}))
    for site in ("same-origin", "same-site", "none"):
        assert get(server, "/values", Sec_Fetch_Site=site).status_code == 200


def test_sandboxed_frames_load_the_scripts_of_mpld3_and_only_those(server: Served) -> None:
    frame = {"Origin": "null", "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"}
    for name in ("d3.v5.min.js", "mpld3.js"):
        answer = get(server, f"/assets/mpld3/{name}", **frame)
        assert answer.status_code == 200 and len(answer.content) > 10_000
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "javascript" in answer.headers["Content-Type"]
    refused(get(server, "/assets/main.js", **frame))
    for name in ("nope.js", "../manifest.json", "%2e%2e/app.py"):
        assert server.call("GET", f"/assets/mpld3/{name}").status_code == 404


def test_every_answer_bears_the_guarding_headers(server: Served) -> None:
    for path in ("/values", "/nope", "/about", ENGINE):
        headers = get(server, path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_frame_of_a_cell_is_shut_in(server: Served) -> None:
    server.call("POST", "/values", {"_id": "a", "type": "html", "value": "<script>alert(1)</script>"})
    answer = get(server, "/frame?cell=a")
    assert "<script>alert(1)</script>" in answer.text
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["sandbox"] == "allow-scripts"
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == f"'unsafe-inline' {server.url}/assets/mpld3/ 'self'"
    assert policy["img-src"] == "data: blob:"
    assert "connect-src" not in policy
    assert policy["frame-ancestors"].split()[:3] == ["'self'", "http://localhost:*", "http://127.0.0.1:*"]
    assert "*" not in policy["frame-ancestors"].split()


def test_a_frame_is_fetched_anew_only_when_it_changed(server: Served) -> None:
    server.call("POST", "/values", {"_id": "a/b", "type": "html", "value": "<p>1</p>"})
    path = "/frame?theme=dark&cell=" + quote("a/b", safe="")
    first = get(server, path)
    assert get(server, path, If_None_Match=first.headers["ETag"]).status_code == 304
    assert get(server, path.replace("dark", "light"), If_None_Match=first.headers["ETag"]).status_code == 200
    server.call("PATCH", "/values/a%2Fb", {"value": "<p>2</p>"})
    again = get(server, path, If_None_Match=first.headers["ETag"])
    assert again.status_code == 200 and "<p>2</p>" in again.text


def test_a_frame_loads_the_scripts_of_mpld3_from_here(server: Served) -> None:
    html = '<script src="https://d3js.org/d3.v5.js"></script><script src="https://mpld3.github.io/js/mpld3.v0.5.10.js"></script>'
    server.call("POST", "/values", {"_id": "a", "type": "html", "value": html})
    text = get(server, "/frame?cell=a").text
    assert "/assets/mpld3/d3.v5.min.js" in text and "/assets/mpld3/mpld3.js" in text
    assert "d3js.org" not in text and "github" not in text


def test_compression_of_websockets_is_not_accepted(server: Served) -> None:
    offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]
    wire = create_connection(f"ws://{server.host}/socket.io/?EIO=4&transport=websocket", header=offer, timeout=10)
    assert "sec-websocket-extensions" not in wire.getheaders()
    wire.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "main img.gif").write_bytes(b"GIF89a")
    (folder / "page.html").write_text("<script>1</script>")
    (folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>")
    (folder / ".hidden").write_text("hidden")
    (folder / "values").write_text("a file that a service shades")
    (tmp_path / "secret.txt").write_text("secret")
    os.symlink(tmp_path / "secret.txt", folder / "link.txt")
    os.symlink(folder / "circle", folder / "circle")
    os.symlink(folder / "page.html", folder / "inner.html")
    return folder


@pytest.fixture
def shop(store: Store, folder: Path) -> Iterator[Served]:
    with served(create_app(store, static=folder)) as server:
        yield server


def test_files_of_the_static_folder_are_served(shop: Served) -> None:
    picture = get(shop, "/images/main%20img.gif")
    assert (picture.content, picture.headers["Content-Type"]) == (b"GIF89a", "image/gif")
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    page = get(shop, "/page.html")
    assert page.headers["Content-Security-Policy"] == "sandbox"
    assert get(shop, "/drawing.svg").headers["Content-Security-Policy"] == "sandbox"
    assert get(shop, "/inner.html").text == page.text
    assert get(shop, "/page.html", If_None_Match=page.headers["ETag"]).status_code == 304
    assert shop.call("POST", "/page.html").status_code == 405
    assert get(shop, "/values").json() == []


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/images/../../secret.txt",
        "/images/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/link.txt",
        "/circle",
        "/.hidden",
        "/images",
        "/images/",
        "/nope",
        "/a%00b",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/..%5csecret.txt",
        "/" + "a" * 5000,
    ],
)
def test_nothing_outside_the_static_folder_is_served(shop: Served, path: str) -> None:
    answer = get(shop, path)
    assert answer.status_code == 404, answer.text
    assert answer.json()["name"] == "NotFound"
