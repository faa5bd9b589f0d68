"""What a benchmark found, as JSON: small, and without paths or names of the machine."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"


def write(path: Path, found: Mapping[str, object]) -> None:
    """Write what was found, with the day and the machine."""
    record = {"taken": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine(), **found}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(record), indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, object]:
    """Describe the machine, without its name."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def rounded(value: object) -> object:
    """Keep four digits of each number: what is beyond them is noise.

    >>> rounded({"p50": [1.23456]})
    {'p50': [1.235]}
    """
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
