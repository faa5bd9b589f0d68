import { describe, expect, test } from "vitest";
import { runAxis } from "../src/charts/axis";
import { changedFrom, ROOM } from "../src/charts/change";
import { Curves } from "../src/charts/curves";
import { layOut } from "../src/charts/layout";
import type { Drawn, LineModel } from "../src/charts/model";
import type { Palette } from "../src/charts/palette";
import type { Placing } from "../src/charts/placing";
import { seriesStyles, type SeriesStyle } from "../src/charts/style";
import { svgPage } from "../src/charts/svg";
import { Columns, NO_POINTS } from "../src/state/columns";
import { DEFAULTS } from "../src/state/outlook";
import { append, columnsOf, count } from "./lines";

const SETTINGS = { ...DEFAULTS, zoom: null };

const styles = seriesStyles(["loss", "other"]);
const palette = {} as Palette;
const NOTHING = { epoch: null, epochs: null, step: null, stepsPerEpoch: null };
const NONE: readonly never[] = [];
const { ink } = svgPage(154, 100, (text) => 6 * text.length);

/** The epochs of a training whose epochs ended at some steps, as far as it knows; ten steps each where it does not. */
function ended(...ends: readonly number[]): Placing {
  const epochs = ends.length > 0 ? columnsOf(ends, ends.map((_, nth) => nth + 1)).points : NO_POINTS;
  return { by: "epoch", knots: runAxis(epochs, { ...NOTHING, epochs: 10, stepsPerEpoch: 10 }, [0, 50], true).knots };
}

const EVEN = ended();

/** A chart of 100 steps in 10 epochs, 100 pixels wide: a step is a pixel. */
function charted(): (columns: readonly Columns[], changed?: Partial<LineModel>, placing?: Placing) => Drawn {
  const curves = new Curves();
  let before: Drawn | null = null;
  return (columns, changed = {}, placing = EVEN) => {
    const lines = columns.map((each, nth) => {
      const style = styles[nth] as SeriesStyle;
      return { key: style.metric, style, points: each.points, placing, last: each.last, run: null, alive: true };
    });
    const model: LineModel = {
      lines,
      axis: { unit: "epoch", label: "epoch", domain: [0, 10] },
      settings: { ...SETTINGS, y: [0, 100] },
      hover: null,
      near: null,
      pins: NONE,
      share: false,
      marks: NONE,
      notes: NONE,
      palette,
      summary: "",
      ...changed,
    };
    return (before = layOut(ink, { width: 154, height: 100, ratio: 1 }, model, curves, before));
  };
}

function upTo(end: number): Columns {
  return columnsOf(count(end), count(end));
}

describe("a chart is drawn anew", () => {
  test("from the last point it had, where its lines only grew", () => {
    const [loss, other] = [upTo(51), upTo(71)];
    const draw = charted();
    const before = draw([loss, other]);
    append(loss, [51, 52, 53], [1, 2, 3]);
    expect(changedFrom(before, draw([loss, other]))).toBeCloseTo(50 - ROOM);
  });

  test("not at all where only the cursor moved", () => {
    const columns = [upTo(50)];
    const draw = charted();
    expect(changedFrom(draw(columns), draw(columns, { hover: 3, near: "loss", summary: "other words" }))).toBe(Infinity);
  });

  test("from the end of the last known epoch, where the next one ended", () => {
    const columns = [upTo(50)];
    const draw = charted();
    const before = draw(columns, {}, ended(10, 20, 30));
    const after = draw(columns, {}, ended(10, 20, 30, 42));
    expect(changedFrom(before, after)).toBeCloseTo(30 - ROOM);
    expect(changedFrom(after, draw(columns, {}, ended(10, 20, 31, 42)))).toBe(-Infinity);
  });

  test.each<readonly [string, Partial<LineModel>]>([
    ["its values need more room", { settings: { ...SETTINGS, y: [0, 200] } }],
    ["a part of it is chosen", { settings: { ...SETTINGS, y: [0, 100], zoom: [1, 2] } }],
    ["its powers are drawn", { settings: { ...SETTINGS, y: [0, 100], scale: "log" } }],
    ["it is smoothed", { settings: { ...SETTINGS, y: [0, 100], smoothing: { kind: "ema", amount: 0.5 } } }],
    ["the theme changes", { palette: { ...palette } }],
    ["something is found", { marks: [{ from: 1, to: 2, severe: false }] }],
    ["something is noted", { notes: [{ step: 1, text: "here" }] }],
    ["a place is pinned", { pins: [3] }],
  ])("as a whole when %s", (_, changed) => {
    const columns = [upTo(50)];
    const draw = charted();
    expect(changedFrom(draw(columns), draw(columns, changed))).toBe(-Infinity);
  });

  test("as a whole when a point came out of order, or the line is another run's", () => {
    const loss = upTo(50);
    const draw = charted();
    const before = draw([loss]);
    expect(changedFrom(before, draw([upTo(60)]))).toBe(-Infinity);
    append(loss, [20], [20]);
    expect(changedFrom(before, draw([loss]))).toBe(-Infinity);
  });

  test("from its first point on, when a line begins", () => {
    const [loss, late] = [upTo(50), new Columns()];
    const draw = charted();
    const before = draw([loss, late]);
    append(late, [40], [40]);
    expect(changedFrom(before, draw([loss, late]))).toBeCloseTo(40 - ROOM);
  });

  test("from where a smoothed curve is new", () => {
    const loss = upTo(60);
    const settings = { ...SETTINGS, y: [0, 100] as const, smoothing: { kind: "gauss" as const, amount: 0.3 } };
    const draw = charted();
    const before = draw([loss], { settings });
    append(loss, [60], [3]);
    const from = changedFrom(before, draw([loss], { settings }));
    expect(from).toBeGreaterThan(40 - ROOM);
    expect(from).toBeLessThan(59 - ROOM);
  });
});
