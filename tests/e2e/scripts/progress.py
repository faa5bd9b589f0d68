"""A run of four epochs without a server: a line of input ends an epoch, one that says "fail" the run."""

import sys

import agnez

run = agnez.init("progress", "going", dir=sys.argv[1], server=None)
run.report(epochs=4)
print(run.id, flush=True)
for epoch, line in enumerate(sys.stdin, 1):
    if line.strip() == "fail":
        raise RuntimeError("on purpose")
    if line.strip() == "end":
        break
    run.log({"loss": 1 / epoch})
    run.epoch(epoch)
    run.flush(20)
    print(epoch, flush=True)
run.finish()
