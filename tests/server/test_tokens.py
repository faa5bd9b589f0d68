from __future__ import annotations

import pytest

from agnez.errors import BadValueError
from agnez.server.guesses import Guesses, TooManyGuessesError
from agnez.server.reach import read_origin
from agnez.server.standalone import MAKE, Wishes, stand
from agnez.server.tokens import Tokens, make_token

FULL, READS, WRONG = "full-" + "a" * 16, "reads-" + "b" * 16, "wrong-" + "c" * 16


def test_a_token_allows_what_it_stands_for_and_a_wrong_one_nothing() -> None:
    tokens = Tokens(FULL, READS, salt="s")
    given = (FULL, READS, WRONG, "", FULL[:-1], FULL + "x", "ü\udc80")
    rights = [tokens.right_of(each, f"10.0.0.{place}") for place, each in enumerate(given)]
    assert rights == ["change", "read", None, None, None, None, None]
    assert Tokens(FULL, salt="s").right_of(READS, "10.0.0.1") is None


def test_a_cookie_is_not_the_token_and_holds_for_the_same_token_only() -> None:
    tokens, again, other = Tokens(FULL, READS, salt="s"), Tokens(FULL, READS, salt="s"), Tokens(WRONG, salt="s")
    for right in ("change", "read"):
        cookie = tokens.cookie(right)  # type: ignore[arg-type]
        assert FULL not in cookie and READS not in cookie
        assert again.right_of_cookie(cookie) == right
        assert other.right_of_cookie(cookie) is None
        assert tokens.right_of(cookie, "10.0.0.1") is None
        assert Tokens(FULL, READS, salt="t").right_of_cookie(cookie) is None


def test_tokens_that_are_short_or_alike_are_refused_with_the_cure() -> None:
    with pytest.raises(BadValueError, match="at least 16 characters"):
        Tokens("short", salt="s")
    with pytest.raises(BadValueError, match="two that differ"):
        Tokens(FULL, FULL, salt="s")
    assert len(make_token()) >= 32 and make_token() != make_token()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def guess(guesses: Guesses, address: str, times: int) -> int:
    """Guess wrong, and return how many were looked at."""
    seen = 0
    for _ in range(times):
        try:
            guesses.begin(address)
        except TooManyGuessesError:
            continue
        seen += 1
    return seen


def test_after_ten_wrong_tokens_one_a_second_is_looked_at() -> None:
    guesses = Guesses(clock := Clock())
    assert guess(guesses, "10.0.0.1", 1000) == 10
    assert guess(guesses, "10.0.0.2", 3) == 3  # another address is not held up
    clock.now += 1.01
    assert guess(guesses, "10.0.0.1", 1000) == 1
    clock.now += 3600
    assert guess(guesses, "10.0.0.1", 1000) == 10


def test_who_owns_a_network_of_ipv6_counts_as_one() -> None:
    guesses = Guesses(Clock())
    assert sum(guess(guesses, f"2001:db8:1:2::{number:x}", 1) for number in range(100)) == 10
    assert guess(guesses, "2001:db8:1:3::1", 1) == 1


def test_an_address_that_showed_the_right_token_is_not_shut_out_by_a_neighbour() -> None:
    tokens = Tokens(FULL, salt="s")
    assert tokens.right_of(FULL, "10.0.0.1") == "change"
    with pytest.raises(TooManyGuessesError):
        for _ in range(100):
            tokens.right_of(WRONG, "10.0.0.1")
    assert tokens.right_of(FULL, "10.0.0.1") == "change"
    with pytest.raises(TooManyGuessesError):  # nor does it learn that a guess was wrong
        tokens.right_of(WRONG, "10.0.0.1")


def test_many_addresses_fill_no_memory() -> None:
    guesses = Guesses(Clock())
    for number in range(6000):
        guess(guesses, f"10.1.{number >> 8}.{number & 255}", 1)
        guesses.succeed(f"10.2.{number >> 8}.{number & 255}")
    assert len(guesses._left) <= 4096 and len(guesses._known) <= 4096


def test_beyond_this_machine_a_token_is_made_unless_one_is_given() -> None:
    alone = stand(Wishes("127.0.0.1"), "s")
    assert (alone.reach.tokens, alone.reach.numeric, alone.full, alone.reading) == (None, False, None, None)
    for host in ("0.0.0.0", "::", "192.168.1.5", "box.lab.example"):
        far = stand(Wishes(host), "s")
        assert far.full and far.reading and far.reach.numeric
        assert far.reach.tokens is not None and far.reach.tokens.right_of(far.full, "a") == "change"
        assert far.reach.tokens.right_of(far.reading, "a") == "read"
    named = stand(Wishes("0.0.0.0", token=FULL, read_token=READS), "s")
    assert (named.full, named.reading) == (None, None)  # who gave them knows them
    assert named.reach.tokens is not None and named.reach.tokens.right_of(FULL, "a") == "change"
    guarded = stand(Wishes("127.0.0.1", token=MAKE), "s")
    assert guarded.full and guarded.reach.tokens and not guarded.reach.numeric


def test_wishes_that_cannot_be_granted_say_why() -> None:
    for wishes, words in (
        (Wishes("127.0.0.1", token="abc"), "at least 16"),
        (Wishes("127.0.0.1", origins=["*"]), "--allow-origin '\\*'"),
        (Wishes("127.0.0.1", base="/a b"), "--base-url"),
        (Wishes("127.0.0.1", base="/../x"), "--base-url"),
        (Wishes("127.0.0.1", proxies=["box"]), "--trusted-proxy 'box'"),
    ):
        with pytest.raises(BadValueError, match=words):
            stand(wishes, "s")
    for origin in ("*", "null", "lab.example", "https://lab.example/path", "file://", "https://a b"):
        with pytest.raises(BadValueError):
            read_origin(origin)
