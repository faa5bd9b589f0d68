import { describe, expect, test } from "vitest";
import { stepAt, epochAt } from "../src/charts/axis";
import { Merger } from "../src/charts/merge";
import { append, columnsOf } from "./lines";

const COARSE = [0, 10, 20, 30, 40];

describe("finer points", () => {
  test("stand for the whole between the first and the last of them", () => {
    const whole = columnsOf(COARSE, COARSE).points;
    const finer = columnsOf([15, 18, 20, 22, 31], [1, 2, 3, 4, 5]).points;
    const joined = new Merger().join(whole, finer);
    expect([...joined.steps]).toEqual([0, 10, 15, 18, 20, 22, 31, 40]);
    expect([...joined.values]).toEqual([0, 10, 1, 2, 3, 4, 5, 40]);
    expect([...joined.times]).toEqual([1000, 1010, 1015, 1018, 1020, 1022, 1031, 1040]);
  });

  test("that are none leave the whole as it is", () => {
    const whole = columnsOf(COARSE, COARSE).points;
    expect(new Merger().join(whole, undefined)).toBe(whole);
    expect(new Merger().join(whole, columnsOf([], []).points)).toBe(whole);
  });

  test("let the line grow on from what it was", () => {
    const whole = columnsOf(COARSE, COARSE);
    const finer = columnsOf([35, 38, 40], [1, 2, 3]).points;
    const merger = new Merger();
    const before = merger.join(whole.points, finer);
    append(whole, [50, 60], [50, 60]);
    const after = merger.join(whole.points, finer);
    expect(after.stem).toBe(before.stem);
    expect([...after.steps]).toEqual([0, 10, 20, 30, 35, 38, 40, 50, 60]);
    expect(merger.join(whole.points, finer)).toBe(after);
  });

  test("of another part make another line", () => {
    const whole = columnsOf(COARSE, COARSE).points;
    const merger = new Merger();
    const before = merger.join(whole, columnsOf([5], [5]).points);
    const after = merger.join(whole, columnsOf([25], [25]).points);
    expect(after.stem).not.toBe(before.stem);
    expect([...after.steps]).toEqual([0, 10, 20, 25, 30, 40]);
  });
});

test("an epoch is found at the step that it was at", () => {
  const knots = { steps: [0, 100, 300], epochs: [0, 1, 2], slope: 0.01 };
  for (const step of [0, 50, 100, 250, 300, 400]) expect(stepAt(knots, epochAt(knots, step))).toBeCloseTo(step);
  expect(stepAt({ steps: [5], epochs: [1], slope: 0 }, 3)).toBe(5);
});
