import { describe, expect, test } from "vitest";
import { epochAt, epochKnots, projectSteps, roomy, runAxis, sameAxis } from "../src/charts/axis";
import { NO_POINTS, type Points } from "../src/state/columns";

const NOTHING = { epoch: null, epochs: null, step: null, stepsPerEpoch: null };

function points(...pairs: readonly (readonly [number, number])[]): Points {
  return {
    steps: Float64Array.from(pairs, ([step]) => step),
    values: Float64Array.from(pairs, ([, value]) => value),
    times: Float64Array.from(pairs, ([step]) => step),
    length: pairs.length,
    range: null,
    stem: pairs,
    thinned: false,
  };
}

function mapped(epochs: Points, stepsPerEpoch: number | null, ...steps: number[]): number[] {
  const knots = epochKnots(epochs, stepsPerEpoch);
  return knots === null ? [] : steps.map((step) => epochAt(knots, step));
}

describe("two axes are the same", () => {
  const axis = (ends: Points, last: number) => runAxis(ends, { ...NOTHING, epochs: 4 }, [0, last], true);
  const ends = [[100, 1], [200, 2]] as const;

  test("as long as they place each step alike, however many points came", () => {
    expect(sameAxis(axis(points(...ends), 210), axis(points(...ends, [250, 2]), 290))).toBe(true);
  });

  test("not once an epoch ends elsewhere, or the part that is shown grows", () => {
    expect(sameAxis(axis(points(...ends), 210), axis(points(...ends, [300, 3]), 300))).toBe(false);
    const growing = (last: number) => runAxis(NO_POINTS, NOTHING, [0, last], true);
    expect(sameAxis(growing(21), growing(29))).toBe(true);
    expect(sameAxis(growing(21), growing(31))).toBe(false);
  });
});

describe("steps to epochs", () => {
  test("without epochs the axis counts steps", () => {
    const axis = runAxis(NO_POINTS, NOTHING, [0, 640], false);
    expect(axis).toMatchObject({ unit: "step", domain: [0, 640] });
    expect(axis.at(17)).toBe(17);
  });

  test("steps per epoch alone are enough", () => {
    expect(mapped(NO_POINTS, 50, 0, 25, 100)).toEqual([0, 0.5, 2]);
  });

  test("between two ends of epochs it is piecewise linear, from nothing at the start", () => {
    expect(mapped(points([100, 1], [300, 2]), null, 0, 50, 100, 200, 300)).toEqual([0, 0.5, 1, 1.5, 2]);
  });

  test("past the last end it goes on at the known pace, else at the last one", () => {
    expect(mapped(points([100, 1]), 100, 150)).toEqual([1.5]);
    expect(mapped(points([100, 1], [300, 2]), null, 400)).toEqual([2.5]);
  });

  test("an epoch logged at every step rises evenly, not in stairs", () => {
    const stairs = points(...Array.from({ length: 300 }, (_, step) => [step, Math.floor(step / 100)] as const));
    expect(mapped(stairs, null, 0, 50, 100, 250)).toEqual([0, 0.5, 1, 2.5]);
  });

  test("a training that goes on from an earlier one begins at its epoch", () => {
    expect(mapped(points([100, 6], [200, 7]), 100, 0, 50)).toEqual([5, 5.5]);
  });

  test("epochs that are not numbers or step back are passed over", () => {
    expect(mapped(points([100, 1], [150, NaN], [160, 0.5], [200, 2]), null, 150)).toEqual([1.5]);
  });
});

test("many steps are placed just as one by one", () => {
  const epochs = points([0, 0.5], [100, 1], [300, 2], [310, 3]);
  const axis = runAxis(epochs, { ...NOTHING, stepsPerEpoch: 100 }, [0, 400], true);
  const steps = Float64Array.from([-5, 0, 1, 99, 100, 101, 299, 300, 305, 310, 400]);
  const out = new Float64Array(steps.length);
  projectSteps(axis.knots, steps, 0, steps.length, out);
  expect([...out]).toEqual([...steps].map((step) => expect.closeTo(axis.at(step), 9) as number));
  projectSteps(axis.knots, steps, 7, steps.length, out);
  expect([...out]).toEqual([...steps].map((step) => expect.closeTo(axis.at(step), 9) as number));
});

describe("the domain", () => {
  const axis = (epochs: number | null, last: number, alive: boolean) =>
    runAxis(NO_POINTS, { ...NOTHING, epochs, stepsPerEpoch: 10 }, [0, last], alive).domain;

  test("of a living run with a known end reaches to the end", () => expect(axis(20, 35, true)).toEqual([0, 20]));
  test("of a run that ended early shows what there is", () => expect(axis(20, 35, false)).toEqual([0, 4]));
  test("of a run that went on past its end makes room", () => expect(axis(2, 35, true)).toEqual([0, 4]));
  test("grows in steps", () => {
    const ends = new Set(Array.from({ length: 1000 }, (_, i) => roomy(i + 1)));
    expect(ends.size).toBeLessThan(30);
    for (let i = 1; i < 1000; i++) expect(roomy(i)).toBeGreaterThanOrEqual(i);
  });
});
