"""The `values` service: the cells of every dashboard, read and written by anyone who speaks the wire."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Self

from agnez.errors import BadValueError, ConflictError, NotFoundError
from agnez.query import Query, Record
from agnez.record import Json
from agnez.server.news import announce_cell
from agnez.server.search import Search
from agnez.server.service import Announce, Method, MethodNotAllowedError, Pagination, one
from agnez.store import Cells, Store
from agnez.store.held import HeldCells
from agnez.wire import dump

log = logging.getLogger(__name__)

LARGEST = 16_000_000
"""Bytes of JSON that one call may bring."""

LONGEST_ID = 4096
"""Characters of a cell's `_id`. Ids are read whenever cells are listed."""

DEEPEST = 200
"""Levels of objects and arrays in a record: Python's own reader and writer of JSON stop at a thousand."""


class Values:
    """Serve the cells of a store.

    A cell that is named `<run id>.<word>` rests in the file of that run, any other one in the file of the loose cells.
    `origin` marks in the store who wrote. `multi` lets calls without an id, and arrays, through.
    """

    of_all: ClassVar[tuple[Method, ...]] = ("find", "create", "update", "patch", "remove")
    of_one: ClassVar[tuple[Method, ...]] = ("get", "update", "patch", "remove")

    def __init__(
        self,
        store: Store,
        announce: Announce,
        origin: str,
        *,
        pagination: Pagination | None = None,
        multi: bool = True,
    ) -> None:
        self.origin = origin
        self.announcing = threading.RLock()
        """Held from a change until it was announced, so that events leave in the order in which changes took effect."""
        self._store = store
        self._search = Search(store)
        self._held = HeldCells(store)  # used by who holds `announcing`
        self._announce = announce
        self._pagination = pagination
        self._multi = multi

    def close(self) -> None:
        """Let go of files that are kept open. Closing twice does no harm."""
        with self.announcing:
            self._held.close()

    def find(self, query: Query) -> Json:
        """Return the cells that match. With `run` in the query: the loose ones and those in that run's file."""
        if self._pagination is None:
            return [query.trimmed(record) for record in self._search.found(query)]
        limit = self._pagination.limit(query)
        total, found = self._search.page(query, limit)
        return {"total": total, "limit": limit, "skip": query.skip, "data": [query.trimmed(each) for each in found]}

    def get(self, id: str, query: Query) -> Record:
        """Return a cell.

        Raises:
            NotFoundError: there is none of that id, or it does not match.
        """
        return query.trimmed(one(self._read(id), query))

    def create(self, data: Json, query: Query) -> Json:
        """Add a cell, or each of an array: all of them, or none.

        Raises:
            ConflictError: an `_id` is taken, or is that of a cell of another run than the record's.
            BadValueError: the data is no record.
        """
        if not isinstance(data, list):
            return self._create([data], query)[0]
        self._check_multi("create")
        return list(self._create(data, query))

    def update(self, id: str, data: Json, query: Query) -> Record:
        """Put a record in the place of a cell.

        Raises:
            NotFoundError: there is none of that id, or it does not match.
            BadValueError: the data is no record.
            ConflictError: the record says that it is of another run than its `_id`.
        """
        record = _fields(data)
        with self._changes("updated", query) as changes:
            return changes.put(id, record, changes.matching(id))

    def patch(self, id: str | None, data: Json, query: Query) -> Json:
        """Merge data into a cell, at the top level only; into all that match where `id` is None.

        Raises:
            NotFoundError: there is none of that id, or it does not match.
            BadValueError: the data is no object.
            ConflictError: a record would say that it is of another run than its `_id`.
        """
        fields = _fields(data)
        if id is not None:
            with self._changes("patched", query) as changes:
                before = changes.matching(id)
                return changes.put(id, {**before, **fields}, before)
        self._check_multi("patch")
        return self._each_match(
            "patched", query, lambda changes, id, record: changes.put(id, {**record, **fields}, record)
        )

    def remove(self, id: str | None, query: Query) -> Json:
        """Remove a cell, and return it; all that match where `id` is None.

        Raises:
            NotFoundError: there is none of that id, or it does not match.
        """
        if id is not None:
            with self._changes("removed", query) as changes:
                changes.matching(id)
                return changes.remove(id)
        self._check_multi("remove")
        return self._each_match("removed", query, lambda changes, id, _: changes.remove(id))

    def _create(self, data: list[Json], query: Query) -> list[Record]:
        records = [self._named(each) for each in data]
        with self._changes("created", query) as changes:
            return [changes.create(each) for each in records]

    def _named(self, data: Json) -> Record:
        """Return a record with an id: its own, or a new one, by which a cell of a run rests with that run."""
        fields = _object(data)
        id = fields.pop("_id", None)
        if id is None or id == "":  # no address could name it
            id = uuid.uuid4().hex
            run = fields.get("run")
            owned = f"{run}.{id}" if isinstance(run, str) else id
            id = owned if self._store.run_of_cell(owned) == run else id
        if not isinstance(id, str):
            raise BadValueError(f"_id is a string, not {dump(id)}")
        if len(id) > LONGEST_ID:
            raise BadValueError(f"An _id may have {LONGEST_ID} characters; this one has {len(id)}")
        return {**fields, "_id": id}

    def _each_match(self, event: str, query: Query, change: Callable[[_Changes, str, Record], Record]) -> Json:
        with self._changes(event, query) as changes:
            changed: list[Json] = []
            for record in self._search.records(query):
                id = str(record["_id"])
                try:
                    found = changes.matching(id)
                except NotFoundError:  # it does not match, or another process has just removed it
                    continue
                changed.append(change(changes, id, found))
            return changed

    @contextmanager
    def _changes(self, event: str, query: Query) -> Iterator[_Changes]:
        with self.announcing:
            with _Changes(self._store, self._held, query, self.origin) as changes:
                yield changes
            for record, run, before in changes.noted:
                announce_cell(self._announce, event, record, run, before)

    def _check_multi(self, method: str) -> None:
        if not self._multi:
            raise MethodNotAllowedError(f"Can not {method} multiple entries")

    def _read(self, id: str) -> Record:
        _check_speakable(id)
        with self._store.cells(self._store.run_of_cell(id)) as cells:
            return cells.get(id)


