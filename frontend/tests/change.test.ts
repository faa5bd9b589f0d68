import { scaleLinear } from "d3-scale";
import { describe, expect, test } from "vitest";
import { runAxis, type Axis } from "../src/charts/axis";
import { changedFrom, ROOM } from "../src/charts/change";
import type { Drawn, LineModel, Pen } from "../src/charts/model";
import type { Palette } from "../src/charts/palette";
import { seriesStyles, type SeriesStyle } from "../src/charts/style";
import { Columns, NO_POINTS } from "../src/state/columns";

const styles = seriesStyles(["loss", "other"]);
const palette = {} as Palette;
const marks: LineModel["marks"] = [];
const NOTHING = { epoch: null, epochs: null, step: null, stepsPerEpoch: null };
const axis = runAxis(NO_POINTS, { ...NOTHING, epochs: 10, stepsPerEpoch: 10 }, [0, 50], true);

/** A chart of 100 steps in 10 epochs, 100 pixels wide: a step is a pixel. */
function drawn(columns: readonly Columns[], changed: Partial<LineModel> = {}, high = 1): Drawn {
  const x = scaleLinear([0, 10], [0, 100]);
  const lines = columns.map((each, nth) => ({ style: styles[nth] as SeriesStyle, points: each.points, last: each.last }));
  const model = { lines, axis, zoom: null, hover: null, share: false, alive: true, marks, palette, summary: "", ...changed };
  const pens = lines.map(({ style }): Pen => ({ style, strength: 1, dense: false }));
  return { model, frame: { left: 40, top: 8, width: 100, height: 50, x, y: scaleLinear([0, high], [50, 0]) }, pens };
}

function upTo(end: number): Columns {
  const columns = new Columns();
  grow(columns, 0, end);
  return columns;
}

function grow(columns: Columns, start: number, end: number): void {
  const steps = Float64Array.from({ length: end - start }, (_, i) => start + i);
  columns.append({ steps, values: steps, times: steps });
}

describe("a chart is drawn anew", () => {
  test("from the last point it had, where its lines only grew", () => {
    const [loss, other] = [upTo(51), upTo(71)];
    const before = drawn([loss, other]);
    grow(loss, 51, 60);
    expect(changedFrom(before, drawn([loss, other]))).toBeCloseTo(50 - ROOM);
  });

  test("not at all where only the cursor moved", () => {
    const columns = [upTo(50)];
    expect(changedFrom(drawn(columns), drawn(columns, { hover: 3, summary: "other words" }))).toBe(Infinity);
  });

  test("from the end of the last known epoch, where the next one ended", () => {
    const columns = [upTo(50)];
    const ended = (...ends: readonly number[]): Axis => {
      const epochs = new Columns();
      const steps = Float64Array.from(ends);
      epochs.append({ steps, values: Float64Array.from(ends, (_, nth) => nth + 1), times: steps });
      return runAxis(epochs.points, { ...NOTHING, epochs: 10 }, [0, 50], true);
    };
    const before = drawn(columns, { axis: ended(10, 20, 30) });
    expect(changedFrom(before, drawn(columns, { axis: ended(10, 20, 30, 42) }))).toBeCloseTo(30 - ROOM);
    expect(changedFrom(before, drawn(columns, { axis: ended(10, 20, 31, 42) }))).toBe(-Infinity);
  });

  test.each<readonly [string, Partial<LineModel>, number]>([
    ["its values need more room", {}, 2],
    ["a part of it is chosen", { zoom: [1, 2] }, 1],
    ["the training ends", { alive: false }, 1],
    ["the theme changes", { palette: { ...palette } }, 1],
    ["something is found", { marks: [{ from: 1, to: 2, severe: false }] }, 1],
  ])("as a whole when %s", (_, changed, high) => {
    const columns = [upTo(50)];
    expect(changedFrom(drawn(columns), drawn(columns, changed, high))).toBe(-Infinity);
  });

  test("as a whole when a point came out of order, or the line is another run's", () => {
    const loss = upTo(50);
    const before = drawn([loss]);
    expect(changedFrom(before, drawn([upTo(60)]))).toBe(-Infinity);
    grow(loss, 20, 21);
    expect(changedFrom(before, drawn([loss]))).toBe(-Infinity);
  });

  test("from its first point on, when a line begins", () => {
    const [loss, late] = [upTo(50), new Columns()];
    const before = drawn([loss, late]);
    grow(late, 40, 41);
    expect(changedFrom(before, drawn([loss, late]))).toBeCloseTo(40 - ROOM);
  });
});
