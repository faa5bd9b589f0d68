"""What all tests share: a store of their own, no browser, Keras on PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["AGNEZ_DIR"] = os.devnull  # whoever forgets the fixture below fails, and touches nobody's store
os.environ.setdefault("MPLBACKEND", "Agg")

from agnez.store import Store


@pytest.fixture(autouse=True)
def store_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a store of its own, by the environment as a user would."""
    directory = tmp_path / "store"
    monkeypatch.setenv("AGNEZ_DIR", str(directory))
    monkeypatch.setenv("CI", "true")
    return directory


@pytest.fixture
def store(store_directory: Path) -> Iterator[Store]:
    """Open that store."""
    yield Store(store_directory)
