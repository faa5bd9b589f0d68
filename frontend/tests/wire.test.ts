import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  readCell,
  readCells,
  readFindings,
  readGone,
  readLooseCells,
  readPage,
  readPoints,
  readRun,
  WireError,
  type SeriesPart,
} from "../src/wire";

type Column = readonly (number | string)[];
interface Expected {
  readonly run: string;
  readonly cursor: string;
  readonly after: string | null;
  readonly decimated: boolean;
  /** Metric, steps, values, times; and where the run says what it is drawn over, the places there and its name. */
  readonly series: readonly (readonly (string | Column)[])[];
}

const golden = new URL("../../tests/wire/", import.meta.url);
const expected = JSON.parse(readFileSync(new URL("expected.json", golden), "utf8")) as Record<string, readonly Expected[] | "refused">;

function bytes(name: string): ArrayBuffer {
  const file = readFileSync(new URL(`${name}.bin`, golden));
  return Uint8Array.from(file).buffer;
}

function said(column: Float64Array): Column {
  return Array.from(column, (value) => (Number.isFinite(value) ? value : String(value)));
}

function told({ metric, steps, values, times, axis, places }: SeriesPart): (string | Column)[] {
  const columns = [metric, said(steps), said(values), said(times)];
  return axis === null || places === null ? columns : [...columns, said(places), axis];
}

/** A message without columns that bears this header. */
function withHeader(header: unknown): ArrayBuffer {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const message = new Uint8Array(16 + length).fill(0x20, 16);
  message[0] = 2;
  new DataView(message.buffer).setUint32(4, length, true);
  message.set(json, 16);
  return message.buffer;
}

test("find answers with an array, or with a page of it", () => {
  expect(readPage([1, 2])).toEqual({ records: [1, 2], total: 2 });
  expect(readPage({ total: 9, limit: 1, skip: 0, data: [1] })).toEqual({ records: [1], total: 9 });
  for (const wrong of [null, 7, {}, { data: [] }, { total: 1, data: {} }]) {
    expect(() => readPage(wrong)).toThrow(WireError);
  }
});

describe("the golden points messages", () => {
  test("all are expected, and all that is expected is there", () => {
    const files = readdirSync(fileURLToPath(golden)).filter((name) => name.endsWith(".bin"));
    expect(files.map((name) => name.slice(0, -4)).sort()).toEqual(Object.keys(expected).sort());
  });

  test.each(Object.entries(expected))("%s reads as Python wrote it, or is refused", (name, wanted) => {
    if (wanted === "refused") {
      expect(() => readPoints(bytes(name))).toThrow(WireError);
      return;
    }
    const read = readPoints(bytes(name)).map((message) => ({ ...message, series: message.series.map(told) }));
    expect(read).toEqual(wanted);
  });
});

test.each([
  ["no cursor", { run: "r", series: [] }],
  ["an empty cursor", { run: "r", cursor: "", series: [] }],
  ["a cursor of the earlier wire", { run: "r", cursor: 7, series: [] }],
  ["a count that is none", { run: "r", cursor: "1", series: [["loss", -1]] }],
  ["an axis that is no text", { run: "r", cursor: "1", series: [["loss", 0, 3]] }],
  ["no JSON", "run"],
])("a points message with %s is refused", (_, header) => {
  expect(() => readPoints(withHeader(header))).toThrow(WireError);
});

test("a points message may hold nothing new", () => {
  expect(readPoints(withHeader({ run: "r", cursor: "1", after: "1", series: [] }))).toMatchObject([{ cursor: "1", after: "1", series: [] }]);
});

const run = {
  _id: "a1",
  project: "digits",
  name: "brave-heron-12",
  config: {},
  tags: [],
  notes: "",
  state: "running",
  reason: null,
  created: 1767225600000000,
  ended: null,
  heartbeat: null,
  progress: { epoch: 3, epochs: 20, step: 135, steps_per_epoch: 45 },
  summary: { loss: { last: "NaN", last_step: 4, min: 0.5, min_step: 2, max: "Infinity", max_step: 3, count: 5 } },
  problems: ["the disk is full"],
};

test("a run keeps its non-finite numbers", () => {
  const read = readRun(run);
  expect(read.summary?.["loss"]).toMatchObject({ last: NaN, min: 0.5, max: Infinity });
  expect(read.progress).toEqual({ epoch: 3, epochs: 20, step: 135, stepsPerEpoch: 45 });
});

test("a run whose summary was left out has none, not an empty one", () => {
  expect("summary" in readRun({ ...run, summary: undefined })).toBe(false);
  expect("summary" in readRun({ ...run, summary: {} })).toBe(false);
});

test.each([[null], ["run"], [{ ...run, state: "sleeping" }], [{ ...run, created: "now" }], [{ ...run, _id: 3 }]])(
  "what is no run is refused: %j",
  (value) => {
    expect(() => readRun(value)).toThrow(WireError);
  },
);

test("a foreign cell with only the script's fields gets quiet defaults", () => {
  const cell = readCell({ _id: "x", name: "", type: "html", value: [], pos: 0, description: "" });
  expect(cell).toMatchObject({ metrics: [], view: "live", rows: 1, columns: 1, version: null, epoch: null });
});

test("spans that make no sense count as one", () => {
  expect(readCell({ _id: "x", rows: -2, columns: 2.7 })).toMatchObject({ rows: 1, columns: 2 });
});

test("a change of cells without a run says null", () => {
  expect(readCells({ run: null, changed: [], removed: ["x"] })).toEqual({ run: null, changed: [], removed: ["x"] });
});

test("runs that were removed are named", () => {
  expect(readGone(["a", "b"])).toEqual(["a", "b"]);
  expect(() => readGone("a")).toThrow(WireError);
});

test("a server says how many cells name no run", () => {
  expect(readLooseCells({ app: "agnez", loose_cells: 2 })).toBe(2);
  expect(() => readLooseCells({ app: "another" })).toThrow(WireError);
});

test("a finding without a range still reads", () => {
  const [finding] = readFindings([{ _id: "f", run: "r", kind: "plateau", severity: "info", sentence: "No progress." }]);
  expect(finding).toMatchObject({ advice: "", metric: null, firstStep: null });
});
