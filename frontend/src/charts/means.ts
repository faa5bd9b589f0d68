/** What is smoothed in the place of a line whose points are thinned: means of all points, and what came since. */

import { bisectRight } from "d3-array";
import type { Finer } from "../state/detail.svelte";
import type { Points } from "../state/columns";
import { Growing } from "./growing";

/** Joins the means of one line with the points that have come behind them; while only those grow, what is joined grows on. */
export class Means {
  readonly #columns = new Growing(true);
  #means: Finer | null = null;
  #newer: Points | null = null;
  #joined: Points | null = null;

  /** `open`: the means reach as far as there were points, so that those behind the last of them follow. */
  join(means: Finer, newer: Points, open: boolean): Points {
    if (means === this.#means && newer === this.#newer && this.#joined !== null) return this.#joined;
    const grew = means === this.#means && newer.stem === this.#newer?.stem && newer.length >= this.#newer.length;
    const from = grew ? (this.#newer?.length ?? 0) : 0;
    if (!grew) {
      this.#columns.clear();
      this.#columns.add(means.points, 0, means.points.length, means.places);
    }
    const last = means.points.steps[means.points.length - 1] ?? Infinity;
    if (open) this.#columns.add(newer, Math.max(from, bisectRight(newer.steps, last, 0, newer.length)), newer.length);
    this.#means = means;
    this.#newer = newer;
    return (this.#joined = this.#columns.view(newer.range, false));
  }
}
