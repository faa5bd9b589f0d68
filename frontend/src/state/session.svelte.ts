/** What the page shows, and how it keeps up with the server. */

import { untrack } from "svelte";
import { SvelteMap } from "svelte/reactivity";
import { runAxis, sameAxis, type Axis } from "../charts/axis";
import { connect, countLooseCells, readBoard, readLayout, readRuns, RequestError, type Link } from "../network";
import { WireError, type Board, type Cell, type CellsChange, type Finding, type PointsMessage, type ProjectLayout, type Run } from "../wire";
import { addressOf, readAddress } from "./address";
import { goAlong } from "./clock.svelte";
import { Detail } from "./detail.svelte";
import { Feed, MissingError, type Whose } from "./feed";
import { keepAll } from "./keep";
import { pace } from "./pace";
import type { SeriesStore } from "./series.svelte";
import { Thrift } from "./thrift";

/** The server waits 2 s for the answer to `closing`. */
const KEEP_MS = 1700;
/** Where nobody looks, only the tab's title is seen. */
const HIDDEN_TURN_MS = 5000;

/** `catching up`: the server is there again, and not all that was missed has come yet. */
export type Connection = "connecting" | "catching up" | "live" | "lost" | "ended";
/** A run's id; `null` for the cells that name no run; `undefined` while nothing is known. */
export type Shown = string | null | undefined;

export class Session {
  readonly runs = new SvelteMap<string, Run>();
  readonly cells = new SvelteMap<string, Cell>();
  readonly detail = new Detail();
  findings = $state.raw<readonly Finding[]>([]);
  connection = $state<Connection>("connecting");
  shown = $state<Shown>(undefined);
  loading = $state(true);
  /** Whether the list of runs was read, or could not be: before that nothing is known of the run that is shown. */
  listed = $state(false);
  looseCells = $state(0);
  command = $state("agnez server");
  notice = $state<string | null>(null);
  /** When something was last heard of the run that is shown, in milliseconds since 1970. */
  heard = $state(0);

