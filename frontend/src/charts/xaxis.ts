/** The x axis of one chart: what it counts, which part there is, and how its ticks are written. */

import { scaleLinear, scaleTime } from "d3-scale";
import { duration } from "../format";
import type { Interval } from "../state/view.svelte";

export type XUnit = "epoch" | "step" | "time" | "relative" | "metric";

export interface XAxis {
  readonly unit: XUnit;
  /** What stands beside the ticks. */
  readonly label: string;
  /** All there is, with room where it grows. */
  readonly domain: Interval;
}

export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** Steps between moments of a run that read well, in seconds. */
const SPANS = [
  1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
  86400, 172800, 604800, 1209600, 2592000, 7776000,
];

/** About so many ticks between two places. */
export function xTicks(unit: XUnit, [low, high]: Interval, count: number): Tick[] {
  if (unit === "time") return moments(low, high, count);
  if (unit === "relative") return spans(low, high, count);
  const scale = scaleLinear([low, high], [0, 1]);
  const write = scale.tickFormat(count);
  const ticks = scale.ticks(count).filter((tick) => unit !== "step" || Number.isInteger(tick));
  return ticks.map((at) => ({ at, text: (Math.abs(at) >= 1e6 ? large(at) : unit === "step" ? String(at) : write(at)).replaceAll(",", "\u2009").replace(/^-|^−/, "−") }));
}

function large(value: number): string {
  const size = Math.abs(value);
  return size >= 1e9 ? `${Number((value / 1e9).toPrecision(6))}G` : `${Number((value / 1e6).toPrecision(6))}M`;
}

function spans(low: number, high: number, count: number): Tick[] {
  const step = SPANS.find((each) => (high - low) / each <= count) ?? 7776000 * Math.ceil((high - low) / count / 7776000);
  const ticks: Tick[] = [];
  for (let nth = Math.ceil(low / step - 1e-9); nth * step <= high + step * 1e-9; nth++) {
    ticks.push({ at: nth * step, text: spanText(nth * step, step) });
  }
  return ticks;
}

/** Write seconds since the beginning: as exactly as the step between ticks asks. */
function spanText(seconds: number, step: number): string {
  if (seconds === 0) return "0";
  const sign = seconds < 0 ? "−" : "";
  const size = Math.abs(seconds);
  if (step < 1) return `${sign}${Number(size.toFixed(3))} s`;
  const parts = [
    [Math.floor(size / 86400), "d"],
    [Math.floor(size / 3600) % 24, "h"],
    [Math.floor(size / 60) % 60, "m"],
    [Math.round(size) % 60, "s"],
  ] as const;
  return sign + parts.filter(([amount]) => amount > 0).slice(0, 2).map(([amount, unit]) => `${amount}${unit}`).join(" ");
}

function moments(low: number, high: number, count: number): Tick[] {
  const dates = scaleTime([new Date(1000 * low), new Date(1000 * high)], [0, 1]).ticks(count);
  const [first, second] = dates;
  const step = first && second ? (second.getTime() - first.getTime()) / 1000 : high - low;
  return dates.map((date, nth) => ({ at: date.getTime() / 1000, text: momentText(date, step, dates[nth - 1]) }));
}

/** Write a moment: the date where it changes, else the time as exactly as the step asks. */
function momentText(date: Date, step: number, before: Date | undefined): string {
  const day = date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
  if (step >= 20 * 86400) return date.toLocaleDateString(undefined, { month: "short", year: date.getMonth() === 0 ? "numeric" : undefined });
  if (step >= 86400 || (before !== undefined && before.getDate() !== date.getDate())) return day;
  return date.toLocaleTimeString(undefined, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...(step < 60 && { second: "2-digit" }),
    ...(step < 1 && { fractionalSecondDigits: step < 0.1 ? 2 : 1 }),
  });
}

/** Write a place on the axis, as exactly as the part that is shown asks. */
export function placeText(unit: XUnit, at: number, [low, high]: Interval): string {
  const length = high - low;
  switch (unit) {
    case "step":
      return Math.round(at).toLocaleString("en").replaceAll(",", "\u2009");
    case "epoch":
      return at.toFixed(length > 10 ? 1 : length > 1 ? 2 : 3);
    case "relative":
      return length < 20 ? `${at.toFixed(2)} s` : duration(at);
    case "time":
      return new Date(1000 * at).toLocaleString(undefined, {
        ...(length > 43200 && { day: "numeric", month: "short" }),
        hour: "2-digit",
        minute: "2-digit",
        second: "2-digit",
        hourCycle: "h23",
      });
    case "metric":
      return String(Number(at.toPrecision(5)));
  }
}
