"""The writer of a run: what waits to be written of it, and how that is done. One thread at a time holds it."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from agnez.backlog import Backlog
from agnez.calls import Calls
from agnez.dashboard import Dashboard, cell_id, medium_cell
from agnez.entries import After, Arranged, CellChange, Entry, Facts, Lost, Problem
from agnez.errors import NotFoundError, StoreError
from agnez.names import speakable
from agnez.record import Batch, CellRecord, Finding, Medium, RunInfo
from agnez.store import Catalog, RunFile
from agnez.subplots import Arrangement

log = logging.getLogger(__name__)

PASSING = (sqlite3.Error, OSError, StoreError)
"""Faults of the disk, or of a lock, that may pass: what waits is kept and tried again."""

BEAT_SECONDS = 1.0
"""The least time between two heartbeats in the run's file, where nothing else of its facts changes."""

PUBLISH_SECONDS = 1.0
"""The least time between two entries in the list of runs. Long summaries are written less often, see `_publish`."""

_PUBLISH_SHARE = 1 / 400  # of the time may go into publishing
_MOST_PROBLEMS = 20
_MOST_MEDIA = 20_000
"""Media whose files are there, and that wait for a disk that does not take what is said of them."""

_DROPPED = "entries were dropped: they came too fast, or could not be written"
_EDITED = ("name", "tags", "notes", "archived")


@dataclass(frozen=True, slots=True)
class Board:
    """Hold what only the first writer of a run keeps: its dashboard, what is said of it, its place in the lists.

    `examine` looks at each batch of points and says what the findings now are. `layout` reads the record of how the
    cells of the project stand.
    """

    dashboard: Dashboard
    catalog: Callable[[], Catalog]
    examine: Callable[[Batch], list[Finding]] = lambda points: []
    layout: Callable[[], CellRecord | None] = lambda: None


