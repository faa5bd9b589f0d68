"""What was recorded, opened to be read: stores, lists of runs, runs and their series."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from agnez import settings
from agnez.errors import BadValueError, NotFoundError
from agnez.optional import require
from agnez.query import Record, read
from agnez.record import Json, Medium, RunInfo, Series, State, Summary
from agnez.store import Store
from agnez.store.life import seen
from agnez.store.reader import Rank, RunReader, Wish
from agnez.wire import lazy_run_record

if TYPE_CHECKING:
    import pandas
    import polars
    from numpy.typing import NDArray

Query: TypeAlias = "Mapping[str, Json] | Callable[[StoredRun], bool]"
"""Which runs: a query in the language of the services, or a function that says yes or no to a run."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def open(dir: str | os.PathLike[str] | None = None) -> OpenStore:  # it is called agnez.open
    """Open a store to read it: `dir`, else `AGNEZ_DIR`, else the user's data folder.

    Raises:
        StoreError: there is no store, or it cannot be read.

    >>> import agnez
    >>> with agnez.init("digits", config={"lr": 0.001}, server=None) as run:
    ...     run.log({"loss": 0.5})
    >>> store = agnez.open()
    >>> (found,) = store.runs("digits", {"config.lr": {"$lt": 0.01}, "state": "finished"})
    >>> found.series("loss").values.tolist(), found.summary["loss"].last
    ([0.5], 0.5)
    """
    return OpenStore(Store(settings.read(dir).directory, create=False))


