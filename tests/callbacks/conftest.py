"""What the tests of the adapters share: real data, and runs that are closed again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from shapes import Digits, Read
from sklearn.datasets import load_digits

from agnez import session
from agnez.run import Run
from agnez.store import Store


@pytest.fixture(scope="session")
def digits() -> Digits:
    """Return 160 pictures of digits as rows of 64 numbers from 0 to 1, and what they show."""
    found = load_digits()
    return (found.data[:160] / 16).astype("float32"), found.target[:160]


@pytest.fixture
def read(store: Store) -> Read:
    """Return what reads the series of a run from its store: steps and values by name."""

    def read(run: Run) -> dict[str, tuple[list[float], list[float]]]:
        assert run.closed or run.flush()
        with store.open_run(run.id) as file:
            return {each.metric: (each.steps.tolist(), each.values.tolist()) for each in file.series()[1]}

    return read


@pytest.fixture
def figures() -> None:
    """Have runs draw their figures."""


@pytest.fixture(autouse=True)
def runs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let runs draw no figures, where a test does not ask for them, and close them."""
    if "figures" not in request.fixturenames:
        monkeypatch.setattr(session, "Run", partial(Run, figures=False))
    yield
    for run in session.session().runs[:]:
        run.finish()
