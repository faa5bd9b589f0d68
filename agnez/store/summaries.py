"""The summaries of a run's series as bytes: cheap to write at every commit, and read one by one when asked for."""

from __future__ import annotations

import json
import struct
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from functools import lru_cache, partial

from agnez.record import Summary
from agnez.wire import dump

_ENTRY = struct.Struct("<dqdqdqqqd")  # the fields of a Summary
_LENGTH = struct.Struct("<I")
_summary = partial(tuple.__new__, Summary)  # what Summary._make does, in a third of its time


class PackedSummaries(Mapping[str, Summary]):
    """Hold the summary of each series as the bytes that `pack` made. Only what is looked at is unpacked.

    >>> packed = PackedSummaries(pack({"loss": Summary(last=0.5, count=3)}))
    >>> packed["loss"].last, list(packed), "accuracy" in packed
    (0.5, ['loss'], False)
    """

    __slots__ = ("_places", "blob")

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self._places: Mapping[str, int] | None = None

    def __getitem__(self, metric: str) -> Summary:
        return Summary._make(_ENTRY.unpack_from(self.blob, self._offsets()[metric]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._offsets())

    def __len__(self) -> int:
        return len(self._offsets())

    def __contains__(self, metric: object) -> bool:
        return metric in self._offsets()  # Mapping's own would unpack it

    def items(self) -> ItemsView[str, Summary]:
        """Return all of them with their names, unpacked at once."""
        return self._all().items()

    def values(self) -> ValuesView[Summary]:
        """Return all of them, unpacked at once."""
        return self._all().values()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedSummaries):
            return self.blob == other.blob  # and two NaNs are the same, as they look the same
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as of any mapping

    def __repr__(self) -> str:
        return repr(dict(self))

    def __reduce__(self) -> tuple[type[PackedSummaries], tuple[bytes]]:
        return PackedSummaries, (self.blob,)

    def _all(self) -> dict[str, Summary]:
        places = self._offsets()
        entries = memoryview(self.blob)[len(self.blob) - len(places) * _ENTRY.size :]
        return dict(zip(places, map(_summary, _ENTRY.iter_unpack(entries)), strict=True))

    def _offsets(self) -> Mapping[str, int]:
        if self._places is None:
            (length,) = _LENGTH.unpack_from(self.blob)
            self._places = _offsets_of(self.blob[_LENGTH.size : _LENGTH.size + length])
        return self._places


@lru_cache(maxsize=256)
def _offsets_of(names: bytes) -> Mapping[str, int]:
    """Return where the entry of each name begins. Runs of one project have the same names, nearly always."""
    first = _LENGTH.size + len(names)
    return {name: first + place * _ENTRY.size for place, name in enumerate(json.loads(names))}


def pack(summaries: Mapping[str, Summary]) -> bytes:
    """Write summaries as bytes: the length of a JSON array of names (uint32), the array, an entry for each name."""
    if isinstance(summaries, PackedSummaries):
        return summaries.blob
    names = dump(list(summaries)).encode()
    entries = [_ENTRY.pack(*each) for each in summaries.values()]
    return b"".join([_LENGTH.pack(len(names)), names, *entries])
