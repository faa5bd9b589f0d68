/** Parts of an axis. */

import type { Interval, Zoom } from "../state/view.svelte";

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

/** A range as it is chosen beside the head of a live run; null where there is no head. */
export function chosen(range: Interval, head: number | null): Zoom {
  return head !== null && range[0] <= head && head <= range[1] ? [...range, head] : range;
}

const ranges = new WeakMap<Zoom, Interval>();

/** The range of a zoom as it was chosen: the same object each time. */
export function rangeOf(zoom: Zoom): Interval {
  if (zoom.length === 2) return zoom;
  const range = ranges.get(zoom) ?? [zoom[0], zoom[1]];
  ranges.set(zoom, range);
  return range;
}

/** The part that is shown of a zoom: with the head in it when it was chosen, it moves on with the head. */
export function rideOf(zoom: Zoom, head: number, follow: boolean): Interval {
  const from = zoom[2];
  return from === undefined || !follow || head <= from ? rangeOf(zoom) : moved(rangeOf(zoom), head - from);
}
