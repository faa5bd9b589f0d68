/** The series of one run, as far as the page holds them: each up to a cursor, from which the server goes on. */
/* eslint-disable svelte/prefer-svelte-reactivity -- what is shown is in `#columns` and `#version` */

import { SvelteMap } from "svelte/reactivity";
import type { PointsMessage, SeriesPart } from "../wire";
import { BOUND, Columns, mayLack, NO_POINTS, type Points } from "./columns";

/** What became of a message: `gap` where what should have come before it is missing. */
export type Taken = "taken" | "passed" | "gap";

/** Metrics that are held up to one cursor. */
export interface Mark {
  readonly after: string;
  readonly metrics: readonly string[];
}

export class SeriesStore {
  readonly #columns = new SvelteMap<string, Columns>();
  /** Up to where each metric is held, also those that have no point yet. */
  readonly #cursors = new Map<string, string>();
  /** Metrics of which something came that fits, since the page asked last: before that it may have been on its way. */
  readonly #inStep = new Set<string>();
  readonly #bound: number;
  #first = Infinity;
  #last = -Infinity;
  #version = $state(0);

  /** `bound` is how many points of a series are held at most. */
  constructor(
    readonly run: string | null,
    bound = BOUND,
  ) {
    this.#bound = bound;
  }

  /** Grows with every message that brought something: read it to be run again. */
  get version(): number {
    return this.#version;
  }

  get metrics(): string[] {
    return [...this.#columns.keys()];
  }

  /** The first and the last step of all series; run again with each that comes. */
  get steps(): readonly [number, number] {
    void this.#version;
    return this.#first <= this.#last ? [this.#first, this.#last] : [0, 0];
  }

  /** The columns of a metric; run again when there are some, and with `version` when they grow. */
  get(metric: string): Columns | undefined {
    return this.#columns.get(metric);
  }

  /** The points of a metric; run again with each that comes. */
  points(metric: string): Points {
    void this.#version;
    return this.#columns.get(metric)?.points ?? NO_POINTS;
  }

  /** Tell whether a metric was read, be it that there was nothing. */
  holds(metric: string): boolean {
    return this.#cursors.has(metric);
  }

  /** Forget everything. */
  clear(): void {
    this.#columns.clear();
    this.#cursors.clear();
    this.#inStep.clear();
    [this.#first, this.#last] = [Infinity, -Infinity];
    this.#version++;
  }

  /** Forget some metrics. */
  drop(metrics: Iterable<string>): void {
    for (const metric of metrics) {
      this.#columns.delete(metric);
      this.#cursors.delete(metric);
    }
    this.#version++;
  }

  /**
   * Hold what was read of some metrics in place of what was held of them; of those it does not name there is nothing.
   * `most` is how many points of each were asked for.
   */
  hold(message: PointsMessage, asked: Iterable<string> = [], most = Infinity): void {
    for (const metric of [...asked, ...message.series.map((part) => part.metric)]) {
      this.#columns.delete(metric);
      this.#cursors.set(metric, message.cursor);
      this.#inStep.delete(metric);
    }
    for (const part of message.series) this.#append(part, message.decimated ? most : Infinity);
    this.#version++;
  }

  /** Say from where the server is to go on with each of some metrics; those that are not held are left out. */
  goOn(wanted: Iterable<string>): Mark[] {
    this.#inStep.clear();
    const alike = new Map<string, string[]>();
    for (const metric of wanted) {
      const cursor = this.#cursors.get(metric);
      if (cursor === undefined) continue;
      const metrics = alike.get(cursor);
      if (metrics === undefined) alike.set(cursor, [metric]);
      else metrics.push(metric);
    }
    return [...alike].map(([after, metrics]) => ({ after, metrics }));
  }

  /** Append of each metric what follows the cursor that it is held up to; the rest of a message is let pass. */
  take(message: PointsMessage): Taken {
    let became: Taken = "passed";
    let grew = false;
    const most = message.decimated ? Math.max(...message.series.map(({ steps }) => steps.length)) : Infinity;
    for (const part of message.series) {
      if (this.#cursors.get(part.metric) === message.after) {
        this.#cursors.set(part.metric, message.cursor);
        this.#inStep.add(part.metric);
        this.#append(part, most);
        grew ||= part.steps.length > 0;
        if (became === "passed") became = "taken";
      } else if (this.#inStep.has(part.metric)) became = "gap";
    }
    if (grew) this.#version++;
    return became;
  }

  /** Append points, of which there were left so many where some were left out. */
  #append(part: SeriesPart, most: number): void {
    if (part.steps.length === 0) return;
    let columns = this.#columns.get(part.metric);
    if (columns === undefined) {
      // What is thinned as it grows on stays as fine as it was read.
      const bound = most < Infinity ? Math.max(this.#bound, Math.min(4 * most, BOUND)) : this.#bound;
      this.#columns.set(part.metric, (columns = new Columns(bound)));
    }
    columns.append(part, grainOf(part, most));
    for (const step of part.steps) {
      if (step < this.#first) this.#first = step;
      if (step > this.#last) this.#last = step;
    }
  }
}

/**
 * In how many points, evenly over the axis, a series is shown that the server left `most` of: a third of its stretches are
 * less where it has holes to mark, too, and half of them where steps come unevenly, for these go by the number of points.
 */
export function grainOf({ steps, values }: Pick<SeriesPart, "steps" | "values">, most: number): number {
  if (!mayLack(steps.length, most)) return Infinity;
  const holes = values.some((value) => !Number.isFinite(value)) ? 2 / 3 : 1;
  const stretch = (2 * ((steps[steps.length - 1] ?? 0) - (steps[0] ?? 0))) / (most * holes);
  const uneven = steps.some((step, nth) => nth > 0 && step - (steps[nth - 1] ?? step) > 2 * stretch + 2);
  return most * holes * (uneven ? 1 / 2 : 1);
}
