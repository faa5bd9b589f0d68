"""A run with one of each that can be set of a page, whose server tells of every step by itself.

It logs 400 steps at once, then as many as each line of its input says, until that says "end".
"""

import math
import sys
import time

import matplotlib.pyplot as plt
import numpy as np

import agnez
from agnez.server import follower

follower.TICK_SECONDS = follower.SCARCE_SECONDS = 0.004
BETWEEN = 0.008
"""The seconds from one step to the next: two looks of the server."""

run = agnez.init("every", "now", port=int(sys.argv[1]))
step = 0


def log() -> None:
    global step
    loss = math.exp(-step / 300) + 0.05 * math.sin(step)
    values: dict[str, object] = {
        "train/loss": loss,
        "val/loss": loss + 0.1,
        "accuracy": 1 - loss / 2,
        "reward": 2 + math.sin(step / 20),
    }
    values |= {f"encoder/{layer}/scale": loss * nth for nth, layer in enumerate("abcdef", 1)}
    if step % 100 == 0:
        values["digit"] = agnez.Image(np.full((8, 8), step % 256, dtype=np.uint8))
    run.log(values, step=step)
    step += 1


figure, axes = plt.subplots()
axes.plot([0, 1, 4, 9])
run.log({"drawing": figure, "spread": agnez.Histogram(range(9))}, step=0)
for _ in range(400):
    log()
run.flush()
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "end":
        break
    for _ in range(int(line)):
        log()
        run.flush()
        time.sleep(BETWEEN)
    print(step, flush=True)
