import { describe, expect, test } from "vitest";
import { Curves } from "../src/charts/curves";
import { layOut } from "../src/charts/layout";
import type { Drawn, LineModel } from "../src/charts/model";
import { tableOf } from "../src/charts/numbers";
import type { Palette } from "../src/charts/palette";
import { BY_STEP } from "../src/charts/placing";
import { seriesStyles, type SeriesStyle } from "../src/charts/style";
import { svgPage } from "../src/charts/svg";
import { DEFAULTS } from "../src/state/outlook";
import { columnsOf } from "./lines";

const { ink } = svgPage(300, 100, (text) => 6 * text.length);
const styles = seriesStyles(["loss", "other"]);

/** A chart of two lines of a run and one of another, with notes. */
function drawn(notes: LineModel["notes"], zoom: readonly [number, number] | null = null): Drawn {
  const lines = [
    { of: styles[0], points: columnsOf([0, 10, 20], [3, 2, 1]), run: null },
    { of: styles[1], points: columnsOf([0, 14, 28], [5, 6, 7]), run: null },
    { of: styles[0], points: columnsOf([0, 13], [9, 8]), run: "before" },
  ].map(({ of, points, run }, nth) => {
    const style = of as SeriesStyle;
    return { key: String(nth), style, points: points.points, placing: BY_STEP, last: points.last, run, alive: false };
  });
  const model: LineModel = {
    lines,
    axis: { unit: "step", label: "step", domain: [0, 28] },
    settings: { ...DEFAULTS, zoom },
    hover: null,
    near: null,
    pins: [],
    share: false,
    marks: [],
    notes,
    palette: {} as Palette,
    summary: "",
  };
  return layOut(ink, { width: 300, height: 100, ratio: 1 }, model, new Curves(), null);
}

function said(table: ReturnType<typeof tableOf>): unknown[] {
  const [run, step, note] = ["run", "step", "note"].map((name) => table.columns.indexOf(name)) as [number, number, number];
  return table.rows.filter((row) => row[note] !== "").map((row) => [row[run], row[step], row[note]]);
}

describe("the numbers behind a chart", () => {
  test("have no column for notes where there are none", () => {
    expect(tableOf(drawn([])).columns).toEqual(["run", "metric", "step", "time", "value"]);
  });

  test("say each note once, at the point of the run that is nearest to it", () => {
    const notes = [
      { step: 10, text: "warm" },
      { step: 13, text: "odd, \"quoted\"" },
      { step: 11, text: "and on" },
    ];
    expect(said(tableOf(drawn(notes)))).toEqual([
      ["", 10, "warm · and on"],
      ["", 14, "odd, \"quoted\""],
    ]);
  });

  test("say what was noted beyond the ends of a line, where it is drawn", () => {
    expect(said(tableOf(drawn([{ step: 27, text: "late" }])))).toEqual([["", 28, "late"]]);
    expect(said(tableOf(drawn([{ step: 40, text: "later" }])))).toEqual([["", 28, "later"]]);
  });

  test("leave out what was noted of another part", () => {
    expect(said(tableOf(drawn([{ step: 2, text: "early" }, { step: 14, text: "late" }], [9, 28])))).toEqual([["", 14, "late"]]);
  });
});
