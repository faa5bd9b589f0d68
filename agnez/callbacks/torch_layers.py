"""The layers of a PyTorch model: which parameter belongs to which, known without keeping the model alive."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn

from agnez.callbacks.choice import Choice
from agnez.callbacks.torch_norms import layer_norms

REST = -1
"""Stands for the layers that get no series of their own and are part of the whole only."""

_WRAPPERS = ("module", "_orig_mod")
_MARKS = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


class Layers:
    """Name the layers of a model and place its parameters in them. A tied parameter is in its first layer only."""

    def __init__(self, model: nn.Module, choice: Choice) -> None:
        self._model = weakref.ref(bare(model))
        self._choice = choice
        self._names: list[str] = []
        # By id, since tensors compare by element; each with a reference that tells when the id was given away.
        self._places: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self.sharded = False
        self.refresh()
        if self._places:  # a model with lazy layers has none yet
            choice.check_layers(_layer_names(bare(model)), type(bare(model)).__name__)

    def refresh(self) -> None:
        """Look at the model again: layers may have come, or others taken their place."""
        model = self._model()
        if model is None:
            return
        found: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        for path, parameter in model.named_parameters():
            if hasattr(parameter, "to_local"):
                self.sharded = True  # its norm needs all processes to take part, and we are in one
            elif not nn.parameter.is_lazy(parameter):
                found[id(parameter)] = weakref.ref(parameter), self._place(_layer(path, model))
        self._places = found

    def parameters(self) -> list[tuple[Tensor, int]]:
        """Return the parameters that live, each with the place of its layer."""
        alive = ((reference(), place) for reference, place in self._places.values())
        return [(parameter, place) for parameter, place in alive if parameter is not None]

    def place(self, parameter: Tensor) -> int | None:
        """Return the place of a parameter's layer; None if it is not of this model."""
        reference, place = self._places.get(id(parameter), (None, REST))
        return place if reference is not None and reference() is parameter else None

    def name(self, place: int) -> str:
        """Return the name of the layer at a place."""
        return self._names[place]

    def _place(self, layer: str) -> int:
        if not self._choice.picks(layer):
            return REST
        if layer not in self._names:
            self._names.append(layer)
        return self._names.index(layer)


class Combiner:
    """Combine norms of parameters to those of layers, and name them `<family>/<layer>` and `<family>/global`."""

    def __init__(self, family: str, layers: Layers) -> None:
        self._family = family
        self._layers = layers
        self._key: object = None
        self._names: tuple[str, ...] = ()
        self._index = torch.empty(0)

    def __call__(self, norms: Tensor, places: tuple[int, ...]) -> tuple[tuple[str, ...], Tensor]:
        """Return the names, and a vector with a norm for each, on the device of `norms`."""
        if self._key != (places, norms.device):  # the same from step to step: so the index travels to the device once
            shown = sorted(set(places) - {REST})
            order = {place: number for number, place in enumerate(shown)}
            self._names = (
                *(f"{self._family}/{self._layers.name(place)}" for place in shown),
                f"{self._family}/global",
            )
            self._index = torch.tensor([order.get(place, len(shown)) for place in places], device=norms.device)
            self._key = (places, norms.device)
        return self._names, layer_norms(norms, self._index, len(self._names) - 1)


def bare(model: nn.Module) -> nn.Module:
    """Return the model inside what wraps it: DistributedDataParallel, DataParallel, `torch.compile` and their kin.

    A wrapper is known by its shape, a single child of a telling name and no parameter of its own.
    """
    children = dict(model.named_children())
    if (
        len(children) == 1
        and next(iter(children)) in _WRAPPERS
        and not any(True for _ in model.parameters(recurse=False))
    ):
        return bare(next(iter(children.values())))
    return model


def _layer(path: str, model: nn.Module) -> str:
    """Return the name of a parameter's layer; that of the model's class for the model's own parameters."""
    owner = path.partition(".parametrizations.")[0] if ".parametrizations." in path else path.rpartition(".")[0]
    parts = [part for part in owner.split(".") if part and part not in _MARKS]
    return ".".join(parts) or type(model).__name__


def _layer_names(model: nn.Module) -> list[str]:
    return list(dict.fromkeys(_layer(path, model) for path, _ in model.named_parameters()))
