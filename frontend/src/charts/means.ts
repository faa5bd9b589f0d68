/** What is smoothed in the place of a line whose points are thinned: means of all points, and what came since. */

import { bisectRight } from "d3-array";
import type { Finer } from "../state/detail.svelte";
import type { Points } from "../state/columns";
import { roomier } from "./track";

/** Joins the means of one line with the points that have come behind them; while only those grow, what is joined grows on. */
export class Means {
  #means: Finer | null = null;
  #newer: Points | null = null;
  #joined: Points | null = null;
  #steps = new Float64Array(0);
  #values = new Float64Array(0);
  #times = new Float64Array(0);
  #weights = new Float64Array(0);
  #length = 0;

  /** `open`: the means reach as far as there were points, so that those behind the last of them follow. */
  join(means: Finer, newer: Points, open: boolean): Points {
    if (means === this.#means && newer === this.#newer && this.#joined !== null) return this.#joined;
    const grew = means === this.#means && newer.stem === this.#newer?.stem && newer.length >= this.#newer.length;
    const from = grew ? (this.#newer?.length ?? 0) : 0;
    if (!grew) this.#begin(means);
    const last = means.points.steps[means.points.length - 1] ?? Infinity;
    const start = open ? Math.max(from, bisectRight(newer.steps, last, 0, newer.length)) : newer.length;
    this.#add(newer, start, newer.length, null);
    this.#means = means;
    this.#newer = newer;
    return (this.#joined = this.#view(newer, grew ? (this.#joined?.stem ?? {}) : {}));
  }

  #begin({ points, places }: Finer): void {
    this.#length = 0;
    this.#add(points, 0, points.length, places);
  }

  #add({ steps, values, times }: Points, start: number, end: number, weights: Float64Array | null): void {
    if (end <= start) return;
    const at = this.#length;
    const length = at + end - start;
    if (length > this.#steps.length) {
      this.#steps = roomier(this.#steps, length);
      this.#values = roomier(this.#values, length);
      this.#times = roomier(this.#times, length);
      this.#weights = roomier(this.#weights, length);
    }
    this.#steps.set(steps.subarray(start, end), at);
    this.#values.set(values.subarray(start, end), at);
    this.#times.set(times.subarray(start, end), at);
    if (weights === null) this.#weights.fill(1, at, length);
    else this.#weights.set(weights.subarray(start, end), at);
    this.#length = length;
  }

  #view(newer: Points, stem: object): Points {
    const part = (column: Float64Array): Float64Array => column.subarray(0, this.#length);
    const columns = { steps: part(this.#steps), values: part(this.#values), times: part(this.#times), weights: part(this.#weights) };
    return { ...columns, length: this.#length, range: newer.range, stem, thinned: false };
  }
}
