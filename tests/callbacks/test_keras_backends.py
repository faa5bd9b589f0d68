"""What the Keras callback does on every backend. `make test` runs it on PyTorch, `make test-backends` on the others."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from shapes import Digits, Read

import agnez
from agnez.errors import BadValueError
from agnez.run import Run
from agnez.store import Store

BACKEND = os.environ["KERAS_BACKEND"]
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras' own, with NumPy 2
    *([pytest.mark.backend] if BACKEND != "torch" else []),
]

BATCHES = 5  # of 32 in 160 pictures


def model(**options: Any) -> keras.Model:
    keras.utils.set_random_seed(7)
    layers = [
        keras.layers.Input((64,)),
        keras.layers.Dense(16, "relu", name="hidden"),
        keras.layers.Dense(10, name="out"),
    ]
    made = keras.Sequential(layers)
    made.compile(
        options.pop("optimizer", "sgd"),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **options,
    )
    return made


def arrays(layer: keras.layers.Layer) -> list[Any]:
    return [keras.ops.convert_to_numpy(each) for each in layer.weights]


def callback(**options: Any) -> agnez.AgnezCallback:
    return agnez.AgnezCallback(server=None, **options)


def run_of(made: agnez.AgnezCallback) -> Run:
    assert made.run is not None
    return made.run


class Witness(keras.callbacks.Callback):  # type: ignore[misc]
    """Keep what Keras tells of batches, in whatever order it does."""

    async_safe = True

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[tuple[int, float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append((batch, logs["loss"]))


class Raising(keras.callbacks.Callback):  # type: ignore[misc]
    """Raise an error at the end of the second epoch."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            raise self.error


def test_every_batch_is_recorded_in_order_with_the_numbers_keras_tells(digits: Digits, read: Read) -> None:
    made, witness = callback(), Witness()
    model().fit(*digits, epochs=3, verbose=0, callbacks=[made, witness])
    steps, losses = read(run_of(made))["batch/loss"]
    assert steps == list(range(3 * BATCHES))
    # Within an epoch the numbers of batches tell the order; epochs do not mix, since Keras waits for its pool there.
    told = [sorted(witness.losses[k : k + BATCHES]) for k in range(0, 3 * BATCHES, BATCHES)]
    assert losses == [loss for epoch in told for _, loss in epoch]


def test_epochs_equal_the_history(digits: Digits, read: Read) -> None:
    made = callback()
    history = model().fit(*digits, epochs=3, validation_data=digits, verbose=0, callbacks=[made]).history
    found = read(run_of(made))
    ends = [BATCHES, 2 * BATCHES, 3 * BATCHES]
    for phase, prefix in (("train", ""), ("val", "val_")):
        for name in ("loss", "accuracy"):
            assert found[f"{phase}/{name}"] == (ends, history[prefix + name])
    assert found["epoch"] == ([0, *ends], [0, 1, 2, 3])
    assert found["learning_rate"] == (ends, pytest.approx([0.01] * 3))
    for name in ("time/epoch", "time/step"):
        assert found[name][0] == ends and all(seconds > 0 for seconds in found[name][1])
    whole, steps = (np.array(found[name][1]) for name in ("time/epoch", "time/step"))
    assert (steps * BATCHES <= whole).all()
    assert not [name for name in found if name.startswith("test/")]  # a validation is no test


def test_progress_is_reported(digits: Digits, store: Store) -> None:
    made = callback()
    model().fit(*digits, epochs=2, verbose=0, callbacks=[made])
    with store.open_run(run_of(made).id) as file:
        progress = file.info().progress
    assert (progress.epoch, progress.epochs, progress.step, progress.steps_per_epoch) == (2, 2, 2 * BATCHES, BATCHES)


