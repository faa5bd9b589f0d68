/** Columns of points to which parts of others are added; while they only grow, what was seen of them stays. */

import type { Points } from "../state/columns";
import { roomier } from "./track";

type Column = "steps" | "values" | "times" | "weights";

export class Growing {
  readonly #columns: Record<Column, Float64Array>;
  #length = 0;
  #stem = {};

  /** `weighted`: each point stands for so many. */
  constructor(weighted = false) {
    const none = new Float64Array(0);
    this.#columns = { steps: none, values: none, times: none, ...(weighted && { weights: none }) } as Record<Column, Float64Array>;
  }

  /** Begin anew. */
  clear(): void {
    this.#length = 0;
    this.#stem = {};
  }

  /** Add the points from one place up to another; without `weights` each counts as one. */
  add(points: Points, start: number, end: number, weights: Float64Array | null = null): void {
    if (end <= start) return;
    const length = this.#length + end - start;
    for (const [name, column] of Object.entries(this.#columns) as [Column, Float64Array][]) {
      const grown = length > column.length ? (this.#columns[name] = roomier(column, length)) : column;
      const from = name === "weights" ? weights : points[name];
      if (from === null || from === undefined) grown.fill(1, this.#length, length);
      else grown.set(from.subarray(start, end), this.#length);
    }
    this.#length = length;
  }

  /** The points that were added, with what else is said of them; valid until the next are. */
  view(range: Points["range"], thinned: boolean): Points {
    const parts = Object.entries(this.#columns).map(([name, column]) => [name, column.subarray(0, this.#length)]);
    return { ...(Object.fromEntries(parts) as Pick<Points, Column & keyof Points>), length: this.#length, range, stem: this.#stem, thinned };
  }
}
