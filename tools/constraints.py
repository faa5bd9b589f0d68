"""Write constraints.txt: the version of each package in the environments whose stamps are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "constraints.txt"
HEAD = """\
# The versions that Agnez is developed and tested with: `make constraints` writes them.
# They bind `make` only; who installs Agnez gets the ranges of setup.cfg.
"""


def main() -> None:
    """Merge the versions of all environments; stop where two of them differ."""
    pins: dict[str, str] = {}
    for stamp in sys.argv[1:]:
        for name, version in frozen(Path(stamp).parent).items():
            if pins.setdefault(name, version) != version:
                sys.exit(f"{name} is {pins[name]} in one environment and {version} in {stamp}: make clean, then again")
    FILE.write_text(HEAD + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items())), encoding="utf-8")
    print(f"{len(pins)} versions in {FILE.name}")


def frozen(environment: Path) -> dict[str, str]:
    """Return the version of each package that is installed in `environment`, Agnez left out."""
    command = [str(environment / "bin" / "python"), "-m", "pip", "freeze", "--exclude", "agnez", "--exclude-editable"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pins = {}
    for line in listing.splitlines():
        name, found, version = line.partition("==")
        if not found:
            sys.exit(f"{line!r} in {environment} comes from no index: install it by its name")
        pins[name.lower()] = version.partition("+")[0]  # torch's 2.13.0+cpu is the 2.13.0 of another index
    return pins


if __name__ == "__main__":
    main()
