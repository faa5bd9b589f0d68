/**
 * The place of values on an axis of powers: equal ratios are equal lengths.
 *
 * Where values reach zero or change their sign, what is nearer to zero than a threshold stands on a straight piece,
 * which is as long as one power of ten; so zero has a place, and negative values have theirs below it.
 */

import { scaleLinear } from "d3-scale";

/** Powers of ten below the largest value that are told apart where there is a straight piece. */
const MOST_POWERS = 6;

export interface Logarithm {
  /** Half the height of the straight piece; null where all values are positive, and there is none. */
  readonly threshold: number | null;
  of(value: number): number;
  inverse(place: number): number;
}

/** Choose for values between two, of which `smallest` is the one nearest to zero but not zero. */
export function logarithm(low: number, high: number, smallest: number): Logarithm {
  if (low > 0) return { threshold: null, of: (value) => (value > 0 ? Math.log10(value) : -Infinity), inverse: (place) => 10 ** place };
  const largest = Math.max(Math.abs(low), Math.abs(high));
  const least = Math.max(smallest, largest * 10 ** -MOST_POWERS);
  const threshold = 10 ** Math.floor(Math.log10(least) + 1e-9);
  return {
    threshold,
    of: (value) => {
      const size = Math.abs(value) / threshold;
      return size <= 1 ? value / threshold : Math.sign(value) * (1 + Math.log10(size));
    },
    inverse: (place) => {
      const size = Math.abs(place);
      return size <= 1 ? place * threshold : Math.sign(place) * threshold * 10 ** (size - 1);
    },
  };
}

/** Values that lie closer than this ratio read best in even steps. */
const CLOSE = 3;

/** About so many round values between two: powers of ten, with 2 and 5 of each where there are few; zero where it is passed. */
export function logTicks(low: number, high: number, { threshold }: Logarithm, count: number): number[] {
  if (threshold === null) return positiveTicks(low, high, count);
  const above = high > threshold ? powers(threshold, high) : [];
  const below = -low > threshold ? powers(threshold, -low).map((tick) => -tick) : [];
  const room = Math.max(1, count - 1);
  const every = Math.ceil((above.length + below.length) / room);
  const kept = (ticks: readonly number[]): number[] => ticks.filter((_, nth) => (ticks.length - 1 - nth) % every === 0);
  return [...kept(below).reverse(), ...(low <= 0 && high >= 0 ? [0] : []), ...kept(above)];
}

function positiveTicks(low: number, high: number, count: number): number[] {
  if (high / low < CLOSE) return scaleLinear([low, high], [0, 1]).ticks(count);
  const tens = powers(low, high);
  if (tens.length > count) {
    const every = Math.ceil(tens.length / count);
    return tens.filter((tick) => Math.round(Math.log10(tick)) % every === 0);
  }
  for (const digits of [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5], [1, 2, 5], [1, 3]]) {
    const ticks = steps(low, high, digits);
    if (ticks.length <= count && ticks.length > tens.length) return ticks;
  }
  return tens;
}

function powers(low: number, high: number): number[] {
  return steps(low, high, [1]);
}

function steps(low: number, high: number, digits: readonly number[]): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const digit of digits) {
      const tick = Number(`${digit}e${power}`);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return ticks;
}

/** Widen a range of positive values to round ends: to 1, 2 or 5 of a power of ten, and to even steps where they lie close. */
export function roundEnds(low: number, high: number): [number, number] {
  if (high / low < CLOSE && high > low) {
    const [start = low, end = high] = scaleLinear([low, high], [0, 1]).nice(5).domain();
    if (start > 0) return [start, end];
  }
  const digits = [1, 2, 5, 10];
  const down = 10 ** Math.floor(Math.log10(low) + 1e-9);
  const up = 10 ** Math.floor(Math.log10(high) + 1e-9);
  const start = [...digits].reverse().find((digit) => digit * down <= low * (1 + 1e-9)) ?? 1;
  const end = digits.find((digit) => digit * up >= high * (1 - 1e-9)) ?? 10;
  return [start * down, end * up];
}