class OpenStore:
    """Read a store. Get one from `agnez.open`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __repr__(self) -> str:
        return f"<agnez store {str(self._store.directory)!r}>"

    def runs(self, project: str | None = None, query: Query | None = None) -> StoredRuns:
        """Return the runs, newest first, of one project where it is given, and those that a query finds.

        A query is a mapping as the services take it: fields with dots lead into `config` and `summary`, and there are
        $lt, $lte, $gt, $gte, $ne, $in, $nin, $or, $and, $sort, $limit and $skip, as in `{"config.lr": {"$lt": 0.01},
        "$sort": {"summary.val/loss.min": 1}, "$limit": 10}`. Or it is a function that is true for the runs to return.

        Raises:
            BadValueError: it is no query.
        """
        runs = [StoredRun(self._store, seen(info)) for info in self._store.runs(project)]
        if query is None:
            return StoredRuns(runs)
        if callable(query):
            return StoredRuns([run for run in runs if query(run)])
        return StoredRuns(_picked(runs, query))

    def run(self, id: str) -> StoredRun:
        """Return a run by its id.

        Raises:
            NotFoundError: there is none of that id; the message names near ones.
        """
        try:
            with RunReader(self._store, id) as reader:
                return StoredRun(self._store, seen(reader.info()))
        except NotFoundError:
            near = difflib.get_close_matches(str(id), [info.id for info in self._store.runs()])
            hint = f": did you mean {near[0]}?" if near else ": .runs() lists them"
            raise NotFoundError(f"no run {id!r} in {self._store.directory}{hint}") from None

    def projects(self) -> list[str]:
        """Return the names of the projects, the one with the newest run first."""
        with self._store.catalog() as catalog:
            return [project.name for project in catalog.projects()]


class StoredRun:
    """Read a run. Its facts are those of the moment it was opened; series are read when they are asked for."""

    def __init__(self, store: Store, info: RunInfo) -> None:
        self._store = store
        self._info = info

    def __repr__(self) -> str:
        return f"<agnez run {self.id}: {self.name} of {self.project}, {self.state}>"

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self._info.id

    @property
    def name(self) -> str:
        """Return the run's name."""
        return self._info.name

    @property
    def project(self) -> str:
        """Return the run's project."""
        return self._info.project

    @property
    def state(self) -> State:
        """Return the run's state: running, finished, interrupted, failed or crashed."""
        return self._info.state

    @property
    def reason(self) -> str | None:
        """Return why the run ended as it did, where that is known."""
        return self._info.reason

    @property
    def config(self) -> dict[str, Any]:
        """Return the run's configuration."""
        return dict(self._info.config)

    @property
    def summary(self) -> Mapping[str, Summary]:
        """Return of each metric its last value, minimum, maximum (with the step of each), mean and count."""
        return self._info.summary

    @property
    def tags(self) -> tuple[str, ...]:
        """Return the run's tags."""
        return self._info.tags

    @property
    def notes(self) -> str:
        """Return the run's notes."""
        return self._info.notes

    @property
    def problems(self) -> tuple[str, ...]:
        """Return sentences about what went wrong beside the run."""
        return self._info.problems

    @property
    def archived(self) -> bool:
        """Tell whether the run was put aside."""
        return self._info.archived

    @property
    def forked_from(self) -> tuple[str, int] | None:
        """Return the id of the run, and the step of it, that this one began with; None where it began by itself."""
        return self._info.forked_from

    @property
    def created(self) -> datetime:
        """Return when the run began (UTC)."""
        return _moment(self._info.created)

    @property
    def ended(self) -> datetime | None:
        """Return when the run ended (UTC); None while it runs."""
        return None if self._info.ended is None else _moment(self._info.ended)

    @property
    def metrics(self) -> list[str]:
        """Return the names of the metrics in the order of their first points."""
        with self._reader() as reader:
            return reader.metrics()

    @property
    def ranks(self) -> list[int]:
        """Return the ranks that recorded something: [0] where one process trained."""
        with self._reader() as reader:
            return reader.ranks()

    @property
    def branches(self) -> list[int]:
        """Return the segments that left points off the main line, because the run was resumed at an earlier step.

        Segment 0 is the beginning of the run, and each time it was resumed began another; `series(branch=0)` returns
        what the beginning left behind.
        """
        with self._reader() as reader:
            return reader.branches()

    def series(
        self,
        metric: str,
        *,
        rank: Rank | None = None,
        x: str | None = None,
        branch: int | None = None,
        most: int | None = None,
        first: float | None = None,
        last: float | None = None,
    ) -> Series:
        """Return a metric's points as NumPy arrays: steps, values, times (seconds since 1970), and `x` on an axis.

        `x` is "step", "time", "relative" (seconds since the run began) or a metric; where it is not given, the axis
        that `define_metric` declared. `first` and `last` bound the range on the axis that is given, else on the step;
        both are included. `most` (from 10) returns at most so many points, the true extremes of each stretch among
        them. `rank` is a rank, or "mean", "min" or "max" of all ranks at each step; `branch` a segment (`branches`).

        Raises:
            NotFoundError: there is no such metric, axis, rank or branch; the message names near ones.
            BadValueError: a range or a count that cannot be.
        """
        if most is not None and most < 10:
            raise BadValueError(f"most={most} points say nothing: give 10 or more")
        with self._reader() as reader:
            return reader.series(metric, rank=0 if rank is None else rank, wish=Wish(x, branch, most, first, last))

    def media(self, name: str) -> list[Medium]:
        """Return what was logged under a name beside numbers: pictures and the like, by their steps.

        The `value` of each holds small things itself, and names files as `./runs/<id>/media/<file>`, below the store's
        folder.

        Raises:
            NotFoundError: nothing was logged under that name; the message names near ones.
        """
        with self._reader() as reader:
            found = reader.own.album.page(name)
            known = [] if found else reader.own.album.names()
        if not found:
            near = difflib.get_close_matches(name, known)
            hint = f": did you mean {near[0]!r}?" if near else f": there are {', '.join(known) or 'none'}"
            raise NotFoundError(f"run {self.id} has no media {name!r}{hint}")
        return found

    def history(self, metrics: Iterable[str] | None = None, *, rank: int = 0) -> dict[str, NDArray[Any]]:
        """Return columns: `step`, `time` (seconds since 1970) and each metric, with a row for each `log` call.

        A metric that a call did not log is NaN there. Metrics that are called step or time are `metric/step` and
        `metric/time` here.

        Raises:
            NotFoundError: there is no such metric.
        """
        with self._reader() as reader:
            return reader.history(metrics, rank=rank)

    def to_pandas(self, metrics: Iterable[str] | None = None) -> pandas.DataFrame:
        """Return the history as a table of pandas.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        table: pandas.DataFrame = require("pandas", "pandas").DataFrame(self.history(metrics))
        return table

    def to_polars(self, metrics: Iterable[str] | None = None) -> polars.DataFrame:
        """Return the history as a table of polars.

        Raises:
            MissingExtraError: polars is not installed.
        """
        table: polars.DataFrame = require("polars", "polars").DataFrame(self.history(metrics))
        return table

    def _reader(self) -> RunReader:
        return RunReader(self._store, self.id)

    @cached_property
    def _record(self) -> Record:
        return lazy_run_record(self._info)

    def _row(self) -> dict[str, object]:
        """Return the run as a row of a table."""
        row: dict[str, object] = {"id": self.id, "project": self.project, "name": self.name, "state": self.state}
        row |= {"created": self.created, "ended": self.ended}
        row |= {f"config.{key}": value for key, value in _flat(self._info.config)}
        return row | {metric: summary.last for metric, summary in self.summary.items()}


class StoredRuns(Sequence[StoredRun]):
    """Hold runs in an order."""

    def __init__(self, runs: Sequence[StoredRun]) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, place: int) -> StoredRun: ...
    @overload
    def __getitem__(self, place: slice) -> StoredRuns: ...
    def __getitem__(self, place: int | slice) -> StoredRun | StoredRuns:
        return StoredRuns(self._runs[place]) if isinstance(place, slice) else self._runs[place]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[StoredRun]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return "\n".join([f"<agnez runs: {len(self)}>", *(f"  {run!r}" for run in self._runs[:20])])

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table with a row for each run: id, project, name, state, config.*, the last value of each metric.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        table: pandas.DataFrame = require("pandas", "pandas").DataFrame.from_records(self._rows())
        return table

    def to_polars(self) -> polars.DataFrame:
        """Return the same table as one of polars.

        Raises:
            MissingExtraError: polars is not installed.
        """
        table: polars.DataFrame = require("polars", "polars").DataFrame(
            self._rows(), infer_schema_length=None, strict=False
        )
        return table

    def _rows(self) -> list[dict[str, object]]:
        rows = [run._row() for run in self._runs]
        columns = dict.fromkeys(name for row in rows for name in row)
        return [{name: row.get(name) for name in columns} for row in rows]


def _picked(runs: Sequence[StoredRun], query: Mapping[str, Json]) -> list[StoredRun]:
    parsed = read(query)
    if parsed.select is not None:
        raise BadValueError("$select is for records; a run is whole: leave it out")
    by_id = {run.id: run for run in runs}
    return [by_id[str(record["_id"])] for record in parsed.picked(run._record for run in runs)]


def _flat(config: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, Json]]:
    """Return the leaves of a configuration by their dotted names; a list is a leaf."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
