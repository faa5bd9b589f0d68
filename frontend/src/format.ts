/** Numbers and times as the page writes them. */

import { isShare } from "./charts/style";

const THIN = "\u2009";

/** Write a number short: three significant digits, powers of ten where it is very small or large. */
export function short(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e6) return signed(value.toExponential(1).replace(/\.0e/, "e").replace("e+", "e"));
  return signed(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3));
}

function signed(text: string): string {
  return text.replace(/^-/, "−");
}

/** Write a share of one as per cent. */
export function percent(value: number): string {
  return Number.isFinite(value) ? `${signed((100 * value).toFixed(1))}${THIN}%` : short(value);
}

/** Write seconds as the unit that suits them. */
export function span(seconds: number): string {
  if (!Number.isFinite(seconds)) return short(seconds);
  if (seconds < 1e-3) return `${significant(1e6 * seconds)}${THIN}µs`;
  if (seconds < 1) return `${significant(1e3 * seconds)}${THIN}ms`;
  return seconds < 120 ? `${significant(seconds)}${THIN}s` : duration(seconds);
}

function significant(value: number): string {
  return value === 0 ? "0" : value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Write the value of a metric in its unit: per cent for shares, ms or s for times. */
export function metricValue(metric: string, value: number, share: boolean): string {
  if (isTime(metric)) return span(value);
  return share && isShare(metric) ? percent(value) : short(value);
}

/** Tell whether a metric's values are seconds. */
export function isTime(metric: string): boolean {
  return metric.startsWith("time/");
}

/** Write a duration in seconds as people say it. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}${THIN}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}${THIN}m ${String(whole % 60).padStart(2, "0")}${THIN}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}${THIN}h ${String(minutes % 60).padStart(2, "0")}${THIN}m`;
  return `${Math.floor(hours / 24)}${THIN}d ${hours % 24}${THIN}h`;
}

/** Write an estimate: coarser than a duration, so that it does not flicker. */
export function about(seconds: number): string {
  const grain = seconds < 20 ? 1 : seconds < 60 ? 5 : seconds < 600 ? 10 : 60;
  return duration(Math.ceil(seconds / grain) * grain);
}

/** Write a place on the x axis. */
export function place(value: number, unit: "epoch" | "step"): string {
  return unit === "step" ? Math.round(value).toString() : value.toFixed(1);
}

let moments: Intl.DateTimeFormat | undefined;

/**
 * Write a moment as date and time of this place. `time` is microseconds since 1970 (UTC).
 *
 * The first one takes the browser a fifth of the time in which a page opens.
 */
export function moment(time: number): string {
  moments ??= new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  return moments.format(time / 1000);
}
