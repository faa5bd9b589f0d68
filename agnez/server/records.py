"""The services that only answer: runs, projects and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agnez.errors import NotFoundError
from agnez.query import Query, Record
from agnez.record import Json
from agnez.server.service import Pagination, one, page
from agnez.store import Store
from agnez.store.catalog import project_record
from agnez.store.life import seen
from agnez.store.reader import RunReader
from agnez.wire import finding_record, lazy_run_record, run_record, whole_run_record


class Records:
    """Serve records that are made at each call: `every` makes those that a query may concern."""

    def __init__(self, every: Callable[[Query], Iterable[Record]], pagination: Pagination | None = None) -> None:
        self._every = every
        self._pagination = pagination

    def find(self, query: Query) -> Json:
        """Return the records that match."""
        return page(self._every(query), query, self._pagination, told=whole_run_record)

    def get(self, id: str, query: Query) -> Record:
        """Return one record.

        Raises:
            NotFoundError: there is none of that id, or it does not match.
        """
        for record in self._every(query):
            if record["_id"] == id:
                return query.trimmed(one(record, query))
        raise NotFoundError(f"No record found for id '{id}'")


class Runs(Records):
    """Serve the runs of a store, newest first. The index answers, and no run's file is opened for a list."""

    def __init__(self, store: Store, pagination: Pagination | None = None) -> None:
        # The summaries of those that do not match are not looked at.
        super().__init__(
            lambda query: (lazy_run_record(seen(info)) for info in store.runs(query.pinned.get("project"))),
            pagination,
        )
        self._store = store

    def get(self, id: str, query: Query) -> Record:
        """Return one run as its own files have it, with summaries as new as its points.

        Raises:
            NotFoundError: there is none of that id, or it does not match.
        """
        with RunReader(self._store, id) as reader:
            return query.trimmed(one(run_record(seen(reader.info())), query))


def projects(store: Store, pagination: Pagination | None = None) -> Records:
    """Serve the projects of a store: `_id` is the name, `runs` counts, `newest` is the run that was made last."""
    return Records(lambda _: _projects(store), pagination)


def findings(store: Store, pagination: Pagination | None = None) -> Records:
    """Serve what the diagnosis found, in one run where the query names it."""
    return Records(lambda query: _findings(store, query.pinned.get("run")), pagination)


def _projects(store: Store) -> Iterable[Record]:
    with store.catalog() as catalog:
        return map(project_record, catalog.projects())


def _findings(store: Store, run: str | None) -> Iterable[Record]:
    for id in [run] if run is not None else [info.id for info in store.runs()]:
        try:
            with store.open_run(id) as file:
                found = file.findings()
        except NotFoundError:
            continue
        yield from (finding_record(finding) for finding in found)
