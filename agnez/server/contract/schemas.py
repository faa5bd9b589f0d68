"""The schemas of what travels: records of each service, points, errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias, get_args

from agnez.record import Json, State
from agnez.server.orders import COUNTS, LATEST, LONGEST, LONGEST_NOTES, MOST, STATES
from agnez.server.posting import LONGEST_NAME
from agnez.server.uploads import KINDS, LONGEST_CAPTION
from agnez.server.values import LONGEST_ID

Schema: TypeAlias = dict[str, Json]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
_INSTANT: Schema = {"type": "integer", "description": "Microseconds since 1970 (UTC)."}
_MAYBE_INSTANT: Schema = {"type": ["integer", "null"], "description": "Microseconds since 1970 (UTC), or null."}
_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_TEXTS: Schema = {"type": "array", "items": TEXT}
FILE: Schema = {"type": "string", "format": "binary"}
PLAIN: Schema = {"type": "string", "maxLength": 64, "pattern": "^[-_]*[A-Za-z0-9][A-Za-z0-9_-]*$"}
ID: Schema = {"type": "string", "minLength": 1}


def ref(name: str) -> Schema:
    """Return what stands for a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def described(schema: Schema, text: str) -> Schema:
    """Return a schema with a description."""
    return {**schema, "description": text}


def record(description: str, fields: Schema, *, required: Iterable[str] | None = None) -> Schema:
    """Return the schema of an object that has just these fields; `required` None means all of them."""
    return {
        "type": "object",
        "description": description,
        "properties": fields,
        "required": list(fields if required is None else required),
        "additionalProperties": False,
    }


def schemas() -> Schema:
    """Return all schemas that operations refer to by name."""
    return {
        "Error": _error(),
        "Number": {
            "description": "A number that may be no finite one: JSON has no words for those but strings.",
            "oneOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}],
        },
        "Cell": _cell(),
        "CellFields": {
            "type": "object",
            "description": "Fields of a cell. An `_id` is ignored.",
            "properties": _CELL_FIELDS,
        },
        "NewCell": _new_cell(),
        "Run": _run(),
        "NewRun": _new_run(),
        "RunFields": _run_fields(),
        "Point": _point(),
        "Values": _values(),
        "Reply": _reply(),
        "Medium": _medium(),
        "Summary": _summary(),
        "Progress": _progress(),
        "Project": _project(),
        "Finding": _finding(),
        "About": _about(),
    }


def _error() -> Schema:
    fields: Schema = {
        "name": described(TEXT, "The kind of error, by which clients tell one from another."),
        "message": described(TEXT, "What is wrong, and what to do about it."),
        "code": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."},
        "className": described(TEXT, "The kind once more, in lower case with hyphens."),
        "data": {"description": "What more there is to say."},
        "errors": {"description": "What more there is to say, one by one."},
    }
    return record("An error, the same over REST and over the socket.", fields, required=list(fields)[:4])


_CELL_FIELDS: Schema = {
    "name": {"description": "The title of the cell.", "examples": ["loss"]},
    "type": {
        "description": "How `value` is shown: `html` (also what `mpld3.fig_to_html` returns; in a sandbox), `img` (an "
        "address), `chart` (the live curves of `metrics`), or `images video audio text table histogram number`.",
        "examples": ["html"],
    },
    "value": {"description": "What the cell shows; `[]` is an empty cell.", "examples": ["<b>epoch 3</b>"]},
    "pos": {
        "description": "The place on the dashboard, from 0, row by row, as matplotlib's subplots.",
        "examples": [0],
    },
    "description": {"description": "A line below the title.", "examples": [""]},
    "media": {"description": "The name of the run's media whose newest the cell shows."},
    "step": {"description": "The step of those."},
    "count": {"description": "How many there are of that name."},
    "run": {"description": "The id of the run whose dashboard the cell is on; without it, it is on every page's."},
    "metrics": {"description": "The names of the metrics that a chart draws, in their order."},
    "view": {"description": "What the page shows first where it has both: `live` or `figure`."},
    "epoch": {"description": "The epoch that a figure shows."},
    "rows": {"description": "Rows of the dashboard that the cell spans."},
    "columns": {"description": "Columns of the dashboard that the cell spans."},
}


