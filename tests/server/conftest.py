"""A server over a store that really listens, and clients of its sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from serving import Listener, Served, served

from agnez.server.app import create_app
from agnez.store import Store


@pytest.fixture
def server(store: Store) -> Iterator[Served]:
    with served(create_app(store)) as talk:
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
