import { describe, expect, test } from "vitest";
import { SeriesStore } from "../src/state/series.svelte";
import type { PointsMessage } from "../src/wire";

function message(run: string, cursor: string, after: string | null, ...values: number[]): PointsMessage {
  const column = Float64Array.from(values);
  const part = { metric: "loss", steps: column, values: column, times: column, axis: null, places: null };
  return { run, cursor, after, decimated: false, series: values.length > 0 ? [part] : [] };
}

function held(store: SeriesStore): number[] {
  return [...(store.get("loss")?.points.values ?? [])];
}

/** A page that has read three points and asked for what follows. */
function opened(): SeriesStore {
  const store = new SeriesStore();
  store.replace(message("r", "c3", null, 0, 1, 2));
  expect(store.goOn()).toBe("c3");
  return store;
}

describe("the series of a run", () => {
  test("begin at the beginning", () => {
    expect(new SeriesStore().goOn()).toBe("0");
  });

  test("go on from the cursor of what was read", () => {
    const store = opened();
    expect(store.append(message("r", "c5", "c3", 3, 4))).toBe("taken");
    expect(held(store)).toEqual([0, 1, 2, 3, 4]);
    expect(store.goOn()).toBe("c5");
  });

  test("let pass what was on its way when the page asked, then take what it asked for", () => {
    const store = opened();
    expect(store.append(message("r", "c3", "0", 0, 1, 2))).toBe("passed");
    expect(store.append(message("r", "c9", "c5", 5, 6, 7, 8))).toBe("passed");
    expect(store.append(message("r", "c4", "c3", 3))).toBe("taken");
    expect(held(store)).toEqual([0, 1, 2, 3]);
  });

  test("notice a gap once in step, ask again once, and lose and double nothing", () => {
    const store = opened();
    store.append(message("r", "c4", "c3", 3));
    expect(store.append(message("r", "c7", "c6", 6))).toBe("gap");
    expect(store.goOn()).toBe("c4");
    expect(store.append(message("r", "c8", "c7", 7))).toBe("passed"); // sent before the server heard of it
    expect(store.append(message("r", "c9", "c4", 4, 5, 6, 7, 8))).toBe("taken");
    expect(held(store)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("take what is sent twice once", () => {
    const store = opened();
    store.append(message("r", "c4", "c3", 3));
    expect(store.append(message("r", "c4", "c3", 3))).toBe("gap");
    expect(held(store)).toEqual([0, 1, 2, 3]);
  });

  test("ignore points of a run that was shown before, wherever they stand", () => {
    const store = opened();
    store.append(message("r", "c4", "c3", 3));
    store.clear("s");
    expect(store.append(message("r", "c5", "0", 3, 4))).toBe("passed");
    expect(held(store)).toEqual([]);
    expect(store.append(message("s", "c1", "0", 7))).toBe("taken");
    expect(held(store)).toEqual([7]);
  });

  test("move the cursor without a change where nothing is new", () => {
    const store = opened();
    const version = store.version;
    expect(store.append(message("r", "c4", "c3"))).toBe("taken");
    expect(store.version).toBe(version);
    expect(store.goOn()).toBe("c4");
  });

  test("begin anew when the server says resync", () => {
    const store = opened();
    store.replace(message("r", "c9", null, 0, 8));
    expect(held(store)).toEqual([0, 8]);
    expect(store.steps).toEqual([0, 8]);
  });
});
