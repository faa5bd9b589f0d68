import { describe, expect, test, vi } from "vitest";
import { Curves } from "../src/charts/curves";
import type { Ink, Pen } from "../src/charts/ink";
import { layOut } from "../src/charts/layout";
import type { Drawn, LineModel } from "../src/charts/model";
import type { Palette } from "../src/charts/palette";
import { BY_STEP } from "../src/charts/placing";
import { seriesStyles } from "../src/charts/style";
import { DEFAULTS } from "../src/state/outlook";
import { columnsOf, count, noise } from "./lines";

// What watches nodes there is in browsers alone; nothing here is a node.
for (const name of ["IntersectionObserver", "ResizeObserver"]) vi.stubGlobal(name, Object);
const { drawAll, drawCursor } = await import("../src/charts/draw");

const SHEET = { width: 400, height: 200, ratio: 1 };
const palette = { panel: "panel", series: ["one", "two", "three", "four", "five", "six"] } as unknown as Palette;

/** Ink that notes what is drawn over what: the pens of paths with their heights, and the boxes. */
function noted(): { readonly ink: Ink; readonly marks: Mark[] } {
  const marks: Mark[] = [];
  const ink: Ink = {
    stroke: (pen, draw) => marks.push({ pen, heights: heightsOf(draw) }),
    fill: () => undefined,
    box: (colour, x, y, width, height, strength = 1) => marks.push({ veil: colour, x, y, width, height, strength }),
    dot: () => undefined,
    write: () => undefined,
    measure: (text) => 6 * text.length,
    within: (_x, _y, _width, _height, draw) => draw(),
  };
  return { ink, marks };
}

type Mark =
  | { readonly pen: Pen; readonly heights: readonly number[] }
  | { readonly veil: string; readonly x: number; readonly y: number; readonly width: number; readonly height: number; readonly strength: number };

function heightsOf(draw: Parameters<Ink["stroke"]>[1]): number[] {
  const heights: number[] = [];
  draw({ moveTo: (_, y) => heights.push(y), lineTo: (_, y) => heights.push(y) });
  return heights;
}

/** A chart of lines at steps, by their names. */
function chart(lines: Readonly<Record<string, ArrayLike<number>>>, changed: Partial<LineModel> = {}): Drawn {
  const names = Object.keys(lines);
  const model: LineModel = {
    lines: seriesStyles(names).map((style) => {
      const values = lines[style.metric] ?? [];
      const { points, last } = columnsOf(count(values.length), values);
      return { key: style.metric, style, points, placing: BY_STEP, last, run: null, alive: false };
    }),
    axis: { unit: "step", label: "step", domain: [0, 99] },
    settings: { ...DEFAULTS, zoom: null },
    hover: null,
    near: null,
    pins: [],
    share: false,
    marks: [],
    notes: [],
    palette,
    summary: "",
    ...changed,
  };
  return layOut(noted().ink, SHEET, model, new Curves(), null);
}

/** The paths of lines in the order in which they are drawn: those with as many points as a line has. */
function pathsOf(marks: readonly Mark[]): { readonly pen: Pen; readonly heights: readonly number[] }[] {
  return marks.flatMap((mark) => ("pen" in mark && mark.heights.length > 2 ? [mark] : []));
}

/** How far a path goes up and down from one point to the next, on average. */
function roughness(heights: readonly number[]): number {
  return heights.slice(1).reduce((sum, height, nth) => sum + Math.abs(height - (heights[nth] ?? 0)), 0) / (heights.length - 1);
}

describe("a smoothed line", () => {
  const rough = { loss: noise(100) };

  test("has its raw curve behind it, in its colour and a quarter as strong", () => {
    const { ink, marks } = noted();
    drawAll(ink, chart(rough, { settings: { ...DEFAULTS, zoom: null, smoothing: { kind: "gauss", amount: 0.8 } } }));
    const [raw, smooth] = pathsOf(marks);
    expect(pathsOf(marks)).toHaveLength(2);
    expect([raw?.pen.colour, raw?.pen.strength]).toEqual(["one", 0.25]);
    expect([smooth?.pen.colour, smooth?.pen.strength]).toEqual(["one", 1]);
    const { ink: plain, marks: alone } = noted();
    const drawn = chart(rough);
    drawAll(plain, drawn);
    const [own] = pathsOf(alone);
    expect(pathsOf(alone)).toHaveLength(1);
    expect(own?.pen.strength).toBe(1);
    expect(raw?.heights).toEqual(own?.heights);
    expect(roughness(smooth?.heights ?? [])).toBeLessThan(roughness(raw?.heights ?? []) / 10);
  });

  test("of few points is drawn as they are", () => {
    const { ink, marks } = noted();
    drawAll(ink, chart({ loss: [3, 1] }, { settings: { ...DEFAULTS, zoom: null, smoothing: { kind: "ema", amount: 0.9 } } }));
    expect(marks.filter((mark) => "pen" in mark && mark.pen.colour === "one").map((mark) => "pen" in mark && mark.pen.strength)).toEqual([1]);
  });
});

describe("the line that is meant", () => {
  const flat = (lines: number): Record<string, number[]> =>
    Object.fromEntries(Array.from({ length: lines }, (_, nth) => [`w/${"abcdefgh"[nth] ?? ""}`, count(100).map(() => nth)]));

  test("is drawn above a veil over all others, stronger than before", () => {
    const drawn = chart(flat(6));
    const { ink, marks } = noted();
    drawCursor(ink, drawn, { ...drawn.model, near: "w/c" });
    const [veil, ...rest] = marks;
    const { left, top, width, height } = drawn.frame;
    expect(veil).toEqual({ veil: "panel", x: left, y: top, width, height, strength: 0.6 });
    const [line] = pathsOf(rest);
    expect(pathsOf(rest)).toHaveLength(1);
    expect([line?.pen.colour, line?.pen.width]).toEqual(["three", 2.75]);
    expect(new Set(line?.heights)).toEqual(new Set([top + drawn.frame.y(2)]));
  });

  test("is the smoothed curve where there is one", () => {
    const lines = { ...flat(5), "w/z": noise(100) };
    const drawn = chart(lines, { settings: { ...DEFAULTS, zoom: null, smoothing: { kind: "gauss", amount: 0.8 } } });
    const { ink, marks } = noted();
    drawCursor(ink, drawn, { ...drawn.model, near: "w/z" });
    const [line] = pathsOf(marks);
    expect(roughness(line?.heights ?? [])).toBeLessThan(roughness([...noise(100)].map((value) => drawn.frame.y(value))) / 10);
  });

  test("of few lines, or where none is, veils nothing", () => {
    const few = chart(flat(4));
    const { ink, marks } = noted();
    drawCursor(ink, few, { ...few.model, near: "w/c" });
    const many = chart(flat(6));
    drawCursor(ink, many, { ...many.model, near: null });
    expect(marks).toEqual([]);
  });
});
