import { describe, expect, test } from "vitest";
import { SeriesStore } from "../src/state/series.svelte";
import type { PointsMessage } from "../src/wire";

function part(metric: string, ...values: number[]): PointsMessage["series"][number] {
  const column = Float64Array.from(values);
  return { metric, steps: column, values: column, times: column, axis: null, places: null };
}

/** A message of the metric `loss`, which it names also where nothing is new. */
function message(cursor: string, after: string | null, ...values: number[]): PointsMessage {
  return { run: "r", cursor, after, decimated: false, series: [part("loss", ...values)] };
}

function held(store: SeriesStore, metric = "loss"): number[] {
  return [...store.points(metric).values];
}

function goOn(store: SeriesStore): string {
  return store.goOn(["loss"]).map(({ after }) => after).join();
}

/** A page that has read three points and asked for what follows. */
function opened(): SeriesStore {
  const store = new SeriesStore("r");
  store.hold(message("c3", null, 0, 1, 2));
  expect(goOn(store)).toBe("c3");
  return store;
}

describe("the series of a run", () => {
  test("hold nothing at the beginning", () => {
    const store = new SeriesStore("r");
    expect(store.holds("loss")).toBe(false);
    expect(store.goOn(["loss"])).toEqual([]);
    expect(store.take(message("c1", "0", 7))).toBe("passed");
    expect(held(store)).toEqual([]);
  });

  test("go on from the cursor of what was read", () => {
    const store = opened();
    expect(store.take(message("c5", "c3", 3, 4))).toBe("taken");
    expect(held(store)).toEqual([0, 1, 2, 3, 4]);
    expect(goOn(store)).toBe("c5");
  });

  test("let pass what was on its way when the page asked, then take what it asked for", () => {
    const store = opened();
    expect(store.take(message("c3", "0", 0, 1, 2))).toBe("passed");
    expect(store.take(message("c9", "c5", 5, 6, 7, 8))).toBe("passed");
    expect(store.take(message("c4", "c3", 3))).toBe("taken");
    expect(held(store)).toEqual([0, 1, 2, 3]);
  });

  test("notice a gap once in step, ask again once, and lose and double nothing", () => {
    const store = opened();
    store.take(message("c4", "c3", 3));
    expect(store.take(message("c7", "c6", 6))).toBe("gap");
    expect(goOn(store)).toBe("c4");
    expect(store.take(message("c8", "c7", 7))).toBe("passed"); // sent before the server heard of it
    expect(store.take(message("c9", "c4", 4, 5, 6, 7, 8))).toBe("taken");
    expect(held(store)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("take what is sent twice once", () => {
    const store = opened();
    store.take(message("c4", "c3", 3));
    expect(store.take(message("c4", "c3", 3))).toBe("gap");
    expect(held(store)).toEqual([0, 1, 2, 3]);
  });

  test("hold a metric that came into view later up to a cursor of its own, and follow both without a gap", () => {
    const store = opened();
    store.take(message("c4", "c3", 3));
    store.hold({ ...message("c6", null), series: [part("accuracy", 0, 5)] }, ["accuracy", "unheard"]);
    expect(store.goOn(["loss", "accuracy", "unheard", "other"])).toEqual([
      { after: "c4", metrics: ["loss"] },
      { after: "c6", metrics: ["accuracy", "unheard"] },
    ]);
    expect(store.take(message("c7", "c4", 4, 5, 6))).toBe("taken");
    expect(store.take({ ...message("c7", "c6"), series: [part("accuracy", 6), part("unheard")] })).toBe("taken");
    const both = { ...message("c8", "c7"), series: [part("accuracy", 7), part("loss", 7), part("unheard", 70)] };
    expect(store.take(both)).toBe("taken");
    expect([held(store), held(store, "accuracy"), held(store, "unheard")]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7], [0, 5, 6, 7], [70]]);
    expect(store.goOn(["loss", "accuracy", "unheard"])).toHaveLength(1);
  });

  test("take of a message what follows what is held, and let the rest pass", () => {
    const store = opened();
    store.hold({ ...message("c6", null), series: [part("accuracy", 0, 5)] });
    const late = { ...message("c5", "c3"), series: [part("accuracy", 3, 4), part("loss", 3, 4)] };
    expect(store.take(late)).toBe("taken");
    expect([held(store), held(store, "accuracy")]).toEqual([[0, 1, 2, 3, 4], [0, 5]]);
  });

  test("move the cursor without a change where nothing is new", () => {
    const store = opened();
    const version = store.version;
    expect(store.take(message("c4", "c3"))).toBe("taken");
    expect(store.version).toBe(version);
    expect(goOn(store)).toBe("c4");
  });

  test("begin anew when the server says resync", () => {
    const store = opened();
    store.hold(message("c9", null, 0, 8));
    expect(held(store)).toEqual([0, 8]);
    expect(store.steps).toEqual([0, 8]);
  });
});
