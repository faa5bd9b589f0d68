import { describe, expect, test } from "vitest";
import { SeriesStore } from "../src/state/series.svelte";
import type { PointsMessage } from "../src/wire";

function message(run: string, cursor: number, after: number | null, ...values: number[]): PointsMessage {
  const column = Float64Array.from(values);
  return { run, cursor, after, decimated: false, series: [{ metric: "loss", steps: column, values: column, times: column }] };
}

function held(store: SeriesStore): number[] {
  return [...(store.get("loss")?.points.values ?? [])];
}

function opened(): SeriesStore {
  const store = new SeriesStore();
  store.replace(message("r", 3, null, 0, 1, 2));
  return store;
}

describe("the series of a run", () => {
  test("go on from the cursor of what was read", () => {
    const store = opened();
    expect(store.append(message("r", 5, 3, 3, 4))).toBe("taken");
    expect(held(store)).toEqual([0, 1, 2, 3, 4]);
    expect(store.cursor).toBe(5);
  });

  test("take nothing twice after a reconnect", () => {
    const store = opened();
    expect(store.append(message("r", 3, 0, 0, 1, 2))).toBe("known");
    expect(store.append(message("r", 4, 2, 2, 3))).toBe("known");
    expect(held(store)).toEqual([0, 1, 2]);
  });

  test("notice a gap and take nothing past it", () => {
    const store = opened();
    expect(store.append(message("r", 9, 5, 5, 6, 7, 8))).toBe("gap");
    expect(store.append(message("r", 4, 3, 3))).toBe("taken");
  });

  test("ignore points of a run that was shown before", () => {
    const store = opened();
    store.clear("s");
    expect(store.append(message("r", 5, 3, 3, 4))).toBe("known");
    expect(held(store)).toEqual([]);
  });

  test("begin anew when the server says resync", () => {
    const store = opened();
    store.replace(message("r", 9, null, 0, 8));
    expect(held(store)).toEqual([0, 8]);
    expect(store.steps).toEqual([0, 8]);
  });
});
