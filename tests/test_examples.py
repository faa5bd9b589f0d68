from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import agnez

MODULES = sorted(each.name for each in pkgutil.walk_packages(agnez.__path__, "agnez.") if "__main__" not in each.name)
README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_loop_of_the_readme_runs(tmp_path: Path) -> None:
    (loop,) = re.findall(r"```python\n(import torch\n.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert "agnez.watch(" in loop
    script = tmp_path / "train.py"
    script.write_text(
        loop.replace("range(20)", "range(2)").replace('project="digits"', 'project="digits", server=None')
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
