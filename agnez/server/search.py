"""The search for cells over all files of a store, which reads no more than it must."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from agnez.errors import NotFoundError, StoreError
from agnez.query import Query, Record
from agnez.store import Store
from agnez.store.lightcells import HEAVY, LightCells

log = logging.getLogger(__name__)


_MAY_MEAN_NONE = ("", "null")
"""Texts of an address that a cell without a run matches too, whichever file it rests in."""


@dataclass(frozen=True, slots=True)
class _Hit:
    record: Record
    run: str | None
    whole: bool


class Search:
    """Find cells: the loose ones first, then those of the runs, the oldest run first, in the order of their creation.

    SQL narrows what is read of the loose ones. Of runs, what a query asks is nearly always known from before; then only
    the files of those cells are opened that are in the answer.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._light = LightCells(store)

    def records(self, query: Query) -> list[Record]:
        """Return all cells that match, in the order of the files; `$select` does not trim them yet."""
        return self._whole(self._hits(query), replace(query, select=None))

    def found(self, query: Query) -> list[Record]:
        """Return the cells that match, in the order asked for, `$skip` and `$limit` heeded."""
        end = None if query.limit is None else query.skip + query.limit
        hits = self._hits(query)
        picked = query.ordered(hits, lambda hit: hit.record)[query.skip : end] if query.sort else None
        return self._whole(islice(hits, query.skip, end) if picked is None else picked, query)

    def page(self, query: Query, limit: int) -> tuple[int, list[Record]]:
        """Return how many cells match, and `limit` of them from `$skip` on, in the order asked for."""
        hits = query.ordered(self._hits(query), lambda hit: hit.record)
        return len(hits), self._whole(hits[query.skip : query.skip + limit], query)

    def _hits(self, query: Query) -> Iterator[_Hit]:
        id, run = query.pinned.get("_id"), query.pinned.get("run")
        if run in _MAY_MEAN_NONE:
            run = None
        if id is not None:
            yield from self._hits_of(self._store.run_of_cell(id), query)
            return
        yield from self._hits_of(None, query)
        for each in [run] if run is not None else self._runs():
            yield from self._hits_of(each, query)

    def _runs(self) -> list[str]:
        with self._store.catalog() as catalog:
            return catalog.by_age()

    def _hits_of(self, run: str | None, query: Query) -> Iterator[_Hit]:
        try:
            if run is None or query.asks_of(HEAVY) or "run" in query.pinned or "_id" in query.pinned:
                with self._store.cells(run) as cells:
                    yield from (_Hit(record, run, whole=True) for record in cells.search(query))
                return
            light = self._light.of(run, lambda: self._read(run))
            yield from (_Hit(each.record, run, each.whole) for each in light if query.matches(each.record))
        except NotFoundError:
            return
        except (StoreError, sqlite3.DatabaseError) as error:  # one damaged run must not hide all the others
            log.warning("the cells of run %s cannot be read: %s", run, error)

    def _read(self, run: str) -> list[Record]:
        with self._store.cells(run) as cells:
            return cells.find()

    def _whole(self, hits: Iterable[_Hit], query: Query) -> list[Record]:
        """Return the records of hits; one that changed since, and does not match any more, is left out."""
        picked = list(hits)
        light = [hit for hit in picked if not hit.whole] if query.selects(HEAVY) else []
        read = {id: record for run, ids in _by_run(light).items() for id, record in self._get(run, ids)}
        lacking = {hit.record["_id"] for hit in light}
        records = [read.get(str(hit.record["_id"])) if hit.record["_id"] in lacking else hit.record for hit in picked]
        return [record for record in records if record is not None and query.matches(record)]

    def _get(self, run: str | None, ids: Iterable[str]) -> Iterator[tuple[str, Record]]:
        try:
            with self._store.cells(run) as cells:
                for id in ids:
                    with suppress(NotFoundError):
                        yield id, cells.get(id)
        except (NotFoundError, StoreError):
            return


def _by_run(hits: Iterable[_Hit]) -> dict[str | None, list[str]]:
    groups: dict[str | None, list[str]] = {}
    for hit in hits:
        groups.setdefault(hit.run, []).append(str(hit.record["_id"]))
    return groups
