"""A trial: one tracker in processes of its own, in a folder of its own, with a bound on each."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers.catalogue import Peer
from bench.peers.driver import RATE
from bench.peers.environments import Environment, last_line
from bench.record import ROOT

SETTLE_SECONDS = 2.0  # what a helper process of a killed tracker gets to write what it has
Found = dict[str, object]

# Nothing leaves the machine: no reports to anyone, and a proxy that is not there.
_SILENCE = {
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1,localhost",
}


class Trial:
    """Take measures of one tracker. `home` is all that its processes may write to."""

    def __init__(self, peer: Peer, environment: Environment, home: Path, *, patience: float, scale: float) -> None:
        self._peer = peer
        self._python = environment.python
        self._home = home
        self._patience = patience
        self._scale = scale

    def measure(
        self, what: str, folder: str, *, metrics: int = 1, patience: float | None = None, **options: object
    ) -> Found:
        """Take a measure in a process of its own; one that fails or takes too long answers with an `error`."""
        patience = patience or self._patience
        command = self._command(what, folder, metrics=metrics, **options)
        process = self._started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            answer, said = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            end(process)
            process.communicate()
            return {"error": f"took more than {patience:.0f} s", "late": True}
        if process.returncode or not answer.strip():
            return {"error": last_line(subprocess.CalledProcessError(process.returncode, command, stderr=said))[:200]}
        found: Found = json.loads(answer.splitlines()[-1])
        return found

    def kill(self, folder: str, after: float, *, settle: float = SETTLE_SECONDS) -> Found:
        """Kill a process that logs, some seconds after its first half second, and tell what survived."""
        journal = self._home / f"{folder}.journal"
        process = self._started(self._command("pace", folder, journal=journal), stderr=subprocess.PIPE)
        try:
            if not _goes(journal, process, self._patience):
                end(process)
                said = process.communicate()[1]
                return {"error": last_line(subprocess.CalledProcessError(process.returncode, [], stderr=said))[:200]}
            time.sleep(after)
            os.kill(process.pid, signal.SIGKILL)
            killed = time.monotonic()
        finally:
            end(process)
        process.communicate()
        time.sleep(settle)
        found = self.measure("survivors", folder)
        return found if "steps" not in found else casualties(journal, killed, found["steps"])

    @contextmanager
    def served(self, folder: str) -> Iterator[None]:
        """Have the tracker's server run, where it needs one."""
        if not self._peer.served:
            yield
            return
        with self.running("serve", folder):
            yield

    @contextmanager
    def running(self, what: str, folder: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
        """Have the driver do something that goes on until it is killed."""
        command = self._command(what, folder, **options)
        process = self._started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            end(process)
            process.wait()

    def _command(self, what: str, folder: str, *, metrics: int = 1, **options: object) -> list[str]:
        place = self._home / folder
        place.mkdir(parents=True, exist_ok=True)
        module = f"bench.peers.{self._peer.driver}"
        command = [str(self._python), "-m", module, what, "--tracker", self._peer.tracker, "--folder", str(place)]
        command += ["--metrics", str(metrics), "--scale", str(self._scale)]
        return command + [word for name, value in options.items() for word in (f"--{name}", str(value))]

    def _started(self, command: list[str], **streams: int) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")}
        own = {"HOME": str(self._home), "TMPDIR": str(self._home), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            command,
            env={**kept, **own, **_SILENCE},
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **streams,
        )


@contextmanager
def home_of(peer: Peer) -> Iterator[Path]:
    """Make a folder for a tracker, and remove it."""
    home = Path(tempfile.mkdtemp(prefix=f"bench-{peer.name}-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, and what it started in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def casualties(journal: Path, killed: float, survived: object) -> Found:
    """Compare what had been logged at a kill with what can be read; ages are seconds before the kill."""
    count, *moments = _returned(journal)
    logged = int(count)
    assert isinstance(survived, list)
    found = sorted(step for step in set(survived) if step < logged)
    lost = sorted(set(range(logged)) - set(found))
    return {
        "logged": logged,
        "rate": min((logged - 1) / (moments[logged - 1] - moments[0]), RATE) if logged > 1 else 0.0,
        "lost": len(lost),
        "newest": killed - moments[found[-1]] if found else None,
        "oldest_lost": killed - moments[lost[0]] if lost else 0.0,
    }


def moments_to_kill(count: int, seed: int) -> list[float]:
    """Draw how long to wait, in seconds, before each kill."""
    draw = random.Random(seed)
    return [draw.uniform(0.5, 3.0) for _ in range(count)]


def _goes(journal: Path, process: subprocess.Popen[bytes], patience: float) -> bool:
    """Wait until a process has logged for about half a second, and tell whether it came so far."""
    deadline = time.monotonic() + patience
    begun = None
    while process.poll() is None and time.monotonic() < deadline:
        if begun is None and journal.exists() and journal.stat().st_size and _returned(journal)[0] >= 1:
            begun = time.monotonic()
        if begun is not None and time.monotonic() > begun + 0.5:
            return True
        time.sleep(0.02)
    return False


def _returned(journal: Path) -> tuple[float, ...]:
    body = journal.read_bytes()
    return struct.unpack(f"={len(body) // 8}d", body)
