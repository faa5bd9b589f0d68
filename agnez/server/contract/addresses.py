"""The operations beside the services: points, media, what a cell shows, and what serves here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from agnez.record import Json
from agnez.server.contract.operation import JSON, Answer, Operation
from agnez.server.contract.schemas import FILE, PLAIN, TEXT, WHOLE, described, ref
from agnez.server.media import MOST
from agnez.server.posted import MOST_RANK, MOST_SEGMENTS
from agnez.server.posting import BINARY, LINES, MOST_REFUSED
from agnez.server.series import COUNTS, MOST_RUNS, OCTETS, POINTS
from agnez.server.uploads import MOST_MEDIA
from agnez.store.cursor import START
from agnez.store.media import CONTENT_TYPES
from agnez.store.ranks import AGGREGATES

_MESSAGE = """\
A points message is little-endian: 16 bytes (a byte 2 for its version; a byte of flags, of which 1 says that points were
left out; two zeros; as uint32 the length of the header; eight zeros), the header as JSON,
`{run, cursor, series: [[name, count], …]}`, padded with spaces to a multiple of 8, then of each series its columns as
float64: steps, values, wall times in seconds since 1970, and places on an axis, where the entry has a third word,
which names it."""

_POINTS = f"""\
A point is what one call of `log` takes: a step, a time, and numbers by their metrics; nested objects flatten with `/`.
What is not finite is written as a text. Points come as one object, an array, a line for each, or a points message, in
which numbers of one step and time are of one point, unless an axis `call` numbers their points from 0. What is refused
is told point by point; past {MOST_REFUSED:,} of them the answer is 400 and nothing was taken.

`sequence` numbers the first point of the body among all that `writer` sends to this run: what was taken before counts
as repeated, so a retry never doubles a point, and a gap is 409. What is answered with 200 survives a kill of the
server."""

_RUN: Json = {"$ref": "#/components/parameters/run"}
_COUNT: Json = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
_NOT_MODIFIED = Answer("What you have is still so.", {})


def parameters() -> dict[str, Json]:
    """Return the parameters that several addresses share, as components."""
    plain = {"type": "string", "pattern": "^[^/]+$"}
    return {"run": {"name": "id", "in": "path", "required": True, "schema": plain, "description": "The id of a run."}}


def operations() -> Iterator[Operation]:
    """Return all operations that are no service's."""
    yield _post_points()
    yield _sent_points()
    yield _series()
    yield _series_of_runs()
    yield _post_media()
    yield _post_album()
    yield _list_media()
    yield _media()
    yield _frame()
    yield _figure()
    yield _board()
    yield _about()
    yield _document()


def _query(name: str, schema: Json, says: str, *, required: bool = False) -> Json:
    said: dict[str, Json] = {"name": name, "in": "query", "schema": schema, "description": says}
    return said | ({"required": True} if required else {})


def _range(valid: range) -> Json:
    return {"type": "integer", "minimum": valid.start, "maximum": valid.stop - 1}


_STREAM: Sequence[Json] = (
    _query("writer", PLAIN, "A word for who sends; only together with `sequence`."),
    _query("sequence", _range(range(2**62)), "The number of the first of these among all that this writer sends."),
)
_RANK = _query("rank", _range(range(MOST_RANK + 1)), "The number of the process among those that train one run.")
_SCHEMAS: Mapping[str, Json] = {"md": TEXT, "html": TEXT, "json": {}}


# --- points ----------------------------------------------------------------------------------------------------------


def _post_points() -> Operation:
    lines = '{"step": 0, "loss": 0.9}\n{"step": 1, "loss": "NaN"}\n'
    return Operation(
        "post",
        "/runs/{id}/points",
        "post_points",
        "points",
        "Send points",
        {200: Answer("What became of them. It is durable.", {JSON: ref("Reply")})},
        description=_POINTS,
        parameters=[
            _RUN,
            *_STREAM,
            _RANK,
            _query("segment", _range(range(MOST_SEGMENTS + 1)), "Of a further rank: how often it was started before."),
        ],
        body={
            JSON: {
                "schema": {"oneOf": [ref("Point"), {"type": "array", "items": ref("Point")}]},
                "examples": {
                    "point": {"value": {"step": 3, "loss": 0.5, "accuracy": "NaN"}},
                    "points": {"value": [{"step": 4, "train": {"loss": 0.4}}, {"step": 5, "train": {"loss": 0.3}}]},
                },
            },
            LINES: {"schema": TEXT, "examples": {"lines": {"value": lines}}},
            BINARY: {"schema": described(FILE, _MESSAGE)},
        },
        refusals=(404, 409, 503),
    )


