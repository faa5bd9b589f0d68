"""Tokens: who shows one may come in, to look or to change things."""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Literal

from agnez.errors import BadValueError
from agnez.server.guesses import Guesses

Right = Literal["change", "read"]

LEAST = 16
"""Characters that a token has at least."""


def make_token() -> str:
    """Return a new token, which nobody can guess."""
    return secrets.token_urlsafe(24)


class Tokens:
    """Know the token of those who may do all, and that of those who may only look.

    `salt` is the same at the next start of the server, so that cookies of the same tokens hold.
    """

    def __init__(self, full: str, reading: str | None = None, *, salt: str) -> None:
        """Check the tokens.

        Raises:
            BadValueError: one is too short, or they are the same.
        """
        for each in (full, reading):
            if each is not None and len(each) < LEAST:
                raise BadValueError(f"a token has at least {LEAST} characters: leave it out, and one is made for you")
        if full == reading:
            raise BadValueError("the token to look only is the one that may do all: give two that differ")
        self._given: dict[Right, str] = {"change": full}
        if reading is not None:
            self._given["read"] = reading
        self.cookie_name = f"agnez-{hashlib.sha256(salt.encode()).hexdigest()[:8]}"
        self._salt = salt
        self._guesses = Guesses()

    def right_of(self, token: str, address: str) -> Right | None:
        """Return what a token allows whoever asks from an address; None where it is none of ours.

        Raises:
            TooManyGuessesError: too many wrong ones came from there of late.
        """
        right = _right(token, self._given)
        if right is not None and self._guesses.is_known(address, right):
            return right
        self._guesses.begin(address)
        if right is not None:
            self._guesses.succeed(address, right)
        return right

    def cookie(self, right: Right) -> str:
        """Return what a browser that showed a token keeps, in the token's place."""
        return self._cookies[right]

    def right_of_cookie(self, value: str) -> Right | None:
        """Return what a cookie allows. Wrong ones do not count as guesses: they are those of an earlier token."""
        return _right(value, self._cookies)

    @functools.cached_property
    def _cookies(self) -> dict[Right, str]:
        # Slow to make (50 ms), or whoever guesses tokens could try their cookies, which nobody counts.
        return {right: _stretched(token, f"{right} {self._salt}") for right, token in self._given.items()}


def _right(given: str, known: Mapping[Right, str]) -> Right | None:
    """Return whose word was given; each is compared, whatever came of the others."""
    same: list[Right] = [right for right, word in known.items() if _same(given, word)]
    return same[0] if same else None


def _stretched(token: str, salt: str) -> str:
    return hashlib.scrypt(
        token.encode("utf-8", "surrogateescape"), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32
    ).hex()


def _same(given: str, true: str) -> bool:
    """Compare in a time that tells nothing of where they differ, nor of how long the true one is."""
    digests = (hashlib.sha256(each.encode("utf-8", "surrogatepass")).digest() for each in (given, true))
    return hmac.compare_digest(*digests)
