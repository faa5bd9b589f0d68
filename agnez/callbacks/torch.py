"""The PyTorch adapter: the norms of weights and gradients, taken while a loop of the user's own runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from agnez import session
from agnez.callbacks.budget import Budget
from agnez.callbacks.choice import PARTS, Choice, choose
from agnez.errors import AgnezError, BadValueError
from agnez.optional import require
from agnez.run import Run

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer
else:
    torch = require("torch", "torch")

from agnez.callbacks.torch_layers import Combiner, Layers
from agnez.callbacks.torch_norms import tensor_norms

log_ = logging.getLogger(__name__)

WEIGHTS_SECONDS = 5.0
"""The time between two measurements of the weights, as long as nobody has told of an epoch."""


def watch(
    model: nn.Module,
    optimizer: Optimizer | Iterable[Optimizer] | None = None,
    *,
    log: str | Iterable[str] | None = PARTS,
    every: int = 1,
    layers: str | Iterable[str] | None = None,
    budget: float = 0.003,
    run: Run | None = None,
) -> Watch:
    """Have the norms of a model's weights and gradients recorded, until the handle's `remove()`.

    Weights are measured at the end of each epoch (every few seconds while no epoch is told of), gradients just before
    the optimizer uses them: after clipping, and free of a gradient scaler's factor. What was measured joins the next
    `run.log`. All of it happens on the model's device; nothing waits for it.

    `log` chooses of "weights" and "gradients" ("all" is both); gradients need the `optimizer`, or several.
    `every` counts optimizer steps. `layers` are patterns such as "conv*" for the layers that get a series of
    their own; `global` is always of the whole model. `budget` is the share of the time that measuring gradients may
    take: after each measurement as many steps go unmeasured as that asks for.

    Raises:
        AgnezError: there is no run: `agnez.init` comes first.
        BadValueError: an argument makes no sense.
    """
    choice = choose(log, every, layers, budget)
    if not isinstance(model, torch.nn.Module):
        raise BadValueError(f"watch needs a model, a torch.nn.Module; this is a {type(model).__name__}")
    optimizers = _optimizers(optimizer)
    run = run or session.current()
    if run is None:
        raise AgnezError("there is no run to watch the model for: call agnez.init() first")
    return Watch(model, optimizers, choice=choice, run=run)


class Watch:
    """Hold what `watch` began; `remove`, or leaving it as a context manager, ends it.

    It keeps neither the model nor the optimizer alive.
    """

    def __init__(self, model: nn.Module, optimizers: Sequence[Optimizer], *, choice: Choice, run: Run) -> None:
        self._choice = choice
        self._run = run
        self._layers = Layers(model, choice)
        self._weights = Combiner("weights", self._layers)
        self._gradients = Combiner("gradients", self._layers)
        self._taps: list[Tap] = []
        self._ends: list[Callable[[], None]] = [run.attach(self)]
        for optimizer in optimizers if "gradients" in choice.parts else ():
            self._taps.append(Tap(self._layers, choice.every, Budget(choice.budget / len(optimizers)), self._stumble))
            self._ends.append(optimizer.register_step_pre_hook(self._taps[-1]).remove)
        self._weights_due = 0.0
        self._stumbled = False
        run.on_close(self.remove)
        if self._layers.sharded:
            run.tell("sharded parameters are not measured: their norms would need all processes to take part")

    def remove(self) -> None:
        """Take the hooks out again. Removing twice does no harm."""
        while self._ends:
            self._ends.pop()()

    def gathered(self) -> list[tuple[tuple[str, ...], Tensor]]:
        """Return the gradients' norms that were measured since the last call; see `Watcher`."""
        try:
            found = self._take_gradients()
            if time.monotonic() >= self._weights_due:
                self._weights_due = time.monotonic() + WEIGHTS_SECONDS
                found += self._measure_weights()
            return found
        except Exception as error:  # whatever fails here, the user's loop must not see it
            self._stumble("norms", error)
            return []

    def weights(self) -> list[tuple[tuple[str, ...], Tensor]]:
        """Return the weights' norms as they are now; see `Watcher`. The run calls it where an epoch ends."""
        self._weights_due = float("inf")  # so there are epochs: the weights need no clock
        try:
            self._layers.refresh()
            return self._measure_weights()
        except Exception as error:  # whatever fails here, the user's loop must not see it
            self._stumble("weights", error)
            return []

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _take_gradients(self) -> list[tuple[tuple[str, ...], Tensor]]:
        taken = [each for tap in self._taps if (each := tap.take()) is not None]
        if not taken:
            return []
        with self._taps[0].budget.spending():
            norms = taken[0][0] if len(taken) == 1 else torch.cat([norms.to(taken[0][0]) for norms, _ in taken])
            return [self._gradients(norms, tuple(place for _, places in taken for place in places))]

    def _measure_weights(self) -> list[tuple[tuple[str, ...], Tensor]]:
        parameters = self._layers.parameters() if "weights" in self._choice.parts else []
        kept = [(parameter.detach(), place) for parameter, place in parameters if parameter.numel()]
        if not kept:
            return []
        return [self._weights(tensor_norms([tensor for tensor, _ in kept]), tuple(place for _, place in kept))]

    def _stumble(self, what: str, error: Exception) -> None:
        if not self._stumbled:
            self._stumbled = True
            log_.error("the %s of the model cannot be measured", what, exc_info=error)
            self._run.tell(f"the {what} of the model cannot be measured ({error}); training goes on")