def test_weight_norms_equal_numpys(digits: Digits, read: Read) -> None:
    keras.utils.set_random_seed(1)
    inner = keras.Sequential([keras.layers.Input((16,)), keras.layers.Dense(8, name="d")], name="inner")
    shared = keras.layers.Dense(16, name="d")
    start = keras.Input((64,))
    hidden = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(16, name="first")(start))
    made_model = keras.Model(start, keras.layers.Dense(10, name="out")(inner(shared(shared(hidden)))))
    made_model.get_layer("first").trainable = False
    made_model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    made = callback()
    made_model.fit(*digits, epochs=1, verbose=0, callbacks=[made])
    found = {name: values for name, (_, values) in read(run_of(made)).items() if name.startswith("weights/")}

    def norm(*values: Any) -> Any:
        return pytest.approx([np.sqrt(sum((each.astype("float64") ** 2).sum() for each in values))], rel=1e-5)

    norms = made_model.get_layer("norm")
    kinds = {
        "first": arrays(made_model.get_layer("first")),
        "norm": [keras.ops.convert_to_numpy(each) for each in (norms.gamma, norms.beta)],  # and no moving averages
        "d": arrays(shared),
        "inner/d": arrays(inner.get_layer("d")),
        "out": arrays(made_model.get_layer("out")),
    }
    assert found.pop("weights/global") == norm(*(each for values in kinds.values() for each in values))
    assert found == {f"weights/{name}": norm(*values) for name, values in kinds.items()}


def test_layers_are_chosen_by_patterns(digits: Digits, read: Read, store: Store) -> None:
    made = callback(layers="hid*")
    model().fit(*digits, epochs=1, verbose=0, callbacks=[made])
    assert {name for name in read(run_of(made)) if name.startswith("weights/")} == {"weights/hidden", "weights/global"}
    without, wrong = callback(log=None), callback(layers=["conv*"])
    model().fit(*digits, epochs=1, verbose=0, callbacks=[without, wrong])
    for each in (without, wrong):
        found = read(run_of(each))
        assert "train/loss" in found and not [name for name in found if name.startswith("weights/")]
    with store.open_run(run_of(wrong).id) as file:
        (problem,) = file.info().problems
    assert "'conv*' matches no layer" in problem and "hidden" in problem


def test_weights_after_training_are_the_same_with_and_without_it(digits: Digits) -> None:
    def trained(*callbacks: Any) -> list[Any]:
        made = model(optimizer="adam")
        made.fit(*digits, epochs=2, validation_data=digits, verbose=0, callbacks=list(callbacks))
        return arrays(made)

    for without, with_it in zip(trained(), trained(callback()), strict=True):
        np.testing.assert_array_equal(without, with_it)


def test_a_schedule_of_learning_rates_is_evaluated(digits: Digits, read: Read) -> None:
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 10 * BATCHES, 0.0)
    made, set_by_epoch = callback(), callback()
    model(optimizer=keras.optimizers.SGD(schedule)).fit(*digits, epochs=2, verbose=0, callbacks=[made])
    assert read(run_of(made))["learning_rate"][1] == pytest.approx([0.09, 0.08], rel=1e-5)
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    model().fit(*digits, epochs=2, verbose=0, callbacks=[set_by_epoch, scheduler])
    assert read(run_of(set_by_epoch))["learning_rate"][1] == pytest.approx([0.5, 0.25])


def test_several_outputs_and_metrics_keep_their_names(digits: Digits, read: Read) -> None:
    keras.utils.set_random_seed(1)
    start = keras.Input((64,))
    digit = keras.layers.Dense(10, "softmax", name="digit")(start)
    even = keras.layers.Dense(1, "sigmoid", name="even")(start)
    two = keras.Model(start, {"digit": digit, "even": even})
    two.compile(
        "sgd",
        {"digit": "sparse_categorical_crossentropy", "even": "binary_crossentropy"},
        metrics={"digit": ["accuracy"], "even": ["accuracy", keras.metrics.AUC(name="auc")]},
    )
    x, y = digits
    made = callback()
    history = two.fit(
        x, {"digit": y, "even": (y % 2 == 0)[:, None]}, epochs=2, validation_split=0.2, verbose=0, callbacks=[made]
    ).history
    found = read(run_of(made))
    assert {"even_auc", "val_digit_loss"} <= set(history)
    for name, values in history.items():
        phase, name = ("val", name[4:]) if name.startswith("val_") else ("train", name)
        assert found[f"{phase}/{name}"][1] == values
        assert f"batch/{name}" in found


