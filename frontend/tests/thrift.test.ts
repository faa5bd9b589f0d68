import { expect, test } from "vitest";
import { Thrift } from "../src/state/thrift";

function after(costs: readonly number[]): number {
  const thrift = new Thrift();
  for (const cost of costs) thrift.note(cost);
  return thrift.interval;
}

const turns = (cost: number): number[] => Array.from({ length: 60 }, () => cost);

test("the page takes turns as often as they cost a fiftieth of the time", () => {
  expect(after([])).toBe(300);
  expect(after(turns(8))).toBeCloseTo(400, 0);
});

test("however cheap or dear they are, there is a least and a most between them", () => {
  expect(after(turns(0.5))).toBe(150);
  expect(after(turns(90))).toBe(600);
});

test("one dear turn, such as the first of a large run, is soon forgotten", () => {
  expect(after([200, ...turns(6)])).toBeLessThan(310);
});
