"""Agnez and its peers side by side, each in an environment of its own, in turns.

    python -m bench.peers [--rounds 3] [--scale 1] [--only agnez trackio …]

What is found goes to bench/results/peers.json; `python -m bench.report` makes tables and charts of it. A round over all
takes about ten minutes on two cores; the first one installs the peers too, once (2 GB). Where a peer is too slow for
the common size it gets a smaller one, which stands beside its figures. Nothing leaves the machine but what pip asks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import record
from bench.peers.catalogue import PEERS, Peer
from bench.peers.environments import Environment, default_cache, prepare
from bench.peers.trial import Found, Trial, home_of, moments_to_kill

PREPARATION = 600.0  # seconds that a library of runs may take; it is made once and is not what is measured


def main() -> None:
    """Measure, and write down what was found."""
    arguments = _arguments()
    peers = [peer for peer in PEERS if peer.name in arguments.only]
    environments = prepare(dict.fromkeys(peer.environment for peer in peers), arguments.cache)
    begun = time.time()
    with ExitStack() as stack:
        trials = {}
        for peer in peers:
            home = stack.enter_context(home_of(peer))
            environment = environments[peer.environment]
            trials[peer] = Trial(peer, environment, home, patience=arguments.patience, scale=arguments.scale)
        found = measure_all(trials, environments, arguments.rounds, arguments.kills)
    record.write(
        arguments.out,
        {
            "minutes": (time.time() - begun) / 60,
            "rounds": arguments.rounds,
            "scale": arguments.scale,
            "peers": {peer.name: _record(peer, environments[peer.environment], found[peer]) for peer in peers},
        },
    )


def measure_all(
    trials: dict[Peer, Trial], environments: dict[str, Environment], rounds: int, kills: int
) -> dict[Peer, dict[str, list[Found]]]:
    """Let all trackers take turns, another one first in each round."""
    found: dict[Peer, dict[str, list[Found]]] = {peer: defaultdict(list) for peer in trials}
    peers = list(trials)
    for turn in range(rounds):
        for peer in peers[turn % len(peers) :] + peers[: turn % len(peers)]:
            if environments[peer.environment].error:
                continue
            begun = time.monotonic()
            with trials[peer].served("server"):
                Turn(peer, trials[peer], found[peer], turn).take(kills)
            print(f"round {turn + 1}, {peer.title}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return found


class Turn:
    """Take all measures of a tracker once. What took too long in an earlier turn is not tried again."""

    def __init__(self, peer: Peer, trial: Trial, found: dict[str, list[Found]], number: int) -> None:
        self._peer = peer
        self._trial = trial
        self._found = found
        self._number = number

    def take(self, kills: int) -> None:
        """Take them."""
        for metrics in (1, 100):
            folder = self._folder(f"call{metrics}")
            self._keep(f"call-{metrics}", partial(self._trial.measure, "call", folder, metrics=metrics))
        for metrics in (1, 100):
            self._ingest(metrics)
        if self._peer.gathers:
            return  # its store is another tracker's, and what a kill takes is the user's list
        for place, after in enumerate(moments_to_kill(kills, seed=self._number)):
            self._keep("kill", partial(self._trial.kill, self._folder(f"kill{place}"), after))
        self._prepared("fill", "wide")
        self._prepared("library", "list")

    def _ingest(self, metrics: int) -> None:
        folder = self._folder(f"ingest{metrics}")
        if "error" in self._keep(f"ingest-{metrics}", partial(self._trial.measure, "ingest", folder, metrics=metrics)):
            return
        self._keep(f"check-{metrics}", partial(self._trial.measure, "check", folder, metrics=metrics))
        if metrics == 1:
            for what in ("read", "view"):
                self._keep(what, partial(self._trial.measure, what, folder))

    def _prepared(self, preparation: str, what: str) -> None:
        """Measure on what the first turn prepared for all."""
        if self._number == 0:
            self._keep(preparation, partial(self._trial.measure, preparation, preparation, patience=PREPARATION))
        if not {"error", "not_offered"} & set(self._found[preparation][0]):
            self._keep(what, partial(self._trial.measure, what, preparation))

    def _keep(self, name: str, measure: Callable[[], Found]) -> Found:
        earlier = self._found[name]
        if any(each.get("late") or "not_offered" in each for each in earlier):
            return earlier[-1]
        earlier.append(measure())
        if "error" in earlier[-1]:
            print(f"{self._peer.title}, {name}: {earlier[-1]['error']}", file=sys.stderr, flush=True)
        return earlier[-1]

    def _folder(self, name: str) -> str:
        return "server" if self._peer.served else f"{name}-{self._number}"


def _record(peer: Peer, environment: Environment, found: dict[str, list[Found]]) -> dict[str, object]:
    return {
        "title": peer.title,
        "floor": peer.floor,
        "versions": environment.versions,
        "error": environment.error,
        "measures": found,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [peer.name for peer in PEERS]
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=2, help="kill -9 so often in each round (default: 2)")
    parser.add_argument("--scale", type=float, default=1.0, help="of all sizes; 0.01 for a quick try")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="TRACKER", help=", ".join(names))
    parser.add_argument("--patience", type=float, default=120.0, help="seconds until a measure is given up")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where the environments are kept")
    parser.add_argument("--out", type=Path, default=record.RESULTS / "peers.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
