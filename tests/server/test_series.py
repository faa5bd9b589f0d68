"""Series and media over HTTP."""

from __future__ import annotations

import numpy as np
import pytest
from serving import Served, add_run

from agnez import wire
from agnez.record import Batch, Point, Series
from agnez.store import Store, media


def get(server: Served, run: str, query: str = "") -> wire.PointsMessage:
    answer = server.call("GET", f"/runs/{run}/series{query}")
    assert answer.status_code == 200, answer.text
    return wire.read_points(answer.content)


def only(message: wire.PointsMessage) -> Series:
    (series,) = message.series
    return series


def test_all_points_come_as_a_message(server: Served, store: Store) -> None:
    run = add_run(store)
    answer = server.call("GET", f"/runs/{run}/series")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    whole = wire.read_points(answer.content)
    assert (whole.run, whole.cursor, whole.after, whole.decimated) == (run, "100", None, False)
    assert only(whole).metric == "loss" and np.array_equal(only(whole).values, 1 / (1 + np.arange(100)))
    few = get(server, run, "?max=10")
    assert few.decimated and len(only(few)) <= 10 and only(few).values.max() == 1.0
    assert get(server, run, "?metric=nope").series == []


def test_a_reader_gets_what_it_lacks_and_no_more(server: Served, store: Store) -> None:
    run = add_run(store)
    rest = get(server, run, "?after=90&metric=loss")
    assert only(rest).steps.tolist() == list(range(90, 100)) and rest.cursor == "100"
    assert get(server, run, "?after=100").series == []
    with store.join_process(run, 0) as child, child.transaction():
        child.append(Batch.of([Point("loss", 200, 7.0, 200_000_000)]))
    news = get(server, run, "?after=100")
    assert only(news).values.tolist() == [7.0]
    assert get(server, run, f"?after={news.cursor}").series == []


def test_a_part_of_a_series_is_asked_for_on_any_axis(server: Served, store: Store) -> None:
    run = add_run(store, created=0)
    assert only(get(server, run, "?from=5&to=7")).steps.tolist() == [5, 6, 7]
    assert only(get(server, run, "?x=time&from=5&to=7")).x is None
    relative = only(get(server, run, "?x=relative&from=5.5&to=7"))
    assert relative.axis == "relative" and relative.x is not None and relative.x.tolist() == [6, 7]
    by_metric = only(get(server, run, "?metric=loss&x=loss&from=0.5"))
    assert by_metric.axis == "loss" and by_metric.values.tolist() == [1.0, 0.5]
    few = get(server, run, "?max=10&from=10&to=90")
    assert few.decimated and only(few).steps[[0, -1]].tolist() == [10, 90]
    assert get(server, run, "?metric=nope&from=1").series == []


def test_declared_axes_and_ranks_come_too(server: Served, store: Store) -> None:
    run = add_run(store, axes={"loss": "epoch"})
    with store.open_run(run) as file, file.transaction():
        file.append(Batch.of([Point("epoch", 100, 1.0, 100_000_000), Point("loss", 101, 5.0, 101_000_000)]))
    with store.join_run(run, 1) as file, file.transaction():
        file.append(Batch.of([Point("loss", 101, 7.0, 101_000_000)]))
    for query in ("?metric=loss", "?metric=loss&from=0"):
        loss = only(get(server, run, query))
        assert loss.axis == "epoch" and loss.x is not None and loss.x[-1] == 1.0 and np.isnan(loss.x[0])
    assert only(get(server, run, "?rank=1")).values.tolist() == [7.0]
    assert only(get(server, run, "?metric=loss&rank=mean&from=101")).values.tolist() == [6.0]
    assert only(get(server, run, "?metric=loss&rank=max&from=101")).values.tolist() == [7.0]


@pytest.mark.parametrize(
    "query",
    "after=-1 after=x after= after=1.5 after=99999999999999999999 max=9 max=1000001 max= max=x from=nan from=x to=inf "
    "from=2&to=1 rank=-1 rank=median branch=x after=1&from=2 after=1&rank=0 nonsense=1".split(),
)
def test_what_cannot_be_asked_for_is_refused_in_a_sentence(server: Served, store: Store, query: str) -> None:
    answer = server.call("GET", f"/runs/{add_run(store)}/series?{query}")
    assert (answer.status_code, answer.json()["name"]) == (400, "BadRequest")
    assert len(answer.json()["message"]) > 20


