"""Calls of `log`: frozen on the training's thread, made into columns on the recorder's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

from agnez.names import check_speakable
from agnez.record import Batch
from agnez.scalars import Scalar, Tensor, read, read_vector

if TYPE_CHECKING:
    from agnez.record import IntArray

Names: TypeAlias = tuple[str, ...]

Numbers: TypeAlias = "tuple[float, ...] | list[Scalar] | Tensor"
"""The numbers of a call: plain ones in a tuple; some of them on devices, in a list; all in one vector on a device."""

FIELDS = 4
"""A call lies in a queue as so many items: names, time (nanoseconds since 1970, UTC), step, numbers in their order.

They lie there one by one because a tuple around them would be one more object for Python's garbage collector to walk
over, and a million of these cost it more than all else: tuples of nothing but texts and numbers it lets go.
"""

_MOST_KNOWN = 1000


class KnownNames:
    """Give calls of equal names the same tuple of them, for as many as are worth remembering. Any thread may ask.

    Two threads that ask first at once may get a tuple each: that costs a little and does no harm.
    """

    def __init__(self) -> None:
        self._known: dict[Names, Names] = {}

    def of(self, names: Names) -> Names:
        """Return the tuple for these names.

        Raises:
            BadValueError: a name holds half of a character.
        """
        known = self._known.get(names)
        if known is None:
            for name in names:
                if not name.isascii():
                    check_speakable(name, "a metric's name")
            if len(self._known) >= _MOST_KNOWN:  # somebody logs other names each time
                self._known.clear()
            known = self._known[names] = names
        return known


@dataclass(frozen=True, slots=True)
class Calls:
    """Hold calls as columns of their fields."""

    names: Sequence[Names]
    times: Sequence[int]
    steps: Sequence[int]
    numbers: Sequence[Numbers]

    @classmethod
    def of(cls, items: Sequence[Any]) -> Calls:
        """Return calls as they lay in a queue."""
        return cls(*(items[field::FIELDS] for field in range(FIELDS)))

    def __len__(self) -> int:
        return len(self.steps)

    def halves(self) -> tuple[Calls, Calls]:
        """Return the first half of the calls, and the second."""
        middle = len(self) // 2
        return self._part(slice(middle)), self._part(slice(middle, None))

    def _part(self, part: slice) -> Calls:
        return Calls(self.names[part], self.times[part], self.steps[part], self.numbers[part])

    def is_settled(self) -> bool:
        """Tell whether all numbers are plain ones, and as many as there are names."""
        return all(type(each) is tuple for each in self.numbers) and list(map(len, self.names)) == list(
            map(len, self.numbers)  # type: ignore[arg-type]  # tuples, as was just seen
        )

    def settled(self, lost: Callable[[Exception], object]) -> Calls:
        """Return the calls with plain numbers; those on devices are brought over in one transfer a device.

        A number that its device lost is left out; a call that cannot be read is told to `lost`.
        """
        scalars = [each for numbers in self.numbers if type(numbers) is list for each in numbers]
        found: list[Any] = []
        try:
            numbers = iter(read(scalars))
        except Exception as error:  # a device failed: its framework's own errors, of any kind; try each call alone
            if len(self) == 1:
                lost(error)
            else:
                for alone in (Calls.of(call) for call in self._items()):
                    for kept in alone.settled(lost)._items():
                        found += kept
            return Calls.of(found)
        for names, time, step, given in self._items():
            try:
                names, plain = _plain(names, given, numbers)
                found += (names, time, step, plain)
            except Exception as error:  # a vector may be on a failing device just so
                lost(error)
        return Calls.of(found)

    def columns(self) -> Batch:
        """Return settled calls as a batch. Its cost grows with the calls, and hardly with their numbers."""
        import numpy as np

        if len(self) and all(names is self.names[0] for names in self.names):  # nearly always
            return self._columns_alike()
        ids = list(map(id, self.names))  # equal names nearly always are the same: `KnownNames`
        kinds = dict(zip(ids, self.names, strict=True))
        places = {id: place for place, id in enumerate(kinds)}
        kind = np.fromiter(map(places.__getitem__, ids), np.int64, len(ids))
        widths_of = np.array(list(map(len, kinds.values())), dtype=np.int64)
        widths = widths_of[kind]

        def spread(column: IntArray) -> IntArray:
            return np.repeat(column, widths)

        numbered: dict[str, int] = {}
        metrics = [numbered.setdefault(name, len(numbered)) for names in kinds.values() for name in names]
        # Number k of a call has the name at place k of its kind: of those that stand in `metrics` in a row.
        offsets = (np.cumsum(widths_of) - widths_of)[kind] - (np.cumsum(widths) - widths)
        rows = spread(offsets) + np.arange(int(widths.sum()))
        return Batch(
            names=tuple(numbered),
            metrics=np.array(metrics, dtype=np.int64)[rows],
            calls=spread(np.arange(len(ids))),
            steps=spread(np.array(self.steps, dtype=np.int64)),
            values=np.fromiter(chain.from_iterable(self.numbers), np.float64, len(rows)),  # type: ignore[arg-type]
            times=spread(np.array(self.times, dtype=np.int64) // 1000),
        )

    def _columns_alike(self) -> Batch:
        """Return calls that all have the same names as a batch, with the least of steps."""
        import numpy as np

        names, count = self.names[0], len(self)
        width = len(names)
        return Batch(
            names=names,
            metrics=np.tile(np.arange(width), count),
            calls=np.repeat(np.arange(count), width),
            steps=np.repeat(np.array(self.steps, dtype=np.int64), width),
            values=np.fromiter(chain.from_iterable(self.numbers), np.float64, count * width),  # type: ignore[arg-type]
            times=np.repeat(np.array(self.times, dtype=np.int64) // 1000, width),
            width=width,
        )

    def _items(self) -> Iterator[tuple[Names, int, int, Numbers]]:
        return zip(self.names, self.times, self.steps, self.numbers, strict=True)


def _plain(names: Names, numbers: Numbers, read: Iterator[float | None]) -> tuple[Names, tuple[float, ...]]:
    """Return the names and numbers of a call; those of its list come from `read`."""
    if type(numbers) is tuple:
        if len(numbers) != len(names):
            raise ValueError("another thread changed the values while they were logged")
        return names, numbers
    found = list(islice(read, len(numbers))) if type(numbers) is list else read_vector(numbers)  # type: ignore[arg-type]
    kept = {name: number for name, number in zip(names, found, strict=True) if number is not None}
    return names if len(kept) == len(names) else tuple(kept), tuple(kept.values())
