/**
 * Where the cells of the shown run stand, and what the user does about it.
 *
 * A cell's own `pos`, `rows`, `columns` and `hidden` say where it stands; the project has a record of them, which new runs
 * take over. Its revision counts the changes: a cell that has not heard of the newest one stands as the project says.
 */

import { isForbidden, patchCell, readLayout, writeLayout } from "../network";
import type { Cell, ProjectLayout, Spot } from "../wire";
import { freeSlots, MOST_COLUMNS, packed, swapped, type Sized } from "./places";
import { search as read } from "./search";
import { PINNED, prefixOf, sections, type Member, type Section } from "./sections";
import type { Session } from "./session.svelte";
import type { View } from "./view.svelte";

/** A cell with the place it has. */
export interface Entry extends Sized, Member {
  readonly id: string;
  readonly cell: Cell;
  readonly hidden: boolean;
}

/** A grid as a script set it up: so many columns, and so many places that are its own. */
interface Subplots {
  readonly columns: number;
  readonly slots: number;
}

const NO_LAYOUT: ProjectLayout = { revision: 0, cells: {} };
/** The type of the records that say how cells stand, and are none themselves. */
const LAYOUT = "layout";

export class Layout {
  readonly #session: Session;
  readonly #view: View;
  #project = $state.raw<ProjectLayout>(NO_LAYOUT);
  #of: string | null | undefined = undefined;
  #writing: Promise<void> = Promise.resolve();
  /** Whether it is known how the project's cells stand. */
  ready = $state(false);
  /** The size that a cell is being given. */
  trying = $state.raw<{ readonly id: string; readonly rows: number; readonly columns: number } | null>(null);
  /** The cell that is being moved, and where it would go: onto another one, or to a place by its `pos`. */
  moving = $state.raw<{ readonly id: string; readonly to: string | number | null } | null>(null);

  /** Grows when the user wants to search. */
  seeking = $state(0);

  constructor(session: Session, view: View) {
    this.#session = session;
    this.#view = view;
  }

