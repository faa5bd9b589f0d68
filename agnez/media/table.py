"""Tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agnez.errors import BadValueError
from agnez.media import arrays
from agnez.media.frozen import INLINE, Frozen, Keep, Media, checked_caption
from agnez.names import speakable

MOST_ROWS: Final = 100_000
MOST_CELLS: Final = 2_000_000

_LONGEST = 2000  # letters of one cell
_SAFE = 2**53  # JavaScript's numbers are floats: a larger integer is shown as text


@dataclass(frozen=True, slots=True)
class Rows:
    """Hold a copy of a table; `read` makes rows of it."""

    caption: str
    columns: tuple[str, ...]
    copy: Any
    weight: int
    read: Callable[[Any], Iterable[Iterable[object]]]

    def kept(self, keep: Keep) -> Any:
        """Return the table, or the address of its file where it is large.

        Raises:
            BadValueError: a row has more or fewer values than there are columns.
        """
        rows = [[_plain(each) for each in row] for row in self.read(self.copy)]
        for number, row in enumerate(rows):
            if len(row) != len(self.columns):
                raise BadValueError(
                    f"row {number} of a table has {len(row)} values, and there are {len(self.columns)} columns"
                )
        table = {"columns": list(self.columns), "rows": rows}
        content = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
        if len(content) <= INLINE:
            return table
        return {"src": keep(content, "json"), "columns": len(self.columns), "rows": len(rows)}


class Table(Media):
    """Make a table for `log` to show in a cell, where it can be sorted.

    `data` is a DataFrame of pandas or polars, a mapping of names to columns, a sequence of mappings, or a sequence of
    rows with `columns=`, their names; an array of two dimensions is a sequence of rows. Numbers, texts and booleans are
    kept as such, anything else as the text of it. A table has at most 100,000 rows.

    Raises:
        BadValueError: it is no table, or too large.

    >>> Table([["cat", 0.9], ["dog", 0.4]], columns=["label", "score"], caption="guesses").kind
    'table'
    """

    kind = "table"
    __slots__ = ("_freeze", "caption")

    def __init__(self, data: object, columns: Sequence[str] | None = None, caption: str = "") -> None:
        self.caption = checked_caption(caption)
        names = None if columns is None else tuple(speakable(str(each)) for each in columns)
        self._freeze = _freezer(data, names, self.caption)

    def frozen(self) -> Frozen:
        """Take the table as it is now."""
        return self._freeze()


def _freezer(data: Any, names: tuple[str, ...] | None, caption: str) -> Callable[[], Frozen]:
    package = arrays.framework_of(data)
    if package in ("pandas", "polars") and hasattr(data, "columns"):
        return _from_frame(data, package, names, caption)
    if isinstance(data, Mapping):
        return _from_columns(data, names, caption)
    if arrays.is_array(data):
        return _from_array(data, names, caption)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _from_rows(data, names, caption)
    raise BadValueError(
        f"no table can be made of a {type(data).__name__}: give a DataFrame, a mapping of names to columns, or a list "
        "of rows and columns="
    )


def _from_frame(frame: Any, package: str, names: tuple[str, ...] | None, caption: str) -> Callable[[], Frozen]:
    found = tuple(speakable(str(each)) for each in frame.columns)
    _check_names(names, len(found))
    _check_size(len(frame), len(found))

    def read(copy: Any) -> Iterable[Iterable[object]]:
        rows: Iterable[Iterable[object]]
        rows = copy.iter_rows() if package == "polars" else copy.itertuples(index=False, name=None)
        return rows

    def freeze() -> Frozen:
        copy = frame.clone() if package == "polars" else frame.copy()
        return Rows(caption, names or found, copy, 32 * len(frame) * max(1, len(found)), read)

    return freeze


def _from_columns(data: Mapping[Any, Any], names: tuple[str, ...] | None, caption: str) -> Callable[[], Frozen]:
    keys = [*data] if names is None else [*names]
    missing = [key for key in keys if key not in data]
    if missing:
        raise BadValueError(f"the table has no column {missing[0]!r}: it has {', '.join(map(str, data)) or 'none'}")
    lengths = {len(data[key]) for key in keys}
    if len(lengths) > 1:
        raise BadValueError(f"the columns of a table have one length; these have {sorted(lengths)}")
    _check_size(max(lengths, default=0), len(keys))
    titles = tuple(speakable(str(key)) for key in keys)

    def freeze() -> Frozen:
        copies = [_column(data[key]) for key in keys]
        weight = 32 * sum(map(len, copies))
        return Rows(caption, titles, copies, weight, lambda columns: zip(*map(_listed, columns), strict=True))

    return freeze


def _column(values: Any) -> Any:
    return arrays.copied(values) if arrays.is_array(values) and arrays.framework_of(values) != "pandas" else [*values]


def _listed(column: Any) -> list[object]:
    found: list[object] = arrays.numbers(column).tolist() if arrays.is_array(column) else column
    return found


def _from_array(array: Any, names: tuple[str, ...] | None, caption: str) -> Callable[[], Frozen]:
    shape = arrays.shape_of(array)
    if len(shape) != 2:
        raise BadValueError(f"an array of shape {shape} is no table: give (rows, columns)")
    _check_names(names, shape[1])
    _check_size(*shape)
    titles = names or tuple(map(str, range(shape[1])))
    weight = arrays.weight_of(array)
    return lambda: Rows(caption, titles, arrays.copied(array), weight, lambda copy: arrays.numbers(copy).tolist())


def _from_rows(data: Sequence[Any], names: tuple[str, ...] | None, caption: str) -> Callable[[], Frozen]:
    if all(isinstance(row, Mapping) for row in data) and data:
        keys = [*dict.fromkeys(key for row in data for key in row)] if names is None else [*names]
        _check_size(len(data), len(keys))
        titles = tuple(speakable(str(key)) for key in keys)
        weight = 32 * len(data) * len(keys)
        return lambda: Rows(caption, titles, [[row.get(key) for key in keys] for row in data], weight, _same)
    if any(isinstance(row, str | bytes) or not hasattr(row, "__iter__") for row in data):
        raise BadValueError("the rows of a table are lists of values: give [[1, 'a'], [2, 'b']], and columns=")
    if names is None:
        raise BadValueError("a list of rows needs the names of its columns: give columns=['name', …]")
    _check_size(len(data), len(names))
    weight = 32 * len(data) * len(names)
    for number, row in enumerate(data):
        if hasattr(row, "__len__") and len(row) != len(names):
            raise BadValueError(f"row {number} of a table has {len(row)} values, and there are {len(names)} columns")
    return lambda: Rows(caption, names, [list(row) for row in data], weight, _same)


def _same(rows: Iterable[Iterable[object]]) -> Iterable[Iterable[object]]:
    return rows


def _check_names(names: tuple[str, ...] | None, count: int) -> None:
    if names is not None and len(names) != count:
        raise BadValueError(f"columns= names {len(names)} columns, and the table has {count}")


def _check_size(rows: int, columns: int) -> None:
    if rows > MOST_ROWS or rows * columns > MOST_CELLS:
        raise BadValueError(
            f"a table of {rows:,} × {columns:,} is more than the {MOST_ROWS:,} rows, or the {MOST_CELLS:,} values, "
            "that are kept: log a part of it, such as table[:1000]"
        )


def _plain(value: object) -> object:
    """Return what JSON can say of a value; a number that is not finite by its name."""
    if hasattr(value, "item") and hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0:  # a number of NumPy
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
    text = speakable(str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
