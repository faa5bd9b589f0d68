/** How the page gets the points that it needs: each series is read up to a cursor, and the server goes on from there. */

import { SvelteMap } from "svelte/reactivity";
import { readSeries, type Mark, type SeriesRead } from "../network";
import type { PointsMessage } from "../wire";
import { Needs } from "./needs";
import { SeriesStore } from "./series.svelte";

/** Of a run with few metrics all are held, also those out of view. */
const FEW_METRICS = 100;
/** Of runs that are laid over too, where they are no more series than these: then nothing waits for charts to be made. */
const FEW_BESIDE = 200;
/** Points that are read of a series at first, where there are not too many series: see `Outside.pixels`. */
const POINTS = [2000, 4096] as const;
const FEWEST_POINTS = 400;
const MOST_IN_ALL = 1_000_000;
/** Series that are read first, and runs at the least: what is there is drawn while the rest is read. */
const PORTION = 10;
const FEWEST_RUNS = 5;
/** How much larger the later portions become: with each one all is drawn again. */
const GROWTH = 4;
/** Points that are held of a series of a run that is laid over, or four times as many as were read of it. */
const BOUND_BESIDE = 4096;
/** Runs that were shown and are kept, for the way back. */
const KEPT_RUNS = 6;
/** Series of a run that may be held beyond those that are needed. */
const KEPT_SERIES = 500;
/** What went out of view may come back: the server hears of it later. */
const LEAVE_MS = 3000;
const RETRY_MS = 2000;
/** No answer for so long is none: a run may be gone. */
const CATCH_UP_MS = 10_000;

const NOTHING = new SeriesStore(null);

/** Which runs something is needed of: the one that is shown, or those laid over it too. */
export type Whose = "shown" | "all";

export interface Outside {
  watch(run: string | null, marks: readonly Mark[]): void;
  /** Points were read, or could not be. */
  read(error: unknown): void;
  caughtUp(): void;
  /** How wide a chart may be: one of that width shows the extremes of each pixel at once, so that nothing is read twice. */
  pixels(): number;
}

