/** Steps back and forth: what was, newest last. What follows soon on its like is one step with it. */

const MOST_STEPS = 200;
/** Changes of one kind that come closer than this are one: the notches of a wheel, the letters of a word. */
const BURST_MS = 700;

/** What a step does beside what is noted: how it is taken back, and how it is done again. */
export interface Act {
  undo(): void;
  redo(): void;
}

interface Step<T> {
  readonly state: T;
  readonly act: Act | null;
}

export class History<T> {
  #past: readonly Step<T>[] = [];
  #future: readonly Step<T>[] = [];
  #kind: string | null = null;
  #at = -Infinity;

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** Note what was before a change. `at` is in milliseconds. */
  note(before: T, kind: string, at: number, act: Act | null = null): void {
    const goesOn = act === null && kind === this.#kind && at - this.#at < BURST_MS && this.#past.length > 0;
    if (!goesOn) this.#past = [...this.#past.slice(1 - MOST_STEPS), { state: before, act }];
    this.#future = [];
    this.#kind = kind;
    this.#at = at;
  }

  /** Go a step back from what is now; undefined where there is none. */
  undo(now: T): T | undefined {
    const step = this.#past.at(-1);
    if (step === undefined) return undefined;
    this.#past = this.#past.slice(0, -1);
    this.#future = [...this.#future, { state: now, act: step.act }];
    this.#kind = null;
    step.act?.undo();
    return step.state;
  }

  /** Go a step forth again. */
  redo(now: T): T | undefined {
    const step = this.#future.at(-1);
    if (step === undefined) return undefined;
    this.#future = this.#future.slice(0, -1);
    this.#past = [...this.#past, { state: now, act: step.act }];
    this.#kind = null;
    step.act?.redo();
    return step.state;
  }

  /** Forget all steps. */
  clear(): void {
    this.#past = this.#future = [];
    this.#kind = null;
  }
}
