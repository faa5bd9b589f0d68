/** Parts of an axis. */

import type { Interval } from "../state/view.svelte";

/** The share of the whole axis that can be looked at alone. */
const FINEST = 1e-9;

/** Move a range. */
export function moved([low, high]: Interval, by: number): Interval {
  return [low + by, high + by];
}

/** Make a range so many times as long around a place, which stays where it is. */
export function around([low, high]: Interval, at: number, factor: number): Interval {
  return [at - (at - low) * factor, at + (high - at) * factor];
}

/** Move a range into all there is. */
export function within([low, high]: Interval, [first, last]: Interval): Interval {
  if (high - low >= last - first) return [first, last];
  return low < first ? [first, first + high - low] : high > last ? [last - (high - low), last] : [low, high];
}

/** Keep a range that is made longer or shorter within all there is; null where it has become all. */
export function wider([low, high]: Interval, all: Interval): Interval | null {
  const [first, last] = all;
  const least = (last - first) * FINEST;
  if (high - low < least) return null;
  const kept: Interval = [Math.max(low, first), Math.min(high, last)];
  return kept[1] - kept[0] >= (last - first) * (1 - 1e-9) ? null : kept;
}

/** Where the head of a run was when a range was chosen, for each unit; null where it was not in the range. */
const heads = new WeakMap<Interval, Map<string, number | null>>();

/** The part that is shown of a range: with the head in it when it was chosen, it moves on with the head. */
export function rideOf(zoom: Interval | null, unit: string, head: number, follow: boolean): Interval | null {
  if (zoom === null) return null;
  const known = heads.get(zoom) ?? new Map<string, number | null>();
  heads.set(zoom, known);
  let from = known.get(unit);
  if (from === undefined) known.set(unit, (from = zoom[0] <= head && head <= zoom[1] ? head : null));
  return from === null || !follow || head <= from ? zoom : moved(zoom, head - from);
}
