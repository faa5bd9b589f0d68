"""Keras as it is installed: with the backend that it runs on, or told what is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from agnez.errors import MissingExtraError
from agnez.optional import require

_BACKENDS = ("torch", "tensorflow", "jax")


def require_keras() -> Any:
    """Import Keras, which imports its backend.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    try:
        return require("keras", "keras")
    except ModuleNotFoundError as error:
        if error.name not in _BACKENDS:
            raise
        raise MissingExtraError(_missing_backend(error.name)) from error


def _missing_backend(name: str) -> str:
    there = [other for other in _BACKENDS if find_spec(other) is not None]
    if there:
        return f"Keras is set to its backend {name}, which is not installed: set KERAS_BACKEND={there[0]}, which is"
    return (
        "Keras has no backend to run on: pip install 'agnez[torch]' and set KERAS_BACKEND=torch "
        "(tensorflow and jax do as well)"
    )
