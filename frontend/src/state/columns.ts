/** The points of one series, held in growing columns of float64, which are bounded: what is far past is thinned. */

/** Points ordered by step. Views of the columns: valid until the next append. */
export interface Points {
  readonly steps: Float64Array;
  readonly values: Float64Array;
  /** When each was logged, in seconds since 1970. */
  readonly times: Float64Array;
  readonly length: number;
  /** The lowest and the highest finite value of all that ever came; null where there is none. */
  readonly range: readonly [number, number] | null;
  /** What they grew on: of two views with the same stem the longer one begins with the other. */
  readonly stem: object;
  /** Whether points between these were left out, though no extreme: then a part of them can be read finer. */
  readonly thinned: boolean;
  /** How many points each stands for, whose mean it is; absent where each is one. */
  readonly weights?: Float64Array;
}

export interface Extreme {
  readonly value: number;
  readonly step: number;
}

/** Points as they come, in the order of their arrival. */
export type Arrived = Pick<Points, "steps" | "values" | "times">;

const NONE = new Float64Array(0);
export const NO_POINTS: Points = { steps: NONE, values: NONE, times: NONE, length: 0, range: null, stem: {}, thinned: false };

/** Points that are held of a series at most. */
export const BOUND = 16_384;
const FEWEST = 64;

export class Columns {
  readonly #bound: number;
  #steps = new Float64Array(FEWEST);
  #values = new Float64Array(FEWEST);
  #times = new Float64Array(FEWEST);
  #length = 0;
  #inOrder = true;
  #grain = Infinity;
  #stem = {};
  #view: Points | null = null;
  #first = NaN;
  #last = NaN;
  #least: Extreme | null = null;
  #most: Extreme | null = null;

  constructor(bound = BOUND) {
    this.#bound = bound;
  }

  get length(): number {
    return this.#length;
  }

  /** The value that came last, whatever its step. */
  get last(): number {
    return this.#last;
  }

  /** The value that came first. */
  get first(): number {
    return this.#first;
  }

  /** The lowest finite value with its first step. */
  get least(): Extreme | null {
    return this.#least;
  }

  /** The highest finite value with its first step. */
  get most(): Extreme | null {
    return this.#most;
  }

  /** In about how many points those that came are shown, spread over them; infinite while none was left out. */
  get grain(): number {
    return this.#grain;
  }

  /** Append points in the order they came; equal and out-of-order steps are kept. `grain` where others are left out. */
  append({ steps, values, times }: Arrived, grain = Infinity): void {
    if (steps.length === 0) return;
    this.#reserve(this.#length + steps.length);
    this.#steps.set(steps, this.#length);
    this.#values.set(values, this.#length);
    this.#times.set(times, this.#length);
    const end = this.#length + steps.length;
    for (let i = this.#length; i < end; i++) this.#note(i);
    if (this.#length === 0) this.#first = values[0] ?? NaN;
    this.#last = values[values.length - 1] ?? NaN;
    this.#length = end;
    this.#grain = Math.min(this.#grain, grain);
    this.#view = null;
    if (end > this.#bound) this.#thin();
  }

  /** The points ordered by step, for drawing; those of one step stay in the order they came. */
  get points(): Points {
    this.#view ??= this.#inOrder ? this.#whole() : sorted(this.#whole());
    return this.#view;
  }

  #note(i: number): void {
    const step = this.#steps[i] ?? NaN;
    const value = this.#values[i] ?? NaN;
    if (i > 0 && step < (this.#steps[i - 1] ?? step)) this.#inOrder = false;
    if (!Number.isFinite(value)) return;
    if (this.#least === null || value < this.#least.value) this.#least = { value, step };
    if (this.#most === null || value > this.#most.value) this.#most = { value, step };
  }

  #whole(): Points {
    const part = (column: Float64Array): Float64Array => column.subarray(0, this.#length);
    return {
      steps: part(this.#steps),
      values: part(this.#values),
      times: part(this.#times),
      length: this.#length,
      range: this.#least && this.#most && ([this.#least.value, this.#most.value] as const),
      stem: this.#stem,
      thinned: this.#grain < Infinity,
    };
  }

  #reserve(length: number): void {
    if (length <= this.#steps.length) return;
    const capacity = Math.max(length, Math.min(2 * this.#steps.length, this.#bound + (this.#bound >> 2)));
    this.#steps = grown(this.#steps, capacity);
    this.#values = grown(this.#values, capacity);
    this.#times = grown(this.#times, capacity);
  }

  /** Leave of all but the newest quarter the extremes of each of many stretches, in the place of what was there. */
  #thin(): void {
    const { steps, values, times, length } = this.points;
    const newest = length - (this.#bound >> 2);
    const picks = extremes(steps, values, newest, this.#bound >> 3);
    for (let i = newest; i < length; i++) picks.push(i);
    const take = (from: Float64Array, to: Float64Array): void => {
      // A place is never read after it was written: picks ascend, and the nth of them is n at least.
      for (let nth = 0; nth < picks.length; nth++) to[nth] = from[picks[nth] ?? 0] ?? NaN;
    };
    take(steps, this.#steps);
    take(values, this.#values);
    take(times, this.#times);
    this.#length = picks.length;
    this.#inOrder = true;
    this.#grain = Math.min(this.#grain, this.#bound >> 2);
    this.#stem = {};
    this.#view = null;
  }
}

/**
 * Choose of the points up to `end` the first, the last, and of each of `count` stretches the extremes: the lowest, the
 * highest, and the first that is not finite. Half of the stretches go by the steps, half by the number of points.
 */
export function extremes(steps: Float64Array, values: Float64Array, end: number, count: number): number[] {
  const picks: number[] = [];
  if (end <= 0) return picks;
  const first = steps[0] ?? 0;
  const width = (steps[end - 1] ?? 0) - first;
  let stretch = -1;
  let [low, high, gap] = [-1, -1, -1];
  const close = (): void => {
    for (const pick of [low, high, gap].filter((each) => each >= 0).sort((a, b) => a - b)) {
      if (pick !== picks[picks.length - 1]) picks.push(pick);
    }
    low = high = gap = -1;
  };
  for (let i = 0; i < end; i++) {
    const along = width > 0 ? ((steps[i] ?? 0) - first) / width : 0;
    const here = Math.min(count - 1, Math.floor(((along + i / end) * count) / 2));
    if (here !== stretch) close();
    stretch = here;
    const value = values[i] ?? NaN;
    if (!Number.isFinite(value)) gap = gap < 0 ? i : gap;
    else {
      if (low < 0 || value < (values[low] ?? NaN)) low = i;
      if (high < 0 || value > (values[high] ?? NaN)) high = i;
    }
  }
  close();
  if (picks[0] !== 0) picks.unshift(0);
  if (picks[picks.length - 1] !== end - 1) picks.push(end - 1);
  return picks;
}

/** Tell whether points may have been left out of so many, where the server was asked for `most`: a view has a sixth of it. */
export function mayLack(length: number, most: number): boolean {
  return length >= most / 6 - 1; // half of its stretches go by the number of points, and each has one at the least
}

function grown(column: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(capacity);
  larger.set(column);
  return larger;
}

function sorted(points: Points): Points {
  const { steps, values, times, length } = points;
  const order = Array.from({ length }, (_, i) => i).sort((a, b) => (steps[a] ?? 0) - (steps[b] ?? 0));
  const inOrder = (column: Float64Array): Float64Array => Float64Array.from(order, (i) => column[i] ?? NaN);
  return { ...points, steps: inOrder(steps), values: inOrder(values), times: inOrder(times), stem: {} };
}
