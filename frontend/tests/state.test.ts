import { describe, expect, test } from "vitest";
import { runAxis } from "../src/charts/axis";
import { runLook } from "../src/charts/style";
import { runColours } from "../src/state/colours";
import { Columns, NO_POINTS } from "../src/state/columns";
import { known, mainMetrics, remark } from "../src/state/numbers";
import { currentEpoch, doneShare, progressWords, remaining, status, tabTitle } from "../src/state/status";
import type { Run } from "../src/wire";

const RUN: Run = {
  id: "r",
  project: "digits",
  name: "brave-heron-12",
  state: "running",
  reason: null,
  created: 0,
  ended: null,
  heartbeat: null,
  progress: { epoch: 12, epochs: 20, step: 600, stepsPerEpoch: 50 },
  problems: [],
};

function column(...pairs: readonly (readonly [number, number])[]): Columns {
  const columns = new Columns();
  const steps = Float64Array.from(pairs, ([step]) => step);
  columns.append({ steps, values: Float64Array.from(pairs, ([, value]) => value), times: steps });
  return columns;
}

describe("columns", () => {
  test("keep equal and out-of-order steps, and draw them by step", () => {
    const { points, length, last } = column([5, 0.5], [3, 0.3], [5, 0.25]);
    expect(length).toBe(3);
    expect(last).toBe(0.25);
    expect([...points.steps]).toEqual([3, 5, 5]);
    expect([...points.values]).toEqual([0.3, 0.5, 0.25]);
  });

  test("grow past their first size without losing a point", () => {
    const columns = new Columns();
    for (let i = 0; i < 1000; i++) columns.append({ steps: Float64Array.of(i), values: Float64Array.of(-i), times: Float64Array.of(2 * i) });
    expect(columns.length).toBe(1000);
    expect([...columns.points.steps]).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(columns.least).toEqual({ value: -999, step: 999 });
  });

  test("know their extremes among finite values only", () => {
    const columns = column([0, NaN], [1, 2], [2, -Infinity], [3, 1], [4, 1]);
    expect(columns.least).toEqual({ value: 1, step: 3 });
    expect(columns.most).toEqual({ value: 2, step: 1 });
  });
});

describe("a run's status", () => {
  test("is live while something is heard, then stalled with the time since", () => {
    expect(status(RUN, "live", 1000, 5000).word).toBe("live");
    expect(status(RUN, "live", 1000, 24_000)).toMatchObject({ word: "stalled", tone: "warning" });
  });

  test("is disconnected, not stalled, when the server is gone", () => {
    expect(status(RUN, "lost", 1000, 99_000).word).toBe("disconnected");
  });

  test("stays finished when the server is gone", () => {
    expect(status({ ...RUN, state: "finished" }, "ended", 0, 99_000).word).toBe("finished");
  });

  test("counts the epoch under way, and at the end the last", () => {
    expect(progressWords(RUN)).toBe("epoch 13 of 20");
    const ended: Run = { ...RUN, state: "finished", progress: { ...RUN.progress, epoch: 20 } };
    expect(progressWords(ended)).toBe("epoch 20 of 20");
    expect(currentEpoch({ ...ended, state: "running" })).toBe(20);
  });

  test("estimates what is left from the pace so far", () => {
    expect(remaining(RUN, 60)).toBe(40);
    expect(remaining({ ...RUN, progress: { ...RUN.progress, epochs: null } }, 60)).toBeNull();
    expect(remaining({ ...RUN, state: "failed" }, 60)).toBeNull();
  });

  test("has no share done where its length is not known", () => {
    expect(doneShare(RUN)).toBe(0.6);
    expect(doneShare({ ...RUN, progress: { ...RUN.progress, epochs: null } })).toBeNull();
  });

  test("stands in the tab's title", () => {
    expect(tabTitle(RUN, "live")).toBe("13/20 · brave-heron-12 – Agnez");
    expect(tabTitle({ ...RUN, state: "failed" }, "failed")).toBe("failed 12/20 · brave-heron-12 – Agnez");
    expect(tabTitle(undefined, null)).toBe("Agnez");
  });
});

describe("the main numbers", () => {
  test("of Keras: losses, the validation accuracy, rate and step time", () => {
    const names = ["batch/loss", "batch/accuracy", "train/accuracy", "train/loss", "val/accuracy", "val/loss", "weights/a", "epoch"];
    expect(mainMetrics([...names, "time/step", "learning_rate"])).toEqual([
      "train/loss",
      "val/loss",
      "val/accuracy",
      "learning_rate",
      "time/step",
    ]);
  });

  test("of a plain loop: the names it has", () => {
    expect(mainMetrics(["loss", "accuracy", "epoch", "weights/conv1"])).toEqual(["loss", "accuracy"]);
    expect(mainMetrics(["reward"])).toEqual(["reward"]);
  });

  test("name the best with its epoch, the highest for accuracy and the lowest for loss", () => {
    const axis = runAxis(column([49, 1], [99, 2], [149, 3]).points, RUN.progress, [0, 149], true);
    const said = (metric: string): string => {
      const value = known(column([49, 0.5], [99, 0.25], [149, 0.75]), undefined);
      return value === null ? "" : remark(metric, value, axis).replaceAll("\u2009", " ");
    };
    expect(said("val/loss")).toBe("best 0.250 · epoch 2");
    expect(said("val/accuracy")).toBe("best 75.0 % · epoch 3");
    expect(said("learning_rate")).toBe("from 0.500");
  });

  test("come from the store's summary while there are no points", () => {
    const summary = { last: 0.3, lastStep: 9, min: 0.2, minStep: 7, max: 2, maxStep: 0, count: 10 };
    expect(known(undefined, summary)).toMatchObject({ last: 0.3, least: { value: 0.2, step: 7 } });
    const axis = runAxis(NO_POINTS, { ...RUN.progress, stepsPerEpoch: null }, [0, 9], false);
    const value = known(undefined, summary);
    expect(value && remark("loss", value, axis)).toBe("best 0.200 · step 7");
  });
});

describe("the looks of runs", () => {
  const run = (id: string, created: number): Run => ({ ...RUN, id, created });
  const runs = Array.from({ length: 40 }, (_, nth) => run(`run ${nth}`, nth));

  test("a run keeps its look as others come", () => {
    const before = runColours(runs.slice(0, 5));
    const after = runColours(runs);
    for (const { id } of runs.slice(0, 5)) expect(after.get(id)).toBe(before.get(id));
  });

  test("what is drawn together looks different, and the shown run first has its own", () => {
    const drawn = ["run 0", "run 18", "run 36", "run 1", "run 18"];
    const looks = runColours(runs, drawn);
    const seen = drawn.slice(0, 4).map((id) => JSON.stringify(runLook(looks.get(id) ?? 0)));
    expect(new Set(seen).size).toBe(4);
    expect(looks.get("run 0")).toBe(runColours(runs).get("run 0"));
  });

  test("more runs than looks are drawn all the same", () => {
    const drawn = runs.map(({ id }) => id);
    expect(runColours(runs, drawn).size).toBe(40);
  });
});
