/** All series of the run that is shown. */

import { SvelteMap } from "svelte/reactivity";
import type { PointsMessage } from "../wire";
import { Columns } from "./columns";

export class SeriesStore {
  readonly #columns = new SvelteMap<string, Columns>();
  #run: string | null = null;
  #cursor = 0;
  #version = $state(0);

  /** Up to where every point is held. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Grows with every message that brought something: read it to be run again. */
  get version(): number {
    return this.#version;
  }

  get metrics(): string[] {
    return [...this.#columns.keys()];
  }

  /** The first and the last step of all series. */
  get steps(): readonly [number, number] {
    let [first, last] = [Infinity, -Infinity];
    for (const { points } of this.#columns.values()) {
      first = Math.min(first, points.steps[0] ?? first);
      last = Math.max(last, points.steps[points.length - 1] ?? last);
    }
    return first <= last ? [first, last] : [0, 0];
  }

  get(metric: string): Columns | undefined {
    return this.#columns.get(metric);
  }

  /** Forget everything and hold the points of another run from now on. */
  clear(run: string | null): void {
    this.#columns.clear();
    this.#run = run;
    this.#cursor = 0;
    this.#version++;
  }

  /** Hold what was read of a run's series in place of all that was held. */
  replace(message: PointsMessage): void {
    this.clear(message.run);
    this.#take(message);
  }

  /**
   * Append what came past the cursor. Says what became of it: `known` if it holds what is held already, or is of another
   * run; `gap` if points between the cursor and these are missing.
   */
  append(message: PointsMessage): "taken" | "known" | "gap" {
    if (message.run !== this.#run || message.cursor <= this.#cursor) return "known";
    if (message.after !== null && message.after < this.#cursor) return "known";
    if (message.after !== null && message.after > this.#cursor) return "gap";
    this.#take(message);
    return "taken";
  }

  #take(message: PointsMessage): void {
    for (const part of message.series) {
      let columns = this.#columns.get(part.metric);
      if (columns === undefined) this.#columns.set(part.metric, (columns = new Columns()));
      columns.append(part.steps, part.values);
    }
    this.#cursor = message.cursor;
    this.#version++;
  }
}
