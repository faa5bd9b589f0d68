/** The points of one series, held in growing columns of float64. */

/** Points ordered by step. Views of the columns: valid until the next append. */
export interface Points {
  readonly steps: Float64Array;
  readonly values: Float64Array;
  readonly length: number;
  /** The lowest and the highest finite value; null where there is none. */
  readonly range: readonly [number, number] | null;
  /** What they grew on: of two views with the same stem the longer one begins with the other. */
  readonly stem: object;
}

export interface Extreme {
  readonly value: number;
  readonly step: number;
}

export const NO_POINTS: Points = { steps: new Float64Array(0), values: new Float64Array(0), length: 0, range: null, stem: {} };

export class Columns {
  #steps = new Float64Array(64);
  #values = new Float64Array(64);
  #length = 0;
  #inOrder = true;
  #sorted: Points | null = null;
  #least: Extreme | null = null;
  #most: Extreme | null = null;

  get length(): number {
    return this.#length;
  }

  /** The value that came last, whatever its step. */
  get last(): number {
    return this.#values[this.#length - 1] ?? NaN;
  }

  /** The value that came first. */
  get first(): number {
    return this.#length > 0 ? (this.#values[0] ?? NaN) : NaN;
  }

  /** The lowest finite value with its first step. */
  get least(): Extreme | null {
    return this.#least;
  }

  /** The highest finite value with its first step. */
  get most(): Extreme | null {
    return this.#most;
  }

  /** Append points in the order they came; equal and out-of-order steps are kept. */
  append(steps: Float64Array, values: Float64Array): void {
    this.#reserve(this.#length + steps.length);
    this.#steps.set(steps, this.#length);
    this.#values.set(values, this.#length);
    const end = this.#length + steps.length;
    for (let i = this.#length; i < end; i++) this.#note(i);
    this.#length = end;
    this.#sorted = null;
  }

  /** The points ordered by step, for drawing; those of one step stay in the order they came. */
  get points(): Points {
    this.#sorted ??= this.#inOrder ? this.#view() : sorted(this.#view());
    return this.#sorted;
  }

  #note(i: number): void {
    const step = this.#steps[i] ?? NaN;
    const value = this.#values[i] ?? NaN;
    if (i > 0 && step < (this.#steps[i - 1] ?? step)) this.#inOrder = false;
    if (!Number.isFinite(value)) return;
    if (this.#least === null || value < this.#least.value) this.#least = { value, step };
    if (this.#most === null || value > this.#most.value) this.#most = { value, step };
  }

  #view(): Points {
    const steps = this.#steps.subarray(0, this.#length);
    const range = this.#least && this.#most && ([this.#least.value, this.#most.value] as const);
    return { steps, values: this.#values.subarray(0, this.#length), length: this.#length, range, stem: this };
  }

  #reserve(length: number): void {
    if (length <= this.#steps.length) return;
    const capacity = Math.max(length, 2 * this.#steps.length);
    this.#steps = grown(this.#steps, capacity);
    this.#values = grown(this.#values, capacity);
  }
}

function grown(column: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity);
  larger.set(column);
  return larger;
}

function sorted({ steps, values, length, range }: Points): Points {
  const order = Array.from({ length }, (_, i) => i).sort((a, b) => (steps[a] ?? 0) - (steps[b] ?? 0));
  return {
    steps: Float64Array.from(order, (i) => steps[i] ?? NaN),
    values: Float64Array.from(order, (i) => values[i] ?? NaN),
    length,
    range,
    stem: {},
  };
}