def _sent_points() -> Operation:
    last: Json = {"type": ["integer", "null"], "description": "The number of its last point; null where it sent none."}
    sent: Json = {"type": "object", "properties": {"writer": TEXT, "last": last}, "required": ["writer", "last"]}
    return Operation(
        "get",
        "/runs/{id}/points",
        "sent_points",
        "points",
        "Tell how far a writer has sent",
        {200: Answer("How far.", {JSON: sent})},
        parameters=[_RUN, _query("writer", PLAIN, "The word that it sends under.", required=True), _RANK],
        refusals=(404, 409, 503),
    )


def _series() -> Operation:
    return Operation(
        "get",
        "/runs/{id}/series",
        "series",
        "points",
        "Read points",
        {200: Answer("A points message.", {OCTETS: {}})},
        description="With `after`, or with none of `x from to rank branch means`: what lies past a cursor. With one of "
        f"those: the part that a chart shows. {_MESSAGE}",
        parameters=[_RUN, *_series_query()],
        refusals=(404, 503),
    )


def _series_of_runs() -> Operation:
    runs: Json = {"type": "array", "items": TEXT, "minItems": 1, "maxItems": MOST_RUNS}
    return Operation(
        "get",
        "/series",
        "series_of_runs",
        "points",
        "Read points of several runs",
        {200: Answer("Their points messages, one behind the other.", {OCTETS: {}})},
        description="As with one run. Runs that are not there are left out.",
        parameters=[_query("run", runs, "The ids of the runs, once for each.", required=True), *_series_query()],
        refusals=(503,),
    )


def _series_query() -> Sequence[Json]:
    rank: Json = {"oneOf": [{"type": "integer", "minimum": 0, "maximum": 999_999}, {"enum": list(AGGREGATES)}]}
    cursor: Json = {"type": "string", "pattern": r"^[0-9]{1,18}(,[A-Za-z0-9_.-]{1,80}=[0-9]{1,18})*$"}
    return [
        _query("metric", {"type": "array", "items": TEXT}, "The metrics, once for each; all when none is named."),
        _query("first", _range(COUNTS), "In the place of `metric`: so many metrics, those that were logged first."),
        _query("max", _range(POINTS), "At most so many points of each metric, their extremes among them."),
        _query(
            "means",
            _range(POINTS),
            "In the place of `max`, and not on the axis of a metric: at most about so many means of each metric, each "
            "of equally many points that follow each other, at the place of the last one. Of a long series whole "
            "blocks of 1,024 points are taken, also where they reach beyond `from` and `to`. Its entry in the header "
            "names the axis `means`, and its fourth column tells how many finite values each is the mean of.",
        ),
        _query("after", cursor, f"The cursor that came with the last points; `{START}` is who has read nothing."),
        _query(
            "x", TEXT, "The axis: `step`, `time`, `relative` (to the begin of the run; both in seconds), or a metric."
        ),
        _query("from", {"type": "number"}, "Where the part begins on that axis, itself included."),
        _query("to", {"type": "number"}, "Where it ends, itself included."),
        _query("rank", rank, "The rank of a distributed training, or what is made of all of them."),
        _query("branch", _range(COUNTS), "An earlier branch of a run that went on from an earlier step."),
    ]


# --- media -----------------------------------------------------------------------------------------------------------


def _post_media() -> Operation:
    kept: Json = {"type": "object", "properties": {"_id": TEXT, "address": TEXT}, "required": ["_id", "address"]}
    file = {"parameters": {"path.id": "$request.path.id", "path.name": "$response.body#/_id"}}
    return Operation(
        "post",
        "/runs/{id}/media",
        "post_media",
        "media",
        "Send a file",
        {201: Answer("Its name, and its address.", {JSON: kept}, links={"media": {"operationId": "media", **file}})},
        description="The address of a picture is what a cell of type `img` has for its value.",
        parameters=[_RUN],
        body={type.partition(";")[0]: {"schema": _SCHEMAS.get(each, FILE)} for each, type in CONTENT_TYPES.items()},
        refusals=(404, 503),
    )


def _post_album() -> Operation:
    medium: Json = {
        "name": "digits",
        "type": "img",
        "step": 3,
        "value": "/runs/a1b2c3d4e5/media/….png",
        "caption": "a seven",
    }
    many: Json = {"type": "array", "items": ref("Medium"), "maxItems": MOST_MEDIA}
    return Operation(
        "post",
        "/runs/{id}/album",
        "post_album",
        "media",
        "Log media under a name",
        {200: Answer("What became of them. It is durable.", {JSON: ref("Reply")})},
        description="Their files are sent before. The cell of that name shows the newest, and pages walk the others.",
        parameters=[_RUN, *_STREAM],
        body={JSON: {"schema": {"oneOf": [ref("Medium"), many]}, "examples": {"medium": {"value": medium}}}},
        refusals=(404, 409, 503),
    )


