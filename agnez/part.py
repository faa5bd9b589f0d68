"""The part of a further rank in a run on another server: its points, which are all that it has."""

from __future__ import annotations

from agnez.remote import AwayError, RefusedError, Remote
from agnez.replica import greet
from agnez.store import Store
from agnez.stream import Stream


class EarlyError(AwayError):
    """Report that the run is not on the server yet: its first rank brings it there."""


class Part:
    """Keep the points of a rank on a server equal to those of a store. One thread may use it."""

    def __init__(self, store: Store, id: str, rank: int, remote: Remote) -> None:
        self.id = id
        self.pages = 0
        """How many pages the server had open when it was greeted."""
        self._rank = rank
        self._store = store
        self._remote = remote
        self._stream = Stream(store, id, remote, rank=rank)
        self._greeted = False

    def forget(self) -> None:
        """Forget how far the server is, which has failed: it is asked again."""
        self._greeted = False
        self._stream.sent.clear()

    def close(self) -> None:
        """Let go of the files, and hang up. Closing twice does no harm."""
        self._stream.close()
        self._remote.close()

    @property
    def waiting(self) -> int:
        """Return how many calls are in the files and not on the server, as far as that is known."""
        return self._stream.waiting

    def advance(self) -> bool:
        """Send some of what the server lacks; tell whether more is left.

        Raises:
            AwayError: the server does not answer, or does not have the run yet.
            RefusedError: it refuses.
            SameStoreError: it is the server of the run's own store.
            StoreError, OSError, sqlite3.Error: the rank's files cannot be read.
        """
        self._stream.look()
        if not self._greeted:
            self.pages = greet(self._remote, self._store)
            self._find_run()
            self._greeted = True
        return self._stream.send(lambda call, anew: None)

    def _find_run(self) -> None:
        try:
            self._remote.call("GET", f"runs/{self.id}")
        except RefusedError as error:
            if error.code != 404:
                raise
            raise EarlyError(f"it does not have run {self.id} yet, which its first rank brings") from error
