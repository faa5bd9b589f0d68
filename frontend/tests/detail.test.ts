import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SeriesRead, SeriesWish } from "../src/network";
import { Detail, type Wish } from "../src/state/detail.svelte";

/** What the page asked the server for, in its order, with how each is answered. */
interface Asked {
  readonly wish: SeriesWish;
  readonly signal: AbortSignal | undefined;
  answer(count?: number): void;
  fail(error: Error): void;
}
const asked: Asked[] = [];
vi.mock("../src/network", () => ({
  readSeries: (wish: SeriesWish, signal?: AbortSignal) =>
    new Promise<SeriesRead[]>((resolve, reject) => {
      asked.push({ wish, signal, answer: (count = 4) => resolve(read(wish, count)), fail: reject });
    }),
}));

/** So many points of each metric of each run, spread over the part that was asked for. */
function read({ runs, metrics = [], part }: SeriesWish, count: number): SeriesRead[] {
  const [from, to] = [part?.from ?? 0, part?.to ?? 1];
  const steps = Float64Array.from({ length: count }, (_, nth) => from + ((to - from) * nth) / Math.max(1, count - 1));
  const series = metrics.map((metric) => ({ metric, steps, values: steps, times: steps, axis: null, places: null }));
  return runs.map((run) => ({ message: { run, cursor: "c", after: null, decimated: true, series }, asked: metrics }));
}

const WISH: Wish = { runs: ["r"], metrics: ["loss"], x: "step", from: 100, to: 200, most: 1000 };

async function calm(): Promise<void> {
  await vi.advanceTimersByTimeAsync(100);
}

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
});
afterEach(() => void vi.useRealTimers());

/** A chart whose first wish was answered by so many points. */
async function answered(count = 1200, wish = WISH): Promise<ReturnType<Detail["want"]>> {
  const want = new Detail().want(wish);
  await calm();
  asked[0]?.answer(count);
  await calm();
  return want;
}

describe("a wish", () => {
  test("is read at once, half its width further at each end", async () => {
    const want = new Detail().want(WISH);
    expect([asked.length, want.loading]).toEqual([1, true]);
    expect(asked.map(({ wish }) => wish.part)).toEqual([{ x: "step", from: 50, to: 250 }]);
    expect(asked[0]?.wish.most).toBe(2000); // as fine as if the part alone were read
    asked[0]?.answer(3);
    await calm();
    expect(want.loading).toBe(false);
    expect([...(want.answer?.get("r", "loss")?.points.steps ?? [])]).toEqual([50, 150, 250]);
  });

  test("of a burst is the first one, and the last once the user rests", async () => {
    const want = new Detail().want(WISH);
    for (const from of [110, 115, 120]) want.ask({ ...WISH, from });
    await calm();
    expect(asked.map(({ wish }) => wish.part?.from)).toEqual([50, 80]);
    expect(asked[0]?.signal?.aborted).toBe(true);
  });

  test("that is the same again asks for nothing", async () => {
    const want = await answered();
    want.ask({ ...WISH });
    await calm();
    expect(asked.length).toBe(1);
  });

  test("for nothing takes the finer points away", async () => {
    const want = await answered();
    want.ask(null);
    expect(want.answer).toBeNull();
  });

  test("without bounds reads all there is", async () => {
    const want = new Detail().want({ ...WISH, from: null, to: null });
    await calm();
    expect(asked[0]?.wish).toMatchObject({ part: { x: "step", from: null, to: null }, most: 1000 });
    asked[0]?.answer();
    await calm();
    expect(want.answer?.from).toBeNull();
  });
});

describe("an answer", () => {
  test("stays until the next one is there", async () => {
    const want = await answered();
    const first = want.answer;
    want.ask({ ...WISH, from: 500, to: 600 });
    await calm();
    expect(want.answer).toBe(first);
    expect(want.loading).toBe(true);
    asked[1]?.answer();
    await calm();
    expect(want.answer).not.toBe(first);
    expect(want.loading).toBe(false);
  });

  test("serves a small move as well", async () => {
    const want = await answered();
    want.ask({ ...WISH, from: 120, to: 220 });
    await calm();
    expect(asked.length).toBe(1);
  });

  test("with points left out does not serve a closer look, nor more pixels", async () => {
    const want = await answered();
    want.ask({ ...WISH, from: 140, to: 160 });
    await calm();
    expect(asked.length).toBe(2);
    asked[1]?.answer(1200);
    await calm();
    want.ask({ ...WISH, from: 140, to: 160, most: 4000 });
    await calm();
    expect(asked.length).toBe(3);
  });

  test("with every point serves any closer look", async () => {
    const want = await answered(12);
    want.ask({ ...WISH, from: 140, to: 160 });
    await calm();
    expect(asked.length).toBe(1);
  });

  test("of other series, or along another axis, does not serve", async () => {
    const want = await answered(12);
    want.ask({ ...WISH, metrics: ["loss", "accuracy"] });
    await calm();
    want.ask({ ...WISH, x: "relative" });
    await calm();
    expect(asked.map(({ wish }) => [wish.metrics, wish.part?.x])).toEqual([
      [["loss"], "step"],
      [["loss", "accuracy"], "step"],
      [["loss"], "relative"],
    ]);
  });

  test("that was given before is given again without asking", async () => {
    const detail = new Detail();
    const want = detail.want(WISH);
    await calm();
    asked[0]?.answer(1200);
    await calm();
    const other = detail.want(WISH);
    await calm();
    expect(asked.length).toBe(1);
    expect(other.answer?.get("r", "loss")).toBe(want.answer?.get("r", "loss"));
  });

  test("for an earlier wish comes too late", async () => {
    const want = new Detail().want(WISH);
    await calm();
    want.ask({ ...WISH, from: 500, to: 600 });
    await calm();
    expect(asked[0]?.signal?.aborted).toBe(true);
    asked[1]?.answer();
    asked[0]?.answer();
    await calm();
    expect(want.answer?.wish.from).toBe(500);
  });
});

describe("a reading that fails", () => {
  test("leaves the picture as it was, and the same wish asks again", async () => {
    const want = await answered();
    const first = want.answer;
    const next = { ...WISH, from: 500, to: 600 };
    want.ask(next);
    await calm();
    asked[1]?.fail(new Error("not reachable"));
    await calm();
    expect(want.answer).toBe(first);
    expect(want.loading).toBe(false);
    want.ask({ ...next });
    await calm();
    expect(asked.length).toBe(3);
    asked[2]?.answer();
    await calm();
    expect(want.answer?.wish.from).toBe(500);
  });

  test("says nothing where nobody waits for it any more", async () => {
    const want = new Detail().want(WISH);
    await calm();
    want.close();
    asked[0]?.fail(new Error("given up"));
    await calm();
    expect([want.answer, want.loading]).toEqual([null, false]);
  });
});
