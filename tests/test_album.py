"""Media from `log` to the store and back: step by step, through resuming, copying, damage and repair."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from server.serving import served

import agnez
from agnez.encoder import Encoder, Taken
from agnez.entries import Entry, Lost, Problem
from agnez.errors import NotFoundError
from agnez.media import Image
from agnez.record import Medium
from agnez.server.app import create_app
from agnez.store import Store, media
from agnez.store.copy import copy_run
from agnez.store.doctor import examine
from agnez.store.salvage import salvage


def picture(level: int) -> agnez.Image:
    return agnez.Image(np.full((2, 2), level, dtype=np.uint8))


def logged(steps: range = range(5), **how: object) -> str:
    with agnez.init("digits", server=None, **how) as run:  # type: ignore[arg-type]
        for step in steps:
            run.log({"loss": 1.0, "digit": picture(step)}, step=step)
    return run.id


def test_every_step_is_kept_and_the_cell_shows_the_newest(store: Store) -> None:
    id = logged()
    found = agnez.open().run(id).media("digit")
    assert [each.step for each in found] == [*range(5)]
    assert len({each.value for each in found}) == 5
    with store.open_run(id) as file:
        cell = file.cells.get(f"{id}.digit")
    assert cell["value"] == found[-1].value and (cell["type"], cell["step"], cell["count"]) == ("img", 4, 5)
    assert (cell["media"], cell["name"], cell["description"]) == ("digit", "digit", "step 4")
    assert len(media.names(store.run_folder(id))) == 5


def test_what_is_logged_again_and_again_is_one_file(store: Store) -> None:
    with agnez.init(server=None) as run:
        for _ in range(4):
            run.log({"same": picture(7), "also": [picture(7), picture(7)]})
    assert len(media.names(store.run_folder(run.id))) == 1
    assert len(agnez.open().run(run.id).media("also")) == 4


def test_a_resumed_run_goes_on_and_a_branch_leaves_what_it_wrote_anew(store: Store) -> None:
    id = logged()
    logged(range(3, 6), id=id, resume="must")
    found = agnez.open().run(id).media("digit")
    assert [each.step for each in found] == [0, 1, 2, 3, 4, 5]
    assert [each.time for each in found] == sorted(each.time for each in found)  # of 3 and 4 the later ones
    with store.open_run(id) as file:
        assert file.cells.get(f"{id}.digit")["count"] == 6
    with pytest.raises(NotFoundError, match="did you mean 'digit'"):
        agnez.open().run(id).media("digits")


def test_a_copy_has_them_all(store: Store, tmp_path: Path) -> None:
    id = logged()
    copy_run(store.directory, id, tmp_path / "copy")
    found = agnez.open(tmp_path / "copy").run(id).media("digit")
    folder = Store(tmp_path / "copy").run_folder(id)
    assert len(found) == 5
    for each in found:
        assert media.is_sound(media.path(folder, str(each.value).rpartition("/")[2]))
    assert list(examine(tmp_path / "copy")) == []


def test_the_doctor_knows_the_files_of_earlier_steps_and_misses_one_that_is_gone(store: Store) -> None:
    id = logged()
    assert list(examine(store.directory)) == []
    first = str(agnez.open().run(id).media("digit")[0].value).rpartition("/")[2]
    media.path(store.run_folder(id), first).unlink()
    (remark,) = examine(store.directory)
    assert remark.kind == "fault" and first in remark.sentence


def test_what_can_be_read_of_a_damaged_file_has_them_too(store: Store, tmp_path: Path) -> None:
    id = logged()
    saved = salvage(store.run_path(id), tmp_path / "saved.db", run=id)
    assert saved.lost == ()
    (store.run_folder(id) / "run.db").unlink()
    (tmp_path / "saved.db").rename(store.run_path(id))
    assert [each.step for each in agnez.open().run(id).media("digit")] == [*range(5)]


def test_pages_of_them_are_read_by_http(store: Store) -> None:
    id = logged(range(20))
    with agnez.init(server=None, id=id, resume="must") as run:
        run.log({"page": agnez.Html("<b>hi</b>"), "tone": agnez.Audio(np.zeros(2000), sample_rate=1000)})
    with served(create_app(store)) as server:
        address = f"/runs/{id}/media"
        assert server.call("GET", address).json() == ["digit", "page", "tone"]
        page = server.call("GET", f"{address}?name=digit&first=3&count=2").json()
        assert page["count"] == 20 and [(each["place"], each["step"]) for each in page["items"]] == [(3, 3), (4, 4)]
        assert page["items"][0]["type"] == "img" and page["items"][0]["value"].startswith(f"./runs/{id}/media/")
        spread = server.call("GET", f"{address}?name=digit&most=3").json()["items"]
        assert [each["place"] for each in spread] == [0, 10, 19]
        assert server.call("GET", f"{address}?name=none").json() == {"count": 0, "items": []}
        assert server.call("GET", f"{address}?name=digit&first=x").status_code == 400
        assert server.call("GET", "/runs/nothing/media?name=x").status_code == 404
        document = server.call("GET", f"{address}?name=page").json()["items"][0]["value"]["src"]
        shown = server.call("GET", f"/frame?src={document}")
        assert "<b>hi</b>" in shown.text and "sandbox" in shown.headers["Content-Security-Policy"]
        assert "<b>hi</b>" in server.call("GET", f"/frame?cell={id}.page").text
        raw = server.call("GET", document.removeprefix("."))
        assert raw.headers["Content-Security-Policy"].endswith("sandbox")
        assert "<b>" not in server.call("GET", "/frame?src=./runs/x/media/../run.db").text


def test_a_player_may_ask_for_a_part_of_a_sound(store: Store) -> None:
    with agnez.init(server=None) as run:
        run.log({"tone": agnez.Audio(np.arange(-500, 500, dtype=np.int16), sample_rate=1000)})
    with served(create_app(store)) as server:
        (item,) = server.call("GET", f"/runs/{run.id}/media?name=tone").json()["items"]
        address = item["value"]["src"].removeprefix(".")
        whole = server.call("GET", address)
        part = server.call("GET", address, headers={"Range": "bytes=44-103"})
        assert (whole.status_code, part.status_code) == (200, 206)
        assert part.content == whole.content[44:104]
        assert part.headers["Content-Range"] == f"bytes 44-103/{len(whole.content)}"
        assert (whole.headers["Content-Type"], whole.headers["X-Content-Type-Options"]) == ("audio/wav", "nosniff")
        assert server.call("GET", address, headers={"Range": "bytes=99999-"}).status_code == 416
        assert "media-src 'self'" in server.call("GET", "/").headers["Content-Security-Policy"]


class Slow:
    """A value that is encoded when the test says so."""

    caption, weight = "", 1

    def __init__(self) -> None:
        self.go = threading.Event()

    def kept(self, keep: object) -> str:
        assert self.go.wait(20)
        return "done"


def encoder(folder: Path) -> tuple[Encoder, list[Entry]]:
    entries: list[Entry] = []
    return Encoder(folder, "abc", entries.append), entries


def test_what_comes_too_fast_is_dropped_counted_and_named_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agnez.encoder.MOST_WAITING", 2)
    ours, entries = encoder(tmp_path)
    slow = Slow()
    for step in range(3):
        ours.put(Taken("film", "video", step, 0, slow))
    assert entries == [Lost(1, "'film' came faster than it could be encoded: log it less often")]
    slow.go.set()
    assert ours.flush(20)
    assert [each.step for each in entries if isinstance(each, Medium)] == [0, 1]
    assert ours.close(20) == 0


def test_a_disk_that_takes_no_file_is_tried_again_and_the_order_stays(tmp_path: Path) -> None:
    ours, entries = encoder(tmp_path / "run")
    (tmp_path / "run").write_text("where a folder should be")
    for step in range(3):
        ours.put(Taken("digit", "img", step, 0, Image(np.full((1, 1), step, dtype=np.uint8)).frozen()))
    assert not ours.flush(0.1)
    (tmp_path / "run").unlink()
    assert ours.flush(20)
    assert isinstance(entries[0], Problem) and "tried again" in entries[0].sentence
    assert [each.step for each in entries if isinstance(each, Medium)] == [0, 1, 2]
    ours.close(20)


def test_what_makes_no_picture_is_told_and_costs_nothing_else(store: Store) -> None:
    torch = pytest.importorskip("torch")
    with agnez.init(server=None) as run:
        run.log({"bad": agnez.Image(torch.full((2, 2), 200.0)), "loss": 1.0, "good": picture(1)})
    stored = agnez.open().run(run.id)
    assert any("'bad'" in each and "reach from 200" in each for each in stored.problems)
    assert len(stored.media("good")) == 1 and stored.series("loss").values.tolist() == [1.0]
