"""A run that lays its dashboard out as matplotlib's subplots."""

import sys

import agnez

run = agnez.init("digits", port=int(sys.argv[1]))
board = run.dashboard(rows=2, cols=3)
board.subplot((1, 2), ["train/loss", "val/loss"], name="Both")
board.subplot(3, "accuracy")
board.subplot(6, "reward")
for step in range(50):
    run.log(
        {"train/loss": 1 / (step + 1), "val/loss": 1 / (step + 2), "accuracy": step / 50, "reward": step, "speed": 3.0}
    )
run.flush()
print("ready", flush=True)
sys.stdin.readline()