@pytest.mark.parametrize(
    ("frequency", "steps"), [("batch", [*range(10)]), (3, [0, 3, 6, 9]), ("epoch", None), (100, [0])]
)
def test_update_freq_says_which_batches_are_recorded(
    frequency: str | int, steps: list[int] | None, digits: Digits, read: Read
) -> None:
    made = callback(update_freq=frequency)
    model().fit(*digits, epochs=2, verbose=0, callbacks=[made])
    found = read(run_of(made))
    assert found.get("batch/loss", (None,))[0] == steps
    assert len(found["train/loss"][0]) == 2


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch executes one step at a time")
def test_batch_numbers_that_jump_keep_their_steps(digits: Digits, read: Read) -> None:
    made = callback()
    model(steps_per_execution=2).fit(*digits, epochs=2, verbose=0, callbacks=[made])
    found = read(run_of(made))
    assert found["batch/loss"][0] == [1, 3, 4, 6, 8, 9]  # the third execution of an epoch has one batch only
    assert found["train/loss"][0] == [5, 10]


def test_a_second_fit_goes_on_with_the_run(digits: Digits, read: Read, store: Store) -> None:
    made, trained = callback(), model()
    trained.fit(*digits, epochs=2, verbose=0, callbacks=[made])
    first = run_of(made)
    assert first.state == "finished"
    trained.fit(*digits, epochs=1, verbose=0, callbacks=[made])
    assert run_of(made) is first and first.state == "finished"
    trained.fit(*digits, initial_epoch=3, epochs=4, verbose=0, callbacks=[made])  # it counts on by itself
    found = read(first)
    assert found["batch/loss"][0] == list(range(4 * BATCHES))
    assert found["epoch"] == ([0, 5, 10, 15, 20], [0, 1, 2, 3, 4])
    with store.open_run(first.id) as file:
        info = file.info()
    assert (info.state, info.progress.epoch, info.progress.epochs) == ("finished", 4, 4) and info.ended is not None
    assert len(store.runs()) == 1


def test_initial_epoch_is_where_epochs_begin(digits: Digits, read: Read, store: Store) -> None:
    made = callback()
    model().fit(*digits, initial_epoch=5, epochs=7, verbose=0, callbacks=[made])
    assert read(run_of(made))["epoch"] == ([0, 5, 10], [5, 6, 7])
    with store.open_run(run_of(made).id) as file:
        assert (file.info().progress.epoch, file.info().progress.epochs) == (7, 7)


@pytest.mark.filterwarnings("ignore:.*ran out of data:UserWarning")
def test_the_length_of_a_generator_is_known_after_its_first_epoch(digits: Digits, read: Read, store: Store) -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield digits[0][:32], digits[1][:32]

    made = callback()
    trained = model()
    trained.fit(endless(), shuffle=False, steps_per_epoch=4, epochs=2, verbose=0, callbacks=[made])
    found = read(run_of(made))
    assert found["batch/loss"][0] == list(range(8)) and found["train/loss"][0] == [4, 8]
    once = callback()
    pictures = ((digits[0][k : k + 32], digits[1][k : k + 32]) for k in range(0, 96, 32))
    trained.fit(pictures, shuffle=False, epochs=1, verbose=0, callbacks=[once])
    found = read(run_of(once))
    assert found["batch/loss"][0][:3] == [0, 1, 2] and found["train/loss"][0] == [3]
    with store.open_run(run_of(once).id) as file:
        assert file.info().progress.steps_per_epoch == 3


def test_an_evaluation_beside_fit_is_a_test(digits: Digits, read: Read) -> None:
    made, trained = callback(), model()
    trained.fit(*digits, epochs=1, verbose=0, callbacks=[made])
    told = trained.evaluate(*digits, verbose=0, return_dict=True, callbacks=[made])
    trained.predict(digits[0], verbose=0, callbacks=[made])
    found = read(run_of(made))
    assert {name: found[f"test/{name}"] for name in told} == {name: ([BATCHES], [told[name]]) for name in told}
    assert run_of(made).state == "finished"
    lone = callback()
    told = trained.evaluate(*digits, verbose=0, return_dict=True, callbacks=[lone])
    assert read(run_of(lone))["test/loss"] == ([0], [told["loss"]]) and run_of(lone).state == "finished"


def test_an_exception_that_is_kept_fails_the_run_with_its_last_line(digits: Digits, store: Store) -> None:
    made = callback()
    error = ValueError("the loss is no number\nat step 7")
    with pytest.raises(ValueError, match="no number"):
        model().fit(*digits, epochs=3, verbose=0, callbacks=[made, Raising(error)])
    assert run_of(made).state == "failed"
    run_of(made).flush()
    with store.open_run(run_of(made).id) as file:
        assert (file.info().state, file.info().reason) == ("failed", "ValueError: at step 7")


