"""A server over a store that really listens, and clients of its sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from serving import Listener, Served, served_by

from agnez.store import Store


@pytest.fixture
def engine() -> str:
    """Name what the server runs on; a module that tests both has it parametrized."""
    return "threads"


@pytest.fixture
def server(store: Store, engine: str) -> Iterator[Served]:
    with served_by(engine, store) as talk:
        yield talk


@pytest.fixture
def listen(server: Served) -> Iterator[Callable[..., Listener]]:
    """Connect clients, and hang up in the end."""
    listeners: list[Listener] = []

    def connect(transports: list[str] | None = None) -> Listener:
        listeners.append(Listener(server.url, transports or ["websocket"]))
        return listeners[-1]

    yield connect
    for listener in listeners:
        listener.close()