  /** All cells of the shown run with their places, in the order of these. */
  readonly entries: readonly Entry[] = $derived.by(() => {
    const found: Entry[] = [];
    for (const cell of this.#session.cells.values()) if (cell.type !== LAYOUT) found.push(this.#entry(cell));
    return found.sort((a, b) => a.pos - b.pos || (a.id < b.id ? -1 : 1));
  });

  /** What is looked for. */
  readonly search = $derived.by(() => read(this.#view.search));

  /** The cells that are to be seen. */
  readonly shown: readonly Entry[] = $derived.by(() => {
    const { all, matches } = this.search;
    return this.entries.filter((entry) => !entry.hidden && (all || matches(...words(entry.cell))));
  });

  /** The cells that are to be seen, in the sections they stand in. */
  readonly sections: readonly Section<Entry>[] = $derived.by(() => sections(this.shown, this.#view.pinned));

  /** The keys of the sections that have a heading. */
  readonly headings: readonly string[] = $derived(this.sections.map(({ key }) => key).filter((key) => key !== ""));

  readonly hidden: readonly Entry[] = $derived(this.entries.filter((entry) => entry.hidden));

  /** The grid that the script set up, if it did. */
  readonly subplots: Subplots | null = $derived.by(() => {
    for (const { grid } of this.#session.cells.values()) {
      if (grid !== null) return { columns: limited(grid[1]), slots: grid[0] * limited(grid[1]) };
    }
    return null;
  });

  /** The places of the script's grid that a cell can be moved to, in its order from that of the cell on. */
  free(id: string): number[] {
    const { columns, slots } = this.subplots ?? { columns: 1, slots: 0 };
    if (slots === 0 || this.sectionOf(id)?.key !== "") return [];
    const pinned = this.#view.pinned;
    const there = this.entries.filter((entry) => !entry.hidden && entry.prefix === "" && !pinned.includes(entry.key));
    const own = this.entry(id)?.pos ?? 0;
    const places = freeSlots(packed(there, columns, slots), columns, slots);
    return [...places.filter((pos) => pos > own), ...places.filter((pos) => pos < own)];
  }

  /** Read how the cells of a project stand; the shown run's cells wait for it. */
  async enter(project: string | null): Promise<void> {
    if (project === this.#of) return;
    this.#of = project;
    this.#project = NO_LAYOUT;
    this.ready = project === null;
    if (project === null) return;
    const layout = await this.#session.layoutOf(project);
    if (project !== this.#of) return;
    this.#project = layout ?? NO_LAYOUT;
    this.ready = true;
  }

  /** Begin to search. */
  seek(): void {
    this.seeking++;
  }

  entry(id: string): Entry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }

  /** The section that a cell stands in, if it is to be seen. */
  sectionOf(id: string): Section<Entry> | undefined {
    return this.sections.find(({ cells }) => cells.some((cell) => cell.id === id));
  }

  /** Let two cells of a section change places. The pinned ones stand in an order of the view's own. */
  swap(id: string, other: string): void {
    const section = this.sectionOf(id);
    if (section?.cells.some((cell) => cell.id === other) !== true) return;
    if (section.key === PINNED) this.#view.swapPinned(id, other);
    else this.#place(swapped(this.entries, id, other).flatMap(([each, pos]) => this.#change(each, { pos })));
  }

  /** Move a cell to a place that nothing stands on. */
  put(id: string, pos: number): void {
    this.#place(this.#change(id, { pos }));
  }

  /** Give a cell so many rows and columns. */
  resize(id: string, rows: number, columns: number): void {
    this.#place(this.#change(id, { rows: limited(rows), columns: limited(columns) }));
  }

  /** Hide a cell, or show it again. */
  hide(id: string, hidden: boolean): void {
    this.#place(this.#change(id, { hidden }));
  }

  /** Show all cells that are hidden. */
  showAll(): void {
    this.#place(this.hidden.map((entry) => [entry, { hidden: false }]));
  }

  #change(id: string, spot: Spot): (readonly [Entry, Spot])[] {
    const entry = this.entry(id);
    return entry === undefined ? [] : [[entry, spot]];
  }

  /** Place cells so that it can be taken back. */
  #place(changes: readonly (readonly [Entry, Spot])[]): void {
    const after = changes.map(([entry, spot]): Change => ({ id: entry.id, spot: { ...spotOf(entry), ...spot } }));
    const before = changes.map(([entry]): Change => ({ id: entry.id, spot: spotOf(entry) }));
    if (changes.length === 0) return;
    this.#view.act({ undo: () => this.#write(before), redo: () => this.#write(after) });
    this.#write(after);
  }

  /** Show the change at once, and keep it: with the cells, and for those of runs to come. */
  #write(changes: readonly Change[]): void {
    const revision = this.#project.revision + 1;
    const project = this.#of ?? null;
    const fields = changes.map(({ id, spot }) => ({ id, spot: project === null ? spot : { ...spot, layout: revision } }));
    for (const { id, spot } of fields) {
      const cell = this.#session.cells.get(id);
      if (cell !== undefined) this.#session.cells.set(id, { ...cell, ...spot });
    }
    const spots = Object.fromEntries(changes.map(({ id, spot }) => [this.#view.keyOf(id), spot]));
    if (project !== null) this.#project = { revision, cells: { ...this.#project.cells, ...spots } };
    // One after the other: what is done last is what stays.
    this.#writing = this.#writing.then(async () => {
      try {
        if (project !== null) await this.#writeProject(project, revision, spots);
        await Promise.all(fields.map(({ id, spot }) => patchCell(id, spot)));
      } catch (error) {
        const why = isForbidden(error) ? "You may only look here" : "The server did not take this change of the layout";
        this.#session.notice = `${why}: how the cells stand now lasts until the page is reloaded.`;
      }
    });
  }

  /** Others may have changed it since: what they said of other cells stays. */
  async #writeProject(project: string, least: number, spots: Readonly<Record<string, Spot>>): Promise<void> {
    const theirs = (await readLayout(project)) ?? NO_LAYOUT;
    const revision = Math.max(least, theirs.revision + 1);
    const cells = { ...theirs.cells, ...spots };
    await writeLayout(project, { revision, cells });
    if (project !== this.#of) return;
    this.#project = { revision: Math.max(revision, this.#project.revision), cells: { ...cells, ...this.#project.cells } };
  }

  #entry(cell: Cell): Entry {
    const key = this.#view.keyOf(cell.id);
    const said = cell.layout < this.#project.revision && Object.hasOwn(this.#project.cells, key) ? this.#project.cells[key] : undefined;
    const size = this.trying?.id === cell.id ? this.trying : null;
    const entry = {
      id: cell.id,
      key,
      cell,
      pos: said?.pos ?? cell.pos,
      rows: size?.rows ?? said?.rows ?? cell.rows,
      columns: size?.columns ?? said?.columns ?? cell.columns,
      hidden: said?.hidden ?? cell.hidden,
    };
    return { ...entry, prefix: entry.pos < (this.subplots?.slots ?? 0) ? "" : prefix(cell) };
  }
}

interface Change {
  readonly id: string;
  readonly spot: Spot;
}

function spotOf({ pos, rows, columns, hidden }: Entry): Required<Spot> {
  return { pos, rows, columns, hidden };
}

function limited(span: number): number {
  return Math.max(1, Math.min(MOST_COLUMNS, Math.round(span)));
}

const texts = new WeakMap<Cell, readonly [string, string]>();
const prefixes = new WeakMap<Cell, string>();

/** What a search looks through: the name of a cell, and those of its metrics, each on a line; and in small letters. */
function words(cell: Cell): readonly [string, string] {
  let text = texts.get(cell);
  if (text === undefined) {
    const lines = [cell.name, ...cell.metrics].join("\n");
    texts.set(cell, (text = [lines, lines.toLowerCase()]));
  }
  return text;
}

function prefix(cell: Cell): string {
  let found = prefixes.get(cell);
  if (found === undefined) prefixes.set(cell, (found = prefixOf(cell.metrics)));
  return found;
}