export class Feed {
  readonly #outside: Outside;
  readonly #stores = new SvelteMap<string, SeriesStore>();
  /** What is in view. */
  readonly needs: Readonly<Record<Whose, Needs>> = { shown: new Needs(), all: new Needs() };
  readonly #reading = new Map<string, Set<string>>();
  /** Runs that the server has not, as it said since it was reached last. */
  readonly #missing = new Set<string>();
  #linked = false;
  #lost = false;
  /** Metrics that the shown run is known to have, the first few of them. */
  #few = new Set<string>();
  /** Undefined until something is shown. */
  #shown: string | null | undefined = undefined;
  #beside: readonly string[] = [];
  #opened = false;
  #settling = false;
  /** What the server was told last of what is wanted. */
  #watching = new Map<string, ReadonlySet<string>>();
  #watched = "";
  #leaving = false;
  #awaited: Set<string> | null = null;
  /** What the server was asked to go on with and has not yet: its first answer tells what was, the next what happens. */
  #asked = new Set<string>();
  #patience: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  constructor(outside: Outside) {
    this.#outside = outside;
    this.needs.all.changed = this.needs.shown.changed = () => this.#needsChanged();
  }

  /** The series of a run; an empty store where nothing is held of it. */
  of(run: string | null | undefined): SeriesStore {
    return (typeof run === "string" ? this.#stores.get(run) : undefined) ?? NOTHING;
  }

  /** Show a run; what was held of it is gone on with. */
  show(run: string | null): void {
    this.#shown = run;
    this.#few = new Set();
    this.#turn++;
    this.#opened = run === null;
    if (run !== null) {
      this.#keep(run);
      this.know(this.of(run).metrics);
      if (this.#few.size > 0) this.#opened = true;
      else void this.#open(run);
    }
    this.#settle();
  }

  /** Lay runs over the shown one. */
  lay(runs: readonly string[]): void {
    const beside = runs.filter((run) => run !== this.#shown);
    if (beside.join("\n") === this.#beside.join("\n")) return;
    this.#beside = beside;
    for (const run of beside) this.#keep(run);
    this.#settle();
  }

  /** Say that the shown run has metrics: while they are few, all are held. */
  know(metrics: Iterable<string>): void {
    const before = this.#few.size;
    for (const metric of metrics) {
      if (this.#few.size >= FEW_METRICS) break;
      this.#few.add(metric);
    }
    if (this.#few.size > before) this.#settle();
  }

  /** The connection stands, anew: what is held is gone on with. */
  connected(): void {
    this.#linked = true;
    this.#lost = false;
    this.#missing.clear();
    this.#watched = "";
    this.#awaited = new Set();
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#caughtUp(), CATCH_UP_MS);
    if (!this.#opened && typeof this.#shown === "string" && !this.#reading.has(this.#shown)) void this.#open(this.#shown);
    this.#settleNow();
  }

  lost(): void {
    this.#linked = false;
    this.#lost = true;
    clearTimeout(this.#patience);
    this.#awaited = null;
    this.#watched = "";
  }

  /** Take what the server sent. Returns when the shown run was heard of by it, in milliseconds since 1970; null if it was not. */
  take(messages: readonly PointsMessage[]): number | null {
    let heard: number | null = null;
    let gap = false;
    for (const message of messages) {
      const became = this.#stores.get(message.run)?.take(message) ?? "passed";
      const key = `${message.run}\n${message.after ?? ""}`;
      const answers = this.#asked.delete(key);
      const newest = newestTime(message);
      if (became === "taken" && message.run === this.#shown && newest !== null) heard = Math.max(heard ?? 0, answers ? newest : Date.now());
      gap ||= became === "gap";
      this.#awaited?.delete(key);
    }
    if (gap) this.#watch();
    this.#lookWhetherCaughtUp();
    return heard;
  }

  /** Read a run afresh: too much was missed, or what is held of it is no more so. */
  async resync(run: string): Promise<void> {
    const store = this.#stores.get(run);
    if (store === undefined) return;
    const metrics = [...this.#wanted(run)].filter((metric) => store.holds(metric));
    store.drop([...store.metrics].filter((metric) => !metrics.includes(metric)));
    this.#forgetAwaited(run);
    await this.#read([run], metrics);
    this.#watch();
  }

  /** A run is not there (any more). */
  gone(runs: readonly string[]): void {
    for (const run of runs) this.#forgetAwaited(run);
    this.#lookWhetherCaughtUp();
  }

  /** Read what cells out of view show, before the server goes. */
  async fill(metrics: readonly string[]): Promise<void> {
    if (typeof this.#shown !== "string") return;
    const store = this.of(this.#shown);
    await this.#read([this.#shown], metrics.filter((metric) => !store.holds(metric)).slice(0, KEPT_SERIES));
  }

  // --- what is wanted, and what is lacking

  #wanted(run: string): Set<string> {
    const all = [...this.needs.all.metrics, ...this.needs.shown.metrics, ...this.#few];
    return new Set(run === this.#shown || this.#beside.length * this.#few.size <= FEW_BESIDE ? all : this.needs.all.metrics);
  }

  get #most(): number {
    const [least, most] = POINTS;
    return Math.max(least, Math.min(Math.ceil(2 * this.#outside.pixels()), most));
  }

  get #runs(): string[] {
    return typeof this.#shown !== "string" ? [...this.#beside] : [this.#shown, ...this.#beside.filter((run) => run !== this.#shown)];
  }

  /** What comes into view is read at once. What leaves may come back, so the server hears of it later. */
  #needsChanged(): void {
    const grew = this.#runs.some((run) => [...this.#wanted(run)].some((metric) => !this.#watching.get(run)?.has(metric)));
    if (grew) this.#settle();
    else if (!this.#leaving) {
      this.#leaving = true;
      setTimeout(() => {
        this.#leaving = false;
        this.#settle();
      }, LEAVE_MS);
    }
  }

  #settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    queueMicrotask(() => this.#settleNow());
  }

  #settleNow(): void {
    this.#settling = false;
    if (!this.#lost) {
      const alike = new Map<string, [string[], string[]]>();
      // The shown run is opened first. What is laid over it need not wait for that once its metrics are known.
      for (const run of this.#opened ? this.#runs : this.#few.size > 0 ? this.#beside : []) {
        const metrics = this.#lacking(run);
        const key = metrics.join("\n");
        if (metrics.length > 0) alike.set(key, [[...(alike.get(key)?.[0] ?? []), run], metrics]);
      }
      for (const [runs, metrics] of alike.values()) void this.#readOn(runs, metrics);
    }
    this.#watch(false);
  }

  async #readOn(runs: readonly string[], metrics: readonly string[]): Promise<void> {
    const done = await this.#read(runs, metrics);
    if (done) this.#settle();
    else setTimeout(() => this.#settle(), RETRY_MS);
  }

  #lacking(run: string): string[] {
    if (this.#missing.has(run)) return [];
    const [store, reading] = [this.of(run), this.#reading.get(run)];
    return [...this.#wanted(run)].filter((metric) => !store.holds(metric) && !reading?.has(metric));
  }

  #keep(run: string): void {
    const store = this.#stores.get(run) ?? new SeriesStore(run, run === this.#shown ? undefined : BOUND_BESIDE);
    this.#stores.delete(run);
    this.#stores.set(run, store);
    const idle = [...this.#stores.keys()].filter((each) => !this.#runs.includes(each));
    for (const each of idle.slice(0, Math.max(0, idle.length - KEPT_RUNS))) this.#stores.delete(each);
  }

  // --- reading

  /** Read the first metrics of a run, whatever they are. */
  async #open(run: string): Promise<void> {
    const turn = this.#turn;
    this.#reading.set(run, new Set());
    let failed: unknown = null;
    try {
      const most = this.#most;
      const found = await readSeries({ runs: [run], first: FEW_METRICS, most });
      if (turn !== this.#turn) return;
      for (const { message } of found) {
        // Where there are no more, of what else is wanted there is nothing.
        this.#stores.get(run)?.hold(message, message.series.length < FEW_METRICS ? this.#wanted(run) : [], most);
      }
      this.know(this.of(run).metrics);
      this.#opened = found.length > 0;
      if (!this.#opened) failed = new MissingError(run);
    } catch (error) {
      failed = error;
    } finally {
      this.#reading.delete(run);
    }
    if (turn !== this.#turn) return;
    this.#outside.read(failed);
    this.#settle();
  }

  /** Read metrics of some runs. Tells whether it could be done. */
  async #read(runs: readonly string[], metrics: readonly string[]): Promise<boolean> {
    if (metrics.length === 0) return true;
    for (const run of runs) this.#reading.set(run, new Set([...(this.#reading.get(run) ?? []), ...metrics]));
    const most = Math.max(FEWEST_POINTS, Math.min(this.#most, Math.floor(MOST_IN_ALL / (runs.length * metrics.length))));
    const portions = parted(runs, Math.max(FEWEST_RUNS, Math.floor(PORTION / metrics.length)));
    const ask = (some: readonly string[] | undefined): Promise<SeriesRead[]> | null => some ? readSeries({ runs: some, metrics, most }) : null;
    try {
      // The server reads the next while the page takes what has come.
      const coming = [ask(portions[0]), ask(portions[1])];
      for (const [nth, some] of portions.entries()) {
        const found = await coming.shift();
        coming.push(ask(portions[nth + 2]));
        this.#hold(some, metrics, found ?? [], most);
      }
      return true;
    } catch (error) {
      this.#outside.read(error);
      return false;
    } finally {
      for (const run of runs) this.#haveRead(run, metrics);
    }
  }

  #hold(runs: readonly string[], metrics: readonly string[], found: readonly SeriesRead[], most: number): void {
    const there = new Set(found.map(({ message }) => message.run));
    for (const { message, asked } of found) this.#stores.get(message.run)?.hold(message, asked, most);
    for (const run of runs) {
      if (there.has(run)) this.#thin(run);
      else this.#missing.add(run);
      this.#haveRead(run, metrics);
    }
  }

  #haveRead(run: string, metrics: readonly string[]): void {
    for (const metric of metrics) this.#reading.get(run)?.delete(metric);
  }

  /** Let go of series that went out of view long ago. */
  #thin(run: string): void {
    const store = this.of(run);
    const wanted = this.#wanted(run);
    const idle = store.metrics.filter((metric) => !wanted.has(metric));
    if (idle.length > KEPT_SERIES) store.drop(idle.slice(0, idle.length - KEPT_SERIES));
  }

  // --- following

  /** Tell the server what is wanted from where on, where that has changed or `anyway`. */
  #watch(anyway = true): void {
    if (!this.#linked || this.#shown === undefined) return;
    const wanted = this.#runs.map((run) => [run, [...this.#wanted(run)].filter((metric) => this.of(run).holds(metric))] as const);
    const key = JSON.stringify([this.#shown, wanted]);
    if (!anyway && key === this.#watched) return this.#lookWhetherCaughtUp();
    this.#watched = key;
    this.#watching = new Map(wanted.map(([run, metrics]) => [run, new Set(metrics)]));
    const marks = wanted.flatMap(([run, metrics]) => this.of(run).goOn(metrics).map((mark) => ({ run, ...mark })));
    this.#asked = new Set(marks.map(({ run, after }) => `${run}\n${after}`));
    if (this.#awaited !== null) this.#awaited = new Set(this.#asked);
    this.#outside.watch(this.#shown, marks);
    this.#lookWhetherCaughtUp();
  }

  #forgetAwaited(run: string): void {
    for (const each of this.#awaited ?? []) if (each.startsWith(`${run}\n`)) this.#awaited?.delete(each);
  }

  #lookWhetherCaughtUp(): void {
    const reading = [...this.#reading.values()].some((metrics) => metrics.size > 0) || !this.#opened;
    if (this.#awaited?.size === 0 && !reading) this.#caughtUp();
  }

  #caughtUp(): void {
    clearTimeout(this.#patience);
    if (this.#awaited === null) return;
    this.#awaited = null;
    this.#outside.caughtUp();
  }
}

/** Part runs: each portion is twice as large as the one before, up to a bound. */
function parted(runs: readonly string[], size: number): string[][] {
  const parts: string[][] = [];
  for (let at = 0, next = size; at < runs.length; at += next, next = Math.min(2 * next, GROWTH * size)) {
    parts.push(runs.slice(at, at + next));
  }
  return parts;
}

/** When the newest of some points was logged, in milliseconds since 1970; null where there are none. */
function newestTime({ series }: PointsMessage): number | null {
  const times = series.flatMap(({ times }) => times.at(-1) ?? []);
  return times.length === 0 ? null : 1000 * Math.max(...times);
}

/** Says that a run is not in the store. */
export class MissingError extends Error {
  override name = "MissingError";
}
