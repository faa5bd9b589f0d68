"""The services of runs, projects and findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar

from agnez.errors import NotFoundError
from agnez.query import Query, Record
from agnez.record import Json, RunInfo
from agnez.server import orders
from agnez.server.findings import Findings
from agnez.server.news import RunNews
from agnez.server.posted import Posted
from agnez.server.service import Method, MethodNotAllowedError, Pagination, one, page
from agnez.store import Store
from agnez.store.catalog import project_record
from agnez.store.life import posted as posted_info
from agnez.store.life import seen
from agnez.store.reader import RunReader
from agnez.wire import lazy_run_record, run_record, whole_run_record


class Records:
    """Serve records that are made at each call: `every` makes those that a query may concern."""

    of_all: ClassVar[tuple[Method, ...]] = ("find",)
    of_one: ClassVar[tuple[Method, ...]] = ("get",)

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
    """Serve the runs of a store, newest first. The index answers, and no run's file is opened for a list.

    A run that is created here is a posted one: this server, or whichever serves the store, records it.
    """

    of_all: ClassVar[tuple[Method, ...]] = ("find", "create")
    of_one: ClassVar[tuple[Method, ...]] = ("get", "patch", "remove")

    def __init__(self, store: Store, posted: Posted, news: RunNews, pagination: Pagination | None = None) -> None:
        # The summaries of those that do not match are not looked at.
        super().__init__(
            lambda query: (lazy_run_record(seen(info)) for info in store.search(query)),
            pagination,
        )
        self._store = store
        self._posted = posted
        self._news = news

    def get(self, id: str, query: Query) -> Record:
        """Return one run as its own files have it, with summaries as new as its points.

        Raises:
            NotFoundError: there is none of that id, or it does not match.
        """
        return self._told(self._info(id), query)

    def create(self, data: Json, query: Query) -> Json:
        """Make a run that programs post their points to, and return it.

        Raises:
            BadValueError: the data does not describe a run.
            ConflictError: the `_id` is taken.
        """
        info = orders.read_run(data, self._store.new_name)
        with self._news.announcing:
            self._store.create_run(posted_info(info)).close()
            return self._announced("created", info.id, query)

    def update(self, id: str, data: Json, query: Query) -> Record:
        """Refuse to replace a run.

        Raises:
            MethodNotAllowedError: always.
        """
        raise MethodNotAllowedError("A run cannot be replaced: PATCH changes what may be changed of it")

    def patch(self, id: str | None, data: Json, query: Query) -> Json:
        """Change what may be changed of a run: what people say of it, and of a posted one what its program tells.

        Raises:
            BadValueError: the data holds what cannot be changed, or not so.
            NotFoundError: there is no such run, or it does not match.
            ConflictError: a process records the run and tells this of it itself.
        """
        if id is None:
            raise MethodNotAllowedError("Can not patch multiple entries")
        edits, told = orders.read_changes(data)
        self.get(id, query)
        with self._news.announcing:
            if told:
                with self._posted.run(id) as run:
                    run.change(told)
            if edits:
                self._store.edit(id, **edits)
            return self._announced("patched", id, query)

    def remove(self, id: str | None, query: Query) -> Json:
        """Put a run into the trash, and return it.

        Raises:
            NotFoundError: there is no such run, or it does not match.
            ConflictError: it is still running.
        """
        if id is None:
            raise MethodNotAllowedError("Can not remove multiple entries")
        info = self._info(id)
        record = self._told(info, query)
        self._posted.release(id)
        with self._news.announcing:
            self._store.trash(id)
            self._news.tell_removed(info, record)
        return record

    def _info(self, id: str) -> RunInfo:
        with RunReader(self._store, id) as reader:
            return seen(reader.info())

    def _announced(self, event: str, id: str, query: Query) -> Record:
        info = self._info(id)
        record = query.trimmed(run_record(info))
        self._news.tell(event, info, record)
        return record

    def _told(self, info: RunInfo, query: Query) -> Record:
        return query.trimmed(one(run_record(info), query))


def projects(store: Store, pagination: Pagination | None = None) -> Records:
    """Serve the projects of a store: `_id` is the name, `runs` counts, `newest` is the run that was made last."""
    return Records(lambda _: _projects(store), pagination)


def findings(store: Store, pagination: Pagination | None = None) -> Records:
    """Serve what the diagnosis found, in one run where the query names it."""
    found = Findings(store)
    return Records(lambda query: found.of(query.pinned.get("run")), pagination)


def _projects(store: Store) -> Iterable[Record]:
    with store.catalog() as catalog:
        return map(project_record, catalog.projects())