  #axis: Axis | null = null;
  #chosen = false;
  #feed = new Feed({
    watch: (run, marks) => this.#link?.watch(run, marks),
    read: (error) => this.#wasRead(error),
    caughtUp: () => {
      if (this.connection === "catching up") this.connection = "live";
    },
    pixels: () => innerWidth * devicePixelRatio,
  });
  #freshCells = true;
  /** What is read of the shown run while the page is still being connected. */
  #board: Promise<Board | null> | null = null;
  /** Whether the list of runs could be read while the page was still being connected; null once it is. */
  #early: Promise<boolean> | null = null;
  /** Whether the server has told of all runs since it was reached: what it tells after that is news. */
  #listed = false;
  /** A run that began later than the shown one, and is not shown because the user is looking closely. */
  newer = $state<string | null>(null);
  /** Whether the user looks closely at the shown run: then no other takes its place unasked. */
  held: () => boolean = () => false;
  /** The run that the page showed before it was loaded anew, where its address says so without naming it for good. */
  preferred: () => string | null = () => null;
  /** Fulfilled once what the page is to show first is known, or cannot be. */
  readonly opened: Promise<unknown>;
  #link: Link | null = null;
  #thrift = new Thrift();
  #pace = pace(() => (document.hidden ? HIDDEN_TURN_MS : this.#thrift.interval), { begins: () => this.#thrift.measure() });

  constructor() {
    this.need(["epoch"], "shown"); // the axis of all charts
    window.addEventListener("popstate", () => {
      if (this.#reachable) this.#followAddress();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#pace.flush();
      if (this.#reachable) void this.#countLoose();
    });
    // What the page shows is read at once: to connect takes as long again.
    if (readAddress(location.search) !== undefined) this.#followAddress();
    this.#early = this.#readList(false);
    this.opened = this.#early.then(() => this.#board);
  }

  /** Hear what the server tells from now on. */
  connect(): void {
    this.#link ??= connect({
      connected: () => void this.#connected(),
      lost: () => this.#lost(),
      runs: (runs) => this.#pace.goAlong(() => this.#hearRuns(runs)),
      gone: (ids) => this.#pace.take(() => this.#takeGone(ids)),
      cells: (change) => this.#pace.take(() => this.#takeCells(change)),
      findings: (findings) => this.#pace.take(() => this.#takeFindings(findings)),
      points: (messages) => this.#pace.take(() => this.#takePoints(messages)),
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
    const epochs = this.series.points("epoch");
    const axis = runAxis(epochs, progress, this.series.steps, this.run?.state === "running");
    return (this.#axis = this.#axis !== null && sameAxis(this.#axis, axis) ? this.#axis : axis);
  });

  /** The series of the run that is shown. */
  get series(): SeriesStore {
    return this.#feed.of(this.shown);
  }

  /** The series of a run that is shown or laid over; an empty store for any other. */
  seriesOf(run: string): SeriesStore {
    return this.#feed.of(run);
  }

  /**
   * Say that something in view shows metrics, of the `shown` run or of `all` that are laid over too, so that they are
   * read and followed. Call what is returned when it is in view no more, as an effect does.
   */
  need(metrics: readonly string[], whose: Whose = "all"): () => void {
    return this.#feed.needs[whose].need(metrics);
  }

  /** Lay runs over the shown one: what is needed is read of them as well, and followed. */
  lay(runs: readonly string[]): void {
    untrack(() => this.#feed.lay(runs));
  }

  get run(): Run | undefined {
    return typeof this.shown === "string" ? this.runs.get(this.shown) : undefined;
  }

  /** Show a run, or the cells without one, because the user said so. */
  choose(shown: string | null): void {
    this.#goTo(addressOf(shown));
  }

  /** Show what is alive, and what will be. */
  chooseNewest(): void {
    this.#goTo("./");
  }

  #goTo(address: string): void {
    if (this.#reachable) {
      history.pushState(null, "", address);
      this.#followAddress();
    } else {
      this.notice = "Without its server this page can only show what it shows now.";
    }
  }

  get #reachable(): boolean {
    return this.connection === "live" || this.connection === "catching up";
  }

  async #connected(): Promise<void> {
    this.#pace.flush();
    this.connection = this.connection === "connecting" ? "live" : "catching up";
    this.notice = null;
    this.#freshCells = true;
    this.#listed = false;
    this.#feed.connected();
    if (!(await this.#early)) await this.#readList(true);
    this.#early = null;
    await this.#countLoose();
  }

  /** Read the list of runs. Tells whether it could be, or it was said that it could not. */
  async #readList(say: boolean): Promise<boolean> {
    try {
      const runs = await readRuns();
      await this.#board; // what is to be read of its metrics is asked for before all is drawn that runs are seen by
      this.#forgetRuns((id) => !runs.some((run) => run.id === id));
      this.#takeRuns(runs);
    } catch (error) {
      if (!say) return false;
      this.#failed(error, "The list of runs could not be read");
    }
    this.listed = true;
    if (this.shown === undefined) this.#followAddress();
    return true;
  }

  #lost(): void {
    this.#pace.flush();
    if (this.connection !== "ended") this.connection = "lost";
    this.#feed.lost();
  }

  async #closing(command: string): Promise<void> {
    this.#pace.flush();
    this.command = command;
    await Promise.all([keepAll(KEEP_MS), this.#fill()]);
    this.connection = "ended";
  }

  /** Read what charts out of view show: without the server nobody can. */
  async #fill(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, KEEP_MS));
    await Promise.race([this.#feed.fill([...this.cells.values()].flatMap((cell) => cell.metrics)), late]);
  }

  #takeGone(ids: readonly string[]): void {
    this.#forgetRuns((id) => ids.includes(id));
    this.#feed.gone(ids);
  }

  /** Runs that the server knows no more leave the list; the one that is shown stays, with all that is drawn. */
  #forgetRuns(isGone: (id: string) => boolean): void {
    for (const id of [...this.runs.keys()]) if (id !== this.shown && isGone(id)) this.runs.delete(id);
  }

  /** Take what the server says of runs of its own accord; first of all that there are. */
  #hearRuns(records: readonly Run[]): void {
    const beats = (run: Run | undefined): boolean => run !== undefined && this.runs.get(run.id)?.heartbeat !== run.heartbeat;
    const isNews = this.#listed && beats(records.find(({ id }) => id === this.shown));
    this.#listed = true;
    this.#takeRuns(records);
    if (isNews) this.heard = Date.now();
  }

  #takeRuns(records: readonly Run[]): void {
    for (const record of records) {
      const earlier = this.runs.get(record.id);
      if (record.id === this.shown) this.#hearOf(record);
      // A record without a summary says nothing of it, so the earlier one stands.
      this.runs.set(record.id, { ...(earlier?.summary && { summary: earlier.summary }), ...record });
      if (record.id === this.shown) this.#feed.know(Object.keys(record.summary ?? {}));
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
    this.#putCells(change.changed);
    for (const id of change.removed) this.cells.delete(id);
  }

  #putCells(cells: readonly Cell[]): void {
    this.#feed.know(cells.flatMap((cell) => cell.metrics)); // first: what charts show is read while they are made
    for (const cell of cells) if (!isSame(this.cells.get(cell.id), cell)) this.cells.set(cell.id, cell);
  }

  #takeFindings(findings: readonly Finding[]): void {
    const own = findings.filter((finding) => finding.run === this.shown);
    if (own.length > 0 || findings.length === 0) this.findings = own;
  }

  /** Take in when a run gave its last sign of life, as its record says; a clock that runs ahead says now. */
  #hearOf({ heartbeat, created }: Run): void {
    this.heard = Math.max(this.heard, Math.min(Date.now(), (heartbeat ?? created) / 1000));
  }

  #takePoints(messages: readonly PointsMessage[]): void {
    goAlong();
    const heard = this.#feed.take(messages);
    if (heard !== null) this.heard = Math.max(this.heard, Math.min(Date.now(), heard));
  }

  #resync(run: string | null): void {
    if (run !== null) void this.#feed.resync(run);
  }

  #followAddress(): void {
    const named = readAddress(location.search);
    const before = this.shown === undefined ? this.preferred() : null;
    const unnamed = before !== null && this.runs.has(before) ? before : (newest(this.runs.values())?.id ?? null);
    const wanted = named === undefined ? unnamed : named;
    this.#chosen = named !== undefined;
    this.newer = null;
    if (wanted !== this.shown) this.#show(wanted);
  }

  /** Without a choice of the user, who may be looking closely, the page goes on to a run that began later and outlives its own. */
  #followNewest(): void {
    const current = this.run;
    const counts = (run: Run): boolean => run.id === this.newer || run.state === "running" || endOf(run) > endOf(current);
    const later = [...this.runs.values()].filter((run) =>
      current ? run.created > current.created && counts(run) : this.cells.size === 0 || run.state === "running",
    );
    const next = newest(later);
    const stays = current !== undefined && (this.newer !== null || this.held());
    this.newer = next !== undefined && stays ? next.id : null;
    if (next !== undefined && this.newer === null) this.#show(next.id);
  }

  #show(shown: string | null): void {
    this.shown = shown;
    this.cells.clear();
    this.findings = [];
    this.notice = this.newer = null;
    this.heard = 0;
    if (this.run !== undefined) this.#hearOf(this.run);
    this.#freshCells = true;
    this.loading = shown !== null && this.#feed.of(shown).metrics.length === 0;
    this.#feed.show(shown);
    if (shown !== null && this.connection === "connecting") this.#board = this.#readBoard(shown);
  }

  /** Read what stands on the page while it is still being connected: what the socket says of it holds. */
  async #readBoard(run: string): Promise<Board | null> {
    const board = await readBoard(run).catch(() => null);
    if (board !== null && this.#freshCells && this.shown === run) {
      this.#putCells(board.cells.changed);
      this.#takeFindings(board.findings);
    }
    return board;
  }

  /** Read how the cells of a project stand; null where nobody has moved one, or it cannot be read. */
  async layoutOf(project: string): Promise<ProjectLayout | null> {
    const early = await this.#board;
    this.#board = null;
    return early?.project === project ? early.layout : readLayout(project).catch(() => null);
  }

  #wasRead(error: unknown): void {
    if (error === null) this.loading = false;
    else this.#failed(error, "The points of this run could not be read");
  }

  async #countLoose(): Promise<void> {
    this.looseCells = await countLooseCells().catch(() => this.looseCells);
  }

  #failed(error: unknown, what: string): void {
    if (error instanceof MissingError) {
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

/** Tell whether a cell is as it was: then nothing of it is drawn again. */
function isSame(earlier: Cell | undefined, cell: Cell): boolean {
  return earlier !== undefined && JSON.stringify(earlier) === JSON.stringify(cell);
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

/** When a run ended, or was heard of last; one that lives has no end. */
function endOf(run: Run | undefined): number {
  if (run === undefined) return -Infinity;
  return run.state === "running" ? Infinity : (run.ended ?? run.heartbeat ?? run.created);
}
