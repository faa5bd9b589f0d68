from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image
from serving import Served, add_run

from agnez.record import Json
from agnez.server import rest
from agnez.store import Store, media

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4"/></svg>'
DRAWN = b'<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd">\n' + SVG
LAUGHS = b'<!DOCTYPE svg [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>' + SVG.replace(b"<rect", b"<text>&b;</text><rect")


def picture(kind: str, size: tuple[int, int] = (5, 4)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(file, kind)
    return file.getvalue()


def send(server: Served, run: str, content: bytes, kind: str) -> tuple[int, dict[str, Json]]:
    answer = server.call("POST", f"/runs/{run}/media", data=content, headers={"Content-Type": kind})
    return answer.status_code, answer.json()


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_a_picture_can_be_put_into_a_cell(server: Served, store: Store, kind: str) -> None:
    run, content = add_run(store), picture(kind)
    status, record = send(server, run, content, f"image/{kind}")
    assert status == 201
    assert record["address"] == f"./runs/{run}/media/{record['_id']}"
    answer = server.call("GET", str(record["address"])[1:])
    assert (answer.content, answer.headers["Content-Type"]) == (content, f"image/{kind}")
    cell = {"_id": f"{run}.photo", "name": "photo", "type": "img", "value": record["address"], "pos": 0, "run": run}
    assert server.call("POST", "/values", cell).status_code == 201
    assert send(server, run, content, f"image/{kind}") == (201, record)
    assert media.names(store.run_folder(run)) == [record["_id"]]


@pytest.mark.parametrize("kind", media.CONTENT_TYPES)
def test_a_file_is_served_under_the_type_that_its_name_says(server: Served, store: Store, kind: str) -> None:
    run = add_run(store)
    name = media.put(store.run_folder(run), b"anything", kind)
    answer = server.call("GET", f"/runs/{run}/media/{name}")
    assert answer.headers["Content-Type"] == media.CONTENT_TYPES[kind]
    assert (answer.content, answer.headers["X-Content-Type-Options"]) == (b"anything", "nosniff")


@pytest.mark.parametrize("content", [SVG, DRAWN])
def test_an_svg_is_kept_and_shut_in(server: Served, store: Store, content: bytes) -> None:
    status, record = send(server, add_run(store), content, "image/svg+xml; charset=utf-8")
    assert status == 201
    answer = server.call("GET", str(record["address"])[1:])
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def bomb() -> bytes:
    """Return a PNG of a few hundred bytes that would unpack to 12 GB."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", 65_535, 65_535, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def frames() -> bytes:
    """Return an animation whose frames come to more pixels than one picture may have."""
    file = io.BytesIO()
    pictures = [Image.new("L", (3000, 3000), shade) for shade in range(8)]
    pictures[0].save(file, "gif", save_all=True, append_images=pictures[1:])
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "kind", "status"),
    [
        (lambda: picture("png"), "image/jpeg", 400),
        (lambda: b"<html><script>alert(1)</script></html>", "image/png", 400),
        (lambda: b"", "image/png", 400),
        (lambda: picture("png")[:40], "image/png", 400),
        (bomb, "image/png", 400),
        (frames, "image/gif", 400),
        (lambda: LAUGHS, "image/svg+xml", 400),
        (lambda: b"hello", "text/plain", 415),
        (lambda: b"\xff", "text/markdown", 400),
        (lambda: picture("png"), "application/octet-stream", 415),
        (lambda: picture("png") + bytes(rest.LARGEST_BODY), "image/png", 413),
    ],
)
def test_what_is_no_picture_or_too_much_of_one_is_refused(
    server: Served, store: Store, make: Callable[[], bytes], kind: str, status: int
) -> None:
    run = add_run(store)
    answer = send(server, run, make(), kind)
    assert (answer[0], answer[1]["code"]) == (status, status)
    assert media.names(store.run_folder(run)) == []


def test_a_run_that_is_not_there_takes_no_pictures(server: Served, store: Store) -> None:
    assert send(server, "nope", picture("png"), "image/png")[0] == 404
    assert not store.run_folder("nope").exists()


def test_what_is_logged_under_a_name_can_be_walked_and_is_never_doubled(server: Served) -> None:
    run = str(server.call("POST", "/runs", {"project": "lua"}).json()["_id"])
    _, first = send(server, run, picture("png"), "image/png")
    _, second = send(server, run, picture("png", (6, 6)), "image/png")
    media: list[Json] = [
        {"name": "sample", "type": "img", "step": step, "value": each["address"], "caption": f"at {step}"}
        for step, each in enumerate((first, second))
    ]
    answer = server.call("POST", f"/runs/{run}/album?writer=w&sequence=1", media[0])
    assert answer.json() == {"taken": 1, "repeated": 0, "refused": []}
    server.call("PATCH", f"/runs/{run}", {"state": "finished"})  # what is drawn last may come after the end
    answer = server.call("POST", f"/runs/{run}/album?writer=w&sequence=1", media)
    assert answer.json() == {"taken": 1, "repeated": 1, "refused": []}
    walked = server.call("GET", f"/runs/{run}/media?name=sample").json()
    assert [(each["step"], each["value"]) for each in walked["items"]] == [
        (0, first["address"]),
        (1, second["address"]),
    ]
    cell = server.call("GET", f"/values/{run}.sample").json()
    assert (cell["type"], cell["value"], cell["count"]) == ("img", second["address"], 2)
    for wrong in ({}, {"name": "x", "type": "exe", "step": 1, "value": ""}, media[0] | {"step": "one"}):  # type: ignore[operator]
        assert server.call("POST", f"/runs/{run}/album", wrong).status_code == 400
