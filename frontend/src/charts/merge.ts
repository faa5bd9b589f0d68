/** Points of a whole line, with finer ones in their place where these were read. */

import { bisectLeft, bisectRight } from "d3-array";
import type { Points } from "../state/columns";
import { Growing } from "./growing";

/** Joins the points of one line; while only the whole grows, the joined ones grow on. */
export class Merger {
  readonly #columns = new Growing();
  #whole: Points | null = null;
  #finer: Points | null = null;
  #joined: Points | null = null;

  /** Finer points stand for all of the whole between the first and the last of them. */
  join(whole: Points, finer: Points | undefined): Points {
    if (finer === undefined || finer.length === 0) return whole;
    if (whole === this.#whole && finer === this.#finer && this.#joined !== null) return this.#joined;
    const grew = finer === this.#finer && whole.stem === this.#whole?.stem && whole.length >= this.#whole.length;
    if (!grew) {
      this.#columns.clear();
      this.#columns.add(whole, 0, bisectLeft(whole.steps, finer.steps[0] ?? 0, 0, whole.length));
      this.#columns.add(finer, 0, finer.length);
    }
    const last = finer.steps[finer.length - 1] ?? Infinity;
    const from = grew ? (this.#whole?.length ?? 0) : 0;
    this.#columns.add(whole, Math.max(from, bisectRight(whole.steps, last, 0, whole.length)), whole.length);
    this.#whole = whole;
    this.#finer = finer;
    return (this.#joined = this.#columns.view(whole.range, finer.thinned));
  }
}
