"""The part of a further rank in a run on another server: its points, which are all that it has."""

from __future__ import annotations

from agnez.remote import AwayError, RefusedError
from agnez.replica import Copy


class EarlyError(AwayError):
    """Report that the run is not on the server yet: its first rank brings it there."""


class Part(Copy):
    """Keep the points of a rank on a server equal to those of a store. One thread may use it."""

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
            self.greet()
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
