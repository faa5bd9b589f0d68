/** The y axis of a chart: its extent, its ticks and how they are written. */

import { scaleLinear } from "d3-scale";
import type { Interval, ScaleKind } from "../state/view.svelte";
import type { Trace } from "./buckets";
import { logarithm, logTicks, roundEnds } from "./logarithm";

/** Maps values to pixels. */
export interface ValueScale {
  (value: number): number;
  invert(pixel: number): number;
  domain(): Interval;
  ticks(count: number): number[];
  /** Half the height of the straight piece of a log axis; null without. */
  readonly threshold: number | null;
  readonly kind: ScaleKind;
}

/** What the values of a chart span. */
export interface Extent {
  readonly low: number;
  readonly high: number;
  /** The size of the smallest value that is not zero. */
  readonly smallest: number;
}

/** The extent of the values of traces between two places; of all their values where none lies there. */
export function extentOf(traces: readonly Trace[], [from, to]: Interval): Extent | null {
  return measured(traces, from, to) ?? measured(traces, -Infinity, Infinity);
}

function measured(traces: readonly Trace[], from: number, to: number): Extent | null {
  let [low, high, smallest] = [Infinity, -Infinity, Infinity];
  for (const { x, y, length } of traces) {
    for (let i = 0; i < length; i++) {
      const value = y[i] ?? NaN;
      const at = x[i] ?? NaN;
      if (!(at >= from && at <= to)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      const size = Math.abs(value);
      if (size < smallest && size > 0) smallest = size;
    }
  }
  return low <= high ? { low, high, smallest: smallest === Infinity ? 1 : smallest } : null;
}

/** Values that are looked at to tell the usual ones from outliers. */
const SAMPLES = 4096;
const TAIL = 0.02;
/** An outlier lies further away than the usual values lie apart. */
const FAR = 0.6;

/** The extent without outliers: what lies far beyond all but the outermost hundredths of the values. */
export function robustExtent(traces: readonly Trace[], [from, to]: Interval, whole: Extent): Extent {
  const values = sample(traces, from, to);
  if (values.length < 20) return whole;
  const [low, high] = [quantile(values, TAIL), quantile(values, 1 - TAIL)];
  const reach = FAR * (high - low);
  if (!(reach > 0)) return whole;
  return {
    ...whole,
    low: whole.low < low - reach ? low - reach / 6 : whole.low,
    high: whole.high > high + reach ? high + reach / 6 : whole.high,
  };
}

function sample(traces: readonly Trace[], from: number, to: number): Float64Array {
  const total = traces.reduce((sum, { length }) => sum + length, 0);
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(total / SAMPLES)));
  const values: number[] = [];
  for (const { x, y, length } of traces) {
    for (let i = 0; i < length; i += every) {
      const [at, value] = [x[i] ?? NaN, y[i] ?? NaN];
      if (at >= from && at <= to && Number.isFinite(value)) values.push(value);
    }
  }
  return Float64Array.from(values).sort();
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.round(share * (sorted.length - 1))] ?? NaN;
}

/** Make the scale of values: round ends, so that it changes in steps. */
export function valueScale(values: Extent | null, kind: ScaleKind, share: boolean, height: number): ValueScale {
  return kind === "log" ? logScale(values, height) : linearScale(values, share, height);
}

/** Make the scale of a range that the user chose. */
export function chosenScale([low, high]: Interval, values: Extent | null, kind: ScaleKind, height: number): ValueScale {
  return kind === "log" ? powersOver(low, high, values?.smallest ?? 1, height) : straight(scaleLinear([low, high], [height, 0]));
}

/** Powers of ten that a log axis may span, and may lie away from one. */
const MOST_POWERS = 30;

/** The values that are shown once each lies so many times as far from a height in pixels. */
export function stretched(scale: ValueScale, height: number, at: number, factor: number): Interval {
  return possible(scale, [scale.invert(at + (height - at) * factor), scale.invert(at - at * factor)]);
}

/** The values that are shown once all have gone so many pixels down. */
export function lowered(scale: ValueScale, height: number, by: number): Interval {
  return possible(scale, [scale.invert(height - by), scale.invert(-by)]);
}

/** A range that an axis can show, else the one that it shows. */
function possible(scale: ValueScale, range: Interval): Interval {
  const sizes = range.map((value) => Math.abs(Math.log10(Math.abs(value))));
  const far = scale.kind === "log" && sizes.some((size) => size > MOST_POWERS && size !== Infinity);
  const turns = scale.kind === "log" && scale.domain()[0] > 0 && !(range[0] > 0);
  return far || turns || !range.every(Number.isFinite) || !(range[0] < range[1]) ? scale.domain() : range;
}

