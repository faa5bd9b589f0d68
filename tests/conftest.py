"""What all tests share: a store of their own, no browser, Keras on PyTorch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["AGNEZ_DIR"] = os.devnull  # whoever forgets the fixture below fails, and touches nobody's store
os.environ.setdefault("MPLBACKEND", "Agg")

from playwright.sync_api import Browser, sync_playwright

from agnez.store import Store

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


_WITH_OTHERS = ("e2e", "server", "render", "callbacks")
_NOT_ONCE = ("test_fuzz", "test_kill", "test_load", "test_posted", "test_sender", "test_tokens", "test_values_socket")
"""Tests of what must not happen even once: a change out of its order, lost or doubled, a stranger who is let in."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Try tests that need browsers and servers up to three times: where a machine is busy, one of those may be late.

    The summary names each that was tried again: one that is there often has a fault, or the code has. `--reruns 0`
    tries each but once.
    """
    if config.getoption("reruns", 0) is not None:
        return
    for item in items:
        if item.path.parent.name in _WITH_OTHERS and item.path.stem not in _NOT_ONCE:
            item.add_marker(pytest.mark.flaky(reruns=2))


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Open a real browser, one for all tests: Playwright cannot be started twice in a process."""
    installed = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed, args=list(_ARGUMENTS))
        yield browser
        browser.close()
