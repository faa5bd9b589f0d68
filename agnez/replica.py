"""The replica of a run on another server: what it lacks, read from the run's own files and sent.

Nothing is kept here of how far it is: the server itself tells how much of each file it has. So a replica goes on after
any end of either side, without a gap and without a duplicate.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from agnez import wire
from agnez.errors import AgnezError, NotFoundError
from agnez.record import CellRecord, Json, RunInfo
from agnez.remote import RefusedError, Remote
from agnez.store import RunFile, Store, media, rundir
from agnez.store.album import AT_ONCE
from agnez.stream import OWN, Stream

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
"""The least time between two signs of life, where there is nothing to send."""

_ALBUM = "album"  # the writer that stands for what was logged beside numbers
_LONGEST = 1000
_TOO_MUCH = (400, 413)  # what a server answers to something that it never takes; the rest must not wait for it
_MEDIA = re.compile(r"/runs/(?P<run>[0-9A-Za-z_-]{1,64})/media/(?P<name>[0-9a-f]{32}\.[a-z0-9]+)")
_MADE = ("project", "name", "config", "tags", "notes", "_id", "created", "axes", "forked_from")
_EDITED = ("name", "tags", "notes", "archived")
_TOLD = ("progress", "axes", "problems", "dropped")
_END = ("state", "reason", "ended")


class SameStoreError(AgnezError):
    """Report that the server shows the very store that the run is in: there is nothing to send."""


class Copy:
    """Keep what a server has of a rank of a run equal to what a store has. One thread may use it."""

    def __init__(self, store: Store, id: str, remote: Remote, *, rank: int = 0) -> None:
        self.id = id
        self.pages = 0
        """How many pages the server had open when it was greeted."""
        self._store = store
        self._remote = remote
        self._stream = Stream(store, id, remote, rank=rank)
        self.forget()

    def forget(self) -> None:
        """Forget how far the server is, which has failed: it is asked again."""
        self._greeted = False
        self._stream.sent.clear()

    def close(self) -> None:
        """Let go of the files, and hang up. Closing twice does no harm."""
        self._stream.close()
        self._remote.close()

    @property
    def waiting(self) -> int:
        """Return how many calls are in the files and not on the server, as far as that is known."""
        return self._stream.waiting

    def greet(self) -> None:
        """Check that the server can take runs of the store.

        Raises:
            AwayError: it does not answer.
            RefusedError: it is no server of ours, or of another version.
            SameStoreError: it is the server of that store.
        """
        about = _object(self._remote.call("GET", "about"))
        if about.get("app") != "agnez":
            raise RefusedError(404, "what answers there is no Agnez server")
        if about.get("store") == self._store.id:
            raise SameStoreError("that server shows the very store which the run is in")
        if about.get("wire") != wire.VERSION:
            raise RefusedError(400, f"it speaks version {about.get('wire')} of the wire, and this Agnez {wire.VERSION}")
        pages = about.get("viewers")
        self.pages = pages if isinstance(pages, int) else 0


class Replica(Copy):
    """Keep a run on a server equal to that of a store. One thread may use it."""

    def __init__(self, store: Store, id: str, remote: Remote) -> None:
        self._beaten = 0.0
        self._edits: dict[str, Json] | None = None  # what people say of the run, as it was last sent
        super().__init__(store, id, remote)
        self._begin_anew()

    def forget(self) -> None:
        """Forget how far the server is, which has failed: it is asked again."""
        super().forget()
        self._facts: dict[str, Json] = {}  # as the server has them
        self._begun: set[int] = set()  # calls with which segments begin that it knows of

    def _begin_anew(self) -> None:
        """Forget what was sent beside numbers."""
        self._revision = 0
        self._cells: dict[str, CellRecord] = {}
        self._uploaded: set[str] = set()

    @property
    def is_whole(self) -> bool:
        """Tell whether the server has all there is, the run's end too."""
        return self._greeted and not self.waiting and not self._changed(self._read_facts(), (*_TOLD, *_END))

    def advance(self) -> bool:
        """Send some of what the server lacks; tell whether more is left.

        Raises:
            AwayError: the server does not answer.
            RefusedError: it refuses.
            SameStoreError: it is the server of the run's own store.
            StoreError, OSError, sqlite3.Error: the run's files cannot be read.
        """
        self._stream.look()
        if not self._greeted:
            self._greet()
        facts = self._read_facts()  # first: of an end that is read here, all points are found below
        if facts["state"] == "running" and self._has_ended():
            self._go_on(anew=False)
        left = [self._stream.send(self._begin)]
        left.append(self._send_album())  # after points: the first of a segment tell whether it branches
        self._send_cells()  # after what they show, for the server makes cells of its own meanwhile
        self._patch(self._changed(facts, (*_EDITED, *_TOLD)))
        if not any(left):
            self._patch(self._changed(facts, _END))
            self._beat()
        return any(left)

    # --- the beginning ------------------------------------------------------------------------------------------------

    def _greet(self) -> None:
        self.greet()
        mine = self._read_facts()
        theirs = self._make_or_find(mine)
        if self._edits is None:
            self._edits = {field: mine[field] for field in _EDITED}
        self._facts = {**theirs, **self._edits}
        self._greeted = True
        for writer in (*self._stream.files, _ALBUM):
            self._stream.ask(writer)

    def _make_or_find(self, mine: dict[str, Json]) -> dict[str, Json]:
        order = {field: mine[field] for field in _MADE}
        try:
            return self._make(order)
        except RefusedError as error:
            if error.code in _TOO_MUCH:  # a configuration may be larger than servers take
                return self._make({**order, "config": {}})
            if error.code != 409:
                raise
        found = _object(self._remote.call("GET", f"runs/{self.id}"))
        if found.get("created") != mine["created"]:
            raise RefusedError(409, f"another run has the id {self.id!r} there: give this one another with id=")
        return found

    def _make(self, order: dict[str, Json]) -> dict[str, Json]:
        made = _object(self._remote.call("POST", "runs", order))
        self._begin_anew()
        return made

    # --- what the run's files say -------------------------------------------------------------------------------------

    @property
    def _own(self) -> RunFile:
        """Return the run's own file."""
        return self._stream.files[OWN]

    def _read_facts(self) -> dict[str, Json]:
        info: RunInfo = rundir.facts(self._own)
        facts = wire.run_record(info)
        facts["problems"] = [sentence[:_LONGEST] for sentence in info.problems]
        facts["reason"] = info.reason and info.reason[:_LONGEST]
        return facts

    # --- facts --------------------------------------------------------------------------------------------------------

    def _changed(self, facts: Mapping[str, Json], fields: tuple[str, ...]) -> dict[str, Json]:
        """Return those of some facts that the server has otherwise."""
        changed = {field: facts[field] for field in fields if facts[field] != self._facts.get(field)}
        if facts["state"] == "running":  # as it is there, or is seen to be: going on is told by `_go_on`
            changed = {field: value for field, value in changed.items() if field not in _END}
        return changed

    def _patch(self, changes: dict[str, Json]) -> None:
        if not changes:
            return
        if "ended" in changes and changes["ended"] is None:
            del changes["ended"]
        self._remote.call("PATCH", f"runs/{self.id}", changes)
        self._facts.update(changes)
        if self._edits is not None:
            self._edits.update({field: value for field, value in changes.items() if field in _EDITED})
        self._beaten = time.monotonic()

    def _has_ended(self) -> bool:
        """Tell whether the server takes no points now. A run that was silent for long goes on with its next point."""
        return self._facts.get("state") not in ("running", "crashed")

    def _go_on(self, anew: bool) -> None:
        """Have the server take points: of a run that ended there, or of a start of the program that is `anew`."""
        if anew and not self._has_ended():
            self._patch({"state": "interrupted"})
        if self._has_ended():
            self._remote.call("PATCH", f"runs/{self.id}", {"state": "running"})
            self._facts |= {"state": "running", "reason": None, "ended": None}

    def _beat(self) -> None:
        if self._facts.get("state") == "running" and time.monotonic() - self._beaten >= BEAT_SECONDS:
            self._remote.call("POST", f"runs/{self.id}/points", [])
            self._beaten = time.monotonic()

    def _begin(self, call: int, anew: bool) -> None:
        """Have the server take a call, in a new segment where it begins one."""
        self._go_on(anew=anew and call not in self._begun)
        if anew:
            self._begun.add(call)
        self._beaten = time.monotonic()

    # --- media --------------------------------------------------------------------------------------------------------

    def _send_album(self) -> bool:
        """Send what was logged beside numbers, but for that of segments which the server has not begun."""
        own, sent = self._own, self._stream.sent[_ALBUM]
        all_there = self._stream.sent[OWN] >= own.cursor()  # then a segment that is not begun has no point yet
        begun = [each.number for each in own.segments() if all_there or each.first_call <= self._stream.sent[OWN]]
        found = own.album.past(sent, segment=max(begun, default=0))
        for number, medium in found:
            for run, name in _files_in(medium.value):
                self._upload(run, name)
            record: dict[str, Json] = {
                "name": medium.name,
                "type": medium.kind,
                "step": medium.step,
                "time": medium.time / 1e6,
                "value": medium.value,
                "caption": medium.caption,
            }
            self._send_medium(number, record)
            self._stream.sent[_ALBUM] = number
        return len(found) == AT_ONCE

    def _send_medium(self, number: int, record: dict[str, Json]) -> None:
        address = f"runs/{self.id}/album?writer={_ALBUM}&sequence={number}"
        try:
            self._remote.call("POST", address, record)
        except RefusedError as error:
            if error.code not in _TOO_MUCH:
                raise
            self._remote.call("POST", address, {**record, "value": [], "caption": f"not sent: {error}"})

    # --- cells --------------------------------------------------------------------------------------------------------

    def _send_cells(self) -> None:
        for change in self._own.cells.changes(self._revision):
            try:
                self._send_cell(change.id, change.record)
            except RefusedError as error:
                if error.code not in _TOO_MUCH:
                    raise
                log.warning("the cell %s was refused by %s: %s", change.id, self._remote.target.url, error)
            self._revision = change.revision

    def _send_cell(self, id: str, record: CellRecord | None) -> None:
        address = f"values/{quote(id, safe='')}"
        if record is None:
            self._cells.pop(id, None)
            self._try_to_remove(address)
            return
        for run, name in _files_in(record.get("value")):
            self._upload(run, name)
        known = self._cells.get(id)
        changes = {field: value for field, value in record.items() if known is None or known.get(field, ...) != value}
        try:
            self._remote.call("PATCH", address, changes)
        except RefusedError as error:
            if error.code != 404:
                raise
            self._remote.call("POST", "values", record)
        self._cells[id] = record

    def _try_to_remove(self, address: str) -> None:
        try:
            self._remote.call("DELETE", address)
        except RefusedError as error:
            if error.code != 404:
                raise

    def _upload(self, run: str, name: str) -> None:
        if run != self.id or name in self._uploaded:
            return
        try:
            content = media.path(self._store.run_folder(run), name).read_bytes()
        except NotFoundError:  # a cell may name what is not there
            return
        kind = media.CONTENT_TYPES[name.partition(".")[2]]
        try:
            self._remote.call("POST", f"runs/{self.id}/media", content, kind)
        except RefusedError as error:
            if error.code not in _TOO_MUCH:
                raise
            log.warning("the file %s of run %s was refused by %s: %s", name, self.id, self._remote.target.url, error)
        self._uploaded.add(name)


def _files_in(value: Json) -> Iterator[tuple[str, str]]:
    """Return the files of media that the value of a cell names."""
    for match in _MEDIA.finditer(wire.dump(value)):
        yield match["run"], match["name"]


def _object(answer: Json) -> dict[str, Json]:
    if not isinstance(answer, dict):
        raise RefusedError(400, "what answers there is no Agnez server")
    return answer
