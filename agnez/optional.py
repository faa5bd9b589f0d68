"""Packages that only some users need: imported when first used, and missed with a cure."""

from __future__ import annotations

import importlib
from types import ModuleType

from agnez.errors import MissingExtraError


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, which the extra `agnez[extra]` brings.

    Raises:
        MissingExtraError: the package is not installed; the message has the line that installs it.

    >>> require("json", "anything").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and error.name not in (package, module):
            raise  # the package is there, and something that it needs is not: its own message is the better one
        raise MissingExtraError(f"{package} is not installed: pip install 'agnez[{extra}]'") from error