/** From zero where that costs little room. */
function linearScale(values: Extent | null, share: boolean, height: number): ValueScale {
  let { low, high } = values ?? { low: 0, high: 1 };
  // A constant lies in the middle, between zero and its double.
  if (low === high) [low, high] = low === 0 ? [-1, 1] : [Math.min(0, 2 * low), Math.max(0, 2 * low)];
  if (low > 0 && low < 0.35 * high) low = 0;
  const scale = scaleLinear([low, high], [height, 0]).nice(tickCount(height));
  const [bottom = low, top = high] = scale.domain();
  // A share of one ends at 100 %, however round the next tick would be.
  return straight(share ? scale.domain([Math.max(0, bottom), Math.min(1, top)]) : scale);
}

type Linear = ReturnType<typeof scaleLinear<number, number>>;

function straight(scale: Linear): ValueScale {
  const [low = 0, high = 1] = scale.domain();
  const [bottom = 0] = scale.range();
  const rise = -bottom / (high - low);
  return Object.assign((value: number) => bottom + (value - low) * rise, {
    invert: (pixel: number) => scale.invert(pixel),
    domain: () => [low, high] as const,
    ticks: (count: number) => scale.ticks(count),
    threshold: null,
    kind: "linear" as const,
  });
}

function logScale(values: Extent | null, height: number): ValueScale {
  let { low, high } = values ?? { low: 0.1, high: 1 };
  const smallest = values?.smallest ?? 0.1;
  if (low > 0) [low, high] = low === high ? [low / 10, low * 10] : roundEnds(low, high);
  else if (low === 0 && high === 0) [low, high] = [-1, 1];
  else [low, high] = [low < 0 ? -roundEnds(-low, -low)[1] : 0, high > 0 ? roundEnds(high, high)[1] : 0];
  return powersOver(low, high, smallest, height);
}

function powersOver(low: number, high: number, smallest: number, height: number): ValueScale {
  const log = logarithm(low, high, smallest);
  const [bottom, top] = [log.of(low), log.of(high)];
  const scale = (value: number): number => {
    const at = log.of(value);
    // Below what a chosen range of positive values can show lies the bottom, and what is under it.
    return at === -Infinity ? 2 * height : height - ((at - bottom) / (top - bottom)) * height;
  };
  return Object.assign(scale, {
    invert: (pixel: number) => log.inverse(bottom + (1 - pixel / height) * (top - bottom)),
    domain: () => [low, high] as const,
    ticks: (count: number) => logTicks(low, high, log, count),
    threshold: log.threshold,
    kind: "log" as const,
  });
}

const THIN = "\u2009";

/** How many ticks fit a height in pixels. */
export function tickCount(height: number): number {
  return Math.max(2, Math.min(12, Math.round(height / (height > 400 ? 56 : 34))));
}

/** Write the ticks of a scale of values. */
export function tickWriter(scale: ValueScale, share: boolean, count: number): (value: number) => string {
  const [low, high] = scale.domain();
  if (scale.kind === "log") return powerWriter(scale, share, count);
  if (share) {
    const percent = scaleLinear([100 * low, 100 * high], [0, 1]).tickFormat(count);
    return (value) => `${minus(percent(100 * value))} %`;
  }
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (size < 1e-3 || size >= 1e5) return (value) => (value === 0 ? "0" : minus(scientific(value)));
  const even = scaleLinear([low, high], [0, 1]).tickFormat(count);
  return (value) => minus(even(value).replaceAll(",", THIN));
}

/** Small values all have their power of ten where one of them needs it. */
function powerWriter(scale: ValueScale, share: boolean, count: number): (value: number) => string {
  if (share) return (value) => `${minus(plain(100 * value))} %`;
  const small = scale.ticks(count).some((tick) => tick !== 0 && Math.abs(tick) < 1e-3);
  return (value) => minus(small && value !== 0 && Math.abs(value) < 0.1 ? scientific(value) : plain(value));
}

/** Write a round value as short as it goes. */
function plain(value: number): string {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-3 && size < 1e5) ? String(Number(value.toPrecision(6))) : scientific(value);
}

function scientific(value: number): string {
  return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
}

function minus(text: string): string {
  return text.replace(/^-/, "−");
}
