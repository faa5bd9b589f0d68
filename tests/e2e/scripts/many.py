"""A run of a project with curves alone, as `orders` has it."""

import math
import sys
from collections.abc import Mapping

from orders import follow

import agnez


def at(step: int) -> Mapping[str, object]:
    loss = math.exp(-step / 300)
    numbers = {"train/loss": loss, "val/loss": loss + 0.1, "accuracy": 1 - loss, "reward": math.sin(step / 20)}
    return numbers | {f"encoder/{layer}/scale": loss * k for k, layer in enumerate("abcdef")}


follow(agnez.init("digits", sys.argv[2], port=int(sys.argv[1])), at)
