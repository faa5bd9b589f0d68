from __future__ import annotations

import numpy as np

from agnez.dashboard import quantity
from agnez.figures import FigureJob
from agnez.record import Batch, Point, RunInfo
from agnez.store import Store


def job(store: Store, points: list[Point], *metrics: str) -> FigureJob:
    with store.create_run(RunInfo("abc", "p", "n", 1)) as file, file.transaction():
        file.append(Batch.of(points))
    what = quantity(metrics[0])
    assert what is not None
    return FigureJob(store.run_path("abc"), what, metrics, 2)


def test_a_figure_lies_over_epochs_once_two_are_known(store: Store) -> None:
    points = [Point("batch/loss", step, 1.0, 0) for step in range(8)]
    points += [Point("epoch", 4, 1.0, 0), Point("epoch", 8, 2.0, 0), Point("train/loss", 8, 0.5, 0)]
    curves = job(store, points, "batch/loss", "train/loss", "val/loss")()
    assert (curves.title, curves.x_label, curves.epoch, curves.percent) == ("Loss", "epoch", 2, False)
    batch, train = curves.lines
    np.testing.assert_allclose(batch.x, np.arange(8) / 4)
    assert (batch.role, batch.label, train.role, train.x.tolist()) == ("batch", "batch", "train", [2])


def test_an_epoch_that_is_told_at_every_step_grows_evenly_within_it(store: Store) -> None:
    points = [Point("loss", step, 1.0, step) for step in range(10)]
    points += [Point("epoch", step, step // 4, step) for step in range(10)]
    (line,) = job(store, points, "loss")().lines
    np.testing.assert_allclose(line.x, np.arange(10) / 4)


def test_a_long_training_is_read_in_as_many_points_as_a_figure_shows(store: Store) -> None:
    values = np.sin(np.arange(50_000))
    values[31_234] = 9.5
    points = [Point("loss", step, value, step) for step, value in enumerate(values.tolist())]
    (line,) = job(store, points, "loss")().lines
    assert len(line.y) <= 2000 and line.y.max() == 9.5 and line.y[-1] == values[-1]


def test_without_epochs_it_lies_over_steps(store: Store) -> None:
    points = [Point("weights/conv1", step, 1.0, 0) for step in range(3)]
    curves = job(store, points, "weights/conv1")()
    assert curves.x_label == "step" and curves.lines[0].x.tolist() == [0, 1, 2]
    assert (curves.lines[0].label, curves.lines[0].role) == ("conv1", "other")


def test_an_accuracy_is_in_per_cent_if_it_is_one(store: Store) -> None:
    assert job(store, [Point("val/accuracy", 0, 0.5, 0)], "val/accuracy")().percent


def test_what_is_called_accuracy_and_is_none_is_not(store: Store) -> None:
    assert not job(store, [Point("val/accuracy", 0, 50.0, 0)], "val/accuracy")().percent
