"""The environments of the peers: one for each tracker, so that none of them reaches the project's own.

    python -m bench.peers.environments [--cache DIR] [tracker …]

An environment is made once and kept in the cache folder; its folder says which versions it holds. What cannot be
installed is told by the last line of its error, and tried again the next time.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

PACKAGES: dict[str, tuple[str, ...]] = {
    "agnez": (),  # the working tree, in the environment that runs this
    "floors": (),
    "tensorboard": ("tensorboardX", "tensorboard"),
    "trackio": ("trackio",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "aim": ("aim",),
    "visdom": ("visdom", "tornado<6.6"),  # its page names a file that newer ones refuse to look for
}
_OLD_BUILD = {"visdom"}  # its setup.py needs pkg_resources, which new editions of setuptools have no more
_PATIENCE = 1200  # seconds that one installation may take

# Asks the metadata of the environment in which it runs; importing the packages may take seconds, and start things.
_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


@dataclass(frozen=True)
class Environment:
    """Hold where a tracker's Python is and which versions it has, or (`error`) why there is none."""

    tracker: str
    python: Path
    versions: dict[str, str]
    error: str | None = None


def default_cache() -> Path:
    """Return the folder where environments are kept when no other is named."""
    return Path(platformdirs.user_cache_dir("agnez-bench", appauthor=False))


def prepare(trackers: Iterable[str], cache: Path) -> dict[str, Environment]:
    """Make the environments that are missing, one after the other, and return all that were asked for."""
    return {tracker: _prepared(tracker, cache) for tracker in trackers}


def _prepared(tracker: str, cache: Path) -> Environment:
    packages = PACKAGES[tracker]
    if not packages:
        return Environment(tracker, Path(sys.executable), _own_version() if tracker == "agnez" else {})
    folder = cache / tracker
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "versions.json"
    names = [re.split(r"[<=>]", package)[0] for package in packages]
    if not stamp.exists() or set(json.loads(stamp.read_text())) != set(names):
        try:
            _install(packages, folder, python, old_build=tracker in _OLD_BUILD)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            return Environment(tracker, python, {}, last_line(error))
        stamp.write_text(_output(python, "-c", _VERSIONS, *names))
    return Environment(tracker, python, json.loads(stamp.read_text()))


def _own_version() -> dict[str, str]:
    from agnez import __version__

    return {"agnez": __version__}


def _install(packages: tuple[str, ...], folder: Path, python: Path, *, old_build: bool) -> None:
    print(f"installing {', '.join(packages)} …", file=sys.stderr, flush=True)
    if not python.exists():
        _output(Path(sys.executable), "-m", "venv", str(folder))
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _output(python, *pip, "numpy", *(("setuptools<81", "wheel") if old_build else ()))
    _output(python, *pip, *(("--no-build-isolation",) if old_build else ()), *packages)


def _output(python: Path, *arguments: str) -> str:
    done = subprocess.run(
        [python, *arguments], check=True, capture_output=True, text=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL
    )
    return done.stdout


def last_line(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    """Return the last line of what a process that failed had to say, without paths of this machine."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"took more than {error.timeout:.0f} s"
    said = error.stderr or b""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("note:", "[notice]"))]
    return lines[-1].replace(str(Path.home()), "~") if lines else f"ended with code {error.returncode}"


def main() -> None:
    """Make the environments, and tell what is in them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trackers", nargs="*", default=list(PACKAGES), help=f"some of {', '.join(PACKAGES)}")
    parser.add_argument("--cache", type=Path, default=default_cache())
    arguments = parser.parse_args()
    if unknown := set(arguments.trackers) - set(PACKAGES):
        parser.error(f"no such tracker: {', '.join(sorted(unknown))}")
    for environment in prepare(arguments.trackers, arguments.cache).values():
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
        print(f"{environment.tracker}: {environment.error or versions or 'nothing to install'}")


if __name__ == "__main__":
    main()