class CellsOfRun:
    """Serve the cells of one run: `values` with `run` in each query, and in what is created."""

    of_all: ClassVar[tuple[Method, ...]] = Values.of_all
    of_one: ClassVar[tuple[Method, ...]] = Values.of_one

    def __init__(self, values: Values, store: Store, run: str) -> None:
        self._values = values
        self._store = store
        self._run = run

    def find(self, query: Query) -> Json:
        """Return the cells of the run that match.

        Raises:
            NotFoundError: there is no such run.
        """
        return self._values.find(self._within(query))

    def get(self, id: str, query: Query) -> Record:
        """Return a cell of the run, if it matches."""
        return self._values.get(id, self._within(query))

    def create(self, data: Json, query: Query) -> Json:
        """Add a cell to the run, or each of an array."""
        query = self._within(query)
        named: Json = [self._named(each) for each in data] if isinstance(data, list) else self._named(data)
        return self._values.create(named, query)

    def update(self, id: str, data: Json, query: Query) -> Record:
        """Put a record in the place of a cell of the run."""
        return self._values.update(id, self._named(data), self._within(query))

    def patch(self, id: str | None, data: Json, query: Query) -> Json:
        """Merge data into a cell of the run; into all of its cells that match where `id` is None."""
        named = self._named(data) if isinstance(data, Mapping) and "run" in data else data
        return self._values.patch(id, named, self._within(query))

    def remove(self, id: str | None, query: Query) -> Json:
        """Remove a cell of the run, or all of them that match."""
        return self._values.remove(id, self._within(query))

    def _within(self, query: Query) -> Query:
        if not self._store.has_run(self._run):
            raise NotFoundError(f"No run found for id '{self._run}'")
        return query.within("run", self._run)

    def _named(self, data: Json) -> Json:
        return {**data, "run": self._run} if isinstance(data, Mapping) else data


