"""How a run is opened: made anew, forked, gone on with, or joined as one of its ranks."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agnez import names
from agnez.arguments import Order
from agnez.errors import ConflictError, NotFoundError
from agnez.record import RunInfo
from agnez.store import RunFile, Store
from agnez.store.life import is_posted, owned


@dataclass(frozen=True, slots=True)
class Opening:
    """Hold a run's open file, its facts as they stand there, and the step it goes on with."""

    file: RunFile
    info: RunInfo
    next_step: int

    @classmethod
    def of(cls, file: RunFile, store: Store, rank: int = 0) -> Opening:
        """Return a file as an opening. Steps go on past all that the rank's files have: so nothing branches."""
        info = file.info()
        greatest = [file.greatest_step()]
        for path in store.files(info.id, rank)[1:]:
            with RunFile(path) as further:
                greatest.append(further.greatest_step())
        return cls(file, info, max((step + 1 for step in greatest if step is not None), default=0))


def open_run(store: Store, order: Order) -> Opening:
    """Open the run that is asked for.

    Raises:
        NotFoundError: it is to be there, or to be forked from, and is not.
        ConflictError: it is to be new and is there, or is still running.
        StoreError: the store's folder cannot be written.
    """
    if order.rank:
        return _join(store, order, order.rank)
    if order.id is not None and order.resume != "never":
        return _go_on_with(store, order, order.id)
    if order.resume == "auto":
        return _newest_unfinished(store, order) or _new(store, order)
    return _new(store, order)


def _go_on_with(store: Store, order: Order, id: str) -> Opening:
    try:
        return Opening.of(store.resume_run(id), store)
    except NotFoundError:
        if order.resume == "must":
            raise NotFoundError(
                f"there is no run {id!r} to go on with in {store.directory}: resume='allow' makes one"
            ) from None
    return _new(store, order)


def _newest_unfinished(store: Store, order: Order) -> Opening | None:
    for listed in store.runs(order.project or names.default_project()):
        if listed.archived or order.name not in (None, listed.name) or listed.state == "finished":
            continue
        try:
            with store.open_run(listed.id) as file:
                info = file.info()  # lists may lag behind it
            if info.state != "finished" and not is_posted(info):
                return Opening.of(store.resume_run(listed.id), store)
        except (ConflictError, NotFoundError):  # it is running elsewhere, or has just been deleted
            continue
    return None


def _new(store: Store, order: Order) -> Opening:
    return Opening.of(store.create_run(_described(store, order)), store)


def _join(store: Store, order: Order, rank: int) -> Opening:
    assert order.id is not None  # `arguments.check` saw to it
    if order.resume == "must" and not store.run_folder(order.id).is_dir():
        raise NotFoundError(
            f"there is no run {order.id!r} to go on with in {store.directory}: resume='allow' makes one"
        )
    if order.resume == "never" and rank in store.ranks(order.id):
        raise ConflictError(f"rank {rank} of run {order.id!r} is there already: resume='allow' goes on with it")
    return Opening.of(store.join_run(order.id, rank, info=_described(store, order)), store, rank)


def _described(store: Store, order: Order) -> RunInfo:
    """Return the facts of a new run, or of a rank's part in one. A fork takes after its parent."""
    parent = None
    if order.fork_from is not None:
        with store.open_run(order.fork_from[0]) as file:
            parent = file.info()
    project = order.project or (parent.project if parent else names.default_project())
    config = order.config if order.config is not None or parent is None else parent.config
    info = RunInfo(
        id=order.id or names.new_id(),
        project=project,
        name=order.name or store.new_name(project),
        created=time.time_ns() // 1000,
        config=config or {},
        tags=order.tags,
        notes=order.notes,
        axes=parent.axes if parent else {},
        forked_from=order.fork_from,
    )
    return owned(info)
