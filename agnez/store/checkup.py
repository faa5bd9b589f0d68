"""Whether one file of a run is whole: its pages, its points, and what it says of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from agnez.errors import StoreError
from agnez.record import RunInfo
from agnez.store import glance
from agnez.store.blocks import METRIC_BITS, PAGE, SIZE
from agnez.store.columns import Records, starts_of
from agnez.store.digest import DIGEST, merged
from agnez.store.glance import DamagedError, ForeignError
from agnez.store.proof import agree, proven_block, proven_blocks, proven_row
from agnez.store.runfile import MIGRATIONS, read_info

Told = Callable[[int], None]
"""Called with how many bytes more were looked at."""

_AT_ONCE = 128
_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Say how a file is, why, and what it says of its run (None where it does not, or cannot, say it)."""

    state: Literal["sound", "damaged", "foreign", "newer", "waiting"]
    reasons: tuple[str, ...] = ()
    info: RunInfo | None = None


def examine(path: Path, told: Told = lambda size: None) -> Verdict:
    """Look at a file of a run; nothing is changed."""
    if not path.stat().st_size:
        return Verdict("damaged", ("it is empty",))
    try:
        with closing(glance.connect(path)) as connection:
            connection.execute("BEGIN")  # all that follows is of one moment, though somebody writes
            return _verdict(connection, told)
    except ForeignError:
        return Verdict("foreign", ("it is not a file of Agnez",))
    except sqlite3.DatabaseError as error:
        return Verdict("damaged", (f"it cannot be read whole ({error})",))
    except DamagedError as error:
        return Verdict("damaged", (f"it {str(error).removeprefix(f'{path} ')}",))
    except StoreError as error:
        return Verdict("waiting", (str(error),))


def _verdict(connection: sqlite3.Connection, told: Told) -> Verdict:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        return Verdict("newer", (f"it was written by a newer Agnez (schema {version}): pip install --upgrade agnez",))
    wrong = [text for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST_TOLD})") if text != "ok"]
    info = _info(connection)
    if not wrong and version == len(MIGRATIONS):
        wrong = list(_Points(connection).faults(told))
    if len(wrong) > _MOST_TOLD:
        wrong = [*wrong[:_MOST_TOLD], f"and {len(wrong) - _MOST_TOLD} faults more"]
    return Verdict("damaged" if wrong else "sound", tuple(wrong), info)


def _info(connection: sqlite3.Connection) -> RunInfo | None:
    """Return the facts; a further process' file has none."""
    try:
        facts = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM facts")}
        return read_info(facts, {})
    except (sqlite3.DatabaseError, KeyError, TypeError, ValueError, AttributeError):
        return None


class _Points:
    """Compare the blocks and the tail of an open file with what the file says of them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._names = [name for (name,) in connection.execute("SELECT name FROM metrics ORDER BY id")]

    def faults(self, told: Told) -> Iterator[str]:
        """Return a sentence for each thing that is wrong."""
        sealed = self._connection.execute("SELECT cursor, counts, digests FROM sealed").fetchone()
        if sealed is None or len(sealed[1]) % 8 or len(sealed[2]) % DIGEST.itemsize:
            yield "its summaries are missing or cut short"
            return
        cursor, counts, digests = sealed
        found: dict[int, list[Records]] = {}
        yield from self._block_faults(found, told)
        yield from self._count_faults(found, np.frombuffer(counts, dtype="<i8").tolist())
        yield from self._summary_faults(found, np.frombuffer(digests, dtype=DIGEST))
        yield from self._page_faults(found)
        yield from self._tail_faults(cursor)

    def _block_faults(self, found: dict[int, list[Records]], told: Told) -> Iterator[str]:
        """Look at each block; `found` gets the digests of each metric's."""
        last = -1
        while rows := self._connection.execute(
            "SELECT id, digest, body FROM blocks WHERE id > ? ORDER BY id LIMIT ?", (last, _AT_ONCE)
        ).fetchall():
            last = rows[-1][0]
            _, stored, bodies = zip(*rows, strict=True)
            told(sum(map(len, bodies)))
            whole = proven_blocks(stored, bodies) is not None  # together they take a fifth of the time
            for id, digest, body in rows:
                metric, number = (id >> METRIC_BITS) - 1, id & ((1 << METRIC_BITS) - 1)
                mine = found.setdefault(metric, [])
                if not whole and proven_block(digest, body) is None:
                    yield f"block {number} of {self._name(metric)} does not hold what was written"
                elif number != len(mine):
                    yield f"block {number} of {self._name(metric)} comes where block {len(mine)} should"
                sound = len(digest) == DIGEST.itemsize
                mine.append(np.frombuffer(digest, dtype=DIGEST) if sound else np.zeros(1, dtype=DIGEST))

    def _count_faults(self, found: dict[int, list[Records]], counts: list[int]) -> Iterator[str]:
        for metric in range(max([len(counts), *(place + 1 for place in found)])):
            has = sum(int(each["count"][0]) for each in found.get(metric, []))
            says = counts[metric] if metric < len(counts) else 0
            if has != says:
                yield f"{self._name(metric)} has {has:,} points in blocks and says {says:,}"

    def _summary_faults(self, found: dict[int, list[Records]], digests: Records) -> Iterator[str]:
        if self._connection.execute("SELECT MAX(branches) FROM segments").fetchone()[0]:
            return  # then summaries are of main lines, and blocks hold more than these
        if not found:
            return
        places = list(found)
        starts = starts_of(np.array([len(parts) for parts in found.values()]))
        packed = b"".join([part.tobytes() for parts in found.values() for part in parts])
        whole = merged(np.frombuffer(packed, dtype=DIGEST), starts)
        if max(places) < len(digests) and agree(whole, digests[places]):
            return  # all at once: one by one it takes fifty times as long
        for place, metric in enumerate(places):
            if not agree(whole[place : place + 1], digests[metric : metric + 1]):
                yield f"the summary of {self._name(metric)} is not that of its points"

    def _page_faults(self, found: dict[int, list[Records]]) -> Iterator[str]:
        pages = dict(self._connection.execute("SELECT id, digests FROM pages"))
        for metric, parts in found.items():
            full = sum(int(each["count"][0]) == SIZE for each in parts)
            for number in range(full // PAGE):
                whole = b"".join(each.tobytes() for each in parts[number * PAGE : (number + 1) * PAGE])
                if pages.get((metric + 1 << METRIC_BITS) + number) != whole:
                    yield f"the page {number} of digests of {self._name(metric)} is missing or wrong"

    def _tail_faults(self, cursor: int) -> Iterator[str]:
        before = cursor
        for last, count, metrics, body in self._connection.execute(
            "SELECT last, points, metrics, body FROM tail ORDER BY last"
        ):
            rows = proven_row(metrics, body)
            if rows is None:
                yield f"the newest points up to call {last:,} are not what was written"
                continue
            calls, places = rows.points.calls, rows.metrics
            if not len(rows) == count > 0 or not before < calls[0] <= calls[-1] == last:
                yield f"the newest points up to call {last:,} are not where they should be"
            elif int(places.max()) >= len(self._names):
                yield f"the newest points up to call {last:,} are of a metric without a name"
            before = last

    def _name(self, metric: int) -> str:
        return f"'{self._names[metric]}'" if 0 <= metric < len(self._names) else f"the nameless metric {metric}"
