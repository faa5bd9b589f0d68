import { describe, expect, test } from "vitest";
import type { Trace } from "../src/charts/buckets";
import { chosenScale, extentOf, lowered, robustExtent, stretched, tickWriter, valueScale } from "../src/charts/domain";
import { logarithm, logTicks, roundEnds } from "../src/charts/logarithm";
import { count, noise } from "./lines";

function traceOf(y: ArrayLike<number>): Trace {
  return { x: Float64Array.from(count(y.length)), y: Float64Array.from(y), length: y.length, gaps: [], points: y.length };
}

function words(low: number, high: number, smallest: number, height = 200): string[] {
  const scale = valueScale({ low, high, smallest }, "log", false, height);
  return scale.ticks(6).map(tickWriter(scale, false, 6));
}

describe("an axis of powers", () => {
  test("gives equal ratios equal lengths", () => {
    const scale = valueScale({ low: 0.001, high: 10, smallest: 0.001 }, "log", false, 400);
    expect([0.001, 0.01, 0.1, 1, 10].map((value) => Math.round(scale(value)))).toEqual([400, 300, 200, 100, 0]);
  });

  test("reads well over many powers, over few, and within one", () => {
    expect(words(1e-6, 1, 1e-6)).toEqual(["1e-6", "1e-4", "1e-2", "1"]);
    expect(words(0.02, 3, 0.02)).toEqual(["0.03", "0.1", "0.3", "1", "3"]);
    expect(words(2, 800, 2)).toEqual(["3", "10", "30", "100", "300", "1000"]);
    expect(words(0.3, 0.9, 0.3).length).toBeGreaterThanOrEqual(2);
  });

  test("has a place for zero and for negative values, below it", () => {
    const scale = valueScale({ low: -10, high: 100, smallest: 0.01 }, "log", false, 300);
    const places = [-10, -1, -0.01, 0, 0.005, 0.01, 1, 100].map((value) => scale(value));
    expect(places).toEqual([...places].sort((a, b) => b - a));
    expect(places.every(Number.isFinite)).toBe(true);
    expect(scale(0) - scale(0.005)).toBeCloseTo((scale(0) - scale(0.01)) / 2);
    expect(scale.ticks(6)).toContain(0);
  });

  test("of losses that reach zero shows zero at the bottom", () => {
    const scale = valueScale({ low: 0, high: 2, smallest: 1e-3 }, "log", false, 300);
    expect(scale(0)).toBe(300);
    expect(scale.domain()).toEqual([0, 2]);
  });

  test("is turned back by its inverse", () => {
    for (const [low, high] of [[0.01, 100], [-5, 300], [0, 7]] as const) {
      const log = logarithm(low, high, 0.01);
      for (const value of [low, high, 0.02, 3, 0.0001].filter((each) => each >= low)) {
        expect(log.inverse(log.of(value))).toBeCloseTo(value, 10);
      }
    }
  });

  test("tells no more than six powers apart around zero", () => {
    expect(logarithm(0, 1, 1e-300).threshold).toBe(1e-6);
  });

  test("never has more ticks than asked for by much, nor less than two", () => {
    for (const [low, high] of [[1e-9, 1e9], [0.5, 3], [1, 1000], [0.011, 0.019]] as const) {
      const [start, end] = roundEnds(low, high);
      const ticks = logTicks(start, end, logarithm(start, end, low), 6);
      expect(ticks.length).toBeGreaterThanOrEqual(2);
      expect(ticks.length).toBeLessThanOrEqual(10);
    }
  });
});

describe("a range without outliers", () => {
  const usual = noise(1000).map((each) => 1 + each);

  test("leaves a far spike outside, and says nothing of it when there is none", () => {
    const spiked = usual.slice();
    spiked[500] = 1000;
    const trace = traceOf(spiked);
    const all = extentOf([trace], [0, 999]);
    expect(all?.high).toBe(1000);
    expect(all && robustExtent([trace], [0, 999], all).high).toBeLessThan(2.5);
    const plain = extentOf([traceOf(usual)], [0, 999]);
    expect(plain && robustExtent([traceOf(usual)], [0, 999], plain)).toEqual(plain);
  });

  test("is that of the part that is shown", () => {
    const rising = traceOf(count(1000));
    expect(extentOf([rising], [100, 200])).toEqual({ low: 100, high: 200, smallest: 100 });
  });

  test("of a part without a point is that of the lines around it", () => {
    expect(extentOf([traceOf([3, 5])], [0.2, 0.8])).toEqual({ low: 3, high: 5, smallest: 3 });
  });

  test("of too few values is all of them", () => {
    const few = traceOf([1, 1, 1, 1, 900]);
    const all = extentOf([few], [0, 4]);
    expect(all && robustExtent([few], [0, 4], all)).toEqual(all);
  });
});

test("a range that the user chose is shown as it is", () => {
  const scale = chosenScale([0.123, 0.456], null, "linear", 100);
  expect(scale.domain()).toEqual([0.123, 0.456]);
  expect(scale(0.123)).toBe(100);
  expect(scale.invert(0)).toBeCloseTo(0.456);
});

describe("a range of values", () => {
  const linear = chosenScale([0, 10], null, "linear", 200);
  const powers = chosenScale([0.01, 100], { low: 0.01, high: 100, smallest: 0.01 }, "log", 200);

  test("is stretched around a place, by equal ratios on an axis of powers", () => {
    expect(stretched(linear, 200, 100, 0.5)).toEqual([2.5, 7.5]);
    const [low, high] = stretched(powers, 200, 100, 0.5);
    expect([low, high].map((each) => Number(each.toPrecision(9)))).toEqual([0.1, 10]);
  });

  test("goes up as what is drawn goes down", () => {
    expect(lowered(linear, 200, 100)).toEqual([5, 15]);
    expect(lowered(powers, 200, 50).map((each) => Number(each.toPrecision(9)))).toEqual([0.1, 1000]);
  });

  test("stays one that can be drawn, however often it is made wider", () => {
    let [low, high] = [0.01, 2];
    for (let nth = 0; nth < 100; nth++) [low, high] = stretched(chosenScale([low, high], { low, high, smallest: low }, "log", 200), 200, 100, 1.6);
    expect(0 < low && low < high && Number.isFinite(high)).toBe(true);
  });
});