class Tap:
    """Measure the gradients that one optimizer is about to use. It is the hook that the optimizer calls."""

    def __init__(self, layers: Layers, every: int, budget: Budget, stumble: Callable[[str, Exception], None]) -> None:
        self.budget = budget
        self._layers = layers
        self._every = every
        self._stumble = stumble
        self._steps = 0
        self._failed = False
        self._taken: tuple[Tensor, tuple[int, ...]] | None = None

    def __call__(self, optimizer: Optimizer, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        """Measure, if it is time to."""
        due = self._steps % self._every == 0
        self._steps += 1
        if not due or self._failed or not self.budget.allows():
            return
        self.budget.begin()
        try:
            with self.budget.spending(), torch.no_grad():
                self._measure(optimizer)
        except Exception as error:  # whatever fails here, the user's loop must not see it
            self._failed = True
            self._stumble("gradients", error)

    def take(self) -> tuple[Tensor, tuple[int, ...]] | None:
        """Return the norms measured last, each with the place of its layer, and forget them."""
        taken, self._taken = self._taken, None
        return taken

    def _measure(self, optimizer: Optimizer) -> None:
        gradients: list[Tensor] = []
        places: list[int] = []
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                place = self._layers.place(parameter) if parameter.grad is not None else None
                if place is not None and parameter.numel():
                    gradients.append(_dense(parameter.grad))
                    places.append(place)
        if not gradients or _is_captured(gradients[0]):
            return
        norms = tensor_norms(gradients)
        scale = getattr(optimizer, "grad_scale", None)  # a fused optimizer under a gradient scaler divides by itself
        self._taken = (norms if scale is None else norms / scale.to(norms)), tuple(places)


def _optimizers(given: Optimizer | Iterable[Optimizer] | None) -> list[Optimizer]:
    if given is None:
        return []
    found = list(given) if isinstance(given, Iterable) else [given]
    for each in found:
        if not isinstance(each, torch.optim.Optimizer):
            raise BadValueError(f"watch needs an optimizer, a torch.optim.Optimizer; this is a {type(each).__name__}")
    return found


def _dense(gradient: Tensor) -> Tensor:
    """Return the numbers of a sparse gradient: those that were not stored are zero, and add nothing to a norm."""
    if gradient.layout == torch.strided:
        return gradient
    return gradient.coalesce().values() if gradient.layout == torch.sparse_coo else gradient.values()


def _is_captured(tensor: Tensor) -> bool:
    """Tell whether a CUDA graph is recorded: what is measured then would belong to the graph."""
    return tensor.is_cuda and torch.cuda.is_current_stream_capturing()
