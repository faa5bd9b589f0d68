/** Points of a whole line, with finer ones in their place where these were read. */

import { bisectLeft, bisectRight } from "d3-array";
import type { Points } from "../state/columns";
import { roomier } from "./track";

/** Joins the points of one line; while only the whole grows, the joined ones grow on. */
export class Merger {
  #whole: Points | null = null;
  #finer: Points | null = null;
  #joined: Points | null = null;
  #steps = new Float64Array(0);
  #values = new Float64Array(0);
  #times = new Float64Array(0);
  #length = 0;

  /** Finer points stand for all of the whole between the first and the last of them. */
  join(whole: Points, finer: Points | undefined): Points {
    if (finer === undefined || finer.length === 0) return whole;
    if (whole === this.#whole && finer === this.#finer && this.#joined !== null) return this.#joined;
    const grew = finer === this.#finer && whole.stem === this.#whole?.stem && whole.length >= this.#whole.length;
    if (!grew) this.#begin(whole, finer);
    const last = finer.steps[finer.length - 1] ?? Infinity;
    const from = grew ? (this.#whole?.length ?? 0) : 0;
    this.#add(whole, Math.max(from, bisectRight(whole.steps, last, 0, whole.length)), whole.length);
    this.#whole = whole;
    this.#finer = finer;
    return (this.#joined = this.#view(whole, finer, grew ? (this.#joined?.stem ?? {}) : {}));
  }

  #begin(whole: Points, finer: Points): void {
    this.#length = 0;
    this.#add(whole, 0, bisectLeft(whole.steps, finer.steps[0] ?? 0, 0, whole.length));
    this.#add(finer, 0, finer.length);
  }

  #add({ steps, values, times }: Points, start: number, end: number): void {
    const length = this.#length + Math.max(0, end - start);
    if (length > this.#steps.length) {
      this.#steps = roomier(this.#steps, length);
      this.#values = roomier(this.#values, length);
      this.#times = roomier(this.#times, length);
    }
    if (end <= start) return;
    this.#steps.set(steps.subarray(start, end), this.#length);
    this.#values.set(values.subarray(start, end), this.#length);
    this.#times.set(times.subarray(start, end), this.#length);
    this.#length = length;
  }

  #view(whole: Points, finer: Points, stem: object): Points {
    const part = (column: Float64Array): Float64Array => column.subarray(0, this.#length);
    const columns = { steps: part(this.#steps), values: part(this.#values), times: part(this.#times) };
    return { ...columns, length: this.#length, range: whole.range, stem, thinned: finer.thinned };
  }
}
