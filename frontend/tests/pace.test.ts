import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { pace, pieces } from "../src/state/pace";

describe("what streams in", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function taken(): { took: number[]; paced: ReturnType<typeof pace>; say: (value: number) => void } {
    const took: number[] = [];
    const paced = pace(() => 300);
    return { took, paced, say: (value) => paced.take(() => took.push(value)) };
  }

  test("is taken at once after silence", () => {
    const { took, say } = taken();
    say(1);
    expect(took).toEqual([1]);
    vi.advanceTimersByTime(300);
    say(2);
    expect(took).toEqual([1, 2]);
  });

  test("is taken together while it goes on, in its order, to the last", () => {
    const { took, say } = taken();
    const seen: string[] = [];
    for (let i = 0; i < 10; i++) {
      say(i);
      if (seen[seen.length - 1] !== took.join("")) seen.push(took.join(""));
      vi.advanceTimersByTime(100);
    }
    vi.advanceTimersByTime(300);
    expect(seen).toEqual(["0", "012", "012345", "012345678"]);
    expect(took).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("leaves no timer behind", () => {
    const { say } = taken();
    say(1);
    say(2);
    vi.advanceTimersByTime(300);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is taken early where something else depends on it", () => {
    const { took, paced, say } = taken();
    say(1);
    say(2);
    paced.flush();
    expect(took).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("waits longer while the interval is longer", () => {
    const took: number[] = [];
    let interval = 5000;
    const paced = pace(() => interval);
    const say = (value: number) => paced.take(() => took.push(value));
    say(1);
    say(2);
    vi.advanceTimersByTime(1000);
    expect(took).toEqual([1]);
    interval = 300;
    say(3);
    expect(took).toEqual([1, 2, 3]);
  });

  test("goes along with what comes anyway, and does not wait for ever", () => {
    const took: number[] = [];
    const paced = pace(() => 1000, { slack: 500 });
    const say = (value: number) => paced.take(() => took.push(value));
    say(1);
    vi.advanceTimersByTime(900);
    say(2);
    vi.advanceTimersByTime(300);
    expect(took).toEqual([1]);
    say(3);
    expect(took).toEqual([1, 2, 3]);
    say(4);
    vi.advanceTimersByTime(1500);
    expect(took).toEqual([1, 2, 3, 4]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is not held up by what says nothing new and may go along", () => {
    const { took, paced, say } = taken();
    paced.goAlong(() => took.push(1));
    vi.advanceTimersByTime(100);
    expect(took).toEqual([]);
    say(2);
    expect(took).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is taken alone where nothing comes that it could go along with", () => {
    const { took, paced } = taken();
    paced.goAlong(() => took.push(1));
    vi.advanceTimersByTime(250);
    expect(took).toEqual([1]);
  });

  test("takes of one thing only the last", () => {
    const { took, paced, say } = taken();
    say(0);
    const [here, there] = [{}, {}];
    for (let i = 1; i < 4; i++) {
      paced.take(() => took.push(i), here);
      paced.take(() => took.push(10 * i), there);
    }
    vi.advanceTimersByTime(300);
    expect(took).toEqual([0, 3, 30]);
  });
});

describe("work in pieces", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** Acts that each take a number of milliseconds, with what follows from them. */
  function worked(ms: number, count: number): { done: number[]; settled: () => number } {
    const done: number[] = [];
    let settled = 0;
    vi.spyOn(performance, "now").mockImplementation(() => settled * ms);
    const work = pieces(() => settled++);
    work(Array.from({ length: count }, (_, nth) => () => done.push(nth)));
    return { done, settled: () => settled };
  }

  test("is done a few milliseconds at a time, all of it and in its order", () => {
    const { done, settled } = worked(4, 7);
    expect(done).toEqual([]);
    vi.advanceTimersToNextTimer();
    expect(done).toEqual([0, 1]);
    vi.runAllTimers();
    expect(done).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(settled()).toBe(7);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("goes on after what fails", () => {
    const done: number[] = [];
    const fail = (): void => {
      throw new Error("on purpose");
    };
    pieces(() => undefined)([fail, () => done.push(1)]);
    expect(() => vi.advanceTimersToNextTimer()).toThrow("on purpose");
    vi.runAllTimers();
    expect(done).toEqual([1]);
  });
});
