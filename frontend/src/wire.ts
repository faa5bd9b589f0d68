/** What travels between server and page, mirrored from `agnez/wire.py`: the only place that checks shapes. */

export type State = "running" | "finished" | "interrupted" | "failed" | "crashed";
export type Severity = "info" | "warning" | "error";
export type View = "live" | "figure";

export interface Progress {
  readonly epoch: number | null;
  readonly epochs: number | null;
  readonly step: number | null;
  readonly stepsPerEpoch: number | null;
}

/** The last value and the extremes of a metric, as the store knows them. */
export interface Summary {
  readonly last: number;
  readonly lastStep: number;
  readonly min: number;
  readonly minStep: number;
  readonly max: number;
  readonly maxStep: number;
  readonly count: number;
}

/** A training. Times are microseconds since 1970 (UTC). `summary` is absent where the server left it out. */
export interface Run {
  readonly id: string;
  readonly project: string;
  readonly name: string;
  readonly state: State;
  readonly reason: string | null;
  readonly created: number;
  readonly ended: number | null;
  readonly heartbeat: number | null;
  readonly progress: Progress;
  readonly problems: readonly string[];
  /** The metric that is the x axis of metrics, by their pattern: the last that fits counts. Absent where none is said. */
  readonly axes?: Readonly<Record<string, string>>;
  readonly summary?: Readonly<Record<string, Summary>>;
}

/** Where a cell stands: its place, counted from 0 row by row, how many rows and columns it takes, whether it is to be seen. */
export interface Spot {
  readonly pos?: number;
  readonly rows?: number;
  readonly columns?: number;
  readonly hidden?: boolean;
}

/** A tile of a dashboard. An html cell bears a `version` in place of its value. */
export interface Cell {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly value: unknown;
  readonly version: string | null;
  readonly pos: number;
  readonly description: string;
  readonly metrics: readonly string[];
  readonly view: View;
  readonly epoch: number | null;
  readonly rows: number;
  readonly columns: number;
  readonly hidden: boolean;
  /** The rows and columns of the grid that a script has laid out; null where none did. */
  readonly grid: readonly [number, number] | null;
  /** The newest revision of its project's layout that it has heard of. */
  readonly layout: number;
  /** What was written at steps of a chart. */
  readonly notes: readonly Note[];
  /** The name that this cell's values were logged under, step by step; null where it has only the one it shows. */
  readonly media: string | null;
  /** The step of the value that the cell has, and how many there are. */
  readonly step: number | null;
  readonly count: number;
}

/** The name of a cell as people read it: one without a name goes by its place. */
export function titleOf({ name, pos }: Cell): string {
  return name || `Cell ${pos}`;
}

export interface Note {
  readonly step: number;
  readonly text: string;
}

/** What was logged under a name at a step; `place` counts from 0. */
export interface Medium {
  readonly place: number;
  readonly step: number | null;
  readonly value: unknown;
  readonly caption: string;
}

export interface MediaPage {
  readonly count: number;
  readonly items: readonly Medium[];
}

/** What a project's record says of how its cells stand. */
export interface ProjectLayout {
  readonly revision: number;
  readonly cells: Readonly<Record<string, Spot>>;
}

/** All that stands on the page of a run, without its points. */
export interface Board {
  readonly cells: CellsChange;
  readonly findings: readonly Finding[];
  readonly project: string;
  readonly layout: ProjectLayout | null;
}

export interface CellsChange {
  readonly run: string | null;
  readonly changed: readonly Cell[];
  readonly removed: readonly string[];
}

/** A sentence of the diagnosis with its evidence. */
export interface Finding {
  readonly id: string;
  readonly run: string;
  readonly kind: string;
  readonly severity: Severity;
  readonly sentence: string;
  readonly advice: string;
  readonly metric: string | null;
  readonly firstStep: number | null;
  readonly lastStep: number | null;
}

export interface SeriesPart {
  readonly metric: string;
  readonly steps: Float64Array;
  readonly values: Float64Array;
  readonly times: Float64Array;
  /** What the metric is drawn over, where the run says so: `relative` or a metric's name. */
  readonly axis: string | null;
  /** The points' places on that axis; NaN where none is known yet. Absent without an axis. */
  readonly places: Float64Array | null;
}