def _list_media() -> Operation:
    item: Json = {
        "type": "object",
        "properties": {
            "place": WHOLE,
            "step": WHOLE,
            "time": {"type": "number", "description": "Seconds since 1970."},
            "type": TEXT,
            "value": {"description": "What a cell of this type shows."},
            "caption": TEXT,
        },
        "required": ["place", "step", "time", "type", "value", "caption"],
    }
    page: Json = {
        "type": "object",
        "properties": {"count": WHOLE, "items": {"type": "array", "items": item}},
        "required": ["count", "items"],
    }
    return Operation(
        "get",
        "/runs/{id}/media",
        "list_media",
        "media",
        "List what was logged under a name, or the names",
        {200: Answer("The names; with `name` its media.", {JSON: {"oneOf": [{"type": "array", "items": TEXT}, page]}})},
        parameters=[
            _RUN,
            _query("name", TEXT, "The name that they were logged under."),
            _query("first", _COUNT, "The place of the first, from 0 in the order of steps."),
            _query("count", _COUNT, f"How many from there on, {MOST} at the most."),
            _query("most", _COUNT, f"In the place of both: so many spread evenly over all, {MOST} at the most."),
        ],
        refusals=(404, 503),
    )


def _media() -> Operation:
    kinds: dict[str, Json] = {each.partition(";")[0]: {} for each in CONTENT_TYPES.values()}
    name: Json = {"type": "string", "pattern": f"^[0-9a-f]{{32}}\\.({'|'.join(CONTENT_TYPES)})$"}
    return Operation(
        "get",
        "/runs/{id}/media/{name}",
        "media",
        "media",
        "Read a file of a run's media",
        {
            200: Answer("The file.", kinds),
            206: Answer("The part of it that `Range` asks for.", kinds),
            304: _NOT_MODIFIED,
        },
        description="Its name says what it holds, so it may be kept for ever.",
        parameters=[_RUN, {"name": "name", "in": "path", "required": True, "schema": name}],
        refusals=(404, 416),
    )


# --- the rest --------------------------------------------------------------------------------------------------------


def _frame() -> Operation:
    return Operation(
        "get",
        "/frame",
        "frame",
        "values",
        "Show what an html cell holds",
        {200: Answer("A document of its own, sandboxed.", {"text/html": {}}), 304: _NOT_MODIFIED},
        description="Either `cell` or `src` is needed.",
        parameters=[
            _query("cell", TEXT, "The `_id` of the cell."),
            _query("src", TEXT, "The address of an html file among a run's media."),
            _query("theme", {"enum": ["light", "dark"]}, "How the page looks that shows it."),
        ],
        refusals=(404, 503),
    )


def _figure() -> Operation:
    shape: Json = {
        "type": "object",
        "properties": {"spec": {"type": "object"}, "label": TEXT, "background": TEXT, "own": {"type": "boolean"}},
        "required": ["spec", "label", "background", "own"],
    }
    return Operation(
        "get",
        "/figure",
        "figure",
        "values",
        "Read a figure of our drawing as mpld3 describes it",
        {200: Answer("What the frame that shows an earlier one draws in its place.", {JSON: shape})},
        description="404 where the cell's HTML is another's, or comes with scripts or styles of its user's.",
        parameters=[_query("cell", TEXT, "The `_id` of the cell.", required=True)],
        refusals=(404, 503),
    )


def _board() -> Operation:
    shape: Json = {
        "type": "object",
        "properties": {
            "run": TEXT,
            "changed": {"type": "array", "items": {"type": "object"}},
            "removed": {"type": "array", "items": TEXT},
            "findings": {"type": "array", "items": {"type": "object"}},
            "project": TEXT,
            "layouts": {"type": "array", "items": {"type": "object"}, "maxItems": 1},
        },
        "required": ["run", "changed", "removed", "findings", "project", "layouts"],
    }
    return Operation(
        "get",
        "/board",
        "board",
        "values",
        "Read what stands on the page of a run, without its points",
        {
            200: Answer(
                "Each cell, with what is usual left out, and html as its version alone; the findings; the record of "
                "how the project's cells stand, if there is one.",
                {JSON: shape},
            )
        },
        description="What the page's own socket says first; `/runs/{id}/cells` has the records.",
        parameters=[_query("run", TEXT, "The id of the run.", required=True)],
        refusals=(404, 503),
    )


def _about() -> Operation:
    facts = {200: Answer("The facts.", {JSON: ref("About")})}
    return Operation("get", "/about", "about", "server", "Tell what serves here", facts, refusals=(503,))


def _document() -> Operation:
    document = {200: Answer("An OpenAPI document.", {JSON: {"type": "object"}})}
    return Operation("get", "/openapi.json", "openapi", "server", "Read this document", document)
