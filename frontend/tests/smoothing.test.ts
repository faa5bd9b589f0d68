import { describe, expect, test } from "vitest";
import { smootherOf } from "../src/charts/smoothing/smoother";
import { exponential } from "../src/charts/smoothing/exponential";
import { gaussian } from "../src/charts/smoothing/gaussian";
import { median } from "../src/charts/smoothing/median";
import type { Smoother } from "../src/charts/smoothing/smoother";
import { alikeUpTo } from "../src/charts/track";
import { growing, noise, track } from "./lines";

/** Places that lie unevenly. */
const PLACES = noise(400, 7).map((each, i) => i + 0.9 * each);
const VALUES = noise(400, 3).map((each, i) => each + (i > 200 ? 1 : 0));

/** The mean of all values, each weighted by how it lies to a point. */
function weighted(weight: (i: number, j: number) => number): number[] {
  return [...PLACES].map((_, i) => {
    let [sum, weights] = [0, 0];
    VALUES.forEach((value, j) => {
      sum += weight(i, j) * value;
      weights += weight(i, j);
    });
    return sum / weights;
  });
}

function smooth(smoother: Smoother): number[] {
  return [...smoother.update(track(PLACES, VALUES)).y];
}

/** The largest distance between two curves. */
function apart(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? NaN))));
}

const SMOOTHERS: readonly (readonly [string, () => Smoother])[] = [
  ["exponential", () => exponential({ weight: 0.9 })],
  ["exponential by the axis", () => exponential({ fade: 12 })],
  ["Gaussian", () => gaussian(5)],
  ["running median", () => median(7)],
];

describe("a smoothed curve is what its definition says", () => {
  test("debiased exponential: what is i points ago weighs the i-th power of the weight", () => {
    expect(apart(smooth(exponential({ weight: 0.9 })), weighted((i, j) => (j <= i ? 0.9 ** (i - j) : 0)))).toBeLessThan(1e-12);
  });

  test("the first point of a debiased average is the first value", () => {
    expect(smooth(exponential({ weight: 0.99 }))[0]).toBe(VALUES[0]);
  });

  test("exponential by the axis: what lies d back weighs exp(-d / fade)", () => {
    const place = (i: number): number => PLACES[i] ?? 0;
    const expected = weighted((i, j) => (j <= i ? Math.exp((place(j) - place(i)) / 12) : 0));
    expect(apart(smooth(exponential({ fade: 12 })), expected)).toBeLessThan(1e-12);
  });

  test("Gaussian: what lies d away weighs exp(-d² / 2σ²), to a thousandth of what the values differ", () => {
    const place = (i: number): number => PLACES[i] ?? 0;
    for (const deviation of [1.5, 5, 40]) {
      const expected = weighted((i, j) => Math.exp(-0.5 * ((place(i) - place(j)) / deviation) ** 2));
      expect(apart(smooth(gaussian(deviation)), expected)).toBeLessThan(2e-3);
    }
  });

  test("a Gaussian far narrower than points lie apart leaves them as they are", () => {
    expect(apart(smooth(gaussian(0.02)), [...VALUES])).toBeLessThan(1e-12);
  });

  test("running median: half of the values around lie below", () => {
    const expected = [...VALUES].map((_, i) => {
      const around = [...VALUES.slice(Math.max(0, i - 7), i + 8)].sort((a, b) => a - b);
      const half = around.length >> 1;
      return around.length % 2 === 1 ? around[half] : ((around[half - 1] ?? 0) + (around[half] ?? 0)) / 2;
    });
    expect(smooth(median(7))).toEqual(expected);
  });
});

