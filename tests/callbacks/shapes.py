"""The types that the tests of the adapters speak of. (Not in conftest.py: there are several modules of that name.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from agnez.run import Run

Digits: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
Read: TypeAlias = Callable[[Run], dict[str, tuple[list[float], list[float]]]]
