"""A run whose loss stops to be a number at its third step."""

import sys

import agnez

run = agnez.init("digits", "wrong", port=int(sys.argv[1]))
for step, loss in enumerate((0.9, 0.8, float("nan"))):
    run.log({"loss": loss, "accuracy": 0.1}, step=step)
run.flush()
print("ready", flush=True)
sys.stdin.readline()
