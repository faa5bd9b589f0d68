/** Histograms over steps, as lines that stand behind one another and as a map of how dense they are. */

import { extent, max, ticks } from "d3-array";
import { scaleLinear } from "d3-scale";
import type { Histogram } from "../media";

export interface Distribution {
  readonly place: number;
  readonly step: number | null;
  readonly histogram: Histogram;
}

export interface Ridge {
  readonly place: number;
  readonly step: number | null;
  /** The y of the line where there is nothing. */
  readonly base: number;
  readonly path: string;
  /** How strong it is drawn: the newest is whole. */
  readonly strength: number;
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Ridges {
  readonly ridges: readonly Ridge[];
  readonly ticks: readonly Tick[];
}

interface Room {
  readonly width: number;
  readonly height: number;
}

const AXIS = 18;
const SIDE = 14;
const BINS = 96;

/** The density of a bin: what lies in it by how wide it is, of all that was counted. */
function densities({ counts, edges }: Histogram): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  return counts.map((count, bin) => count / total / Math.max(Number.MIN_VALUE, (edges[bin + 1] ?? 0) - (edges[bin] ?? 0)));
}

/** The mean of what was counted, as far as its bins tell it, and between which values it lies; null where nothing was. */
export function spread({ counts, edges }: Histogram): { mean: number; low: number; high: number } | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!(total > 0)) return null;
  const middle = (bin: number): number => ((edges[bin] ?? 0) + (edges[bin + 1] ?? 0)) / 2;
  return {
    mean: counts.reduce((sum, count, bin) => sum + count * middle(bin), 0) / total,
    low: edges[counts.findIndex((count) => count > 0)] ?? NaN,
    high: edges[counts.findLastIndex((count) => count > 0) + 1] ?? NaN,
  };
}

/** The range of all values. */
export function domain(all: readonly Distribution[]): readonly [number, number] {
  const [low, high] = extent(all.flatMap(({ histogram: { edges } }) => [edges[0] ?? NaN, edges.at(-1) ?? NaN]).filter(Number.isFinite));
  if (low === undefined || high === undefined) return [0, 1];
  return low < high ? [low, high] : [low - 0.5, high + 0.5];
}

/** Lay histograms out in a room, the oldest at the top and behind. */
export function ridges(all: readonly Distribution[], room: Room): Ridges {
  const held = all.filter(({ histogram }) => histogram.counts.length > 0);
  const x = scaleLinear(domain(held), [SIDE, Math.max(SIDE + 1, room.width - SIDE)]);
  const dense = held.map(({ histogram }) => densities(histogram));
  const most = max(dense.map((each) => max(each) ?? 0)) ?? 1;
  const bottom = room.height - AXIS - 4;
  const rise = Math.min(bottom - 4, Math.max(34, bottom * 0.34));
  const apart = held.length > 1 ? (bottom - rise - 4) / (held.length - 1) : 0;
  return {
    ridges: held.map(({ place, step, histogram: { edges } }, nth) => {
      const base = bottom - apart * (held.length - 1 - nth);
      const points = (dense[nth] ?? []).map((density, bin) => {
        const middle = x(((edges[bin] ?? 0) + (edges[bin + 1] ?? 0)) / 2);
        return `${middle.toFixed(1)} ${(base - (rise * density) / (most || 1)).toFixed(1)}`;
      });
      const [from, to] = [x(edges[0] ?? 0).toFixed(1), x(edges.at(-1) ?? 0).toFixed(1)];
      const ends = [x.range()[0] ?? 0, x.range()[1] ?? 0];
      const level = base.toFixed(1);
      const path = `M${ends[0]} ${level}H${from}L${[...points, `${to} ${level}`].join("L")}H${ends[1]}`;
      return { place, step, base, path, strength: held.length > 1 ? 0.35 + (0.65 * nth) / (held.length - 1) : 1 };
    }),
    ticks: labelled(x.domain() as [number, number], 5).map(({ value, label }) => ({ at: x(value), label })),
  };
}

/** How dense each histogram is in even steps over the whole range, from 0 to 1: the lowest values last. */
export function heat(all: readonly Distribution[]): readonly (readonly number[])[] {
  const [low, high] = domain(all);
  const columns = all.map(({ histogram }) => {
    const dense = densities(histogram);
    const { edges } = histogram;
    let bin = 0;
    return Array.from({ length: BINS }, (_, nth) => {
      const value = low + ((nth + 0.5) / BINS) * (high - low);
      if (value < (edges[0] ?? Infinity) || value >= (edges.at(-1) ?? -Infinity)) return 0;
      while (bin + 1 < dense.length && value >= (edges[bin + 1] ?? Infinity)) bin++;
      return dense[bin] ?? 0;
    }).reverse();
  });
  const most = max(columns.map((column) => max(column) ?? 0)) || 1;
  return columns.map((column) => column.map((density) => Math.sqrt(density / most)));
}

/** Round values of a range, and how they are written. */
export function labelled([low, high]: readonly [number, number], count: number): { value: number; label: string }[] {
  const values = ticks(low, high, count);
  const apart = Math.abs((values[1] ?? high) - (values[0] ?? low));
  const digits = Math.max(0, Math.min(12, -Math.floor(Math.log10(apart || 1))));
  const large = Math.max(Math.abs(low), Math.abs(high));
  const plain = large < 1e6 && digits <= 4;
  return values.map((value) => ({ value, label: (plain ? value.toFixed(digits) : value.toExponential(1)).replace("-", "−") }));
}
