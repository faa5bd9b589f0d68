import { describe, expect, test } from "vitest";
import type { Knots } from "../src/charts/axis";
import { BY_STEP, type Placing } from "../src/charts/placing";
import { alikeUpTo, nearest, Tracker } from "../src/charts/track";
import { append, columnsOf, count, track } from "./lines";

function epochs(...ends: readonly (readonly [number, number])[]): Placing {
  const knots: Knots = { steps: ends.map(([step]) => step), epochs: ends.map(([, epoch]) => epoch), slope: 0.1 };
  return { by: "epoch", knots };
}

describe("a line on the axis", () => {
  test("by the step is its own columns", () => {
    const { points } = columnsOf([1, 2, 5], [9, 8, 7]);
    const { x, y } = new Tracker().update(points, BY_STEP);
    expect(x).toBe(points.steps);
    expect(y).toBe(points.values);
  });

  test("that grew is alike up to the last point it had", () => {
    const columns = columnsOf(count(100), count(100));
    const tracker = new Tracker();
    for (const placing of [epochs([0, 0], [10, 1])]) {
      const before = tracker.update(columns.points, placing);
      append(columns, [100, 101], [1, 2]);
      const after = tracker.update(columns.points, placing);
      expect(alikeUpTo(before, after)).toBe(before.x[99]);
      expect(after.x[101]).toBeCloseTo(10.1);
    }
  });

  test("is the same object while nothing changes", () => {
    const { points } = columnsOf([1, 2], [3, 4]);
    const tracker = new Tracker();
    expect(tracker.update(points, BY_STEP)).toBe(tracker.update(points, { by: "step" }));
  });

  test("is placed anew from the epoch on that ended elsewhere than was thought", () => {
    const { points } = columnsOf(count(60), count(60));
    const tracker = new Tracker();
    const before = tracker.update(points, epochs([0, 0], [10, 1], [20, 2]));
    const after = tracker.update(points, epochs([0, 0], [10, 1], [20, 2], [40, 3]));
    expect(alikeUpTo(before, after)).toBe(2);
    expect(after.x[30]).toBeCloseTo(2.5);
    expect(after.x[15]).toBeCloseTo(1.5);
  });

  test("has nothing in common with another run's, nor with one on another axis", () => {
    const tracker = new Tracker();
    const { points } = columnsOf([0, 1], [0, 1]);
    const steps = tracker.update(points, BY_STEP);
    const times = tracker.update(points, { by: "time", since: 1000 });
    expect(alikeUpTo(steps, times)).toBe(-Infinity);
    expect([...times.x]).toEqual([0, 1]);
    expect(alikeUpTo(times, tracker.update(columnsOf([0, 1], [0, 1]).points, { by: "time", since: 1000 }))).toBe(-Infinity);
  });

  test("over another metric stands in the order of that metric, evenly between its points", () => {
    const tokens = columnsOf([0, 10, 20], [0, 500, 100]).points;
    const { x, y, order } = new Tracker().update(columnsOf([0, 5, 10, 20, 25], [1, 2, 3, 4, 5]).points, { by: "metric", metric: tokens });
    expect([...x]).toEqual([0, 100, 250, 500]);
    expect([...y]).toEqual([1, 4, 2, 3]);
    expect(order).toEqual([0, 3, 1, 2]);
  });

  test("goes on growing over a metric that only rises", () => {
    const tokens = columnsOf(count(50), count(50).map((each) => 100 * each)).points;
    const loss = columnsOf(count(20), count(20));
    const placing: Placing = { by: "metric", metric: tokens };
    const tracker = new Tracker();
    const before = tracker.update(loss.points, placing);
    append(loss, [20], [7]);
    const after = tracker.update(loss.points, placing);
    expect(alikeUpTo(before, after)).toBe(1900);
    expect(after.x[20]).toBe(2000);
  });
});

describe("the nearest point", () => {
  const line = track([0, 10, 11, 50], [1, 2, 3, 4]);

  test("is the one least far away", () => {
    expect([0, 4, 6, 10.4, 10.6, 30, 31, 50].map((at) => nearest(line, at))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
  });

  test("is none far beyond the ends", () => {
    expect(nearest(line, 60)).toBe(3);
    expect(nearest(line, 100)).toBeNull();
    expect(nearest(line, -100)).toBeNull();
    expect(nearest(track([], []), 0)).toBeNull();
  });
});