def _cell() -> Schema:
    return {
        "type": "object",
        "description": "A tile of a dashboard. Any JSON object is one: fields that the page does not know are kept.",
        "properties": {"_id": ID, **_CELL_FIELDS},
        "required": ["_id"],
    }


def _new_cell() -> Schema:
    given: Schema = {
        "type": ["string", "null"],
        "maxLength": LONGEST_ID,
        "description": "An id of your own; without one the server gives it. One that begins with the id of a run and a "
        "dot names a cell of that run: its `run`, where it has one, is that id.",
    }
    return {"type": "object", "description": "A cell to be.", "properties": {"_id": given, **_CELL_FIELDS}}


def _run() -> Schema:
    fields: Schema = {
        "_id": ID,
        "project": TEXT,
        "name": TEXT,
        "config": {"type": "object", "description": "The hyperparameters."},
        "tags": _TEXTS,
        "notes": TEXT,
        "state": {"enum": list(get_args(State))},
        "reason": {"type": ["string", "null"], "description": "Why it ended, where that is known."},
        "created": _INSTANT,
        "ended": _MAYBE_INSTANT,
        "heartbeat": _MAYBE_INSTANT,
        "progress": ref("Progress"),
        "summary": {
            "type": "object",
            "description": "Each metric by its name, and what its series comes to.",
            "additionalProperties": ref("Summary"),
        },
        "problems": described(_TEXTS, "What went wrong with the recording: a full disk, points that were dropped."),
        "axes": {
            "type": "object",
            "description": "Patterns of metrics, each with the metric that is their x axis.",
            "additionalProperties": TEXT,
        },
        "archived": FLAG,
        "forked_from": {
            "description": "The run, and the step of it, that this one began with.",
            "oneOf": [{"type": "null"}, record("A step of a run.", {"run": TEXT, "step": WHOLE})],
        },
        "dropped": {"type": "integer", "minimum": 0, "description": "Entries that were lost."},
    }
    return record("One training.", fields, required=["_id"])  # $select leaves the others out


_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST}
_TAGS: Schema = {"type": "array", "maxItems": MOST, "items": {"type": "string", "maxLength": LONGEST}}
_NOTES: Schema = {"type": "string", "maxLength": LONGEST_NOTES}
_AXES: Schema = {
    "type": "object",
    "maxProperties": MOST,
    "propertyNames": {"minLength": 1, "maxLength": LONGEST},
    "additionalProperties": _NAME,
    "description": "Patterns of metrics (`val/*`), each with the metric that is their x axis.",
}
_MOMENT: Schema = {"type": "integer", "minimum": 0, "maximum": LATEST, "description": "Microseconds since 1970 (UTC)."}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": LATEST}


def _new_run() -> Schema:
    step: Schema = {"type": "integer", "minimum": -LATEST, "maximum": LATEST}
    fields: Schema = {
        "project": _NAME,
        "name": _or_null(described(_NAME, "A name of its own; without one the server gives it.")),
        "config": _or_null({"type": "object", "description": "The hyperparameters."}),
        "tags": _or_null(_TAGS),
        "notes": _or_null(_NOTES),
        "_id": _or_null(described(PLAIN, "An id of your own.")),
        "created": _or_null(_MOMENT),
        "axes": _or_null(_AXES),
        "forked_from": _or_null(record("The step of a run that this one goes on from.", {"run": _NAME, "step": step})),
    }
    return record("A run to be.", fields, required=["project"])


def _run_fields() -> Schema:
    ended: Json = {"properties": {"reason": {"type": "null"}, "ended": False}}
    fields: Schema = {
        "_id": {"description": "Ignored."},
        "name": _NAME,
        "tags": _TAGS,
        "notes": _NOTES,
        "archived": FLAG,
        "state": {
            "enum": list(STATES),
            "description": "Any but `running` ends the run; `running` goes on.",
        },
        "reason": _or_null({"type": "string", "maxLength": LONGEST, "description": "Why it ended."}),
        "ended": _MOMENT,
        "progress": {
            "type": "object",
            "properties": dict.fromkeys(COUNTS, _or_null(_COUNT)),
            "additionalProperties": False,
        },
        "axes": _AXES,
        "problems": _TAGS,
        "dropped": _COUNT,
    }
    says = "What may be changed of a run; but for name, tags, notes and archived only of one that `POST /runs` made."
    running: Json = {"properties": {"state": {"const": "running"}}, "required": ["state"]}
    return record(says, fields, required=[]) | {"if": running, "then": ended}


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


