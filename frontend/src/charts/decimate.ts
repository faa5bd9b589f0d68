/** Fewer points for the same picture. */

/** A line in pixels of x and values of y; NaN in y breaks it. `gaps` are the places of non-finite values. */
export interface Trace {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly length: number;
  readonly gaps: readonly number[];
}

/**
 * Keep of each pixel column the first, lowest, highest and last point, in their order.
 *
 * `x` are pixels in ascending order, `y` values of any kind. The line looks as if all points were drawn: a column's
 * extent and its joints to both neighbours are kept.
 */
export function decimate(x: Float64Array, y: Float64Array, start: number, end: number): Trace {
  const out = new Collector(Math.min(5 * 4096, 2 * (end - start)) + 8);
  let i = start;
  while (i < end) {
    const column = Math.floor(x[i] ?? 0);
    const value = y[i] ?? NaN;
    // Differences of a finite number with itself are 0, of any other NaN: cheaper than to ask by name.
    if (value - value !== 0) {
      out.breakAt(x[i] ?? 0);
      i++;
      continue;
    }
    let [low, high, last] = [i, i, i];
    let [lowest, highest] = [value, value];
    for (let k = i + 1; k < end && (x[k] ?? 0) < column + 1; k++) {
      const next = y[k] ?? NaN;
      if (next - next !== 0) break;
      last = k;
      if (next < lowest) {
        lowest = next;
        low = k;
      } else if (next > highest) {
        highest = next;
        high = k;
      }
    }
    let before = -1;
    for (const pick of [i, Math.min(low, high), Math.max(low, high), last]) {
      if (pick > before) out.push(x[pick] ?? 0, y[pick] ?? 0);
      before = Math.max(before, pick);
    }
    i = last + 1;
  }
  return out.trace();
}

class Collector {
  #x: Float64Array;
  #y: Float64Array;
  #length = 0;
  #gaps: number[] = [];

  constructor(capacity: number) {
    this.#x = new Float64Array(capacity);
    this.#y = new Float64Array(capacity);
  }

  push(x: number, y: number): void {
    if (this.#length === this.#x.length) this.#grow();
    this.#x[this.#length] = x;
    this.#y[this.#length++] = y;
  }

  /** Break the line; neighbouring gaps of one pixel are one. */
  breakAt(x: number): void {
    if (this.#length > 0 && !Number.isNaN(this.#y[this.#length - 1] ?? 0)) this.push(x, NaN);
    const last = this.#gaps[this.#gaps.length - 1];
    if (last === undefined || x - last >= 1) this.#gaps.push(x);
  }

  trace(): Trace {
    return { x: this.#x, y: this.#y, length: this.#length, gaps: this.#gaps };
  }

  #grow(): void {
    const [x, y] = [this.#x, this.#y];
    this.#x = new Float64Array(2 * x.length);
    this.#y = new Float64Array(2 * y.length);
    this.#x.set(x);
    this.#y.set(y);
  }
}
