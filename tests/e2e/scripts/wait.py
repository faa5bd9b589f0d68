"""A run that logs a number for each line of its input, until that says "end"."""

import sys

import agnez

run = agnez.init("digits", sys.argv[2], port=int(sys.argv[1]))
run.log({"loss": 0.0})
print("ready", flush=True)
for number, line in enumerate(sys.stdin, 1):
    if line.strip() == "end":
        break
    run.log({"loss": float(number)})
