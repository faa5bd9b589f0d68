"""Many rows in one step of SQLite.

Python's sqlite3 lets go of the interpreter's lock for each row that it fetches or inserts, and beside a training loop
of pure Python waits up to 5 ms to get it back. So what the recorder's thread does to many rows is said in one step:
their blobs come as one text of hexadecimal digits, and go as one blob with a list of their lengths.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from itertools import accumulate

Parameter = int | str | bytes | None


def gather(
    connection: sqlite3.Connection, query: str, *columns: str, parameters: Sequence[Parameter] = ()
) -> list[list[bytes]]:
    """Return some columns, all of them blobs, of all rows of a query, in its order."""
    wanted = ", ".join(f"group_concat(hex({name}), ''), json_group_array(length({name}))" for name in columns)
    found = connection.execute(f"SELECT {wanted} FROM ({query})", parameters).fetchone()
    return [_cut(digits, lengths) for digits, lengths in zip(found[::2], found[1::2], strict=True)]


def _cut(digits: str | None, lengths: str) -> list[bytes]:
    whole, sizes = bytes.fromhex(digits or ""), json.loads(lengths)
    return [whole[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]


def scatter(connection: sqlite3.Connection, table: str, ids: Sequence[int], **columns: Sequence[bytes]) -> None:
    """Write rows: `ids` in the column `id`, and blobs in others; rows of the same ids are replaced."""
    for first in range(0, len(ids), _MOST_ROWS):
        some = slice(first, first + _MOST_ROWS)
        _scatter(connection, table, ids[some], {name: blobs[some] for name, blobs in columns.items()})


def _scatter(
    connection: sqlite3.Connection, table: str, ids: Sequence[int], columns: dict[str, Sequence[bytes]]
) -> None:
    lengths = [[len(blob) for blob in blobs] for blobs in columns.values()]
    starts = [accumulate(sizes, initial=1) for sizes in lengths]
    pairs = [each for pair in zip(starts, lengths, strict=True) for each in pair]
    rows = list(zip(ids, *pairs, strict=False))  # the starts end with the place after the last blob
    cuts = [
        f"substr(?{number + 2}, json_extract(value, '$[{2 * number + 1}]'), json_extract(value, '$[{2 * number + 2}]'))"
        for number in range(len(columns))
    ]
    connection.execute(
        f"INSERT OR REPLACE INTO {table} (id, {', '.join(columns)}) "
        f"SELECT json_extract(value, '$[0]'), {', '.join(cuts)} FROM json_each(?1)",
        (json.dumps(rows), *(b"".join(blobs) for blobs in columns.values())),
    )


_MOST_ROWS = 4096
