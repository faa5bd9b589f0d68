"""Guesses: who shows wrong tokens is slowed down, and nobody waits for him."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from agnez.errors import AgnezError

FREE = 10
"""Wrong tokens in a row that an address may show at once."""

RATE = 1.0
"""Wrong tokens a second after that."""

KNOWN_SECONDS = 3600.0
_MOST_ADDRESSES = 4096


class TooManyGuessesError(AgnezError):
    """Report an address from which so many wrong tokens came that the next one is not even looked at."""


class Guesses:
    """Count the wrong tokens of each address.

    Whatever comes too soon is refused at once, unread: no thread sleeps, and who guesses learns nothing. A token that
    an address showed within the hour goes by, so that a neighbour behind it shuts nobody out; who may look only cannot
    guess the other one by that.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._known: OrderedDict[str, float] = OrderedDict()

    def is_known(self, address: str, token: str = "") -> bool:
        """Tell whether a right token, named by what it allows, came from an address of late."""
        with self._lock:
            return self._clock() - self._known.get(f"{token} {_block(address)}", -KNOWN_SECONDS) < KNOWN_SECONDS

    def begin(self, address: str) -> None:
        """Count a guess before anybody looks at it.

        Raises:
            TooManyGuessesError: it comes too soon after too many.
        """
        block, now = _block(address), self._clock()
        with self._lock:
            left, then = self._left.pop(block, (float(FREE), now))
            left = min(float(FREE), left + (now - then) * RATE)
            self._left[block] = (max(left - 1, 0.0) if left >= 1 else left, now)
            _trim(self._left)
        if left < 1:
            raise TooManyGuessesError("Too many wrong tokens came from your address: wait a second")

    def succeed(self, address: str, token: str = "") -> None:
        """Note that an address showed a right token, named by what it allows; that was no guess."""
        block = _block(address)
        known = f"{token} {block}"
        with self._lock:
            if block in self._left:
                left, then = self._left[block]
                self._left[block] = (min(float(FREE), left + 1), then)
            self._known.pop(known, None)
            self._known[known] = self._clock()
            _trim(self._known)


def _trim(kept: OrderedDict[str, tuple[float, float]] | OrderedDict[str, float]) -> None:
    while len(kept) > _MOST_ADDRESSES:
        kept.popitem(last=False)


def _block(address: str) -> str:
    """Return what stands for one customer: an address, or of IPv6 the network that each gets.

    >>> _block("2001:db8:1:2:3:4:5:6"), _block("::ffff:10.0.0.1"), _block("10.0.0.1")
    ('2001:db8:1:2::', '10.0.0.1', '10.0.0.1')
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:100]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(parsed) >> 64 << 64))
