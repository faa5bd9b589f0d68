/** The median of the points around each: spikes vanish, edges stay. */

import { bisectLeft } from "d3-array";
import type { Track } from "../track";
import { Smoothed } from "./smoothed";
import type { Smoother } from "./smoother";

/** Take so many points on either side; points that are not finite are left out, and stay as they are. */
export function median(beside: number): Smoother {
  const smoothed = new Smoothed();

  function fill({ y, length }: Track, start: number): void {
    const window = new Window(2 * beside + 2);
    for (let i = Math.max(0, start - beside); i < Math.min(length, start + beside); i++) window.add(y[i] ?? NaN);
    for (let i = start; i < length; i++) {
      if (i + beside < length) window.add(y[i + beside] ?? NaN);
      const value = y[i] ?? NaN;
      smoothed.y[i] = value - value === 0 ? window.median : value;
      if (i - beside >= 0) window.remove(y[i - beside] ?? NaN);
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
