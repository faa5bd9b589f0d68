/** What the page shows, and how it keeps up with the server. */

import { SvelteMap } from "svelte/reactivity";
import { runAxis, sameAxis, type Axis } from "../charts/axis";
import { connect, countLooseCells, readRuns, readSeries, RequestError, type Link } from "../network";
import { WireError, type Cell, type CellsChange, type Finding, type PointsMessage, type Run } from "../wire";
import { addressOf, readAddress } from "./address";
import { goAlong } from "./clock.svelte";
import { NO_POINTS } from "./columns";
import { keepAll } from "./keep";
import { Needs } from "./needs";
import { pace } from "./pace";
import { SeriesStore } from "./series.svelte";
import { Thrift } from "./thrift";

/** The points of a series that are read at first; all that come later are kept. */
const MOST_POINTS = 2000;
/** The server waits 2 s for the answer to `closing`. */
const KEEP_MS = 1700;
/** Where nobody looks, only the tab's title is seen. */
const HIDDEN_TURN_MS = 5000;

export type Connection = "connecting" | "live" | "lost" | "ended";
/** A run's id; `null` for the cells that name no run; `undefined` while nothing is known. */
export type Shown = string | null | undefined;

export class Session {
  readonly runs = new SvelteMap<string, Run>();
  readonly cells = new SvelteMap<string, Cell>();
  readonly series = new SeriesStore();
  /** The metrics that somebody looks at. */
  readonly needs = new Needs();
  findings = $state.raw<readonly Finding[]>([]);
  connection = $state<Connection>("connecting");
  shown = $state<Shown>(undefined);
  loading = $state(true);
  looseCells = $state(0);
  command = $state("agnez server");
  notice = $state<string | null>(null);
  /** When something was last heard of the run that is shown, in milliseconds since 1970. */
  heard = $state(0);

  #axis: Axis | null = null;
  #chosen = false;
  #reading: object | null = null;
  #freshCells = true;
  #link: Link;
  #thrift = new Thrift();
  #pace = pace(() => (document.hidden ? HIDDEN_TURN_MS : this.#thrift.interval), { begins: () => this.#thrift.measure() });

