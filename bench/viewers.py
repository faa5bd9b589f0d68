"""Many viewers: what they get, and what they cost.

    python -m bench.viewers [--seconds 20] [--viewers 1000]

`agnez server` has a thousand viewers: first clients of the `values` service, who hear of every patch of a cell of 1 kB,
then pages that watch a run which another process writes; 10 updates a second of either. Then a training serves 20
viewers at 10 updates a second, and 50 at 5, half of them pages: how much slower its loop is than with none, in turns.
Its steps work in calls that release the interpreter's lock, as those of frameworks do, and pages are told as often as
clients; in the last row its steps are Python alone, and 20 viewers are served as they are by default.

Viewers are websockets of one process, which reads their frames and the time at which each update was made, so its
own share of the processor is in the times. All is on 127.0.0.1. Ends with 1 where anything was missing.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import selectors
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench import record

RATE = 10.0
_CELL = "bench"
_PAD = "x" * 900
_PATIENCE = 60.0
_AT_ONCE = 50
_REST_SECONDS = 1.0


def main() -> None:
    """Measure, print and keep."""
    arguments = _arguments()
    _allow_files(arguments.viewers + 300)
    if arguments.crowd:
        print(json.dumps(Crowd(arguments).run()), flush=True)
        return
    if arguments.loop:
        loop(Path(arguments.loop), arguments.work, arguments.rate)
        return
    found = {
        "standalone": [
            standalone(arguments.viewers, 0, arguments.seconds),
            standalone(0, arguments.viewers, arguments.seconds),
        ],
        "embedded": [embedded(*each, arguments) for each in ((20, 10.0, True), (50, 5.0, True), (20, 10.0, False))],
    }
    print(table(found))
    record.write(arguments.out, found)
    rows = [*found["standalone"], *(each["crowd"] for each in found["embedded"])]
    sys.exit(1 if any(each["missing"] for each in rows) else 0)


# --- a server that stands alone --------------------------------------------------------------------------------------


def standalone(clients: int, pages: int, seconds: float) -> dict[str, Any]:
    """Have viewers watch `agnez server`, and return what they got and what it took."""
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (server, url):
        points = _Points(Path(folder))
        crowd = _crowd(url, clients, pages, points.run, RATE if clients else 0.0, seconds)
        crowd.stdout.readline()  # all are there
        cpu, begun = _cpu(server.pid), time.monotonic()
        if pages:
            points.append_for(seconds)
        else:
            time.sleep(seconds)
        spent = (_cpu(server.pid) - cpu) / (time.monotonic() - begun)
        answer = json.loads(crowd.communicate(input=f"{points.count}\n")[0].splitlines()[-1])
        memory = _resident(server.pid)
    return {"clients": clients, "pages": pages, "cpu": spent, "memory": memory, **answer}


class _server:
    """Start `agnez server`, and end it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        command = [sys.executable, "-m", "agnez", "server", "--dir", str(folder), "--port", str(self._port)]
        self._process = subprocess.Popen(command, cwd=record.ROOT, stdout=subprocess.DEVNULL)

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/about", timeout=5).read()
                return self._process, f"127.0.0.1:{self._port}"
            except OSError:
                time.sleep(0.1)
        raise SystemExit("agnez server does not answer")

    def __exit__(self, *failure: object) -> None:
        self._process.kill()
        self._process.wait()


