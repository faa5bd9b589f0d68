import { describe, expect, test } from "vitest";
import { around, chosen, moved, rideOf, wider, within } from "../src/charts/ranges";
import { placeText, xTicks } from "../src/charts/xaxis";

function words(...asked: Parameters<typeof xTicks>): string[] {
  return xTicks(...asked).map(({ text }) => text);
}

describe("ticks of the x axis", () => {
  test("of steps are whole", () => {
    expect(words("step", [0, 3], 6)).toEqual(["0", "1", "2", "3"]);
    expect(words("step", [0, 4e6], 4)).toEqual(["0", "1M", "2M", "3M", "4M"]);
  });

  test("of time since the start are as people count it", () => {
    expect(words("relative", [0, 100], 6)).toEqual(["0", "30s", "1m", "1m 30s"]);
    expect(words("relative", [0, 5 * 3600], 6)).toEqual(["0", "1h", "2h", "3h", "4h", "5h"]);
    expect(words("relative", [0, 0.4], 5)).toEqual(["0", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]);
    expect(words("relative", [0, 3 * 86400], 4)).toEqual(["0", "1d", "2d", "3d"]);
  });

  test("of the time of day fall on round times, and name the day where it begins", () => {
    const evening = new Date(2024, 4, 7, 22, 0).getTime() / 1000;
    const ticks = words("time", [evening, evening + 4 * 3600], 5);
    expect(ticks.slice(0, 2)).toEqual(["22:00", "23:00"]);
    expect(ticks[2]).toMatch(/8/);
    expect(ticks[3]).toBe("01:00");
    expect(words("time", [evening, evening + 30], 4)[1]).toMatch(/22:00:\d\d/);
  });

  test("say a place as exactly as what is shown asks", () => {
    expect(placeText("epoch", 1.23456, [0, 20])).toBe("1.2");
    expect(placeText("epoch", 1.23456, [1.2, 1.3])).toBe("1.235");
    expect(placeText("step", 12345.4, [0, 20000])).toBe("12\u2009345");
  });
});

describe("a range", () => {
  test("stays around its place when it is zoomed, and within all there is", () => {
    expect(around([0, 100], 25, 0.5)).toEqual([12.5, 62.5]);
    expect(wider([-10, 50], [0, 100])).toEqual([0, 50]);
    expect(wider([-10, 110], [0, 100])).toBeNull();
    expect(within(moved([80, 100], 15), [0, 100])).toEqual([80, 100]);
    expect(within(moved([0, 20], -5), [0, 100])).toEqual([0, 20]);
  });

  test("with the newest point in it moves on with it; any other stays", () => {
    const newest = chosen([80, 101], 100);
    expect(newest).toEqual([80, 101, 100]);
    expect(rideOf(newest, 100, true)).toEqual([80, 101]);
    expect(rideOf(newest, 130, true)).toEqual([110, 131]);
    expect(rideOf(newest, 130, false)).toBe(rideOf(newest, 100, true));
    const past = chosen([10, 20], 100);
    expect(rideOf(past, 130, true)).toBe(past);
    expect(chosen([80, 101], null)).toEqual([80, 101]);
  });
});