class _Changes:
    """Gather the changes of one call: each file in one transaction, all of them or none."""

    def __init__(self, store: Store, held: HeldCells, query: Query, origin: str) -> None:
        self.noted: list[tuple[Record, Json, Json]] = []
        """What to announce once it is in the store: a record, the run that it says it is of, and said before."""
        self._store = store
        self._held = held
        self._query = query
        self._origin = origin
        self._open: dict[str | None, Cells] = {}
        self._files = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._files.__exit__(*failure)  # type: ignore[arg-type]  # the three of every __exit__

    def matching(self, id: str) -> Record:
        """Return the record of an `id`, if it matches the query."""
        _check_speakable(id)
        return one(self._cells(self._store.run_of_cell(id)).get(id), self._query)

    def create(self, record: Record) -> Record:
        """Add a record under its `_id`; return what the call answers with."""
        id = str(record["_id"])
        return self._note(self._cells(self._checked_run(id, record)).create(record, self._origin))

    def put(self, id: str, record: Record, before: Record) -> Record:
        """Put a record in the place of one that matched; return what the call answers with."""
        run = self._checked_run(id, record, before)
        return self._note(self._cells(run).put(id, record, self._origin), before.get("run"))

    def remove(self, id: str) -> Record:
        """Remove a record that matched; return what the call answers with."""
        return self._note(self._cells(self._store.run_of_cell(id)).remove(id, self._origin))

    def _cells(self, run: str | None) -> Cells:
        if run not in self._open:
            self._open[run] = self._files.enter_context(self._held.writing(run))
        return self._open[run]

    def _checked_run(self, id: str, record: Record, before: Record | None = None) -> str | None:
        """Return the run in whose file a record rests. It must not come to say of another that it belongs there."""
        run, said = self._store.run_of_cell(id), record.get("run")
        if run is not None and said is not None and said != run and (before is None or said != before.get("run")):
            raise ConflictError(f"By its _id the cell '{id}' is of the run '{run}': its `run` cannot be {dump(said)}")
        return run

    def _note(self, record: Record, before: Json = None) -> Record:
        trimmed = self._query.trimmed(record)
        self.noted.append((trimmed, record.get("run"), before))
        return trimmed


def _fields(data: Json) -> Record:
    """Return what may be written over a record: all but `_id`, for identity never changes."""
    fields = _object(data)
    fields.pop("_id", None)
    return fields


def _object(data: Json) -> Record:
    if not isinstance(data, Mapping):
        raise BadValueError("A record is a JSON object")
    text = dump(data)
    if text.count("[") + text.count("{") > DEEPEST:
        check_depth(data)
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise BadValueError("This holds half of a character (a lone surrogate), which is not text") from error
    if size > LARGEST:
        raise BadValueError(f"A record may have {LARGEST} bytes; this one has {size}")
    return dict(data)


def check_depth(data: Json) -> None:
    """Check that data is not nested too deeply to be read again.

    Raises:
        BadValueError: it is.
    """
    level: list[Json] = [data]
    for _ in range(DEEPEST):
        inner = [
            each.values() if isinstance(each, Mapping) else each for each in level if isinstance(each, Mapping | list)
        ]
        level = [value for values in inner for value in values]
        if not level:
            return
    raise BadValueError(f"A record may have {DEEPEST} levels, not more")


def _check_speakable(id: str) -> None:
    try:
        id.encode()
    except UnicodeEncodeError:  # no record can bear it
        raise NotFoundError(f"No record found for id '{id}'") from None
