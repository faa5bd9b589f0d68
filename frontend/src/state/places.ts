/** Where cells stand: rows and columns, counted as matplotlib's subplots are, but from 0. */

/** Something that takes so many rows and columns of a grid, and wants to stand at `pos`. */
export interface Sized {
  readonly pos: number;
  readonly rows: number;
  readonly columns: number;
}

export interface Placed<T extends Sized> {
  readonly item: T;
  readonly row: number;
  readonly column: number;
  readonly rows: number;
  readonly columns: number;
}

/** Rows of a grid that no item crosses at either end. */
export interface Block<T extends Sized> {
  readonly rows: number;
  readonly placed: readonly Placed<T>[];
}

/** A grid may have so many columns: the taken places of a row are bits of a number. */
export const MOST_COLUMNS = 24;

/** The rows that a block has at least, if there are so many. */
const BLOCK_ROWS = 2;

/**
 * Place items, which come in their order, in so many columns: each at the first place where it fits.
 *
 * With `slots` those whose `pos` is less than that stand right there, as a subplot does, if nothing else is; places that are
 * nobody's stay empty. Spans are clipped to the columns there are. What is returned is in reading order.
 */
export function packed<T extends Sized>(items: readonly T[], columns: number, slots = 0): Placed<T>[] {
  const ground = new Ground(Math.max(1, Math.min(columns, MOST_COLUMNS)));
  const placed: Placed<T>[] = [];
  const others: T[] = [];
  for (const item of items) {
    const at = item.pos < slots && Number.isInteger(item.pos) ? ground.take(item, item.pos) : null;
    if (at === null) others.push(item);
    else placed.push(at);
  }
  ground.begin(Math.ceil(slots / ground.columns));
  for (const item of others) placed.push(ground.fit(item));
  return placed.sort((a, b) => a.row - b.row || a.column - b.column);
}

class Ground {
  readonly #taken: number[] = [];
  #first = 0;

  constructor(readonly columns: number) {}

  /** Leave the rows before this one as they are. */
  begin(row: number): void {
    this.#first = row;
  }

  /** Place an item just there, unless something is; null if it cannot be. */
  take<T extends Sized>(item: T, pos: number): Placed<T> | null {
    const [row, column] = [Math.floor(pos / this.columns), pos % this.columns];
    const width = Math.min(item.columns, this.columns - column);
    return this.#isFree(row, column, item.rows, width) ? this.#put(item, row, column, width) : null;
  }

  /** Place an item where it fits first. */
  fit<T extends Sized>(item: T): Placed<T> {
    const full = 2 ** this.columns - 1;
    while (this.#taken[this.#first] === full) this.#first++;
    const width = Math.min(item.columns, this.columns);
    for (let row = this.#first; ; row++) {
      for (let column = 0; column + width <= this.columns; column++) {
        if (this.#isFree(row, column, item.rows, width)) return this.#put(item, row, column, width);
      }
    }
  }

  #isFree(row: number, column: number, rows: number, width: number): boolean {
    const bits = (2 ** width - 1) << column;
    for (let at = row; at < row + rows; at++) if (((this.#taken[at] ?? 0) & bits) !== 0) return false;
    return true;
  }

  #put<T extends Sized>(item: T, row: number, column: number, width: number): Placed<T> {
    const bits = (2 ** width - 1) << column;
    for (let at = row; at < row + item.rows; at++) this.#taken[at] = (this.#taken[at] ?? 0) | bits;
    return { item, row, column, rows: item.rows, columns: width };
  }
}

/** The places of a script's grid that nothing stands on. */
export function freeSlots(placed: readonly Placed<Sized>[], columns: number, slots: number): number[] {
  const covered = placed.flatMap(({ row, column, rows, columns: width }) =>
    Array.from({ length: rows * width }, (_, nth) => (row + Math.floor(nth / width)) * columns + column + (nth % width)),
  );
  const taken = new Set(covered);
  return Array.from({ length: slots }, (_, pos) => pos).filter((pos) => !taken.has(pos));
}

/** Cut what was placed into blocks, which can be shown one without the other. Rows count anew in each; `whole` are together. */
export function blocks<T extends Sized>(placed: readonly Placed<T>[], whole = 0): Block<T>[] {
  const found: Block<T>[] = [];
  let [first, end, block] = [0, 0, [] as Placed<T>[]];
  const close = (rows: number): void => {
    found.push({ rows, placed: block.map((each) => ({ ...each, row: each.row - first })) });
    [first, block] = [first + rows, []];
  };
  for (const each of placed) {
    if (each.row >= end && each.row >= whole && each.row - first >= BLOCK_ROWS) close(each.row - first);
    block.push(each);
    end = Math.max(end, each.row + each.rows);
  }
  if (block.length > 0) close(end - first);
  return found;
}

/** Let two items change places: who gets which `pos`. Items of one place, as those of a foreign program, are told apart first. */
export function swapped<T extends Sized & { readonly id: string }>(items: readonly T[], id: string, other: string): (readonly [string, number])[] {
  const [a, b] = [items.find((item) => item.id === id), items.find((item) => item.id === other)];
  if (a === undefined || b === undefined || a === b) return [];
  const apart = a.pos !== b.pos;
  const wanted = new Map(items.map((item, nth) => [item.id, apart ? item.pos : nth]));
  const [posA, posB] = [wanted.get(id) ?? 0, wanted.get(other) ?? 0];
  wanted.set(id, posB).set(other, posA);
  return items.flatMap((item) => (wanted.get(item.id) === item.pos ? [] : [[item.id, wanted.get(item.id) ?? 0] as const]));
}