describe.each(SMOOTHERS)("%s", (_, make) => {
  test("that grew point by point is the same as one that is made at once", () => {
    const upTo = growing(PLACES, VALUES);
    const smoother = make();
    for (let count = 1; count < 400; count += 1 + (count % 17)) smoother.update(upTo(count));
    const grown = smoother.update(upTo(400));
    expect(apart([...grown.y], smooth(make()))).toBeLessThan(1e-9);
  });

  test("says from where it is new, and stays as it was before that", () => {
    const upTo = growing(PLACES, VALUES);
    const smoother = make();
    const before = smoother.update(upTo(300));
    const earlier = [...before.y];
    const after = smoother.update(upTo(310));
    const place = alikeUpTo(before, after);
    expect(place).toBeGreaterThan(200);
    expect(place).toBeLessThanOrEqual(PLACES[299] ?? 0);
    expect([...after.y].slice(0, 300).filter((_, i) => (PLACES[i] ?? 0) < place)).toEqual(
      earlier.filter((_, i) => (PLACES[i] ?? 0) < place),
    );
  });

  test("keeps what is not finite, and takes nothing from it", () => {
    const holes = VALUES.map((value, i) => (i === 50 ? NaN : i === 60 ? Infinity : value));
    const out = [...make().update(track(PLACES, holes)).y];
    expect(out[50]).toBeNaN();
    expect(out[60]).toBe(Infinity);
    expect(out.filter(Number.isFinite)).toHaveLength(398);
  });

  test("of another run begins anew", () => {
    const smoother = make();
    smoother.update(track(PLACES, VALUES.map((value) => value + 100)));
    expect(apart([...smoother.update(track(PLACES, VALUES)).y], smooth(make()))).toBeLessThan(1e-12);
  });
});

test("a constant stays what it is, however it is smoothed", () => {
  const flat = track(PLACES, VALUES.map(() => 3));
  for (const kind of ["ema", "time", "gauss", "median"] as const) {
    const out = smootherOf({ kind, amount: 0.8 }, 400)?.update(flat);
    expect(apart([...(out?.y ?? [])], [...VALUES].map(() => 3))).toBeLessThan(1e-12);
  }
});

test("not at all is no smoothing", () => {
  expect(smootherOf({ kind: "none", amount: 0.6 }, 100)).toBeNull();
  expect(smootherOf({ kind: "ema", amount: 0 }, 100)).toBeNull();
});

describe("a long series is smoothed by means of its points", () => {
  // Skewed: one point of a hundred lies far up, so that the middle between the extremes is far from the mean.
  const count = 200_000;
  const each = 100;
  const wave = noise(count, 11);
  const values = Float64Array.from(wave, (value, i) => value + Math.sin(i / 20_000) + (i % 100 === 37 ? 50 : 0));
  const places = Float64Array.from({ length: count }, (_, i) => i);
  const whole = track([...places], [...values]);
  const means = Float64Array.from({ length: count / each }, (_, nth) => values.slice(nth * each, (nth + 1) * each).reduce((a, b) => a + b) / each);
  const ends = Float64Array.from({ length: count / each }, (_, nth) => (nth + 1) * each - 1);
  const short = { ...track([...ends], [...means]), weights: new Float64Array(count / each).fill(each) };

  test.each([
    ["exponential", () => exponential({ weight: 0.9999 }), 0.05],
    ["exponential by the axis", () => exponential({ fade: 10_000 }), 0.05],
    ["Gaussian", () => gaussian(5000), 0.05],
  ] as const)("%s", (_, make, tolerance) => {
    const [exact, rough] = [make().update(whole), make().update(short)];
    for (let nth = 20; nth < short.length; nth++) {
      expect(Math.abs((rough.y[nth] ?? NaN) - (exact.y[ends[nth] ?? 0] ?? NaN))).toBeLessThan(tolerance);
    }
  });

  test("running median, of which a mean takes the room of its points", () => {
    const { y } = median(1000).update(short);
    const around = (nth: number): number => [...means.slice(Math.max(0, nth - 10), nth + 11)].sort((a, b) => a - b)[10] ?? NaN;
    for (const nth of [10, 500, 1500]) expect(y[nth]).toBe(around(nth));
  });

  test("points of their own behind means are smoothed as ever", () => {
    const tail = 400;
    const joined = {
      ...track([...ends, ...places.slice(0, tail).map((x) => x + count)], [...means, ...values.slice(0, tail)]),
      weights: Float64Array.from([...short.weights, ...new Float64Array(tail).fill(1)]),
    };
    const plain = track([...places, ...places.slice(0, tail).map((x) => x + count)], [...values, ...values.slice(0, tail)]);
    for (const make of [() => exponential({ weight: 0.99 }), () => median(20)]) {
      const [exact, rough] = [make().update(plain), make().update(joined)];
      const apart = Math.abs((rough.y[joined.length - 1] ?? NaN) - (exact.y[plain.length - 1] ?? NaN));
      expect(apart).toBeLessThan(0.02);
    }
  });
});
