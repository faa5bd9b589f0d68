"""L2 norms of a Keras model's weights, by the fused operation that its backend has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import keras

from agnez.callbacks.choice import Choice
from agnez.scalars import Tensor

Values: TypeAlias = Sequence[Any]
"""The values of variables, as the backend has them."""

Measure: TypeAlias = Callable[[Values], Tensor]


class WeightNorms:
    """Measure the norms of the layers that hold weights, and of all weights together.

    Weights are what training can change: frozen ones too, but no moving averages and no states of random generators.
    """

    def __init__(self, model: Any, choice: Choice) -> None:
        named = [(name, _own_weights(layer)) for name, layer in _named_layers(model)]
        found = {name: weights for name, weights in named if weights}
        choice.check_layers(list(found), model.name)
        shown = [name for name in found if choice.picks(name)]
        self._variables = [each for weights in found.values() for each in weights]
        self._layers = tuple(
            shown.index(name) if name in shown else len(shown) for name, weights in found.items() for _ in weights
        )
        self._names = (*(f"weights/{name}" for name in shown), "weights/global")
        self._measure: Measure | None = None
        self._shown = len(shown)

    def measure(self) -> list[tuple[tuple[str, ...], Tensor]]:
        """Return the names, and one vector with a norm for each, on the model's device; nothing for no weights."""
        if not self._variables:
            return []
        values = [each.value for each in self._variables]
        if self._measure is None:
            self._measure = _BACKENDS[keras.backend.backend()](values, self._layers, self._shown)
        return [(self._names, self._measure(values))]


def _named_layers(layer: Any, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the model and all layers in it, each once, with unique names that tell where they are."""
    seen = set() if seen is None else seen
    names: set[str] = set()
    if not prefix:
        names.add(layer.name)
        yield layer.name, layer
    for child in layer._flatten_layers(include_self=False, recursive=False):
        if id(child) in seen:
            continue
        seen.add(id(child))
        name = _unique(prefix + child.name, names)
        names.add(name)
        yield name, child
        yield from _named_layers(child, f"{name}/", seen)


def _unique(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _own_weights(layer: Any) -> list[Any]:
    """Return the trainable variables that a layer holds itself and not through its layers, frozen or not."""
    return [each for each in layer._trainable_variables if keras.backend.is_float_dtype(each.dtype)]


def _torch_norms(values: Values, layers: tuple[int, ...], count: int) -> Measure:
    import torch

    from agnez.callbacks.torch_norms import layer_norms, tensor_norms

    def measure(values: Values) -> Tensor:
        norms = tensor_norms([each.detach() for each in values])
        return layer_norms(norms, torch.tensor(layers, device=norms.device), count)

    return measure


def _tensorflow_norms(values: Values, layers: tuple[int, ...], count: int) -> Measure:
    import tensorflow as tf

    def measure(values: Values) -> Tensor:
        squares = tf.stack([tf.reduce_sum(tf.square(tf.cast(each, tf.float32))) for each in values])
        sums = tf.math.unsorted_segment_sum(squares, tf.constant(layers), count + 1)
        norms: Tensor = tf.sqrt(tf.concat([sums[:count], [tf.reduce_sum(sums)]], 0))
        return norms

    # One graph for this model. Through the function itself, TensorFlow would warn of many graphs after some fits.
    specs = [tf.TensorSpec(each.shape, each.dtype) for each in values]
    graph = tf.function(measure).get_concrete_function(specs)
    return lambda values: graph([tf.convert_to_tensor(each) for each in values])


def _jax_norms(values: Values, layers: tuple[int, ...], count: int) -> Measure:
    import jax
    import jax.numpy as jnp

    def measure(values: Values) -> Tensor:
        squares = jnp.stack([jnp.sum(jnp.square(each.astype(jnp.float32))) for each in values])
        sums = jnp.zeros(count + 1).at[jnp.array(layers)].add(squares)
        norms: Tensor = jnp.sqrt(jnp.append(sums[:count], sums.sum()))
        return norms

    return jax.jit(measure)  # type: ignore[no-any-return]  # JAX carries no types


_BACKENDS = {"torch": _torch_norms, "tensorflow": _tensorflow_norms, "jax": _jax_norms}
