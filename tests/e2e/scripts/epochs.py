"""A run whose every line of input is an epoch of ten steps, its figures first."""

import sys

import agnez

run = agnez.init("digits", "epochs", port=int(sys.argv[1]), renderer="mpld3")
print(run.id, flush=True)
step = 0
for epoch, line in enumerate(sys.stdin):
    if line.strip() == "end":
        break
    for _ in range(10):
        step += 1
        run.log({"loss": 1 / step, "epoch": epoch})
    run.epoch(epoch + 1)
    run.flush()
    print("epoch", epoch + 1, flush=True)
