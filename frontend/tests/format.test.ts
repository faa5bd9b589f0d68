import { describe, expect, test } from "vitest";
import { about, duration, metricValue, percent, short, span } from "../src/format";

/** Thin spaces read as plain ones here. */
const plain = (text: string): string => text.replaceAll("\u2009", " ");

test.each([
  [0, "0"],
  [0.18732, "0.187"],
  [-0.5, "−0.500"],
  [4.4, "4.40"],
  [10.23, "10.2"],
  [123.4, "123"],
  [12345, "12345"],
  [5.9e-4, "5.9e-4"],
  [2e-6, "2e-6"],
  [1.23e9, "1.2e9"],
  [NaN, "NaN"],
  [Infinity, "∞"],
  [-Infinity, "−∞"],
])("%f is written %s", (value, text) => {
  expect(short(value)).toBe(text);
});

test("shares are per cent, and only where the metric and its values are", () => {
  expect(plain(percent(0.96432))).toBe("96.4 %");
  expect(plain(metricValue("val/accuracy", 0.5, true))).toBe("50.0 %");
  expect(metricValue("val/accuracy", 50, false)).toBe("50.0");
  expect(metricValue("val/loss", 0.5, true)).toBe("0.500");
});

test.each([
  [0.0184, "18.4 ms"],
  [0.0000021, "2.10 µs"],
  [2.5, "2.50 s"],
  [125, "2 m 05 s"],
])("%f seconds of a step are %s", (seconds, text) => {
  expect(plain(span(seconds))).toBe(text);
});

describe("durations", () => {
  test.each([
    [0, "0 s"],
    [59.4, "59 s"],
    [108, "1 m 48 s"],
    [3600, "1 h 00 m"],
    [200_000, "2 d 7 h"],
  ])("%f s is %s", (seconds, text) => {
    expect(plain(duration(seconds))).toBe(text);
  });

  test("estimates are coarse, so that they do not flicker", () => {
    const said = new Set(Array.from({ length: 600 }, (_, i) => about(i)));
    expect(said.size).toBeLessThan(90);
  });
});
