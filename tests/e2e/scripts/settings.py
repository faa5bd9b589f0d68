"""A run with curves, and a picture each hundred steps, as `orders` has it."""

import math
import sys
from collections.abc import Mapping

import numpy as np
from orders import follow

import agnez


def at(step: int) -> Mapping[str, object]:
    loss = math.exp(-step / 300) + 0.05 * math.sin(step)
    numbers = {"train/loss": loss, "val/loss": loss + 0.1, "reward": math.sin(step / 20)}
    picture = agnez.Image(np.full((8, 8), step % 256, dtype=np.uint8))
    return numbers | ({"digit": picture} if step % 100 == 0 else {})


follow(agnez.init("settings", sys.argv[2], port=int(sys.argv[1])), at)
