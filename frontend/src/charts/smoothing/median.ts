/** The median of the points around each: spikes vanish, edges stay. */

import { bisectLeft } from "d3-array";
import { roomier, type Track } from "../track";
import { Smoothed } from "./smoothed";
import type { Smoother } from "./smoother";

/** Take so many points on either side; points that are not finite are left out, and stay as they are. */
export function median(beside: number): Smoother {
  const smoothed = new Smoothed();

  /** Where each point lies, counted in points: a mean of many takes the room of as many. */
  let places = new Float64Array(0);

  function fill({ y, length, weights }: Track, start: number): void {
    if (weights !== undefined) place(weights, length);
    const at = (i: number): number => (weights === undefined ? i : (places[i] ?? 0));
    const window = new Window(2 * beside + 2);
    let first = Math.max(0, start - beside);
    let end = first;
    for (let i = start; i < length; i++) {
      for (; at(i) - at(first) > beside; first++) if (first < end) window.remove(y[first] ?? NaN);
      for (end = Math.max(first, end); end < length && at(end) - at(i) <= beside; end++) window.add(y[end] ?? NaN);
      const value = y[i] ?? NaN;
      smoothed.y[i] = value - value === 0 ? window.median : value;
    }
  }

  function place(weights: Float64Array, length: number): void {
    if (places.length < length) places = roomier(places, length);
    let before = 0;
    for (let i = 0; i < length; i++) {
      const room = Math.max(1, weights[i] ?? 1);
      places[i] = before + room / 2;
      before += room;
    }
  }

  return {
    update(track) {
      const earlier = smoothed.earlier(track);
      if (earlier === null) return smoothed.out;
      const start = Math.max(0, earlier.index - beside);
      fill(track, start);
      return smoothed.take(track, start === 0 ? -Infinity : (track.x[start] ?? -Infinity));
    },
  };
}

/** Values in order. */
class Window {
  readonly #values: Float64Array;
  #length = 0;

  constructor(room: number) {
    this.#values = new Float64Array(room);
  }

  add(value: number): void {
    if (value - value !== 0) return;
    const at = bisectLeft(this.#values, value, 0, this.#length);
    this.#values.copyWithin(at + 1, at, this.#length++);
    this.#values[at] = value;
  }

  remove(value: number): void {
    if (value - value !== 0) return;
    const at = bisectLeft(this.#values, value, 0, this.#length);
    this.#values.copyWithin(at, at + 1, this.#length--);
  }

  get median(): number {
    const half = this.#length >> 1;
    const [below, above] = [this.#values[half - 1] ?? 0, this.#values[half] ?? 0];
    return this.#length % 2 === 1 ? above : (below + above) / 2;
  }
}