def test_what_is_not_there_is_not_found(server: Served, store: Store) -> None:
    run = add_run(store)
    for path in (f"/runs/{run}/series?x=epoch", f"/runs/{run}/series?rank=4", "/runs/nope/series"):
        assert server.call("GET", path).json()["name"] == "NotFound"
    assert server.call("POST", f"/runs/{run}/series").status_code == 405


def test_media_are_served_for_ever_and_as_what_they_are(server: Served, store: Store) -> None:
    run = add_run(store)
    png, svg = (
        media.put(store.run_folder(run), content, kind) for content, kind in ((b"\x89PNG", "png"), (b"<svg/>", "svg"))
    )
    answer = server.call("GET", f"/runs/{run}/media/{png}")
    assert (answer.content, answer.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    assert "immutable" in answer.headers["Cache-Control"] and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in server.call("GET", f"/runs/{run}/media/{svg}").headers["Content-Security-Policy"]
    for name in ("0" * 32 + ".png", "run.db", "..%2Frun.db", "../run.db", "%2e%2e/run.db", png + "%00"):
        assert server.call("GET", f"/runs/{run}/media/{name}").status_code == 404
    assert server.call("GET", f"/runs/nope/media/{png}").status_code == 404


def test_series_of_several_runs_come_in_one_answer_and_those_that_are_gone_are_left_out(
    server: Served, store: Store
) -> None:
    runs = [add_run(store, f"run{nth}") for nth in range(3)]
    asked = "&".join(f"run={run}" for run in (runs[0], "gone", *runs[1:], runs[0]))
    answer = server.call("GET", f"/series?{asked}&metric=loss&metric=nope&max=20")
    messages = wire.read_bundle(answer.content)
    assert [each.run for each in messages] == runs
    assert all(each.cursor == "100" and each.decimated and 10 < len(only(each)) <= 20 for each in messages)
    part = wire.read_bundle(server.call("GET", f"/series?run={runs[1]}&x=step&from=10&to=12&max=20").content)
    assert [only(each).steps.tolist() for each in part] == [[10, 11, 12]]
    assert server.call("GET", "/series?run=gone").content == b""


def test_the_first_metrics_can_be_asked_for_without_their_names(server: Served, store: Store) -> None:
    run = add_run(store)
    with store.open_run(run) as file, file.transaction():
        file.append(Batch.of([Point(f"m{nth}", nth, 1.0, 1_000_000) for nth in range(20)]))
    assert [each.metric for each in get(server, run, "?first=3").series] == ["loss", "m0", "m1"]


@pytest.mark.parametrize("query", ["", "metric=loss", "run=RUN&first=x", "run=RUN&colour=red", "run=r&" * 201])
def test_series_of_runs_that_are_asked_for_wrongly_are_refused(server: Served, store: Store, query: str) -> None:
    answer = server.call("GET", f"/series?{query.replace('RUN', add_run(store))}")
    assert answer.status_code == 400 and answer.json()["name"] == "BadRequest"


def test_means_are_of_equally_many_points_and_tell_of_how_many(server: Served, store: Store) -> None:
    run = add_run(store, created=0)
    values = 1 / (1 + np.arange(100))
    found = get(server, run, "?means=10&metric=loss")
    series = only(found)
    assert found.decimated and series.axis == "means" and series.x is not None
    assert series.steps.tolist() == [*range(9, 100, 10)] and series.x.tolist() == [10.0] * 10
    np.testing.assert_allclose(series.values, values.reshape(10, 10).mean(axis=1))
    part = only(get(server, run, "?means=10&x=relative&from=20&to=39.5&metric=loss"))
    assert part.steps.tolist() == [*range(21, 40, 2)]
    np.testing.assert_allclose(part.values, values[20:40].reshape(10, 2).mean(axis=1))
    other = only(get(server, run, "?means=10&rank=mean&metric=loss"))
    np.testing.assert_allclose(other.values, series.values)
    for query in ("?means=10&max=10", "?means=5", "?means=10&after=0", "?means=10&x=loss"):
        assert server.call("GET", f"/runs/{run}/series{query}").status_code == 400
