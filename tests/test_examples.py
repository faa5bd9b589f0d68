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


def example(beginning: str) -> str:
    (found,) = re.findall(rf"```python\n({re.escape(beginning)}.*?)```", README.read_text("utf-8"), re.DOTALL)
    return found


def output_of(script: Path, code: str) -> str:
    script.write_text(code, "utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_loop_of_the_readme_runs_and_is_read_as_it_says(tmp_path: Path) -> None:
    loop = example("import torch\n").replace("range(20)", "range(2)").replace('"digits"', '"digits", server=None')
    assert "agnez.watch(" in loop and "server=None" in loop
    output_of(tmp_path / "train.py", loop)
    (line,) = output_of(tmp_path / "read.py", example("import agnez\n\nstore =")).splitlines()
    rate, last, least = map(float, line.split()[1:])
    assert rate == 1e-3 and 0 < least <= last
