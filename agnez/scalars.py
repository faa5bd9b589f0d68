"""Numbers as a training loop has them: frozen on its thread without waiting for a device, read on the recorder's.

Frameworks are recognised by the names of their types and never imported.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from agnez.errors import BadValueError


class Tensor(Protocol):
    """Stand for a tensor of any framework, on any device."""

    @property
    def shape(self) -> Sequence[int]:
        """Return the length of each dimension."""
        ...


Scalar: TypeAlias = "float | Tensor"
"""A frozen number: a float, or a tensor of one element that nothing will change any more."""


def freeze(name: str, value: object) -> Scalar:
    """Take a number as it is now. A tensor is copied on its device and not waited for.

    Raises:
        BadValueError: it is no number, or a tensor of more than one element.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[return-value]  # the commonest case, kept to one comparison
    if kind is int or kind is bool:
        return _from_int(name, value)  # type: ignore[arg-type]
    freezer = _freezer(kind)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    if freezer is not None:
        return freezer(name, value)
    if hasattr(kind, "__float__") and not isinstance(value, str):  # Decimal, Fraction, NumPy's scalars and 0-d arrays
        _check_size(name, value)
        try:
            return float(value.item() if hasattr(value, "item") else value)  # type: ignore[arg-type]
        except Exception as error:  # it is the value's own code that runs here
            raise BadValueError(f"{name!r} is a {kind.__name__} that is no real number: {error}") from error
    raise BadValueError(
        f"{name!r} is a {kind.__name__}: log takes numbers, tensors of one element, matplotlib figures, "
        "agnez.Image and its like, and dicts of these"
    )


def read(scalars: Sequence[Scalar]) -> list[float | None]:
    """Read frozen numbers; the tensors of one device are brought over together. None stands for what a device lost."""
    found: list[float | None] = [each if isinstance(each, float) else None for each in scalars]
    torch = sys.modules.get("torch")
    batches: dict[str, list[int]] = {}
    for place, each in enumerate(scalars):
        if isinstance(each, float):
            continue
        if torch is not None and isinstance(each, torch.Tensor):
            batches.setdefault(str(each.device), []).append(place)
        else:
            found[place] = _read_one(each)
    for places in batches.values():
        together = torch.stack([scalars[place].double() for place in places])  # type: ignore[union-attr]
        for place, number in zip(places, together.tolist(), strict=True):
            found[place] = number
    return found


def read_vector(vector: Tensor) -> list[float]:
    """Read a vector of numbers from its device, in one transfer."""
    return [float(each) for each in vector.tolist()] if hasattr(vector, "tolist") else _read_numpy(vector)


def _read_one(tensor: Tensor) -> float | None:
    try:
        return float(tensor)  # type: ignore[arg-type]
    except (RuntimeError, ValueError, TypeError):  # JAX: the buffer was donated to the next step
        return None


def _read_numpy(vector: Tensor) -> list[float]:
    return [float(each) for each in vector.numpy()]  # type: ignore[attr-defined]  # TensorFlow has no tolist


def _from_int(name: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise BadValueError(f"{name!r} is an integer too large for a float") from None


def _check_size(name: str, value: object) -> None:
    shape = getattr(value, "shape", ())
    size = 1
    for length in shape:
        size *= int(length)
    if size != 1:
        raise BadValueError(
            f"{name!r} has shape {tuple(shape)}: log takes single numbers; log its mean, or each by name"
        )


def _freeze_torch(name: str, value: object) -> Scalar:
    tensor: Any = value
    if tensor.numel() != 1:
        _check_size(name, tensor)
    if tensor.is_cpu:
        return float(tensor.item())
    # A bare detach would still change under `total += loss`.
    return tensor.detach().reshape(()).clone()  # type: ignore[no-any-return]


def _freeze_immutable(name: str, value: object) -> Scalar:
    _check_size(name, value)
    if hasattr(value, "read_value"):  # a variable of TensorFlow
        return value.read_value()  # type: ignore[no-any-return]
    return value  # type: ignore[return-value]


def _freeze_keras(name: str, value: object) -> Scalar:
    return freeze(name, getattr(value, "value", None))


@functools.cache  # it is asked at every step
def _freezer(kind: type) -> Callable[[str, object], Scalar] | None:
    """Return what freezes the values of a framework's type."""
    return _FREEZERS.get(kind.__module__.partition(".")[0])


_FREEZERS = {
    "keras": _freeze_keras,
    "torch": _freeze_torch,
    "jax": _freeze_immutable,
    "jaxlib": _freeze_immutable,
    "tensorflow": _freeze_immutable,
}
