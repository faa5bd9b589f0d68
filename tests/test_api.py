from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import agnez

HEAVY = ("flask", "flask_socketio", "matplotlib", "mpld3", "numpy", "torch", "keras", "tensorflow", "jax", "sqlite3")


def test_every_name_that_is_declared_can_be_imported() -> None:
    assert all(getattr(agnez, name) is not None for name in agnez.__all__)
    assert set(dir(agnez)) == set(agnez.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        agnez.nothing  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    script = f"import agnez, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def _public() -> list[object]:
    found: list[object] = []
    for each in pkgutil.walk_packages(agnez.__path__, "agnez."):
        if each.name.endswith("__main__"):
            continue
        module = importlib.import_module(each.name)
        found.append(module)
        for name, value in vars(module).items():
            mine = getattr(value, "__module__", None) == each.name and not name.startswith("_")
            if mine and (inspect.isfunction(value) or inspect.isclass(value)):
                found.append(value)
                if inspect.isclass(value):
                    members = (m for n, m in vars(value).items() if not n.startswith("_") and inspect.isfunction(m))
                    found.extend(members)
    return found


def test_every_public_name_is_documented() -> None:
    undocumented = [
        f"{getattr(each, '__module__', '')}.{getattr(each, '__qualname__', each)}"
        for each in _public()
        if not each.__doc__
    ]
    assert undocumented == []
