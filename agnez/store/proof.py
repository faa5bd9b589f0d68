"""Whether packed points are what was written: sums and digests tell, even of a page that was torn within."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agnez.errors import StoreError
from agnez.store.blocks import SIZE
from agnez.store.columns import Columns, Records, starts_of
from agnez.store.digest import DIGEST, digest
from agnez.store.pack import HEAD, sums_of, unpack
from agnez.store.tail import METRIC_BYTES, Rows, decoded

_EXACT = tuple(name for name in DIGEST.names or () if name != "mean")


def proven_block(stored: object, body: object) -> Columns | None:
    """Return the points of a block; None where it is damaged. `stored` is the digest that rests beside it."""
    if not isinstance(stored, bytes) or not isinstance(body, bytes):
        return None
    return proven_blocks([stored], [body])


def proven_blocks(stored: Sequence[bytes], bodies: Sequence[bytes]) -> Columns | None:
    """Return the points of blocks, one after the other; None where any of them is damaged."""
    if any(len(each) != DIGEST.itemsize for each in stored):
        return None
    expected = np.frombuffer(b"".join(stored), dtype=DIGEST)
    if expected["count"].max() > SIZE:
        return None
    points = _intact(bodies, expected["count"])
    same = points is not None and agree(digest(points, starts_of(expected["count"])), expected)
    return points if same else None


def proven_row(metrics: object, body: object) -> Rows | None:
    """Return what a row of the tail holds; None where it is damaged."""
    if not isinstance(metrics, bytes) or not isinstance(body, bytes) or len(metrics) % METRIC_BYTES:
        return None
    try:
        rows = decoded([metrics], [body])
    except (StoreError, IndexError, OverflowError):
        return None
    whole = len(rows) and sums_of(rows.points, np.zeros(1, dtype=np.intp)).tobytes() == body[-8:]
    return rows if whole else None


def _intact(bodies: Sequence[bytes], counts: Records) -> Columns | None:
    """Return the points of packed bodies that are whole and have so many each."""
    if any(len(body) < HEAD.itemsize for body in bodies) or counts.min() < 1:
        return None
    heads = np.frombuffer(b"".join([body[: HEAD.itemsize] for body in bodies]), dtype=HEAD)
    if not (heads["count"] == counts).all():
        return None
    try:
        points = unpack(bodies)
    except (ValueError, IndexError, OverflowError):
        return None
    sums = sums_of(points, starts_of(counts)).tobytes()
    return points if sums == b"".join([body[-8:] for body in bodies]) else None


def agree(ones: Records, others: Records) -> bool:
    """Tell whether digests are the same. Means may differ as much as the order of additions makes them."""
    if len(ones) != len(others) or any(ones[name].tobytes() != others[name].tobytes() for name in _EXACT):
        return False
    scale = np.fmax(np.abs(ones["low"]["value"]), np.abs(others["high"]["value"]))
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(ones["mean"] - others["mean"]) <= 1e-9 * scale
    return bool(np.all(near | (np.isnan(ones["mean"]) & np.isnan(others["mean"])) | (ones["mean"] == others["mean"])))
