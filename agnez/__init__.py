"""Agnez: the live view of a neural network's training.

Names are imported when first used, so that `import agnez` costs a training script nothing.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from agnez._version import __version__

if TYPE_CHECKING:
    from agnez.callbacks.keras import AgnezCallback as AgnezCallback
    from agnez.callbacks.torch import watch as watch
    from agnez.errors import AgnezError as AgnezError
    from agnez.media import Audio as Audio
    from agnez.media import Histogram as Histogram
    from agnez.media import Html as Html
    from agnez.media import Image as Image
    from agnez.media import Images as Images
    from agnez.media import Table as Table
    from agnez.media import Text as Text
    from agnez.media import Video as Video
    from agnez.run import Run as Run
    from agnez.session import finish as finish
    from agnez.session import init as init
    from agnez.session import log as log
    from agnez.session import show as show
    from agnez.stored import open as open

_HOMES = {
    "AgnezCallback": "agnez.callbacks.keras",
    "AgnezError": "agnez.errors",
    "Audio": "agnez.media",
    "Histogram": "agnez.media",
    "Html": "agnez.media",
    "Image": "agnez.media",
    "Images": "agnez.media",
    "Table": "agnez.media",
    "Text": "agnez.media",
    "Video": "agnez.media",
    "Run": "agnez.run",
    "finish": "agnez.session",
    "init": "agnez.session",
    "log": "agnez.session",
    "open": "agnez.stored",
    "show": "agnez.session",
    "watch": "agnez.callbacks.torch",
}

__all__ = [
    "AgnezCallback",
    "AgnezError",
    "Audio",
    "Histogram",
    "Html",
    "Image",
    "Images",
    "Run",
    "Table",
    "Text",
    "Video",
    "__version__",
    "finish",
    "init",
    "log",
    "open",
    "show",
    "watch",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'agnez' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