class _Points:
    """A run that another process records."""

    def __init__(self, folder: Path) -> None:
        from agnez.record import RunInfo
        from agnez.store import Store

        self.run, self.count = "bench", 0
        self._file = Store(folder).create_run(RunInfo(self.run, "bench", "bench", time.time_ns() // 1000))

    def append_for(self, seconds: float) -> None:
        """Append a point `RATE` times a second."""
        from agnez.record import Batch, Point

        begun = time.monotonic()
        while self.count < seconds * RATE:
            time.sleep(max(0.0, begun + self.count / RATE - time.monotonic()))
            with self._file.transaction():
                self._file.append(Batch.of([Point("loss", self.count, 0.5, time.time_ns() // 1000)]))
            self.count += 1


# --- a server inside a training --------------------------------------------------------------------------------------


def embedded(count: int, rate: float, held: bool, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return by how much viewers slow a loop, the median of pairs of windows with and without them.

    `held` has pages told at that rate, too, however scarce processor time is, and the loop release the lock.
    """
    window, slower, crowds = max(arguments.seconds / 4, 2.0), [], []
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench.viewers", "--loop", folder, "--rate", str(rate if held else 0)]
        command += ["--work", "native" if held else "python"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        training = subprocess.Popen(command, cwd=record.ROOT, **pipes)
        url, run = training.stdout.readline().split()
        for _ in range(arguments.pairs):
            without = _window(training, window)
            crowd = _crowd(url, count // 2, count - count // 2, run, rate, window + 1)
            crowd.stdout.readline()
            time.sleep(0.5)
            with_ = _window(training, window)
            crowds.append(json.loads(crowd.communicate(input="0\n")[0].splitlines()[-1]))
            slower.append(without / with_ - 1)
            time.sleep(_REST_SECONDS)
        training.communicate(input="\n")
    whole = crowds[0] | {"missing": sum(each["missing"] for each in crowds)}
    whole |= {key: median(each[key] for each in crowds) for key in ("p50", "p99", "most", "page_rate")}
    return {"viewers": count, "rate": rate, "held": held, "slower": sorted(slower), "crowd": whole}


def loop(folder: Path, kind: str, rate: float) -> None:
    """Train: log ten metrics each step of a millisecond; tell the steps a second of each window asked for.

    At a `rate` above 0 the run is written and pages are told so often, and not as rarely as scarce time has it.
    """
    import agnez
    from agnez import recorder
    from agnez.server import follower
    from bench.loop import calibrated, count, hashed

    work = {"python": count, "native": hashed}[kind]
    amount = calibrated(work)
    if rate:
        follower.TICK_SECONDS = follower.SCARCE_SECONDS = 1 / rate
        recorder.COMMIT_SECONDS = (1 / rate, 1 / rate)

    run = agnez.init("bench", dir=folder, open_browser=False)
    print(urlsplit(run.url).netloc, run.id, flush=True)
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: [asked.put(line) for line in sys.stdin], daemon=True).start()
    step, begun, end, first = 0, 0.0, float("inf"), 0
    while True:
        work(amount)
        run.log({f"m{number}": 0.5 for number in range(10)})
        step += 1
        if not asked.empty():
            line = asked.get().strip()
            if not line:
                break
            begun, first = time.perf_counter(), step
            end = begun + float(line)
        elif time.perf_counter() >= end:
            print((step - first) / (time.perf_counter() - begun), flush=True)
            end = float("inf")


def _window(training: subprocess.Popen[str], seconds: float) -> float:
    training.stdin.write(f"{seconds}\n")
    training.stdin.flush()
    return float(training.stdout.readline())


# --- the viewers -----------------------------------------------------------------------------------------------------


def _crowd(url: str, clients: int, pages: int, run: str, rate: float, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.viewers", "--crowd", url, "--clients", str(clients), "--pages", str(pages)]
    command += ["--run", run, "--rate", str(rate), "--seconds", str(seconds), "--viewers", str(clients + pages)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=record.ROOT, **pipes)


class Peer:
    """Hold one viewer."""

    def __init__(self, host: str, page: bool) -> None:
        self.page = page
        self.ready = False
        self.count = 0
        self.frames = 0
        self._buffer = bytearray()
        self._shaken = False
        address, port = host.split(":")
        self.socket = socket.create_connection((address, int(port)))
        self.socket.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            % host.encode()
        )
        self.socket.setblocking(False)

    def send(self, text: str) -> None:
        """Send a text, masked as clients have to."""
        body = text.encode()
        head = (
            struct.pack(">BB", 0x81, 0x80 | len(body))
            if len(body) < 126
            else struct.pack(">BBH", 0x81, 0xFE, len(body))
        )
        self.socket.setblocking(True)
        self.socket.sendall(head + bytes(4) + body)
        self.socket.setblocking(False)

    def read(self) -> Iterator[bytes]:
        """Return the frames that came."""
        try:
            data = self.socket.recv(262_144)
        except BlockingIOError:
            return
        if not data:
            raise SystemExit("the server hung up on a viewer")
        self._buffer += data
        if not self._shaken:
            _, parted, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not parted:
                return
            self._shaken, self._buffer = True, bytearray(rest)
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size == 126 and len(buffer) >= 4:
            size, start = struct.unpack_from(">H", buffer, 2)[0], 4
        elif size == 127 and len(buffer) >= 10:
            size, start = struct.unpack_from(">Q", buffer, 2)[0], 10
        elif size >= 126:
            return None
        if len(buffer) < start + size:
            return None
        frame = bytes(buffer[start : start + size])
        del buffer[: start + size]
        return frame


class Crowd:
    """Be all viewers at once."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._host, self._run = arguments.crowd, arguments.run
        self._kinds = [False] * arguments.clients + [True] * arguments.pages
        self._rate, self._seconds = arguments.rate, arguments.seconds
        self._selector = selectors.DefaultSelector()
        self._after = cursor(arguments.crowd, arguments.run) if arguments.pages else ""
        self._peers: list[Peer] = []
        self._ages: list[float] = []
        self._patches = 0
        self._measuring = False

    def run(self) -> dict[str, Any]:
        """Connect, watch for the time, and return what came."""
        self._connect()
        print("ready", flush=True)
        self._measuring = True
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + self._seconds:
            due = begun + self._patches / self._rate if self._rate else now + 1
            if self._rate and now >= due:
                self._patch()
                continue
            self._look(min(due, begun + self._seconds) - now)
        took = time.monotonic() - begun
        pages = [peer for peer in self._peers if peer.page]
        page_rate = median(peer.frames for peer in pages) / took if pages else 0.0
        points = int(sys.stdin.readline())
        self._wait(lambda: not self._missing(points), 10.0)
        ages = np.array(self._ages or [0.0]) * 1000
        p50, p99, most = (float(each) for each in np.percentile(ages, [50, 99, 100]))
        updates = self._patches if self._rate else points
        facts = {"updates": updates, "missing": self._missing(points), "page_rate": page_rate}
        return facts | {"p50": p50, "p99": p99, "most": most}

    def _missing(self, points: int) -> int:
        wanted = {False: self._patches, True: points}
        return sum(max(0, wanted[peer.page] - peer.count) for peer in self._peers if wanted[peer.page])

    def _connect(self) -> None:
        for kind in self._kinds:
            peer = Peer(self._host, kind)
            self._peers.append(peer)
            self._selector.register(peer.socket, selectors.EVENT_READ, peer)
            self._wait(lambda: sum(not peer.ready for peer in self._peers) < _AT_ONCE, _PATIENCE)
        self._wait(lambda: all(peer.ready for peer in self._peers), _PATIENCE)
        if self._rate:
            self._peers[0].send(f'42["create","values",{{"_id":"{_CELL}-{os.getpid()}"}},{{}}]')
        self._wait(lambda: False, 1.0)

    def _wait(self, done: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            self._look(0.05)

    def _patch(self) -> None:
        self._patches += 1
        data = json.dumps({"sent": time.time(), "value": _PAD})
        self._peers[0].send(f'42["patch","values","{_CELL}-{os.getpid()}",{data},{{}}]')

    def _look(self, seconds: float) -> None:
        for key, _ in self._selector.select(max(0.0, seconds)):
            peer = key.data
            for frame in peer.read():
                self._take(peer, frame)

    def _take(self, peer: Peer, frame: bytes) -> None:
        if frame == b"2":
            peer.send("3")
        elif frame.startswith(b"0{"):
            peer.send("40/live," if peer.page else "40")
        elif frame.startswith(b"40"):
            peer.ready = not peer.page
            if peer.page:
                peer.send(f'42/live,["watch",{{"run":"{self._run}","after":"{self._after}"}}]')
        elif frame.startswith(b'42/live,["cells"'):
            peer.ready = True
        elif self._measuring and peer.page and frame[:1] == b"\2":
            self._take_points(peer, frame)
        elif self._measuring and not peer.page and (place := frame.find(b'"sent":')) > 0:
            peer.count += 1
            self._ages.append(time.time() - float(frame[place + 7 : frame.index(b",", place)]))

    def _take_points(self, peer: Peer, frame: bytes) -> None:
        length = struct.unpack_from("<I", frame, 4)[0]
        series = json.loads(frame[16 : 16 + length])["series"]
        peer.frames += 1
        if series:
            count = series[0][1]
            peer.count += count
            self._ages.append(time.time() - struct.unpack_from("<d", frame, 16 + length + 8 * (3 * count - 1))[0])


def cursor(host: str, run: str) -> str:
    """Read a run as a page does before it watches it, and return up to where that is."""
    from agnez import wire

    with urllib.request.urlopen(f"http://{host}/runs/{run}/series?first=100&max=2000", timeout=_PATIENCE) as answer:
        return wire.read_points(answer.read()).cursor


# --- words -----------------------------------------------------------------------------------------------------------


def table(found: dict[str, Any]) -> str:
    """Return what was found as tables."""
    lines = [
        f"| `agnez server` ({RATE:.0f} updates/s) | updates | missing | after: p50, p99, most | processor | memory |",
        "|---|---|---|---|---|---|",
    ]
    for each in found["standalone"]:
        pages = f"{each['pages']:,} pages, which hear {each['page_rate']:.1f} times/s"
        who = f"{each['clients']:,} clients of `values`" if each["clients"] else pages
        ages = f"{each['p50']:.0f} ms, {each['p99']:.0f} ms, {each['most']:.0f} ms"
        lines.append(
            f"| {who} | {each['updates']:,} | {each['missing']:,} | {ages} | {each['cpu']:.0%} of a core "
            f"| {each['memory']:.0f} MB |"
        )
    lines += ["", "| in a training | the loop is slower by: median, all | missing | patches after: p50, p99 |"]
    lines.append("|---|---|---|---|")
    for each in found["embedded"]:
        crowd, slower = each["crowd"], ", ".join(f"{value:+.1%}" for value in each["slower"])
        who = f"{each['viewers']} viewers, {each['rate']:.0f} patches/s; pages hear {crowd['page_rate']:.1f} times/s"
        who += "" if each["held"] else "; the loop is Python alone, and the rate the default where time is scarce"
        ages = f"{crowd['p50']:.0f} ms, {crowd['p99']:.0f} ms"
        lines.append(f"| {who} | {median(each['slower']):+.1%} ({slower}) | {crowd['missing']} | {ages} |")
    return "\n".join(lines)


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _cpu(pid: int) -> float:
    """Return the seconds of processor time that a process took, as Linux tells them."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> float:
    from bench.soak import resident

    return resident(pid)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=record.RESULTS / "viewers.json")
    for name in ("--crowd", "--loop", "--run", "--work"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    for name in ("--clients", "--pages"):
        parser.add_argument(name, type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=RATE, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
