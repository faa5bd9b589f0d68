import { describe, expect, test } from "vitest";
import { BOUND, Columns, extremes } from "../src/state/columns";

/** Log values in messages of a hundred points, as a flood brings them; times are half the steps. */
function streamed(count: number, value: (step: number) => number, bound?: number): Columns {
  const columns = new Columns(bound);
  for (let start = 0; start < count; start += 100) {
    const steps = Float64Array.from({ length: Math.min(100, count - start) }, (_, i) => start + i);
    columns.append({ steps, values: steps.map(value), times: steps.map((step) => step / 2) });
  }
  return columns;
}

describe("columns of a long training", () => {
  test("take no more room after an hour than after minutes, and keep the newest points whole", () => {
    const columns = streamed(360_000, (step) => Math.sin(step / 1000));
    const { steps, values, times, thinned } = columns.points;
    expect(columns.length).toBeLessThanOrEqual(BOUND);
    expect([steps.length, values.length, times.length]).toEqual([columns.length, columns.length, columns.length]);
    expect(steps.buffer.byteLength).toBeLessThanOrEqual(8 * 1.25 * BOUND);
    expect(thinned).toBe(true);
    const newest = steps.subarray(-BOUND / 4);
    expect([newest[0], newest[newest.length - 1]]).toEqual([360_000 - BOUND / 4, 359_999]);
    expect(times[times.length - 1]).toBe(359_999 / 2);
  });

  test("lose no extreme, no hole and neither end, however often they are thinned", () => {
    const special = new Map([[777, 40], [1_234, -40], [50_001, NaN], [90_002, Infinity], [150_003, 39]]);
    const columns = streamed(300_000, (step) => special.get(step) ?? Math.sin(step / 10), 1024);
    const held = new Map([...columns.points.steps].map((step, i) => [step, columns.points.values[i]]));
    for (const [step, value] of special) expect(held.get(step)).toBe(value);
    expect(held.has(0)).toBe(true);
    expect([columns.first, columns.last]).toEqual([0, Math.sin(29_999.9)]);
    expect([columns.least, columns.most]).toEqual([
      { value: -40, step: 1_234 },
      { value: 40, step: 777 },
    ]);
  });

  test("stay in the order of their steps, and begin another stem where they are thinned", () => {
    const columns = new Columns(256);
    const before = columns.points.stem;
    for (let i = 0; i < 600; i++) {
      const step = Float64Array.of(i % 7 === 3 ? i - 2.5 : i);
      columns.append({ steps: step, values: step, times: step });
    }
    const { steps, stem } = columns.points;
    expect([...steps]).toEqual([...steps].sort((a, b) => a - b));
    expect(stem).not.toBe(before);
    expect(columns.length).toBeLessThanOrEqual(256);
  });

  test("say that points were left out where the server says so", () => {
    const columns = new Columns();
    const few = Float64Array.of(1, 2);
    columns.append({ steps: few, values: few, times: few });
    expect([columns.points.thinned, columns.grain]).toEqual([false, Infinity]);
    columns.append({ steps: few, values: few, times: few }, 2000);
    expect([columns.points.thinned, columns.grain]).toEqual([true, 2000]);
  });
});

test("a crowd of points at one step gets half of the stretches", () => {
  const steps = Float64Array.from({ length: 1000 }, (_, i) => (i < 900 ? 5 : 5 + (i - 900)));
  const values = steps.map((_, i) => (i % 100 === 50 ? 1 : 0));
  const picks = extremes(steps, values, 1000, 40);
  expect(picks[0]).toBe(0);
  expect(picks[picks.length - 1]).toBe(999);
  expect(picks.filter((pick) => values[pick] === 1).length).toBeGreaterThanOrEqual(10);
});
