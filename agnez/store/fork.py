"""The beginning of a run that another one lends it: the points of its main line, up to a step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agnez.record import Batch, Series
from agnez.store.runfile import RunFile

_BATCH = 262_144
"""Points that are written at once."""


def copy_line(sources: Sequence[Path], target: RunFile, step: int) -> None:
    """Write the main line of a run's files, up to and including a step, into another run's. Call it in a transaction.

    What was logged together stays together. Where there are several files, their calls are put in order of time.
    """
    found: list[Series] = []
    owners: list[int] = []
    for owner, path in enumerate(sources):
        with RunFile(path) as file:
            lines = [file.read(metric, last=step) for metric in file.metrics()]
        found += [line for line in lines if len(line)]
        owners += [owner] * (len(found) - len(owners))
    if found:
        _write(_in_order(found, owners), target)


def _in_order(found: Sequence[Series], owners: Sequence[int]) -> Batch:
    lengths = [len(each) for each in found]
    files = np.repeat(np.array(owners, dtype=np.int64), lengths)
    calls = np.concatenate([each.calls for each in found])
    times = np.rint(np.concatenate([each.times for each in found]) * 1e6).astype(np.int64)
    # By calls within one file; their times order several, and a call's points share its time.
    order = np.lexsort((calls, files, times)) if len(set(owners)) > 1 else np.argsort(calls, kind="stable")
    calls, files = calls[order], files[order]
    is_new = (np.diff(calls, prepend=calls[0]) != 0) | (np.diff(files, prepend=files[0]) != 0)
    return Batch(
        names=tuple(dict.fromkeys(each.metric for each in found)),
        metrics=_places(found, lengths)[order],
        calls=np.cumsum(is_new),
        steps=np.concatenate([each.steps for each in found])[order],
        values=np.concatenate([each.values for each in found])[order],
        times=times[order],
    )


def _places(found: Sequence[Series], lengths: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    places: dict[str, int] = {}
    return np.repeat(np.array([places.setdefault(each.metric, len(places)) for each in found], dtype=np.int64), lengths)


def _write(batch: Batch, target: RunFile) -> None:
    """Append in parts, none of which tears a call apart."""
    start = 0
    while start < len(batch):
        end = min(start + _BATCH, len(batch))
        if end < len(batch):
            end = int(np.searchsorted(batch.calls, batch.calls[end - 1], side="right"))
        part = slice(start, end)
        target.append(
            Batch(
                names=batch.names,
                metrics=batch.metrics[part],
                calls=batch.calls[part] - batch.calls[start],
                steps=batch.steps[part],
                values=batch.values[part],
                times=batch.times[part],
            )
        )
        start = end
