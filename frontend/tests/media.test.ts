import { describe, expect, it } from "vitest";
import { domain, heat, labelled, ridges, spread, type Distribution } from "../src/cells/distributions";
import { clicked, sorted } from "../src/cells/sorting";
import { tiles } from "../src/cells/tiles";
import { readFilm, readHistogram, readNumber, readPictures, readSound, readTable, readText, type Table } from "../src/media";

function table(rows: unknown[][]): Table {
  const read = readTable({ columns: (rows[0] ?? []).map((_, nth) => `c${nth}`), rows });
  if (read === null || !("value" in read)) throw new Error("no table");
  return read.value;
}

describe("the values of cells", () => {
  it("are read in each of their shapes, and null where they are none", () => {
    expect(readPictures(["a.png", { src: "b.png", caption: "b" }])).toEqual({
      pictures: [
        { src: "a.png", caption: "" },
        { src: "b.png", caption: "b" },
      ],
    });
    const sheet = { src: "s.png", count: 3, columns: 2, width: 7, height: 5 };
    expect(readPictures(sheet)).toEqual({ sheet });
    for (const wrong of [7, [7], { ...sheet, columns: 0 }, { src: "s" }, null]) expect(readPictures(wrong)).toBeNull();
    expect(readFilm("./x.gif")).toEqual({ src: "./x.gif", frames: null, gif: true });
    expect(readFilm({ src: "x.mp4" })?.gif).toBe(false);
    expect(readSound({ src: "x.wav", peaks: [0, 1, "2"], seconds: 2 })).toEqual({ src: "x.wav", seconds: 2, peaks: [0, 1] });
    expect(readText("# hi")).toEqual({ value: "# hi" });
    expect(readText({ src: "x.md" })).toEqual({ src: "x.md" });
    expect(readNumber("-Infinity")).toBe(-Infinity);
    for (const read of [readFilm, readSound, readText, readTable, readHistogram, readNumber]) expect(read({ other: 1 })).toBeNull();
  });

  it("tell numbers that are not finite from words", () => {
    const { columns, rows } = table([
      [1, "NaN", true, null],
      ["Infinity", "x", null, { a: 1 }],
    ]);
    expect(columns.map(({ numeric }) => numeric)).toEqual([true, false, false, false]);
    expect(rows).toEqual([
      [1, "NaN", true, null],
      [Infinity, "x", null, '{"a":1}'],
    ]);
  });

  it("hold a histogram only where its edges are one more than its counts", () => {
    expect(readHistogram({ counts: [1, 2], edges: [0, 1, 2] })).toEqual({ counts: [1, 2], edges: [0, 1, 2], nonFinite: 0 });
    expect(readHistogram({ counts: [1, 2], edges: [0, 1] })).toBeNull();
    expect(readHistogram({ counts: [], edges: [], non_finite: 4 })?.nonFinite).toBe(4);
  });
});

describe("the order of rows", () => {
  const rows = table([[3], [null], ["NaN"], [-1], ["Infinity"], [3]]);

  it("keeps equal ones as they were, and puts what is nothing last either way", () => {
    expect(sorted(rows, { column: 0, down: false })).toEqual([3, 0, 5, 4, 1, 2]);
    expect(sorted(rows, { column: 0, down: true })).toEqual([4, 0, 5, 3, 1, 2]);
    expect(sorted(rows, null)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(sorted(table([["layer 10"], ["layer 9"]]), { column: 0, down: false })).toEqual([1, 0]);
  });

  it("goes round with clicks: the largest numbers and the first words come first", () => {
    expect(clicked(null, 2, true)).toEqual({ column: 2, down: true });
    expect(clicked({ column: 2, down: true }, 2, true)).toEqual({ column: 2, down: false });
    expect(clicked({ column: 2, down: false }, 2, true)).toBeNull();
    expect(clicked({ column: 2, down: false }, 1, false)).toEqual({ column: 1, down: false });
  });
});

describe("a grid of pictures", () => {
  it("shows them as large as all fit", () => {
    for (const count of [1, 2, 7, 10, 40, 120]) {
      const { columns, width, height } = tiles(count, 1, { width: 360, height: 180 }, 1000);
      const rows = Math.ceil(count / columns);
      expect(columns * width + 3 * (columns - 1)).toBeLessThanOrEqual(360);
      expect(rows * height + 3 * (rows - 1)).toBeLessThanOrEqual(180);
    }
    expect(tiles(40, 1, { width: 360, height: 180 }, 1000).width).toBeGreaterThan(30);
  });

  it("scrolls before they are too small to be seen", () => {
    const { columns, width } = tiles(1000, 1, { width: 360, height: 180 }, 1000);
    expect(width).toBe(18);
    expect(columns * width).toBeLessThanOrEqual(360);
  });
});

describe("histograms over steps", () => {
  const all: Distribution[] = [
    { place: 0, step: 0, histogram: { counts: [1, 3], edges: [-1, 0, 1], nonFinite: 0 } },
    { place: 1, step: 10, histogram: { counts: [8, 8], edges: [0, 1, 3], nonFinite: 0 } },
    { place: 2, step: 20, histogram: { counts: [], edges: [], nonFinite: 5 } },
  ];

  it("stand over one range, the newest in front and at the bottom", () => {
    expect(domain(all)).toEqual([-1, 3]);
    const { ridges: laid, ticks } = ridges(all, { width: 228, height: 200 });
    expect(laid.map(({ place }) => place)).toEqual([0, 1]); // what has no finite number has no line
    expect((laid[1]?.base ?? 0) > (laid[0]?.base ?? 0)).toBe(true);
    expect(laid[1]?.strength).toBe(1);
    expect(ticks.map(({ label }) => label)).toEqual(["−1", "0", "1", "2", "3"]);
    expect(laid[0]?.path).not.toContain("NaN");
  });

  it("are told by their mean and by the values between which something lies", () => {
    expect(spread({ counts: [0, 1, 3, 0], edges: [-2, -1, 0, 2, 9], nonFinite: 0 })).toEqual({ mean: 0.625, low: -1, high: 2 });
    expect(spread({ counts: [0, 0], edges: [0, 1, 2], nonFinite: 3 })).toBe(null);
    expect(spread({ counts: [], edges: [], nonFinite: 5 })).toBe(null);
  });

  it("compare by density: a wide bin is lower than a narrow one that holds as much", () => {
    const [, column] = heat(all);
    const [wide, narrow] = [column?.[10] ?? 0, column?.[60] ?? 0];
    expect(narrow).toBeGreaterThan(wide);
    expect(wide).toBeGreaterThan(0);
    expect(column?.at(-1)).toBe(0); // below its least value
  });

  it("have labels that tell their values apart", () => {
    expect(labelled([0, 0.004], 4).map(({ label }) => label)).toEqual(["0.000", "0.001", "0.002", "0.003", "0.004"]);
    expect(new Set(labelled([1e7, 3e7], 4).map(({ label }) => label)).size).toBeGreaterThan(2);
  });
});
