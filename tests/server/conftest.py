"""A server over a store that really listens, and clients of its sockets."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest
from serving import Listener, Pair, Served, served_by

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


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Make a certificate for this machine."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    made = Pair(folder / "box.pem", folder / "box.key")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return made
