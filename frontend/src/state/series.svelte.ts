/** All series of the run that is shown. */

import { SvelteMap } from "svelte/reactivity";
import { BEGINNING, type PointsMessage } from "../wire";
import { Columns } from "./columns";

export class SeriesStore {
  readonly #columns = new SvelteMap<string, Columns>();
  #run: string | null = null;
  #cursor = BEGINNING;
  /** Whether what comes is what was asked for last: before that it may have been on its way when the page asked. */
  #inStep = false;
  #version = $state(0);

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
    this.#cursor = BEGINNING;
    this.#inStep = false;
    this.#version++;
  }

  /** Hold what was read of a run's series in place of all that was held. */
  replace(message: PointsMessage): void {
    this.clear(message.run);
    this.#take(message);
  }

  /** Say from where the server is to go on, and let pass what does not follow until that comes. */
  goOn(): string {
    this.#inStep = false;
    return this.#cursor;
  }

  /**
   * Append what follows the cursor. Says what became of it: `passed` if it is of another run, or was on its way before
   * `goOn`; `gap` if what should have come is missing, so that the page must go on from its own cursor.
   */
  append(message: PointsMessage): "taken" | "passed" | "gap" {
    if (message.run !== this.#run) return "passed";
    if (message.after !== this.#cursor) return this.#inStep ? "gap" : "passed";
    this.#inStep = true;
    this.#take(message);
    return "taken";
  }

  #take(message: PointsMessage): void {
    this.#cursor = message.cursor;
    if (message.series.length === 0) return;
    for (const part of message.series) {
      let columns = this.#columns.get(part.metric);
      if (columns === undefined) this.#columns.set(part.metric, (columns = new Columns()));
      columns.append(part.steps, part.values);
    }
    this.#version++;
  }
}
