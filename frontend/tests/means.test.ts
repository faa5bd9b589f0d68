import { describe, expect, test } from "vitest";
import { Means } from "../src/charts/means";
import { Columns } from "../src/state/columns";
import type { Finer } from "../src/state/detail.svelte";

const column = (...numbers: number[]): Float64Array => Float64Array.from(numbers);

function newer(...steps: number[]): Columns {
  const columns = new Columns();
  columns.append({ steps: column(...steps), values: column(...steps), times: column(...steps) });
  return columns;
}

const MEANS: Finer = {
  run: "r",
  metric: "loss",
  points: { steps: column(9, 19), values: column(4.5, 14.5), times: column(9, 19), length: 2, range: null, stem: {}, thinned: true },
  places: column(10, 10),
};

describe("the means of a line", () => {
  test("are followed by what came behind the last of them, point by point", () => {
    const columns = newer(0, 5, 9, 15, 19, 20, 21);
    const means = new Means();
    const first = means.join(MEANS, columns.points, true);
    expect([...first.steps]).toEqual([9, 19, 20, 21]);
    expect([...(first.weights ?? [])]).toEqual([10, 10, 1, 1]);
    columns.append({ steps: column(22), values: column(22), times: column(22) });
    const grown = means.join(MEANS, columns.points, true);
    expect([...grown.values]).toEqual([4.5, 14.5, 20, 21, 22]);
    expect(grown.stem).toBe(first.stem);
    expect(means.join(MEANS, columns.points, true)).toBe(grown);
  });

  test("stand alone where they are those of a part", () => {
    const { steps, length } = new Means().join(MEANS, newer(0, 9, 19, 20, 30).points, false);
    expect([length, ...steps]).toEqual([2, 9, 19]);
  });

  test("are joined anew where others were read", () => {
    const columns = newer(0, 20);
    const means = new Means();
    const first = means.join(MEANS, columns.points, true);
    const second = means.join({ ...MEANS }, columns.points, true);
    expect(second.stem).not.toBe(first.stem);
    expect([...second.steps]).toEqual([9, 19, 20]);
  });
});