_STEP: Schema = {"type": "integer", "minimum": 1 - 2**62, "maximum": 2**62 - 1}
_TIME: Schema = {"type": "number", "minimum": 0, "maximum": LATEST / 1e6, "description": "Seconds since 1970."}


def _point() -> Schema:
    return {
        "type": "object",
        "description": "What one call of `log` takes: numbers by their metrics; nested objects flatten with `/`.",
        "properties": {
            "step": described(_STEP, "Without it, the one after the last."),
            "time": described(_TIME, "Seconds since 1970. Without it, now."),
        },
        "additionalProperties": {"anyOf": [ref("Number"), ref("Values")]},
        "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME},
    }


def _values() -> Schema:
    return {
        "type": "object",
        "description": "Numbers by their metrics, at the most 20 levels deep.",
        "additionalProperties": {"anyOf": [ref("Number"), ref("Values")]},
        "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME},
    }


def _medium() -> Schema:
    return {
        "type": "object",
        "description": "What one call of `log` keeps of a picture, or the like.",
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
            "type": {"enum": list(KINDS)},
            "step": _STEP,
            "value": {"description": "What a cell of this type shows: an address, or an object that names some."},
            "caption": {"type": "string", "maxLength": LONGEST_CAPTION},
            "time": _TIME,
        },
        "required": ["name", "type", "step", "value"],
    }


def _reply() -> Schema:
    count: Schema = {"type": "integer", "minimum": 0}
    refusal = record("A point that was not taken.", {"index": described(count, "From 0."), "message": TEXT})
    fields: Schema = {
        "taken": described(count, "Points that are new."),
        "repeated": described(count, "Points that this writer sent before."),
        "refused": {"type": "array", "items": refusal},
    }
    return record("What became of points.", fields)


def _summary() -> Schema:
    numbers: Schema = {name: ref("Number") for name in ("last", "min", "max", "mean")}
    wholes: Schema = dict.fromkeys(("last_step", "min_step", "max_step", "count", "non_finite"), WHOLE)
    return record("What a series comes to; extremes and the mean are of its finite values.", {**numbers, **wholes})


def _progress() -> Schema:
    fields: Schema = dict.fromkeys(("epoch", "epochs", "step", "steps_per_epoch"), _MAYBE_COUNT)
    return record("How far a run is; `epoch` counts those that are finished.", fields)


def _project() -> Schema:
    fields: Schema = {
        "_id": described(ID, "Its name."),
        "runs": {"type": "integer", "minimum": 0, "description": "How many runs it has."},
        "newest": described(TEXT, "The id of its newest run."),
        "created": _INSTANT,
    }
    return record("A named group of runs.", fields, required=["_id"])


def _finding() -> Schema:
    fields: Schema = {
        "_id": ID,
        "run": TEXT,
        "kind": TEXT,
        "severity": {"enum": ["info", "warning", "error"]},
        "sentence": described(TEXT, "What was seen."),
        "advice": described(TEXT, "What to try."),
        "metric": TEXT,
        "first_step": WHOLE,
        "last_step": WHOLE,
    }
    return record("What the diagnosis says of a run.", fields, required=["_id"])


def _about() -> Schema:
    fields: Schema = {
        "app": {"const": "agnez"},
        "version": TEXT,
        "wire": described(WHOLE, "The version of the points message."),
        "store": described(TEXT, "Which store is served."),
        "pid": described(WHOLE, "The process that serves it."),
        "viewers": described(WHOLE, "Pages that are open."),
        "loose_cells": described(WHOLE, "Cells that name no run."),
    }
    return record("What serves here.", fields)
