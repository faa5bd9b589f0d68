/** What was logged under a cell's name, step by step: the newest, or where the user's slider stands. */

import { SvelteMap } from "svelte/reactivity";
import { readMedia } from "../network";
import type { Cell, Medium } from "../wire";

/** So many are read at once. */
const PAGE = 50;
const MOST_KEPT = 2000;

interface Source {
  cell(): Cell;
  run(): string | null | undefined;
  /** Where the slider stands; null where it follows the newest. */
  place(): number | null;
}

export class Past {
  readonly #source: Source;
  readonly #known = new SvelteMap<number, Medium>();
  #reading: readonly number[] = [];
  /** The cell's newest value that was seen, so that a past which became shorter is read anew. */
  #count = 0;
  #shown: Medium | null = null;

  constructor(source: Source) {
    this.#source = source;
  }

  readonly #cell = $derived.by(() => this.#source.cell());
  readonly count = $derived.by(() => (this.#cell.media === null ? 0 : this.#cell.count));
  readonly last = $derived(Math.max(0, this.count - 1));
  readonly place = $derived.by(() => Math.min(this.#source.place() ?? this.last, this.last));
  readonly atHead = $derived.by(() => this.#source.place() === null || this.place === this.last);

  /** What is to be shown. While another is on its way, that is what was shown before. */
  readonly item = $derived.by((): Medium => {
    const cell = this.#cell;
    const newest = { place: this.last, step: cell.step, value: cell.value, caption: cell.description };
    this.#shown = this.atHead ? newest : (this.#known.get(this.place) ?? this.#shown ?? newest);
    return this.#shown;
  });

  /** Have read what is to be shown, and what lies beside it. */
  read(): void {
    const { media, count } = this.#cell;
    if (count < this.#count) this.#known.clear();
    this.#count = count;
    if (media === null || this.atHead || this.#known.has(this.place)) return;
    void this.#read(media, Math.floor(this.place / PAGE));
  }

  async #read(name: string, page: number): Promise<void> {
    const run = this.#source.run();
    if (typeof run !== "string" || this.#reading.includes(page)) return;
    this.#reading = [...this.#reading, page];
    try {
      const { items } = await readMedia(run, name, { first: page * PAGE, count: PAGE });
      if (this.#known.size > MOST_KEPT) this.#known.clear();
      for (const item of items) this.#known.set(item.place, item);
    } catch {
      // Without its server the page shows what it has; the slider's next move asks again.
    } finally {
      this.#reading = this.#reading.filter((each) => each !== page);
    }
  }
}
