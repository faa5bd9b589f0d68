/** Finer points of a part of some series, read from the server as the user zooms in; each answer stays until the next. */
/* eslint-disable svelte/prefer-svelte-reactivity -- what is shown is in `answer` */

import { readSeries } from "../network";
import type { SeriesPart } from "../wire";
import { mayLack, type Points } from "./columns";

/** A part of some series, as a chart shows it. */
export interface Wish {
  readonly runs: readonly string[];
  readonly metrics: readonly string[];
  /** `step`, `time` (seconds since 1970), `relative` (seconds since the run began) or a metric. */
  readonly x: string;
  /** The bounds on that axis, both included; null where there is none. */
  readonly from: number | null;
  readonly to: number | null;
  /** How many points to show of each series at most: about two for each pixel. */
  readonly most: number;
  /** About `most` means in the place of points: `places` tells of how many points each is. */
  readonly means?: boolean;
  /** How far the series had come, in rough steps: where it has come further, it is asked for again. */
  readonly until?: number;
}

/** The points of one series in a part. */
export interface Finer {
  readonly run: string;
  readonly metric: string;
  /** In the order of the axis. Where not `thinned`, there are no more between them. */
  readonly points: Points;
  /** The places on the axis, where that is neither the step nor the time; of how many points each is, of means. */
  readonly places: Float64Array | null;
}

/** What was read for a wish. */
export interface Answer {
  readonly wish: Wish;
  /** The part that was read reaches further than the wish, so that a small pan asks for nothing. */
  readonly from: number | null;
  readonly to: number | null;
  get(run: string, metric: string): Finer | undefined;
}

/** The user may go on: what is asked for so soon after something else waits for that. */
const CALM_MS = 60;
const SOON_MS = 200;
/** Answers that are kept, by the points that they hold in all. */
const MOST_KEPT = 1_000_000;
const LEAST = 10;

export class Detail {
  readonly #kept = new Map<string, Whole>();

  /** Begin to want finer points; `wish` is the first of many. */
  want(wish: Wish | null = null): Want {
    const want = new Want(this);
    want.ask(wish);
    return want;
  }

  /** Read what a wish asks for, or take it from what was read before. */
  async read(wish: Wish, signal: AbortSignal): Promise<Answer> {
    const range = padded(wish);
    const key = JSON.stringify([wish.runs, wish.metrics, wish.x, range, wish.most, wish.means, wish.until]);
    const whole = this.#kept.get(key) ?? (await this.#fetch(wish, range, signal));
    this.#kept.delete(key);
    this.#kept.set(key, whole);
    this.#forget();
    return { wish, ...range, get: (run, metric) => whole.get(`${run}\n${metric}`) };
  }

  async #fetch(wish: Wish, range: Range, signal: AbortSignal): Promise<Whole> {
    const most = Math.max(LEAST, Math.ceil(wish.most * stretch(wish, range)));
    const part = { x: wish.x, ...range };
    const kind = wish.means === true && { means: true };
    const found = await readSeries({ runs: wish.runs, metrics: wish.metrics, most, part, ...kind }, signal);
    const whole: Whole = new Map();
    for (const { message } of found) {
      for (const each of message.series) whole.set(`${message.run}\n${each.metric}`, finer(message.run, each, most));
    }
    return whole;
  }

  #forget(): void {
    let points = 0;
    for (const [key, whole] of [...this.#kept].reverse()) {
      for (const each of whole.values()) points += each.points.length;
      if (points > MOST_KEPT) this.#kept.delete(key);
    }
  }
}

/** What one chart wants: its answers, one after the other. */
export class Want {
  readonly #detail: Detail;
  #wish: Wish | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #request: AbortController | null = null;
  #asked = -Infinity;
  /** The newest answer; it stays until the next one is there. Null where nothing finer is wanted. */
  answer = $state.raw<Answer | null>(null);
  loading = $state(false);

  constructor(detail: Detail) {
    this.#detail = detail;
  }

  /** Want something else from now on; null wants nothing. What is under way for an earlier wish is given up. */
  ask(wish: Wish | null): void {
    if (wish !== null && this.#wish !== null && JSON.stringify(wish) === JSON.stringify(this.#wish)) return;
    this.#wish = wish;
    this.#stop();
    const soon = performance.now() - this.#asked < SOON_MS;
    this.#asked = performance.now();
    if (wish === null) this.answer = null;
    else if (!this.#suffices(wish)) {
      this.loading = true;
      if (soon) this.#timer = setTimeout(() => void this.#read(wish), CALM_MS);
      else void this.#read(wish);
    }
  }

  /** Want nothing any more. */
  close(): void {
    this.#stop();
  }

  async #read(wish: Wish): Promise<void> {
    const request = (this.#request = new AbortController());
    try {
      const answer = await this.#detail.read(wish, request.signal);
      if (!request.signal.aborted) this.answer = answer;
    } catch {
      // Given up, or not reachable: the coarser picture stands, and the next wish asks again.
      if (!request.signal.aborted) this.#wish = null;
    } finally {
      if (this.#request === request) this.loading = false;
    }
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
    this.loading = false;
  }

  /** Tell whether the newest answer shows a wish as well as one of its own would. */
  #suffices(wish: Wish): boolean {
    const answer = this.answer;
    if (answer === null || !sameSeries(answer.wish, wish)) return false;
    if (!inside(wish, answer)) return false;
    const all = wish.runs.flatMap((run) => wish.metrics.map((metric) => answer.get(run, metric)));
    if (all.every((each) => each === undefined || !each.points.thinned)) return true;
    const [wanted, given] = [width(wish), width(answer.wish)];
    return wanted !== null && given !== null && wanted >= 0.8 * given && wish.most <= answer.wish.most;
  }
}

type Whole = Map<string, Finer>;
type Range = Pick<Wish, "from" | "to">;

/** Half the width more at each end. */
function padded({ from, to }: Wish): Range {
  if (from === null || to === null) return { from, to };
  return { from: from - (to - from) / 2, to: to + (to - from) / 2 };
}

function width({ from, to }: Range): number | null {
  return from === null || to === null ? null : to - from;
}

function stretch(wish: Wish, range: Range): number {
  const [narrow, wide] = [width(wish), width(range)];
  return narrow === null || wide === null || narrow <= 0 ? 1 : wide / narrow;
}

function inside(wish: Range, answer: Range): boolean {
  const begins = answer.from === null || (wish.from !== null && wish.from >= answer.from);
  return begins && (answer.to === null || (wish.to !== null && wish.to <= answer.to));
}

function sameSeries(a: Wish, b: Wish): boolean {
  const key = ({ runs, metrics, x, means, until }: Wish): string => JSON.stringify([runs, metrics, x, means, until]);
  return key(a) === key(b);
}

function finer(run: string, { metric, steps, values, times, places }: SeriesPart, most: number): Finer {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const range = low <= high ? ([low, high] as const) : null;
  const thinned = mayLack(values.length, most);
  return { run, metric, places, points: { steps, values, times, length: values.length, range, stem: {}, thinned } };
}
