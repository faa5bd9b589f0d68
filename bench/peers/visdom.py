"""visdom: a server on 127.0.0.1 that holds its windows in memory, and writes them when it is told to save."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bench.peers.driver import LOSS, Log, Sizes, Tracker, drive

SHOWN = "main"  # the environment that the page opens with


class Visdom(Tracker):
    """Append to a line with each call: one request of HTTP a metric."""

    sizes = Sizes(calls=2000, ingest_one=1000, ingest_many=2000)
    each_is_a_request = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._recorded: dict[str, np.ndarray] = {}

    def serve(self) -> None:
        """Serve on a free port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.page(port)

    def page(self, port: int) -> None:
        """Serve what is in the folder. The scripts of the page, which it would download, are not looked for."""
        from visdom.server.run_server import start_server

        (self.folder / "port").write_text(str(port))
        start_server(port=port, base_url="", bind_local=True, env_path=str(self.folder), eager_data_loading=True)

    def record(self, run: str, values: np.ndarray) -> None:
        """Gather the runs: they are handed over as the lines of a window, in one call, as appending slows down."""
        self._recorded[run] = values

    def settle(self) -> None:
        """Draw the lines, and save what the page shows."""
        client, lines = self._client(SHOWN), np.column_stack(list(self._recorded.values()))
        client.line(X=np.arange(len(lines)), Y=lines, win=LOSS, env=SHOWN, opts={"legend": list(self._recorded)})
        client.save([SHOWN])
        self._recorded = {}

    def watched(self, run: str, port: int) -> Log:
        """Append to the window that the page shows first."""
        return self.begin(SHOWN)

    def begin(self, run: str) -> Log:
        """Use an environment of the server's as a run."""
        self._name = run
        client = self._client(run)
        client.delete_env(run)  # all measures share one server
        line = client.line
        step = -1

        def log(values: Mapping[str, float]) -> None:
            nonlocal step
            step += 1
            for name, value in values.items():
                line(X=[step], Y=[value], win=name, env=run, update="append")

        return log

    def finish(self) -> None:
        """Save the environment."""
        self._client(self._name).save([self._name])

    def read(self, run: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Ask the server for a window's data."""
        window = self._client(run).get_window_data(win=metric, env=run)
        if not window:
            raise RuntimeError(f"the server knows no window {metric} in {run}")
        found = json.loads(window) if isinstance(window, str) else window
        data = found["content"]["data"][0]
        return np.array(data["x"]).astype(int), np.array(data["y"])

    def _client(self, run: str):
        import visdom

        port = self.folder / "port"
        deadline = time.monotonic() + 30
        while True:
            try:
                return visdom.Visdom(
                    server="http://127.0.0.1",
                    port=int(port.read_text()),
                    env=run,
                    raise_exceptions=True,
                    use_incoming_socket=False,
                )
            except (OSError, ValueError):  # the server is on its way
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


if __name__ == "__main__":
    drive(Visdom)
