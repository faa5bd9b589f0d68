import { describe, expect, test } from "vitest";
import { Buckets, type Trace } from "../src/charts/buckets";
import { count, growing, noise, track } from "./lines";

const LENGTH = 20_000;
const VALUES = noise(LENGTH);
const GRID = { origin: 0, unit: 100 };

function kept({ x, y, length }: Trace): (readonly [number, number])[] {
  return count(length).map((i) => [x[i] ?? NaN, y[i] ?? NaN]);
}

function whole(values: ArrayLike<number>, unit = 100): Trace {
  return new Buckets().update(track(count(values.length), values), { origin: 0, unit }, 0, values.length);
}

/** Check of each pixel that its first, lowest, highest and last value are drawn. */
function expectExact(trace: Trace, values: Float64Array, { origin, unit }: typeof GRID, from: number, to: number): void {
  const points = kept(trace);
  for (let pixel = 0; origin + pixel * unit < to; pixel++) {
    const [start, end] = [Math.ceil(Math.max(from, origin + pixel * unit)), Math.min(to, origin + (pixel + 1) * unit)];
    const all = [...values.subarray(start, Math.ceil(end))];
    const drawn = points.filter(([x]) => x >= start && x < end).map(([, y]) => y);
    if (all.length === 0) continue;
    expect(Math.min(...drawn)).toBe(Math.min(...all));
    expect(Math.max(...drawn)).toBe(Math.max(...all));
    expect(drawn[0]).toBe(all[0]);
    expect(drawn[drawn.length - 1]).toBe(all[all.length - 1]);
  }
}

describe("a line in pixels", () => {
  test("keeps few points as they are", () => {
    expect(kept(whole([3, 1, 2], 0.01))).toEqual([[0, 3], [1, 1], [2, 2]]);
  });

  test("loses no extreme of any pixel, at most four points in each", () => {
    const trace = whole(VALUES);
    expectExact(trace, VALUES, GRID, 0, LENGTH);
    expect(trace.length).toBeLessThanOrEqual(4 * 200);
    expect(trace.points).toBe(LENGTH);
  });

  test("is the same when it grew as when it is read at once", () => {
    const upTo = growing(count(LENGTH), VALUES);
    const buckets = new Buckets();
    for (let n = 1; n < LENGTH; n += 1 + (n % 613)) buckets.update(upTo(n), GRID, 0, LENGTH);
    const grown = kept(buckets.update(upTo(LENGTH), GRID, 0, LENGTH));
    expect(grown).toEqual(kept(whole(VALUES)));
  });

  test("of a part comes from a point before it and goes to one behind", () => {
    const trace = new Buckets().update(track(count(100), count(100)), { origin: 40, unit: 0.5 }, 40, 50);
    expect(kept(trace).map(([x]) => x)).toEqual([39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51]);
  });

  test("keeps the extremes of a part that moves on by pixels, and by parts of them", () => {
    const line = track(count(LENGTH), VALUES);
    const buckets = new Buckets();
    for (const origin of [1000, 1070, 1140, 1210.5, 3000, 200]) {
      const grid = { origin, unit: 70 };
      expectExact(buckets.update(line, grid, origin, origin + 7000), VALUES, grid, origin, origin + 7000);
    }
  });

  test("that grew past the end of what is shown is drawn further when more of it is shown", () => {
    const upTo = growing(count(1000), VALUES.subarray(0, 1000));
    const buckets = new Buckets();
    buckets.update(upTo(500), { origin: 0, unit: 10 }, 0, 400);
    buckets.update(upTo(900), { origin: 0, unit: 10 }, 0, 400);
    const trace = buckets.update(upTo(1000), { origin: 0, unit: 10 }, 0, 1000);
    expectExact(trace, VALUES.subarray(0, 1000), { origin: 0, unit: 10 }, 0, 1000);
  });

  test("draws a spike of one point among ten million at every zoom", () => {
    const length = 10_000_000;
    const values = new Float64Array(length).fill(1);
    const spike = 6_543_210;
    values[spike] = 50;
    const line = track(Float64Array.from({ length }, (_, i) => i), values);
    for (let width = length; width > 10; width /= 8) {
      const from = Math.max(0, spike - width / 3);
      const trace = new Buckets().update(line, { origin: from, unit: width / 800 }, from, from + width);
      expect(kept(trace)).toContainEqual([spike, 50]);
    }
  });
});

describe("what is not finite", () => {
  test("breaks the line and leaves its place and its kind", () => {
    const trace = whole([1, 2, NaN, 3, Infinity, -Infinity, 4], 0.01);
    expect(kept(trace).map(([, y]) => y)).toEqual([1, 2, NaN, 3, NaN, 4]);
    expect(trace.gaps).toEqual([{ x: 2, kind: "nan" }, { x: 4, kind: "up" }, { x: 5, kind: "down" }]);
  });

  test("breaks the line even where many points share its pixel, and hides no extreme", () => {
    const values = VALUES.slice(0, 1000);
    values[555] = NaN;
    const trace = whole(values);
    expect(kept(trace).filter(([, y]) => Number.isNaN(y))).toHaveLength(1);
    expectExact(trace, values.map((each) => (Number.isNaN(each) ? 0.5 : each)), { origin: 0, unit: 100 }, 0, 500);
  });

  test("costs no more than a few points a pixel, however much there is of it", () => {
    const values = VALUES.map((value, i) => (i % 2 === 0 ? NaN : value));
    const trace = whole(values);
    expect(trace.length).toBeLessThanOrEqual(10 * 200);
    expect(trace.gaps.length).toBe(200);
    expect(Math.max(...kept(trace).map(([, y]) => y).filter(Number.isFinite))).toBe(Math.max(...values.filter(Number.isFinite)));
  });

  test("is marked once where the line grew over its pixel again and again", () => {
    const values = VALUES.slice(0, 1000);
    values[310] = NaN;
    const upTo = growing(count(1000), values);
    const buckets = new Buckets();
    for (let n = 300; n <= 1000; n += 7) buckets.update(upTo(n), GRID, 0, 1000);
    expect(buckets.update(upTo(1000), GRID, 0, 1000).gaps).toEqual([{ x: 310, kind: "nan" }]);
  });
});
