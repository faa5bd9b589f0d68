"""Measure how fast a server takes points from other programs: each answer says that they are in the store.

    python -m bench.posting

One program posts to `agnez server` in a process of its own, over one connection, in each of the three forms. Times are
the least and the median of the requests.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

from agnez.server import ports, posting
from bench.store import made

OBJECTS = 10_000
CALLS = 25_000


@contextmanager
def served() -> Iterator[str]:
    """Serve a store of its own, and yield the server's address."""
    port = next(port for port in ports.candidates(3900) if (free := ports.listen(port)) and free.close() is None)
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "agnez", "server", "--dir", directory, "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while ports.ask(port) is None:
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def measured(post: Callable[[int], requests.Response], count: int) -> list[float]:
    """Return the milliseconds of some requests, all of which succeed."""
    spent = []
    for number in range(count):
        began = time.perf_counter()
        answer = post(number)
        spent.append((time.perf_counter() - began) * 1e3)
        answer.raise_for_status()
    return spent


def main() -> None:
    """Print a line for each form."""
    session = requests.Session()
    session.trust_env = False
    many = json.dumps([{"step": step, "loss": step / 7, "accuracy": 0.5} for step in range(OBJECTS)]).encode()
    packed = posting.message("bench", made(CALLS, metrics=2))
    with served() as url:
        session.post(f"{url}/runs", json={"project": "bench", "_id": "bench"}).raise_for_status()
        address = f"{url}/runs/bench/points"

        def one(number: int) -> requests.Response:
            place: dict[str, str | int] = {"writer": "bench", "sequence": number}
            return session.post(address, json={"step": number, "loss": 0.5, "accuracy": 0.5}, params=place)

        def sent(body: bytes, kind: str) -> Callable[[int], requests.Response]:
            return lambda _: session.post(address, data=body, headers={"Content-Type": kind})

        forms = (
            ("one object of 2 numbers", measured(one, 1000)),
            (f"an array of {OBJECTS:,} such", measured(sent(many, posting.JSON), 7)),
            (f"bytes of {CALLS:,} such ({len(packed) / 1e6:.1f} MB)", measured(sent(packed, posting.BINARY), 7)),
        )
    for form, spent in forms:
        print(f"{form:40} {min(spent):8.2f} ms   {statistics.median(spent):8.2f} ms")


if __name__ == "__main__":
    main()
