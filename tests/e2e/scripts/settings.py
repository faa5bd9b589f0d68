"""A run with curves and pictures that logs as many steps as each line of its input says, until that says "end"."""

import math
import sys

import numpy as np

import agnez

run = agnez.init("settings", sys.argv[2], port=int(sys.argv[1]))
step = 0


def log(count: int) -> None:
    global step
    for _ in range(count):
        loss = math.exp(-step / 300) + 0.05 * math.sin(step)
        run.log({"train/loss": loss, "val/loss": loss + 0.1, "reward": math.sin(step / 20)}, step=step)
        if step % 100 == 0:
            run.log({"digit": agnez.Image(np.full((8, 8), step % 256, dtype=np.uint8))}, step=step)
        step += 1


log(400)
run.flush()
print("ready", flush=True)
for line in sys.stdin:
    if line.strip() == "end":
        break
    log(int(line))
    run.flush()
    print(step, flush=True)