  constructor() {
    window.addEventListener("popstate", () => {
      if (this.connection === "live") this.#followAddress();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#pace.flush();
      if (this.connection === "live") void this.#countLoose();
    });
    this.#link = connect({
      connected: () => void this.#connected(),
      lost: () => this.#lost(),
      runs: (runs) => this.#pace.take(() => this.#takeRuns(runs)),
      gone: (ids) => this.#pace.take(() => this.#forgetRuns((id) => ids.includes(id))),
      cells: (change) => this.#pace.take(() => this.#takeCells(change)),
      findings: (findings) => this.#pace.take(() => this.#takeFindings(findings)),
      points: (message) => this.#pace.take(() => this.#takePoints(message)),
      resync: (run) => this.#pace.take(() => this.#resync(run)),
      closing: (command) => this.#closing(command),
      unreadable: (error) => {
        this.notice = `This page and its server do not understand each other (${error.message}). Reload the page.`;
      },
    });
  }

  /** The x axis that all charts of the shown run share: the same object as long as it places all alike. */
  readonly axis: Axis = $derived.by(() => {
    void this.series.version;
    const progress = this.run?.progress ?? { epoch: null, epochs: null, step: null, stepsPerEpoch: null };
    const epochs = this.series.get("epoch")?.points ?? NO_POINTS;
    const axis = runAxis(epochs, progress, this.series.steps, this.run?.state === "running");
    return (this.#axis = this.#axis !== null && sameAxis(this.#axis, axis) ? this.#axis : axis);
  });

  get run(): Run | undefined {
    return typeof this.shown === "string" ? this.runs.get(this.shown) : undefined;
  }

  /** Show a run, or the cells without one, because the user said so. */
  choose(shown: string | null): void {
    this.#goTo(addressOf(shown));
  }

  /** Show what is alive, and what will be. */
  chooseNewest(): void {
    this.#goTo("/");
  }

  #goTo(address: string): void {
    if (this.connection === "live") {
      history.pushState(null, "", address);
      this.#followAddress();
    } else {
      this.notice = "Without its server this page can only show what it shows now.";
    }
  }

  async #connected(): Promise<void> {
    this.#pace.flush();
    this.connection = "live";
    this.notice = null;
    this.#freshCells = true;
    if (!this.loading) this.#watch();
    try {
      const runs = await readRuns();
      this.#forgetRuns((id) => !runs.some((run) => run.id === id));
      this.#takeRuns(runs);
      await this.#countLoose();
    } catch (error) {
      this.#failed(error, "The list of runs could not be read");
    }
    if (this.shown === undefined) this.#followAddress();
    else if (this.loading && this.#reading === null) this.#show(this.shown);
  }

  #lost(): void {
    this.#pace.flush();
    if (this.connection !== "ended") this.connection = "lost";
    this.#reading = null;
  }

  async #closing(command: string): Promise<void> {
    this.#pace.flush();
    this.command = command;
    await keepAll(KEEP_MS);
    this.connection = "ended";
  }

  /** Runs that the server knows no more leave the list; the one that is shown stays, with all that is drawn. */
  #forgetRuns(isGone: (id: string) => boolean): void {
    for (const id of [...this.runs.keys()]) if (id !== this.shown && isGone(id)) this.runs.delete(id);
  }

  #takeRuns(records: readonly Run[]): void {
    for (const record of records) {
      const earlier = this.runs.get(record.id);
      if (record.id === this.shown && record.heartbeat !== earlier?.heartbeat) this.heard = Date.now();
      // A record without a summary says nothing of it, so the earlier one stands.
      this.runs.set(record.id, { ...(earlier?.summary && { summary: earlier.summary }), ...record });
    }
    if (!this.#chosen && this.shown !== undefined) this.#followNewest();
  }

  #takeCells(change: CellsChange): void {
    if (change.run === null) this.looseCells = Math.max(this.looseCells, change.changed.length);
    if (change.run !== this.shown) return;
    // The first answer after a connection or a change of run is the whole: what it lacks was removed meanwhile.
    if (this.#freshCells) {
      for (const id of [...this.cells.keys()]) if (!change.changed.some((cell) => cell.id === id)) this.cells.delete(id);
    }
    this.#freshCells = false;
    for (const cell of change.changed) this.cells.set(cell.id, cell);
    for (const id of change.removed) this.cells.delete(id);
  }

  #takeFindings(findings: readonly Finding[]): void {
    const own = findings.filter((finding) => finding.run === this.shown);
    if (own.length > 0 || findings.length === 0) this.findings = own;
  }

  #takePoints(message: PointsMessage): void {
    if (this.#reading !== null) return;
    goAlong();
    const became = this.series.append(message);
    if (became === "taken") this.heard = Date.now();
    else if (became === "gap") this.#watch();
  }

  #resync(run: string | null): void {
    if (run !== null && run === this.shown && this.#reading === null) void this.#read(run);
  }

  #followAddress(): void {
    const named = readAddress(location.search);
    const wanted = named === undefined ? (newest(this.runs.values())?.id ?? null) : named;
    this.#chosen = named !== undefined;
    if (wanted !== this.shown) this.#show(wanted);
  }

  /** Without a choice of the user the page goes on to a run that began later than the one it shows. */
  #followNewest(): void {
    const current = this.run;
    const later = [...this.runs.values()].filter((run) =>
      current ? run.created > current.created : this.cells.size === 0 || run.state === "running",
    );
    const next = newest(later);
    if (next !== undefined) this.#show(next.id);
  }

  #show(shown: string | null): void {
    this.shown = shown;
    this.series.clear(shown);
    this.cells.clear();
    this.findings = [];
    this.notice = null;
    this.heard = Math.max(0, ...[this.run?.heartbeat, this.run?.created].map((time) => (time ?? 0) / 1000));
    this.#freshCells = true;
    this.#reading = null;
    if (shown === null) {
      this.loading = false;
      this.#watch();
    } else {
      this.loading = true;
      void this.#read(shown);
    }
  }

  /** Read a run's series up to a cursor; the socket continues from there. */
  async #read(run: string): Promise<void> {
    const reading = {};
    this.#reading = reading;
    try {
      const message = await readSeries(run, MOST_POINTS);
      if (this.#reading !== reading) return;
      this.series.replace(message);
      this.loading = false;
    } catch (error) {
      if (this.#reading !== reading) return;
      this.#failed(error, "The points of this run could not be read");
    }
    this.#reading = null;
    this.#watch();
  }

  #watch(): void {
    if (this.shown !== undefined) this.#link.watch(this.shown, this.series.goOn());
  }

  async #countLoose(): Promise<void> {
    this.looseCells = await countLooseCells().catch(() => this.looseCells);
  }

  #failed(error: unknown, what: string): void {
    if (error instanceof RequestError && error.status === 404) {
      this.notice = "This run is not in the store that this server shows.";
    } else if (error instanceof RequestError && error.status === 403) {
      this.notice = "This server does not allow this page to read from it.";
    } else if (error instanceof RequestError || error instanceof WireError) {
      this.notice = `${what}: ${error.message}.`;
    } else {
      return; // The connection was lost: that has its own notice, and `#connected` tries again.
    }
    this.loading = false;
  }
}

/** The newest running run, else the newest. */
export function newest(runs: Iterable<Run>): Run | undefined {
  let found: Run | undefined;
  for (const run of runs) if (found === undefined || isNewer(run, found)) found = run;
  return found;
}

function isNewer(run: Run, than: Run): boolean {
  const alive = Number(run.state === "running") - Number(than.state === "running");
  return alive > 0 || (alive === 0 && run.created > than.created);
}
