/** The y axis of a chart: its extent, its ticks and how they are written. */

import { scaleLinear, type ScaleLinear } from "d3-scale";
import type { Points } from "../state/columns";

export type Scale = ScaleLinear<number, number>;

/** The lowest and highest finite value of points `start` to `end`; null where there is none. */
export function extent({ values }: Points, start: number, end: number): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (let i = start; i < end; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** Join extents. */
export function union(extents: readonly (readonly [number, number] | null)[]): [number, number] | null {
  const known = extents.filter((each) => each !== null);
  if (known.length === 0) return null;
  return [Math.min(...known.map(([low]) => low)), Math.max(...known.map(([, high]) => high))];
}

/** Make the scale of values: round ends, so that it changes in steps; from zero where that costs little room. */
export function valueScale(values: readonly [number, number] | null, share: boolean, height: number): Scale {
  let [low, high] = values ?? [0, 1];
  // A constant lies in the middle, between zero and its double.
  if (low === high) [low, high] = low === 0 ? [-1, 1] : [Math.min(0, 2 * low), Math.max(0, 2 * low)];
  if (low > 0 && low < 0.35 * high) low = 0;
  const scale = scaleLinear([low, high], [height, 0]).nice(tickCount(height));
  const [bottom = low, top = high] = scale.domain();
  // A share of one ends at 100 %, however round the next tick would be.
  return share ? scale.domain([Math.max(0, bottom), Math.min(1, top)]) : scale;
}

/** How many ticks fit a height in pixels. */
export function tickCount(height: number): number {
  return Math.max(2, Math.min(6, Math.round(height / 34)));
}

/** Write the ticks of a scale of values. */
export function tickWriter(scale: Scale, share: boolean, count: number): (value: number) => string {
  if (share) {
    const percent = scaleLinear(scale.domain().map((each) => 100 * each), [0, 1]).tickFormat(count);
    return (value) => `${minus(percent(100 * value))} %`;
  }
  const [low = 0, high = 1] = scale.domain();
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (size < 1e-3 || size >= 1e5) return (value) => (value === 0 ? "0" : minus(scientific(value)));
  const plain = scale.tickFormat(count);
  return (value) => minus(plain(value));
}

function scientific(value: number): string {
  return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
}

function minus(text: string): string {
  return text.replace(/^-/, "−");
}