def test_an_interrupt_is_told_and_the_next_fit_goes_on(digits: Digits, read: Read) -> None:
    made, trained = callback(), model()
    with pytest.raises(KeyboardInterrupt):
        trained.fit(*digits, epochs=3, verbose=0, callbacks=[made, Raising(KeyboardInterrupt())])
    assert run_of(made).state == "interrupted"
    trained.fit(*digits, epochs=1, verbose=0, callbacks=[made])
    assert run_of(made).state == "finished"
    # The epoch that was left had all its batches, and no end that Keras told of before the exception.
    steps, epochs = read(run_of(made))["epoch"]
    assert (steps[:3], epochs[:3]) == ([0, 5, 10], [0, 1, 2]) and (steps[-1], epochs[-1]) == (15, 3)


def test_a_run_of_ones_own_takes_it_all_and_stays_open(digits: Digits, read: Read, store: Store) -> None:
    with agnez.init("mine", server=None) as run:
        made = agnez.AgnezCallback()
        trained = model()
        trained.fit(*digits, epochs=1, verbose=0, callbacks=[made])
        assert made.run is run and run.state == "running"
        apart = callback(project="apart")
        trained.fit(*digits, epochs=1, verbose=0, callbacks=[apart])
        assert run_of(apart) is not run and run_of(apart).project == "apart"
        again = agnez.AgnezCallback()
        trained.fit(*digits, epochs=1, verbose=0, callbacks=[again])
        assert again.run is run
    assert run.state == "finished" and "train/loss" in read(run)
    assert len(store.runs()) == 2


def test_callbacks_do_not_share_runs_by_accident(digits: Digits) -> None:
    first, second = callback(), callback()
    model().fit(*digits, epochs=1, verbose=0, callbacks=[first, second])
    third = copy.deepcopy(first)  # as tuners do
    assert third.run is None
    model().fit(*digits, epochs=1, verbose=0, callbacks=[third])
    assert len({run_of(each).id for each in (first, second, third)}) == 3


def test_constructing_opens_nothing(store: Store) -> None:
    assert callback(project="p", name="n").run is None
    assert store.runs() == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"update_freq": 0}, "update_freq=0"),
        ({"update_freq": "step"}, "update_freq='step'"),
        ({"log": ("weights", "gradients")}, "Keras shows gradients to no callback"),
        ({"log": "biases"}, "'biases' is not known"),
        ({"every": 0}, "every=0"),
        ({"budget": 2}, "budget=2"),
        ({"layers": 3}, "layers=3"),
        ({"port": 0}, "port 0"),
        ({"server": "thrad"}, "server='thrad'"),
        ({"renderer": "gif"}, "renderer='gif'"),
        ({"tags": "one"}, "tags='one'"),
        ({"config": 3}, "config=3"),
    ],
)
def test_arguments_that_make_no_sense_are_told_at_once(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadValueError) as raised:
        agnez.AgnezCallback(**options)
    assert sentence in str(raised.value)


def test_all_stands_for_what_keras_can_measure(digits: Digits, read: Read) -> None:
    made = callback(log="all", every=10, budget=0.5)
    model().fit(*digits, epochs=1, verbose=0, callbacks=[made])
    assert "weights/global" in read(run_of(made))


def test_a_fault_of_ours_is_told_and_training_goes_on(
    digits: Digits, read: Read, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no device")

    monkeypatch.setattr("agnez.callbacks.keras_norms.WeightNorms.measure", fail)
    made = callback()
    history = model().fit(*digits, epochs=2, verbose=0, callbacks=[made]).history
    assert read(run_of(made))["train/loss"][1] == history["loss"]
    with store.open_run(run_of(made).id) as file:
        assert file.info().problems == ("weight norms failed (no device); training goes on",)
        assert file.info().state == "finished"
    assert [record.levelname for record in caplog.records if record.name == "agnez.callbacks.keras"] == ["ERROR"]


def test_a_store_that_cannot_be_written_ends_no_training(
    digits: Digits, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    made = callback(dir=tmp_path / "file" / "store")
    history = model().fit(*digits, epochs=2, verbose=0, callbacks=[made]).history
    assert len(history["loss"]) == 2 and made.run is None
    assert "cannot be" in capsys.readouterr().err
