/** What the tests of charts draw. */

import { Past, type Track } from "../src/charts/track";
import { Columns } from "../src/state/columns";

/** A sequence without a pattern, the same each time. */
export function noise(length: number, seed = 42): Float64Array<ArrayBuffer> {
  let state = seed;
  return Float64Array.from({ length }, () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648);
}

/** A curve that grows: `upTo(n)` is its first n points, on the same past. */
export function growing(x: ArrayLike<number>, y: ArrayLike<number>): (count: number) => Track {
  const past = new Past();
  const [places, values] = [Float64Array.from(x), Float64Array.from(y)];
  let before = 0;
  return (count) => {
    const revision = past.note(before > 0 ? (places[before - 1] ?? 0) : -Infinity);
    before = count;
    return { x: places.subarray(0, count), y: values.subarray(0, count), length: count, past, revision };
  };
}

/** A curve that is there at once. */
export function track(x: ArrayLike<number>, y: ArrayLike<number>): Track {
  return growing(x, y)(x.length);
}

/** Columns of points at steps, a second apart. */
export function columnsOf(steps: ArrayLike<number>, values: ArrayLike<number>): Columns {
  const columns = new Columns();
  append(columns, steps, values);
  return columns;
}

export function append(columns: Columns, steps: ArrayLike<number>, values: ArrayLike<number>): void {
  columns.append({ steps: Float64Array.from(steps), values: Float64Array.from(values), times: Float64Array.from(steps, (step) => 1000 + step) });
}

/** The numbers from 0 on. */
export function count(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
