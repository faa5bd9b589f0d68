"""A run of a project that logs as many steps as each line of its input says, until that says "end"."""

import math
import sys

import agnez

run = agnez.init("digits", sys.argv[2], port=int(sys.argv[1]))
step = 0


def log(count: int) -> None:
    global step
    for _ in range(count):
        loss = math.exp(-step / 300)
        numbers = {"train/loss": loss, "val/loss": loss + 0.1, "accuracy": 1 - loss, "reward": math.sin(step / 20)}
        run.log(numbers | {f"encoder/{layer}/scale": loss * k for k, layer in enumerate("abcdef")})
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
