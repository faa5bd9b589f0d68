/** Of each pixel of a line the first, lowest, highest and last point: kept, and only anew where the line is new. */

import { bisectLeft, bisectRight } from "d3-array";
import { alikeUpTo, roomier, type Track } from "./track";

export type Oddity = "nan" | "up" | "down";

/** A value that is not finite has no place but its own on the x axis. */
export interface Gap {
  readonly x: number;
  readonly kind: Oddity;
}

/** A line in places and values; NaN in y breaks it. */
export interface Trace {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly length: number;
  readonly gaps: readonly Gap[];
  /** How many points it stands for. */
  readonly points: number;
}

/** Pixels of the screen, on the axis: the n-th begins at `origin + n × unit`. */
export interface Grid {
  readonly origin: number;
  readonly unit: number;
}

export const NO_TRACE: Trace = { x: new Float64Array(0), y: new Float64Array(0), length: 0, gaps: [], points: 0 };

export class Buckets {
  #track: Track | null = null;
  #grid: Grid = { origin: 0, unit: 1 };
  #from = Infinity;
  #to = -Infinity;
  #first = 0;
  #end = 0;
  #x = new Float64Array(0);
  #y = new Float64Array(0);
  #length = 0;
  #gaps: Gap[] = [];
  #trace: Trace = NO_TRACE;

  /** The part of a line from one place to another, and a point beyond on either side for the line to come from. */
  update(track: Track, grid: Grid, from: number, to: number): Trace {
    const alike = this.#goesOn(grid, from, to) ? alikeUpTo(this.#track, track) : -Infinity;
    if (alike === Infinity && to <= this.#to) return this.#trace;
    const redo = Math.min(alike, this.#to);
    this.#grid = grid;
    this.#from = from;
    this.#to = to;
    const { x, length } = track;
    this.#end = Math.min(length, bisectRight(x, to, 0, length) + 1);
    if (redo === -Infinity) this.#first = Math.max(0, bisectLeft(x, from, 0, length) - 1);
    this.#track = track;
    this.#fill(redo === -Infinity ? this.#first : this.#rewind(redo));
    const points = this.#end - this.#first;
    return (this.#trace = { x: this.#x, y: this.#y, length: this.#length, gaps: [...this.#gaps], points });
  }

  /** Whether what is held lies in the same pixels, and begins early enough. */
  #goesOn({ origin, unit }: Grid, from: number, to: number): boolean {
    const apart = (origin - this.#grid.origin) / unit;
    const same = unit === this.#grid.unit && Math.abs(apart - Math.round(apart)) < 1e-6;
    return same && from >= this.#from && to >= this.#to && from - this.#from < to - from;
  }

  /** Forget the pixel that a place lies in, and all after it; return the first point to take again. */
  #rewind(place: number): number {
    const { x, length } = this.#track as Track;
    const { origin, unit } = this.#grid;
    // A pixel earlier, for what lies on an edge is sometimes counted to the left and sometimes to the right.
    const edge = origin + (Math.floor((place - origin) / unit) - 1) * unit;
    const index = Math.max(this.#first, bisectLeft(x, edge, 0, length));
    const start = index > this.#first ? edge : -Infinity;
    this.#length = bisectLeft(this.#x, start, 0, this.#length);
    while (this.#gaps.length > 0 && (this.#gaps[this.#gaps.length - 1]?.x ?? 0) >= start) this.#gaps.pop();
    return index;
  }

  #fill(start: number): void {
    const { x, y } = this.#track as Track;
    const { origin, unit } = this.#grid;
    const end = this.#end;
    if (start === this.#first) {
      this.#length = 0;
      this.#gaps = [];
    }
    let i = start;
    let broken = -1;
    while (i < end) {
      const column = Math.floor(((x[i] ?? 0) - origin) / unit);
      const edge = origin + (column + 1) * unit;
      const value = y[i] ?? NaN;
      // Differences of a finite number with itself are 0, of any other NaN: cheaper than to ask by name.
      if (value - value !== 0) {
        this.#break(x[i] ?? 0, value, column);
        broken = column;
        i++;
        continue;
      }
      let [low, high, last] = [i, i, i];
      let [lowest, highest] = [value, value];
      let k = i + 1;
      for (; k < end && (x[k] ?? 0) < edge; k++) {
        const next = y[k] ?? NaN;
        if (next - next !== 0) {
          // One break a pixel is seen, a second is not: what comes after it stands together.
          if (broken !== column) break;
          this.#note(x[k] ?? 0, next, column);
          continue;
        }
        last = k;
        if (next < lowest) {
          lowest = next;
          low = k;
        } else if (next > highest) {
          highest = next;
          high = k;
        }
      }
      this.#keep(i, Math.min(low, high), Math.max(low, high), last);
      i = k;
    }
  }

  #keep(first: number, early: number, late: number, last: number): void {
    this.#push(first);
    if (early > first) this.#push(early);
    if (late > early) this.#push(late);
    if (last > late) this.#push(last);
  }

  #push(index: number): void {
    const { x, y } = this.#track as Track;
    this.#add(x[index] ?? 0, y[index] ?? 0);
  }

  #add(x: number, y: number): void {
    if (this.#length === this.#x.length) {
      this.#x = roomier(this.#x, this.#length + 1);
      this.#y = roomier(this.#y, this.#length + 1);
    }
    this.#x[this.#length] = x;
    this.#y[this.#length++] = y;
  }

  #break(x: number, value: number, column: number): void {
    if (this.#length > 0 && !Number.isNaN(this.#y[this.#length - 1] ?? 0)) this.#add(x, NaN);
    this.#note(x, value, column);
  }

  /** Mark each kind of value once a pixel. */
  #note(x: number, value: number, column: number): void {
    const kind = Number.isNaN(value) ? "nan" : value > 0 ? "up" : "down";
    const { origin, unit } = this.#grid;
    for (let nth = this.#gaps.length - 1; nth >= 0; nth--) {
      const gap = this.#gaps[nth];
      if (gap === undefined || gap.x < origin + column * unit) break;
      if (gap.kind === kind) return;
    }
    this.#gaps.push({ x, kind });
  }
}