class Writer:
    """Gather what is to be written of a run, and write it. Whatever could not be written waits for the next `commit`.

    `open` opens the file; without a `board` only points and the facts of this process are written.
    """

    def __init__(self, info: RunInfo, open: Callable[[], RunFile], board: Board | None = None) -> None:
        self.info = info
        self.points = 0
        self.metrics: dict[str, None] = {}
        self._open = open
        self._board = board
        self._file: RunFile | None = None
        self._catalog: Catalog | None = None
        self._backlog = Backlog()
        self._cells: dict[str, CellRecord] = {}  # changes of cells by their ids,
        self._whole: dict[str, CellRecord] = {}  # and those that are new, whole
        self._media: list[Medium] = []
        self._after: list[Callable[[], None]] = []
        self._earlier: list[Finding] = []  # of the run before it was resumed
        self._findings: list[Finding] = []
        self._found: list[Finding] = []  # as they are in the file
        self._written: RunInfo | None = None
        self._version = -1
        self.beaten = self._published = 0.0
        self._pause = PUBLISH_SECONDS
        self._news = self._urgent = False

    def open(self) -> None:
        """Open the file, unless it is open.

        Raises:
            StoreError, OSError, sqlite3.Error: it cannot be opened.
        """
        if self._file is not None:
            return
        file = self._open()
        if self._board is not None:
            self._catalog = self._board.catalog()
            self._board.dashboard.adopt(self._board.layout())
            self._board.dashboard.resume(file.cells.find())
            self._place(file.metrics())  # a fork begins with numbers and without cells
            self._earlier = self._found = self._findings = file.findings()
        self._version = file.version()
        self._file = file

    def close(self) -> None:
        """Close the files."""
        self._backlog.close()
        for file in (self._file, self._catalog):
            if file is not None:
                file.close()

    # --- what is to be written ---

    def add(self, calls: Calls) -> None:
        """Take calls."""
        try:
            if not calls.is_settled():
                calls = calls.settled(lambda error: self.lose(1, str(error)))
            batch = calls.columns()
        except Exception as error:  # nothing that was handed over may end the recording, or cost the calls beside it
            if len(calls) > 1:
                for half in calls.halves():
                    self.add(half)
            else:
                log.exception("a call could not be read")
                self.lose(1, str(error))
            return
        if not len(batch):
            return
        self._examine(batch)
        if not self._backlog.add(batch):
            self.lose(len(calls))
            return
        self._place(batch.names)

    def take(self, entries: Iterable[Entry]) -> None:
        """Take what is no number."""
        for entry in entries:
            match entry:
                case CellChange(id, fields):
                    self._cells[id] = {**self._cells.get(id, {}), **fields}
                case Arranged(order):
                    self._arrange(order)
                case Medium():
                    self._add_medium(entry)
                case Lost(count, reason):
                    self.lose(count, reason)
                case Facts(changes):
                    self.info = replace(self.info, **changes)
                case Problem(sentence):
                    self._add_problem(sentence)
                case After(call):
                    self._after.append(call)

    def lose(self, count: int, reason: str | None = None) -> bool:
        """Count entries that are lost. Tell whether the reason is one that was not known yet."""
        kept = tuple(each for each in self.info.problems if not each.endswith(_DROPPED))
        dropped = self.info.dropped + count
        self.info = replace(self.info, dropped=dropped, problems=(*kept, f"{dropped} {_DROPPED}"))
        return reason is not None and self._add_problem(f"something could not be recorded: {reason}")

    def _add_medium(self, medium: Medium) -> None:
        if len(self._media) < _MOST_MEDIA:
            self._media.append(medium)
        else:
            self.lose(1)

    def _add_problem(self, sentence: str) -> bool:
        known, sentence = self.info.problems, speakable(sentence)
        if sentence in known or len(known) >= _MOST_PROBLEMS:
            return False
        self.info = replace(self.info, problems=(*known, sentence))
        return True

    def _place(self, names: Sequence[str]) -> None:
        """Give cells to metrics seen for the first time. They wait here until they are committed."""
        new = [name for name in names if name not in self.metrics]
        if not new:
            return
        self.metrics.update(dict.fromkeys(new))
        for cell in self._board.dashboard.place(new) if self._board else ():
            id = str(cell["_id"])
            self._whole[id] = cell
            self._cells[id] = {**self._cells.get(id, {}), "metrics": cell["metrics"]}

    def _arrange(self, order: Arrangement) -> None:
        for cell, fields in self._board.dashboard.arrange(order) if self._board else ():
            id = str(cell["_id"])
            self._whole[id] = cell
            self._cells[id] = {**self._cells.get(id, {}), **fields}

    def _examine(self, batch: Batch) -> None:
        if self._board is None:
            return
        try:
            found = self._board.examine(batch)
        except Exception:  # a rule that stumbles must not cost the numbers it looked at
            log.exception("a rule of the diagnosis failed")
            return
        self._findings = [*self._earlier, *(each for each in found if each not in self._earlier)]

    # --- the writing ---

    def commit(self) -> list[Callable[[], None]]:
        """Write what waits, and return what is to be called now that it is safe.

        Raises:
            StoreError, OSError, sqlite3.OperationalError: the fault may pass; all that is not written still waits.
        """
        self.open()
        last = False
        while not last:
            portion = self._backlog.portion()
            last = len(portion) == len(self._backlog)
            self._write(portion, last)
            self._written_off(portion)
        done, self._after = self._after, []
        return done

    def give_up(self, error: Exception) -> None:
        """Let go of what can never be written, whatever is the matter with it: one batch, else all but the points."""
        portion = self._backlog.portion()[:1]
        for batch in portion:
            try:
                self._write([batch], last=False)
            except PASSING:
                raise
            except Exception:  # this is the one
                self._backlog.forget(1)
                self.lose(int(batch.calls[-1]) + 1, str(error))
                return
            self._written_off([batch])
        if not portion:
            self.lose(len(self._cells) + len(self._media), str(error))
            self._cells.clear()
            self._media.clear()
            self._findings = self._found
            if (known := self._written) is not None:
                now = self.info
                self.info = replace(known, state=now.state, problems=now.problems, dropped=now.dropped)

    def _written_off(self, batches: Sequence[Batch]) -> None:
        self._backlog.forget(len(batches))
        self.points += sum(map(len, batches))

    @property
    def waiting(self) -> int:
        """Return how many calls are not written yet."""
        return self._backlog.calls

    def due(self) -> bool:
        """Tell whether there is something to write, were it a heartbeat."""
        return bool(self._backlog or self._cells or self._media or self._after or self._is_changed())

    def _is_changed(self) -> bool:
        return self._written is None or self.info != self._written or self._findings != self._found

    def _write(self, batches: Sequence[Batch], last: bool) -> None:
        """Write points in one transaction; with the last of them goes all else, so that no fact runs ahead of them."""
        file = self._file
        assert file is not None
        with file.transaction():
            for batch in batches:
                file.append(batch)
            if last:
                info = self._write_rest(file)
        self._news = True
        if last:
            self._urgent = self._urgent or _is_news(self._written, info)
            self.info = self._written = info
            self._found = self._findings
            self._cells.clear()
            self._whole.clear()
            self._media.clear()

    def _write_rest(self, file: RunFile) -> RunInfo:
        """Write cells, findings and facts, and return the facts as they are then."""
        self._write_media(file)
        self._write_cells(file)
        if self._findings != self._found:
            file.write_findings(self._findings)
        now = time.monotonic()
        if not self._is_changed() and now - self.beaten < BEAT_SECONDS:
            return self.info
        info = replace(self._with_edits(file), heartbeat=time.time_ns() // 1000)
        file.write_info(info)
        self.beaten = now
        return info

    def _with_edits(self, file: RunFile) -> RunInfo:
        """Return the facts with those that others may change as the file has them, if others wrote to it."""
        version = file.version()
        if version == self._version or self._board is None:
            return self.info
        self._version = version
        theirs = file.info()
        return replace(self.info, **{name: getattr(theirs, name) for name in _EDITED})

    def _write_cells(self, file: RunFile) -> None:
        for id in list(self._cells):
            try:
                self._write_cell(file, id, self._cells[id])
            except ValueError as error:  # JSON or UTF-8 cannot say it: nothing of it was written, nor ever will be
                del self._cells[id]
                self.lose(1, str(error))

    def _write_cell(self, file: RunFile, id: str, changes: CellRecord) -> None:
        """Change a cell, or make it; the origin "" says that no server has told of it yet."""
        try:
            file.cells.patch(id, changes, origin="")
        except NotFoundError:
            file.cells.create({**self._blank_cell(id), **changes}, origin="")

    def _blank_cell(self, id: str) -> CellRecord:
        if id in self._whole:
            return self._whole[id]
        assert self._board is not None
        blank: CellRecord = {"_id": id, "name": "", "type": "html", "value": [], "description": "", "run": self.info.id}
        return blank | self._board.dashboard.blank(id)

    def _write_media(self, file: RunFile) -> None:
        """Write what was logged beside numbers, and show of each name the newest in its cell."""
        if not self._media:
            return
        file.album.add(self._media)
        for name, newest in {each.name: each for each in self._media}.items():
            fields = medium_cell(newest, file.album.count(name))
            id = cell_id(self.info.id, name)
            self._cells[id] = {**self._cells.get(id, {}), **fields}

    # --- the lists ---

    def publish(self, *, now: bool = False) -> None:
        """Bring the lists of runs up to date: at once for news, every so often for what counts up all the time."""
        began = time.monotonic()
        if self._catalog is None or not self._news:
            return
        if not (now or self._urgent or began - self._published >= self._pause):
            return
        assert self._file is not None
        try:
            self._catalog.put(replace(self.info, summary=self._file.summaries()))
        except sqlite3.Error as error:  # the run's own file has it all: the next round tries again
            log.warning("the list of runs could not be brought up to date: %s", error)
            return
        self._published, self._news, self._urgent = time.monotonic(), False, False
        self._pause = max(PUBLISH_SECONDS, (self._published - began) / _PUBLISH_SHARE)

    @property
    def unpublished(self) -> bool:
        """Tell whether the lists lack something."""
        return self._catalog is not None and self._news


def _is_news(before: RunInfo | None, after: RunInfo) -> bool:
    """Tell whether lists must learn of it now: of anything but the beating of the heart and the counting of epochs."""
    if before is None:
        return True
    return replace(before, heartbeat=None, progress=after.progress) != replace(after, heartbeat=None)
