import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { pace } from "../src/state/pace";

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
});
