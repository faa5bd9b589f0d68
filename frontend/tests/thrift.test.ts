import { expect, test } from "vitest";
import { Thrift } from "../src/state/thrift";

/** The interval after turns of some cost, each as soon as it may be; `rest` milliseconds of silence before the last. */
function after(costs: readonly number[], rest = 0): number {
  let now = 0;
  const thrift = new Thrift(() => now);
  costs.forEach((cost, nth) => {
    now += thrift.interval + (nth === costs.length - 1 ? rest : 0);
    thrift.note(cost);
  });
  return thrift.interval;
}

const turns = (cost: number): number[] => Array.from({ length: 60 }, () => cost);

test("the page takes turns ten times a second, and less often where they cost more than half of the time", () => {
  expect(after([])).toBe(95);
  expect(after(turns(40))).toBe(95);
  expect(after(turns(100))).toBeCloseTo(200, 0);
});

test("however dear they are, there is a most between them", () => {
  expect(after(turns(400))).toBe(600);
});

test("what comes now and then is shown at once, whatever a turn costs", () => {
  expect(after(turns(200))).toBeCloseTo(400, 0);
  expect(after(turns(200), 1000)).toBe(95);
});

test("one dear turn, such as the first of a large run, is soon forgotten", () => {
  expect(after([1000, ...turns(6)])).toBe(95);
});
