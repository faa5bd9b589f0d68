import { describe, expect, test } from "vitest";
import { decimate, type Trace } from "../src/charts/decimate";

function trace(y: readonly number[], width: number): Trace {
  const x = Float64Array.from(y, (_, i) => (i * width) / y.length);
  return decimate(x, Float64Array.from(y), 0, y.length);
}

function kept({ y, length }: Trace): number[] {
  return [...y.subarray(0, length)];
}

/** A sequence without a pattern, the same each time. */
function noise(length: number): number[] {
  let state = 42;
  return Array.from({ length }, () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648);
}

describe("decimation", () => {
  test("few points stay as they are", () => {
    expect(kept(trace([3, 1, 2], 300))).toEqual([3, 1, 2]);
  });

  test("no extreme of any pixel is lost", () => {
    const y = noise(20_000);
    const width = 100;
    const { x, y: out, length } = trace(y, width);
    for (let column = 0; column < width; column++) {
      const all = y.slice(column * 200, (column + 1) * 200);
      const drawn = Array.from({ length }, (_, i) => i).filter((i) => Math.floor(x[i] ?? -1) === column).map((i) => out[i] ?? NaN);
      expect(Math.min(...drawn)).toBe(Math.min(...all));
      expect(Math.max(...drawn)).toBe(Math.max(...all));
      expect(drawn[0]).toBe(all[0]);
      expect(drawn[drawn.length - 1]).toBe(all[all.length - 1]);
    }
  });

  test("at most four points a pixel are drawn, in their order", () => {
    const { x, length } = trace(noise(20_000), 100);
    expect(length).toBeLessThanOrEqual(400);
    for (let i = 1; i < length; i++) expect(x[i] ?? 0).toBeGreaterThanOrEqual(x[i - 1] ?? 0);
  });

  test("what is not finite breaks the line and leaves its place", () => {
    const result = trace([1, 2, NaN, 3, Infinity, -Infinity, 4], 70);
    expect(kept(result)).toEqual([1, 2, NaN, 3, NaN, 4]);
    expect(result.gaps).toEqual([20, 40, 50]);
  });

  test("a line is broken even where many points share the pixel of a gap", () => {
    const y = noise(1000);
    y[555] = NaN;
    expect(kept(trace(y, 10)).filter(Number.isNaN)).toHaveLength(1);
  });

  test("many gaps of one pixel are one mark", () => {
    expect(trace(Array.from({ length: 1000 }, () => NaN), 10).gaps.length).toBeLessThanOrEqual(10);
  });
});
