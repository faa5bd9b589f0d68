from __future__ import annotations

from typing import Any

import pytest

from agnez import demo
from agnez.errors import BadValueError
from agnez.store import Store


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, with NumPy 2
@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_the_demo_learns_and_is_recorded(framework: Any, store: Store) -> None:
    told: list[tuple[int, int]] = []
    run = demo.run(framework, epochs=2, on_epoch=lambda epoch, epochs: told.append((epoch, epochs)), server=None)
    run.finish()
    assert told == [(1, 2), (2, 2)]
    assert run.state == "finished" and run.project == "demo" and run.config["epochs"] == 2
    with store.open_run(run.id) as file:
        found = file.summaries()
    for name in ("train/loss", "val/loss", "val/accuracy", "learning_rate", "weights/conv1", "weights/global"):
        assert found[name].count > 0, name
    assert found["val/accuracy"].last > 0.5  # ten digits: by chance it would be 0.1


@pytest.mark.parametrize(("framework", "options"), [("mxnet", {}), ("keras", {"epochs": 0}), ("torch", {"port": 0})])
def test_wrong_arguments_are_told(framework: Any, options: dict[str, Any]) -> None:
    with pytest.raises(BadValueError):
        demo.run(framework, **options)
