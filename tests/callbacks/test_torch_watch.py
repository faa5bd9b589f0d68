from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from shapes import Digits, Read
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import agnez
from agnez.callbacks import torch as adapter
from agnez.errors import AgnezError, BadValueError
from agnez.run import Run
from agnez.store import Store


@pytest.fixture
def run() -> Iterator[Run]:
    with agnez.init("watch", server=None) as run:
        yield run


def model() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))


def sgd(*models: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD([each for model in models for each in model.parameters()], lr=0.1)


def backward(model: nn.Module, digits: Digits) -> Tensor:
    x, y = map(torch.tensor, digits)
    model.zero_grad()
    loss: Tensor = cross_entropy(model(x), y)
    loss.backward()
    return loss


def norm(*tensors: Tensor | None) -> Any:
    arrays = [each.detach().to(torch.complex128).numpy() for each in tensors if each is not None]
    return pytest.approx(np.sqrt(sum((np.abs(array) ** 2).sum() for array in arrays)), rel=1e-5)


def last(read: Read, run: Run) -> dict[str, float]:
    return {name: values[-1] for name, (_, values) in read(run).items()}


def test_gradients_are_those_that_the_optimizer_uses(digits: Digits, read: Read, run: Run) -> None:
    watched, used = model(), []
    optimizer = sgd(watched)
    agnez.watch(watched, optimizer, budget=1)
    for limit in (float("inf"), 0.05):
        loss = backward(watched, digits)
        whole = nn.utils.clip_grad_norm_(watched.parameters(), limit)
        used.append((min(float(whole), limit), copy.deepcopy([each.grad for each in watched.parameters()])))
        optimizer.step()
        run.log({"loss": loss})
    found = read(run)
    assert found["gradients/global"] == ([0, 1], [pytest.approx(whole, rel=1e-4) for whole, _ in used])
    assert found["gradients/0"][1] == [norm(*gradients[:2]) for _, gradients in used]
    assert found["gradients/2"][1] == [norm(*gradients[2:]) for _, gradients in used]


def test_weights_are_measured_at_the_end_of_each_epoch(digits: Digits, read: Read, run: Run) -> None:
    watched, ends = model(), []
    optimizer = sgd(watched)
    agnez.watch(watched, optimizer, log="weights")
    run.epoch(0)
    for epoch in range(3):
        for _ in range(2):
            backward(watched, digits)
            optimizer.step()
            run.log({"epoch": epoch})
        ends.append(copy.deepcopy([*watched.parameters()]))
    run.finish()
    steps, values = read(run)["weights/0"]
    # Epochs end where the next one's first log tells so, one step of the optimizer later; the last, at the end.
    assert steps == [0, 2, 4, 6] and values[-1] == norm(*ends[-1][:2])
    assert read(run)["weights/global"][1][-1] == norm(*ends[-1])
    assert "gradients/0" not in read(run)


def test_weights_come_by_the_clock_until_an_epoch_is_told(
    digits: Digits, read: Read, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = model(), model()
    agnez.watch(first)
    run.log({"x": 1})
    run.log({"x": 2})  # within the few seconds
    assert read(run)["weights/global"][0] == [0]
    monkeypatch.setattr(adapter, "WEIGHTS_SECONDS", 0)
    agnez.watch(second, layers=["2"])
    for step in range(2, 5):
        run.log({"x": step})
    assert read(run)["weights/2"][0][-3:] == [2, 3, 4]
    run.epoch(1)
    run.log({"x": 5})
    assert read(run)["weights/2"][0][-1] == 5  # the epoch's end, and no log since


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_weights_after_training_are_the_same_with_and_without_it(name: str, digits: Digits, run: Run) -> None:
    def trained(watched: bool) -> list[Tensor]:
        made = model()
        optimizer = sgd(made) if name == "sgd" else torch.optim.Adam(made.parameters())
        if watched:
            agnez.watch(made, optimizer, budget=1)
        for epoch in range(4):
            loss = backward(made, digits)
            optimizer.step()
            if watched:
                run.log({"loss": loss, "epoch": epoch})
        return [*made.parameters()]

    assert all(torch.equal(without, with_it) for without, with_it in zip(trained(False), trained(True), strict=True))


class Odd(nn.Module):
    """Have one of everything that models have and simple ones have not."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.words = nn.Embedding(10, 4, sparse=True)
        self.frozen = nn.Linear(4, 4)
        self.frozen.requires_grad_(False)
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.frozen.weight
        self.unused = nn.Linear(4, 4)
        self.wave = nn.Linear(4, 4, dtype=torch.complex64)
        self.low = nn.Linear(4, 4, dtype=torch.float16)
        self.high = nn.Linear(4, 4, dtype=torch.float64)
        self.empty = nn.Parameter(torch.empty(0))
        nn.utils.parametrizations.weight_norm(self.high)
        with torch.no_grad():
            self.low.weight.fill_(60_000)  # their norm is past what float16 can say

    def forward(self, words: Tensor) -> Tensor:
        x = self.tied(self.frozen(self.words(words) * self.scale))
        return self.wave(x.to(torch.complex64)).abs().sum() + self.high(x.double()).sum() + self.low.weight.sum() * 1e-3


def test_parameters_of_every_kind_are_measured(read: Read, run: Run) -> None:
    torch.manual_seed(1)
    odd = Odd()
    optimizer = torch.optim.SGD(odd.parameters(), lr=0.0)
    agnez.watch(odd, optimizer, budget=1)
    odd(torch.tensor([1, 2, 2])).backward()
    weights = {name: [each.detach().clone() for each in child.parameters()] for name, child in odd.named_children()}
    gradients = {name: [each.grad for each in child.parameters()] for name, child in odd.named_children()}
    optimizer.step()
    run.log({"x": 1})
    found = last(read, run)
    layers = {"words", "frozen", "unused", "wave", "low", "high"}
    assert {name: found[f"weights/{name}"] for name in layers} == {name: norm(*weights[name]) for name in layers}
    assert found["weights/Odd"] == 2.0 and "weights/tied" not in found  # it is in its first layer
    assert found["weights/global"] == norm(*odd.parameters())
    layers -= {"frozen", "unused"}
    gradients["words"] = [gradients["words"][0].to_dense()]  # type: ignore[union-attr]
    assert {name: found[f"gradients/{name}"] for name in layers} == {name: norm(*gradients[name]) for name in layers}
    assert "gradients/frozen" not in found and "gradients/unused" not in found


def test_a_gradient_scalers_factor_is_taken_out(digits: Digits, read: Read, run: Run) -> None:
    watched = model()
    optimizer = torch.optim.SGD(watched.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    agnez.watch(watched, optimizer, budget=1)
    backward(watched, digits)
    true = [each.grad.clone() for each in watched.parameters() if each.grad is not None]
    watched.zero_grad()
    x, y = map(torch.tensor, digits)
    scaler.scale(cross_entropy(watched(x), y)).backward()
    scaler.step(optimizer)
    scaler.update()
    run.log({"x": 1})
    assert last(read, run)["gradients/global"] == norm(*true)


def eager(inner: nn.Module) -> Any:
    return torch.compile(inner, backend="eager")  # the wrapper is what matters, and no compiler is waited for


@pytest.mark.parametrize("wrap", [nn.DataParallel, eager, lambda inner: eager(nn.DataParallel(inner))])
def test_wrappers_leave_no_trace_in_names(wrap: Any, read: Read, run: Run) -> None:
    inner = model()
    inner[0] = eager(inner[0])
    wrapped = wrap(inner)
    agnez.watch(wrapped)
    run.log({"x": 1})
    assert {name for name in read(run) if name != "x"} == {"weights/0", "weights/2", "weights/global"}


def test_several_optimizers_give_one_set_of_norms(digits: Digits, read: Read, run: Run) -> None:
    watched = model()
    optimizers = [sgd(watched[0]), sgd(watched[2])]
    agnez.watch(watched, optimizers, budget=1)
    for _ in range(2):
        backward(watched, digits)
        gradients = [each.grad.clone() for each in watched.parameters() if each.grad is not None]
        for optimizer in optimizers:
            optimizer.step()
        run.log({"x": 1})
    found = read(run)
    assert found["gradients/0"][0] == found["gradients/2"][0] == found["gradients/global"][0] == [0, 1]
    assert found["gradients/global"][1][-1] == norm(*gradients)
    run.log({"x": 1})  # nothing was measured since
    assert read(run)["gradients/global"][0] == [0, 1]


def test_layers_are_chosen_by_patterns_and_global_is_of_all(digits: Digits, read: Read, run: Run) -> None:
    watched = model()
    agnez.watch(watched, layers="2")
    run.log({"x": 1})
    found = last(read, run)
    assert found["weights/2"] == norm(*watched[2].parameters()) and "weights/0" not in found
    assert found["weights/global"] == norm(*watched.parameters())


def test_every_says_which_steps_are_measured(digits: Digits, read: Read, run: Run) -> None:
    watched = model()
    optimizer = sgd(watched)
    agnez.watch(watched, optimizer, every=3, budget=1)
    for _ in range(7):
        backward(watched, digits)
        optimizer.step()
        run.log({"x": 1})
    assert read(run)["gradients/global"][0] == [0, 3, 6]


def test_measuring_keeps_within_its_budget(
    digits: Digits, read: Read, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        seconds = 0.0

        def perf_counter(self) -> float:
            """Let each look at the clock take a second, and so each measurement."""
            self.seconds += 1
            return self.seconds

    monkeypatch.setattr("agnez.callbacks.budget.time", Clock())
    watched = model()
    optimizer = sgd(watched)
    agnez.watch(watched, optimizer, budget=0.1)
    backward(watched, digits)
    for _ in range(40):
        optimizer.step()
        run.log({"x": 1})
    # The first may have been a warm-up and is free. Those after it take a second, and another to combine the norms, and
    # so begin twenty seconds apart: six looks at the clock for each, and one for each step between them.
    assert read(run)["gradients/global"][0] == [0, 1, 17, 33]


def test_nothing_waits_for_the_device(run: Run, store: Store) -> None:
    """On the device "meta" tensors have no numbers, so whatever asks for one raises."""
    watched = model().to("meta")
    optimizer = sgd(watched)
    watch = agnez.watch(watched, optimizer, budget=1)
    for parameter in watched.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    ((names, gradients), (_, weights)) = watch.gathered()
    assert names == ("gradients/0", "gradients/2", "gradients/global")
    assert gradients.device == weights.device == torch.device("meta")
    assert len(gradients.shape) == 1 and gradients.shape[0] == 3
    run.flush()
    with store.open_run(run.id) as file:
        assert file.info().problems == ()


def test_remove_takes_the_hooks_out(digits: Digits, read: Read, run: Run) -> None:
    watched = model()
    optimizer = sgd(watched)
    with agnez.watch(watched, optimizer, budget=1) as watch:
        backward(watched, digits)
        optimizer.step()
        run.log({"x": 1})
    watch.remove()
    optimizer.step()
    run.log({"x": 2})
    run.epoch(1)
    found = read(run)
    assert found["gradients/global"][0] == found["weights/global"][0] == [0]


def test_the_end_of_a_run_takes_the_hooks_out(digits: Digits, read: Read) -> None:
    watched = model()
    optimizer = sgd(watched)
    with agnez.init("watch", server=None) as run:
        agnez.watch(watched, optimizer)
        run.log({"epoch": 0})
        backward(watched, digits)
        optimizer.step()
    assert read(run)["weights/global"][1][-1] == norm(*watched.parameters())  # the last epoch's, before they go
    assert not optimizer._optimizer_step_pre_hooks


def test_a_run_without_epochs_measures_its_last_weights(digits: Digits, read: Read) -> None:
    watched = model()
    with agnez.init("watch", server=None) as run:
        agnez.watch(watched)
        for step in range(3):
            run.log({"x": step})
        with torch.no_grad():
            watched[0].weight.zero_()
    assert read(run)["weights/global"][0] == [0, 3]
    assert read(run)["weights/0"][1][-1] == norm(watched[0].bias)


def test_neither_model_nor_optimizer_is_kept_alive(digits: Digits, run: Run) -> None:
    watched = model()
    optimizer = sgd(watched)
    watch = agnez.watch(watched, optimizer, budget=1)
    backward(watched, digits)
    optimizer.step()
    run.log({"x": 1})
    run.epoch(1)
    dead = [weakref.ref(watched), weakref.ref(optimizer), weakref.ref(watched[0].weight)]
    del watched, optimizer
    gc.collect()
    assert [each() for each in dead] == [None] * 3
    run.epoch(2)
    assert watch.weights() == []


def test_layers_that_come_later_are_seen_at_the_next_epoch(read: Read, run: Run) -> None:
    grown = nn.Sequential(nn.LazyLinear(4))
    agnez.watch(grown)
    grown(torch.ones(1, 3))
    grown.append(nn.Linear(4, 2))
    run.epoch(1)
    assert {name for name in read(run) if name != "epoch"} == {"weights/0", "weights/1", "weights/global"}


def test_a_fault_of_ours_is_told_and_training_goes_on(
    digits: Digits, run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no device")

    monkeypatch.setattr(adapter, "tensor_norms", fail)
    watched = model()
    optimizer = sgd(watched)
    agnez.watch(watched, optimizer, budget=1)
    for _ in range(2):
        backward(watched, digits)
        optimizer.step()
        run.log({"x": 1})
        run.epoch(1)
    run.flush()
    with store.open_run(run.id) as file:
        assert file.info().problems == ("the gradients of the model cannot be measured (no device); training goes on",)


def test_a_loader_with_forked_workers_trains_and_ends(digits: Digits, read: Read) -> None:
    data = torch.utils.data.TensorDataset(*map(torch.tensor, digits))
    loader = torch.utils.data.DataLoader(data, batch_size=32, num_workers=2, multiprocessing_context="fork")
    watched = model()
    optimizer = sgd(watched)
    with agnez.init("forked", server=None) as run:
        agnez.watch(watched, optimizer, budget=1)
        for epoch in range(2):
            for x, y in loader:
                optimizer.zero_grad()
                loss = cross_entropy(watched(x), y)
                loss.backward()
                optimizer.step()
                run.log({"loss": loss, "epoch": epoch})
    assert run.state == "finished" and read(run)["loss"][0] == list(range(10))


def test_without_a_run_a_sentence_tells() -> None:
    with pytest.raises(AgnezError, match=r"agnez\.init\(\)"):
        agnez.watch(model())


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((3,), {}, "a torch.nn.Module; this is a int"),
        ((nn.Linear(2, 2), 3), {}, "a torch.optim.Optimizer; this is a int"),
        ((nn.Linear(2, 2), [nn.Linear(2, 2)]), {}, "this is a Linear"),
        ((nn.Linear(2, 2),), {"log": "loss"}, "'loss' is not known"),
        ((nn.Linear(2, 2),), {"every": 0.5}, "every=0.5"),
        ((nn.Linear(2, 2),), {"budget": 0}, "budget=0"),
        ((nn.Linear(2, 2),), {"layers": "conv*"}, "'conv*' matches no layer of Linear"),
    ],
)
def test_arguments_that_make_no_sense_are_told(
    arguments: Any, options: dict[str, Any], sentence: str, run: Run
) -> None:
    with pytest.raises(BadValueError) as raised:
        agnez.watch(*arguments, **options)
    assert sentence in str(raised.value)
