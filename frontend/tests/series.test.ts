import { describe, expect, test } from "vitest";
import { grainOf, SeriesStore } from "../src/state/series.svelte";
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

describe("the grain of what was read", () => {
  const even = (count: number): Float64Array => Float64Array.from({ length: count }, (_, nth) => 50 * nth);
  const flat = (count: number, hole = false): Float64Array => Float64Array.from({ length: count }, (_, nth) => (hole && nth === 7 ? NaN : 1));

  test("is what was asked for, where steps come evenly", () => {
    expect(grainOf({ steps: even(2000), values: flat(2000) }, 2000)).toBe(2000);
    expect(grainOf({ steps: even(2000), values: flat(2000) }, Infinity)).toBe(Infinity);
    expect(grainOf({ steps: even(5), values: flat(5) }, 2000)).toBe(Infinity);
  });

  test("is less where there are holes, and where steps crowd", () => {
    expect(grainOf({ steps: even(2000), values: flat(2000, true) }, 1500)).toBe(1000);
    const crowded = Float64Array.from({ length: 2000 }, (_, nth) => (nth < 1900 ? nth : 1900 + 1000 * (nth - 1900)));
    expect(grainOf({ steps: crowded, values: flat(2000) }, 2000)).toBe(1000);
  });

  test("stays while a series that was read thinned grows on, by four times as much as was read", () => {
    const store = new SeriesStore("run", 64);
    const of = (steps: Float64Array, after: string | null, cursor: string, decimated: boolean): PointsMessage => ({
      ...message(cursor, after),
      series: [{ ...part("loss", 0), steps, values: flat(steps.length), times: steps }],
      decimated,
    });
    store.hold(of(even(400), null, "c1", true), [], 400);
    for (let nth = 0; nth < 2000; nth++) store.take(of(Float64Array.of(50 * (400 + nth)), `c${nth + 1}`, `c${nth + 2}`, false));
    expect(store.get("loss")?.grain).toBe(400);
    expect(store.get("loss")?.length).toBeLessThanOrEqual(1600);
  });

  test("is that of what came, where it was too much for the server", () => {
    const store = new SeriesStore("run");
    store.hold({ ...message("c1", null), series: [part("loss", 0, 1, 2)], decimated: false });
    const late = even(100).map((step) => step + 3);
    store.take({ ...message("c2", "c1"), series: [{ ...part("loss", 0), steps: late, values: flat(100), times: late }], decimated: true });
    expect(store.get("loss")?.grain).toBe(100);
  });
});