/** Points of one run; every point up to `cursor` is accounted for. A cursor says nothing but where to go on. */
export interface PointsMessage {
  readonly run: string;
  readonly cursor: string;
  /** The cursor that these points follow; null where the message does not say. */
  readonly after: string | null;
  readonly decimated: boolean;
  readonly series: readonly SeriesPart[];
}

/** Says that a message is not what this page can read. */
export class WireError extends Error {
  override name = "WireError";
}

type Fields = Readonly<Record<string, unknown>>;

/** The cursor of a page that has read nothing. */
export const BEGINNING = "0";

const VERSION = 2;
const HEAD = 16;
const STATES: readonly string[] = ["running", "finished", "interrupted", "failed", "crashed"];
const SEVERITIES: readonly string[] = ["info", "warning", "error"];
const NON_FINITE: Readonly<Record<string, number>> = { NaN, Infinity, "-Infinity": -Infinity };

function fields(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new WireError(`${what} is no record`);
  return value as Fields;
}

function text(record: Fields, key: string): string {
  const value = record[key];
  if (typeof value !== "string") throw new WireError(`${key} is no text`);
  return value;
}

function textOr<T>(record: Fields, key: string, otherwise: T): string | T {
  const value = record[key];
  return typeof value === "string" ? value : otherwise;
}

function numberOr<T>(record: Fields, key: string, otherwise: T): number | T {
  const value = record[key];
  return typeof value === "number" ? value : otherwise;
}

function number(record: Fields, key: string): number {
  const value = record[key];
  if (typeof value !== "number") throw new WireError(`${key} is no number`);
  return value;
}

/** Read a number that may be non-finite: JSON says those by name. */
function anyNumber(record: Fields, key: string): number {
  const value = record[key];
  if (typeof value === "number") return value;
  const named = typeof value === "string" ? NON_FINITE[value] : undefined;
  if (named === undefined) throw new WireError(`${key} is no number`);
  return named;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new WireError(`${what} is no list`);
  return value;
}

/** Read what `find` of a service answers with: an array, or a page `{total, limit, skip, data}` of it. */
export function readPage(value: unknown): { records: readonly unknown[]; total: number } {
  if (Array.isArray(value)) return { records: value, total: value.length };
  const page = fields(value, "a page");
  return { records: list(page["data"], "a page's data"), total: number(page, "total") };
}

/** Read an array of run records. */
export function readRuns(value: unknown): Run[] {
  return list(value, "runs").map(readRun);
}

/** Read one run record. */
export function readRun(value: unknown): Run {
  const record = fields(value, "a run");
  const state = text(record, "state");
  if (!STATES.includes(state)) throw new WireError(`a run's state is ${state}`);
  const run: Run = {
    id: text(record, "_id"),
    project: textOr(record, "project", ""),
    name: textOr(record, "name", text(record, "_id")),
    state: state as State,
    reason: textOr(record, "reason", null),
    created: number(record, "created"),
    ended: numberOr(record, "ended", null),
    heartbeat: numberOr(record, "heartbeat", null),
    progress: readProgress(record["progress"]),
    problems: texts(record["problems"]),
  };
  const summary = readSummaries(record["summary"] ?? {});
  const axes = readAxes(record["axes"] ?? {});
  return { ...run, ...(Object.keys(axes).length > 0 && { axes }), ...(Object.keys(summary).length > 0 && { summary }) };
}

