"""What scripts share that log as many steps as each line of their input says, until that says "end"."""

import sys
from collections.abc import Callable, Mapping

import agnez


def follow(run: agnez.Run, at: Callable[[int], Mapping[str, object]]) -> None:
    """Log 400 steps, and further ones as they are asked for; `at` makes what is logged at a step."""
    step = 0

    def log(count: int) -> None:
        nonlocal step
        for _ in range(count):
            run.log(at(step), step=step)
            step += 1
        run.flush()

    log(400)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        log(int(line))
        print(step, flush=True)
