/** A line as a chart draws it: places on the axis, and values. */

import { bisectRight } from "d3-array";
import type { Points } from "../state/columns";
import { place, placedAlike, type Placing } from "./placing";

/** Places in ascending order with their values. Views of columns that grow: valid until the next update. */
export interface Track {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly length: number;
  readonly past: Past;
  /** Which state of its past this is. */
  readonly revision: number;
  /** Which points they are, where they do not stand in the order of their steps. */
  readonly order?: readonly number[];
  /** How many points each stands for, whose mean it is; absent where each is one. */
  readonly weights?: Float64Array | undefined;
}

/** How many changes a past remembers: whoever looks less often sees all as new. */
const REMEMBERED = 256;

/** What tracks grew on, and from which place on each differs from the one before. */
export class Past {
  #revision = 0;
  #changes: number[] = [];

  /** Note that from a place on all may be different; return the number of the new state. */
  note(place: number): number {
    this.#changes.push(place);
    if (this.#changes.length > REMEMBERED) this.#changes.shift();
    return ++this.#revision;
  }

  /** The place up to which nothing has changed since a state. */
  since(revision: number): number {
    const count = this.#revision - revision;
    if (count > this.#changes.length) return -Infinity;
    let place = Infinity;
    for (let nth = this.#changes.length - count; nth < this.#changes.length; nth++) place = Math.min(place, this.#changes[nth] ?? place);
    return place;
  }
}

/** The place up to which a later track is what an earlier one was: -Infinity where they have nothing in common. */
export function alikeUpTo(before: Track | null, now: Track): number {
  if (before === now) return Infinity;
  return before?.past === now.past ? now.past.since(before.revision) : -Infinity;
}

export const NO_TRACK: Track = { x: new Float64Array(0), y: new Float64Array(0), length: 0, past: new Past(), revision: 0 };

/** Places the points of one line; of a line that grew it places only what came. */
export class Tracker {
  #track: Track = NO_TRACK;
  #points: Points | null = null;
  #placing: Placing | null = null;
  #x = new Float64Array(0);

  update(points: Points, placing: Placing): Track {
    const alike = this.#placing === null ? null : placedAlike(this.#placing, placing);
    if (points === this.#points && alike === Infinity) return this.#track;
    const grew = alike !== null && this.#points?.stem === points.stem && points.length >= this.#points.length;
    const from = grew ? this.#unchanged(alike) : 0;
    const past = from > 0 ? this.#track.past : new Past();
    this.#points = points;
    this.#placing = placing;
    return (this.#track = this.#place(points, placing, from, past) ?? arranged(this.#x, points));
  }

  /** How many of the points stay where they are. */
  #unchanged(alike: number): number {
    const { x, length } = this.#track;
    // What had to be arranged anew does not stand in the order of its points.
    if (length === 0 || length !== this.#points?.length || x.buffer !== this.#buffer()) return 0;
    return alike === Infinity ? length : bisectRight(x, alike, 0, length);
  }

  #buffer(): ArrayBufferLike {
    return this.#placing?.by === "step" ? (this.#points?.steps.buffer ?? this.#x.buffer) : this.#x.buffer;
  }

  /** Place the points from one on; null where they do not ascend. */
  #place(points: Points, placing: Placing, from: number, past: Past): Track | null {
    const { values: y, length, weights } = points;
    const changed = from > 0 ? (this.#track.x[from - 1] ?? -Infinity) : -Infinity;
    if (placing.by === "step") return { x: points.steps, y, length, past, revision: past.note(changed), weights };
    if (this.#x.length < length) this.#x = roomier(this.#x, length);
    place(placing, points, from, length, this.#x);
    let last = changed;
    for (let i = from; i < length; i++) {
      const at = this.#x[i] ?? NaN;
      if (!(at >= last)) return null;
      last = at;
    }
    return { x: this.#x.subarray(0, length), y, length, past, revision: past.note(changed), weights };
  }
}

/** Order points by their place; those that have none are left out. */
function arranged(x: Float64Array, { values, length, weights }: Points): Track {
  const order: number[] = [];
  for (let i = 0; i < length; i++) if (Number.isFinite(x[i])) order.push(i);
  order.sort((a, b) => (x[a] ?? 0) - (x[b] ?? 0));
  const past = new Past();
  return {
    x: Float64Array.from(order, (i) => x[i] ?? NaN),
    y: Float64Array.from(order, (i) => values[i] ?? NaN),
    length: order.length,
    past,
    revision: past.note(-Infinity),
    order,
    weights: weights && Float64Array.from(order, (i) => weights[i] ?? 1),
  };
}

/** Copy a column to where it has room to grow. */
export function roomier(column: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(64, 2 * length));
  larger.set(column);
  return larger;
}

/** The index of the point nearest to a place; null beyond the ends of the line. */
export function nearest({ x, length }: Track, at: number): number | null {
  if (length === 0) return null;
  const right = bisectRight(x, at, 0, length);
  const [before, after] = [x[right - 1] ?? -Infinity, x[right] ?? Infinity];
  const near = right === 0 || after - at < at - before ? right : right - 1;
  // Between two points far apart the nearest is meant; past an end only what is about as near as neighbours are.
  const reach = length > 1 ? ((x[length - 1] ?? 0) - (x[0] ?? 0)) / (length - 1) : 0.5;
  const between = right > 0 && right < length;
  return between || Math.abs((x[near] ?? Infinity) - at) <= Math.max(reach, 0.5) ? near : null;
}

/** The nearest point of a curve. */
export function pointAt(track: Track, place: number): { readonly index: number; readonly place: number; readonly value: number } | null {
  const index = nearest(track, place);
  return index === null ? null : { index, place: track.x[index] ?? NaN, value: track.y[index] ?? NaN };
}
