"""What of a model is measured, as the user chose it: the same words in every framework."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from agnez.errors import BadValueError

PARTS = ("weights", "gradients")
"""What can be measured of a model: norms of its weights, and of the gradients that change them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold what is measured: `parts` of `PARTS`, each `every` optimizer steps, at a `budget` of the training's time.

    `layers` are patterns as of file names; None chooses all.
    """

    parts: tuple[str, ...] = PARTS
    every: int = 1
    layers: tuple[str, ...] | None = None
    budget: float = 0.003

    def picks(self, layer: str) -> bool:
        """Tell whether a layer gets series of its own.

        >>> Choice(layers=("conv*",)).picks("conv1"), Choice().picks("dense")
        (True, True)
        """
        return self.layers is None or any(fnmatchcase(layer, pattern) for pattern in self.layers)

    def check_layers(self, names: Sequence[str], model: str) -> None:
        """Check that each pattern matches a layer.

        Raises:
            BadValueError: one matches none.
        """
        for pattern in self.layers or ():
            if not any(fnmatchcase(name, pattern) for name in names):
                known = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
                raise BadValueError(
                    f"layers: {pattern!r} matches no layer of {model}; those with weights are {known or 'none'}"
                )


def choose(log: object, every: object, layers: object, budget: object, *, default: tuple[str, ...] = PARTS) -> Choice:
    """Check what the user chose. "all" stands for `default`, which is what the framework can measure.

    Raises:
        BadValueError: an argument makes no sense.

    >>> choose("gradients", 10, "conv*", 0.01)
    Choice(parts=('gradients',), every=10, layers=('conv*',), budget=0.01)
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise BadValueError(f"every={every!r} is no count of steps: give a whole number from 1")
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not 0 < budget <= 1:
        raise BadValueError(
            f"budget={budget!r} is no share of the time: give a number above 0, up to 1 (0.01 is a hundredth)"
        )
    return Choice(_parts(log, default), every, None if layers is None else _texts("layers", layers), float(budget))


def _parts(log: object, default: tuple[str, ...]) -> tuple[str, ...]:
    if log is None:
        return ()
    named = _texts("log", log)
    for part in named:
        if part not in (*PARTS, "all"):
            raise BadValueError(f"log: {part!r} is not known: choose of 'weights', 'gradients', or 'all'")
    return default if "all" in named else tuple(part for part in PARTS if part in named)


def _texts(name: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable):
        raise BadValueError(f"{name}={given!r} is no text, and no list of texts")
    texts = tuple(given)
    for each in texts:
        if not isinstance(each, str):
            raise BadValueError(f"{name}: {each!r} is no text")
    return texts
