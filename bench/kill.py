"""What `kill -9` takes from a run: a process that logs 1,000 steps a second, killed at random moments.

    python -m bench.kill [--kills 20] [--seed 0]

After each kill the run is read, resumed, logged to and read again. The promise: nothing older than half a second is
lost, no file is unreadable, and the resumed run has neither a gap nor a duplicate. Ends with 1 where it is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench import record
from bench.peers.catalogue import PEERS
from bench.peers.driver import RUN
from bench.peers.environments import prepare
from bench.peers.trial import Found, Trial, moments_to_kill

PROMISED = 0.5  # seconds
MORE = 100  # steps after the resumption


def main() -> None:
    """Kill, and tell what was lost."""
    arguments = _arguments()
    if arguments.resume:
        print(json.dumps(resume(arguments.resume)))
        return
    kills = []
    for after in moments_to_kill(arguments.kills, arguments.seed):
        kills.append(killed(after))
        print(json.dumps(record.rounded(kills[-1])), file=sys.stderr, flush=True)
    print(table(kills))
    record.write(arguments.out, {"kills": kills})
    sys.exit(0 if all(map(kept, kills)) else 1)


def killed(after: float) -> Found:
    """Kill one run, and resume it."""
    peer = PEERS[0]
    environment = prepare([peer.environment], Path())[peer.environment]
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(peer, environment, Path(folder), patience=60, scale=1)
        found = trial.kill("store", after, settle=0)
        if "error" in found:
            return found
        command = [sys.executable, "-m", "bench.kill", "--resume", f"{folder}/store"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=record.ROOT)
        if done.returncode:
            return {**found, "error": done.stderr.strip().splitlines()[-1]}
        return {**found, **json.loads(done.stdout)}


def resume(folder: Path) -> Found:
    """Go on in the killed run, and compare what is in it with what should be."""
    import agnez

    before = next(run for run in agnez.open(folder).runs() if run.name == RUN)
    survived = before.series("loss")
    run = agnez.init("bench", id=before.id, resume="must", dir=folder, server=None)
    for step in range(MORE):
        run.log({"loss": float(step)})
    run.finish()
    series = agnez.open(folder).run(before.id).series("loss")
    whole = np.array_equal(series.steps[: len(survived)], survived.steps)
    whole &= np.array_equal(series.values[: len(survived)], survived.values)
    whole &= np.array_equal(series.values[len(survived) :], np.arange(MORE))
    contiguous = np.array_equal(series.steps, np.arange(len(series)))
    return {"state": before.state, "resumed": bool(whole), "contiguous": bool(contiguous)}


def kept(found: Found) -> bool:
    """Tell whether a kill took no more than was promised."""
    oldest = found.get("oldest_lost")
    good = "error" not in found and found["resumed"] and found["contiguous"]
    return bool(good) and isinstance(oldest, float) and oldest <= PROMISED


def table(kills: list[Found]) -> str:
    """Return what was found as a table."""
    read = [found for found in kills if "lost" in found]
    lost, ages = [found["lost"] for found in read], [found["oldest_lost"] for found in read]
    rows = {
        "kills at random moments": len(kills),
        "steps logged until the kill": f"{min(f['logged'] for f in read)} to {max(f['logged'] for f in read)}",
        "points lost: median, most": f"{np.median(lost):.0f}, {max(lost)}",
        "age of the oldest lost: median, most": f"{np.median(ages):.3f} s, {max(ages):.3f} s",
        "files that could not be read": len(kills) - len(read),
        "resumed without a gap or a duplicate": sum(bool(f.get("resumed") and f.get("contiguous")) for f in kills),
        f"promise kept (nothing older than {PROMISED} s lost)": sum(map(kept, kills)),
    }
    errors = {str(found["error"]) for found in kills if "error" in found}
    lines = ["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join([*lines, *sorted(errors)])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "kill.json")
    parser.add_argument("--resume", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
