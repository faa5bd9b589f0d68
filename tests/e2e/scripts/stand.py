"""A run without a server, that does what the lines of its input say, and answers each with one line.

`log METRIC COUNT` logs as many numbers, which count up from where they were; `wide COUNT` a call of so many metrics.
"""

import sys

import agnez

run = agnez.init("stand", sys.argv[2], dir=sys.argv[1], server=None)
print(run.id, flush=True)
counts: dict[str, int] = {}
for line in sys.stdin:
    word, *rest = line.split()
    if word == "end":
        break
    if word == "log":
        metric, count = rest
        for _ in range(int(count)):
            number = counts[metric] = counts.get(metric, -1) + 1
            run.log({metric: float(number)}, step=number)
    else:
        step = counts["wide"] = counts.get("wide", -1) + 1
        run.log({f"wide{nth:05}": float(step) for nth in range(int(rest[0]))}, step=step)
    run.flush(20)
    print("done", flush=True)
run.finish()
print("ended", flush=True)