function readAxes(value: unknown): Record<string, string> {
  const entries = Object.entries(fields(value, "axes"));
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function readProgress(value: unknown): Progress {
  const record = value === null || value === undefined ? {} : fields(value, "progress");
  return {
    epoch: numberOr(record, "epoch", null),
    epochs: numberOr(record, "epochs", null),
    step: numberOr(record, "step", null),
    stepsPerEpoch: numberOr(record, "steps_per_epoch", null),
  };
}

function readSummaries(value: unknown): Record<string, Summary> {
  const entries = Object.entries(fields(value, "summary"));
  return Object.fromEntries(entries.map(([metric, each]) => [metric, readSummary(each)]));
}

function readSummary(value: unknown): Summary {
  const record = fields(value, "a summary");
  return {
    last: anyNumber(record, "last"),
    lastStep: number(record, "last_step"),
    min: anyNumber(record, "min"),
    minStep: number(record, "min_step"),
    max: anyNumber(record, "max"),
    maxStep: number(record, "max_step"),
    count: number(record, "count"),
  };
}

/** Read what the socket says of cells. */
export function readCells(value: unknown): CellsChange {
  const record = fields(value, "cells");
  return {
    run: textOr(record, "run", null),
    changed: list(record["changed"] ?? [], "changed").map(readCell),
    removed: texts(record["removed"]),
  };
}

/** Read one cell record; what a foreign program left out gets a quiet default. */
export function readCell(value: unknown): Cell {
  const record = fields(value, "a cell");
  return {
    id: text(record, "_id"),
    name: textOr(record, "name", ""),
    type: textOr(record, "type", ""),
    value: record["value"],
    version: textOr(record, "version", null),
    pos: numberOr(record, "pos", 0),
    description: textOr(record, "description", ""),
    metrics: texts(record["metrics"]),
    view: record["view"] === "figure" ? "figure" : "live",
    epoch: numberOr(record, "epoch", null),
    rows: span(record, "rows"),
    columns: span(record, "columns"),
    hidden: record["hidden"] === true,
    grid: readGrid(record["grid"]),
    layout: numberOr(record, "layout", 0),
    notes: readNotes(record["notes"]),
    media: textOr(record, "media", null),
    step: numberOr(record, "step", null),
    count: numberOr(record, "count", 0),
  };
}

function readGrid(value: unknown): readonly [number, number] | null {
  if (!Array.isArray(value) || !value.every((each) => Number.isInteger(each) && each > 0)) return null;
  const [rows, columns] = value as number[];
  return rows === undefined || columns === undefined ? null : [rows, columns];
}

/** Read the record of how a project's cells stand, from a list that has at most one; null where there is none. */
export function readLayout(value: unknown): ProjectLayout | null {
  const [found] = readPage(value).records;
  if (found === undefined) return null;
  const record = fields(fields(found, "a layout")["value"], "a layout's value");
  const cells = Object.entries(fields(record["cells"] ?? {}, "a layout's cells")).map(([key, each]) => [key, readSpot(each)]);
  return { revision: numberOr(record, "revision", 0), cells: Object.fromEntries(cells) as Record<string, Spot> };
}

/** Read what stands on the page of a run. */
export function readBoard(value: unknown): Board {
  const record = fields(value, "a board");
  return {
    cells: readCells(value),
    findings: readFindings(record["findings"]),
    project: text(record, "project"),
    layout: readLayout(record["layouts"]),
  };
}

function readSpot(value: unknown): Spot {
  const record = fields(value, "a place");
  return {
    ...(typeof record["pos"] === "number" && { pos: record["pos"] }),
    ...("rows" in record && { rows: span(record, "rows") }),
    ...("columns" in record && { columns: span(record, "columns") }),
    ...(typeof record["hidden"] === "boolean" && { hidden: record["hidden"] }),
  };
}

/** Read the notes of the cell that was found. */
export function readNotesFound(value: unknown): Note[] {
  const [found] = readPage(value).records;
  return found === undefined ? [] : readNotes(fields(found, "a cell")["notes"]);
}

function readNotes(value: unknown): Note[] {
  const isNote = (each: unknown): each is Note =>
    typeof each === "object" && each !== null && "step" in each && "text" in each && typeof each.step === "number" && typeof each.text === "string";
  return Array.isArray(value) ? value.filter(isNote).map(({ step, text }) => ({ step, text })) : [];
}

/** Read a page of what was logged under a name. */
export function readMedia(value: unknown): MediaPage {
  const record = fields(value, "media");
  return {
    count: number(record, "count"),
    items: list(record["items"], "items").map((each) => {
      const item = fields(each, "an item");
      return {
        place: number(item, "place"),
        step: numberOr(item, "step", null),
        value: item["value"],
        caption: textOr(item, "caption", ""),
      };
    }),
  };
}

function span(record: Fields, key: string): number {
  return Math.max(1, Math.floor(numberOr(record, key, 1)) || 1);
}

/** Read from what a server says of itself how many cells name no run. */
export function readLooseCells(value: unknown): number {
  return number(fields(value, "about"), "loose_cells");
}

/** Read an array of finding records. */
export function readFindings(value: unknown): Finding[] {
  return list(value, "findings").map((each) => {
    const record = fields(each, "a finding");
    const severity = text(record, "severity");
    if (!SEVERITIES.includes(severity)) throw new WireError(`a finding's severity is ${severity}`);
    return {
      id: text(record, "_id"),
      run: text(record, "run"),
      kind: text(record, "kind"),
      severity: severity as Severity,
      sentence: text(record, "sentence"),
      advice: textOr(record, "advice", ""),
      metric: textOr(record, "metric", null),
      firstStep: numberOr(record, "first_step", null),
      lastStep: numberOr(record, "last_step", null),
    };
  });
}

/** Read the ids of runs that were removed. */
export function readGone(value: unknown): string[] {
  return texts(list(value, "gone"));
}

/** Read the run that `resync` names. */
export function readResync(value: unknown): string | null {
  return textOr(fields(value, "resync"), "run", null);
}

/** Read the command that opens the page again once this server is gone. */
export function readClosing(value: unknown): string {
  return textOr(fields(value, "closing"), "command", "agnez server");
}

/** Read points messages, one behind the other (docs/architecture.md has the layout). */
export function readPoints(message: ArrayBuffer): PointsMessage[] {
  const messages: PointsMessage[] = [];
  let start = 0;
  do {
    const [read, end] = readOne(message, start);
    messages.push(read);
    start = end;
  } while (start < message.byteLength);
  return messages;
}

/**
 * Read the points message that begins at a byte, and say where it ends.
 *
 * The columns are views of the message, not copies: the header's length is a multiple of 8, which keeps them aligned.
 * They are read in the machine's byte order, which is little-endian wherever browsers run.
 */
function readOne(message: ArrayBuffer, start: number): [PointsMessage, number] {
  if (message.byteLength < start + HEAD) throw new WireError("this points message is cut short");
  const head = new DataView(message, start, HEAD);
  const version = head.getUint8(0);
  if (version !== VERSION) throw new WireError(`points message of version ${version}; this page reads version ${VERSION}`);
  const length = head.getUint32(4, true);
  const columns = start + HEAD + length;
  if (length % 8 !== 0 || columns > message.byteLength) throw new WireError("this points message is cut short");
  const header = fields(readJson(new Uint8Array(message, start + HEAD, length)), "header");
  const cursor = text(header, "cursor");
  if (cursor === "") throw new WireError("this points message has no cursor");
  const [series, end] = readColumns(message, columns, list(header["series"], "series").map(readEntry));
  const read = { run: text(header, "run"), cursor, after: textOr(header, "after", null), series };
  return [{ ...read, decimated: (head.getUint8(1) & 1) === 1 }, end];
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new WireError("the header of this points message is no JSON");
  }
}

interface Entry {
  readonly metric: string;
  readonly count: number;
  readonly axis: string | null;
}

function readEntry(value: unknown): Entry {
  const [metric, count, axis = null] = list(value, "a series");
  if (typeof metric !== "string" || !isCount(count)) throw new WireError("a series has no name or no count");
  if (axis !== null && typeof axis !== "string") throw new WireError(`the axis of ${metric} is no text`);
  return { metric, count, axis };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function readColumns(message: ArrayBuffer, start: number, entries: readonly Entry[]): [SeriesPart[], number] {
  const columns = entries.reduce((sum, { count, axis }) => sum + count * (axis === null ? 3 : 4), 0);
  const end = start + 8 * columns;
  if (end > message.byteLength) throw new WireError("this points message has the wrong length");
  let offset = start;
  const column = (count: number): Float64Array => {
    const view = new Float64Array(message, offset, count);
    offset += 8 * count;
    return view;
  };
  const series = entries.map(({ metric, count, axis }) => ({
    metric,
    axis,
    steps: column(count),
    values: column(count),
    times: column(count),
    places: axis === null ? null : column(count),
  }));
  return [series, end];
}
