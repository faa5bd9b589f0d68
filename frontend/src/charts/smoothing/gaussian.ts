/**
 * The mean of all points around a place, weighted by a Gaussian of their distance on the axis.
 *
 * Points are first shared out to places a sixteenth of the deviation apart, so that the cost does not depend on how many
 * fall under the curve; what that moves is below a thousandth of what the points differ.
 */

import { bisectLeft } from "d3-array";
import { roomier, type Track } from "../track";
import { Smoothed } from "./smoothed";
import type { Smoother } from "./smoother";

const BINS = 16;
/** Beyond four deviations lies less than a ten thousandth of the weight. */
const REACH = 4 * BINS;

const KERNEL = Float64Array.from({ length: REACH + 1 }, (_, nth) => Math.exp(-0.5 * (nth / BINS) ** 2));

/** Points that are not finite add nothing, and stay as they are. */
export function gaussian(deviation: number): Smoother {
  const smoothed = new Smoothed();
  const width = deviation / BINS;
  let origin = 0;
  let sums = new Float64Array(0);
  let counts = new Float64Array(0);
  let means = new Float64Array(0);

  function binOf(place: number): number {
    return Math.max(0, Math.floor((place - origin) / width));
  }

  /** Share out the points between the two bins that they lie between, from a bin on. */
  function gather({ x, y, length, weights }: Track, first: number): void {
    const bins = binOf(x[length - 1] ?? origin) + 2;
    if (sums.length < bins) [sums, counts, means] = [roomier(sums, bins), roomier(counts, bins), roomier(means, bins)];
    sums.fill(0, first);
    counts.fill(0, first);
    for (let i = bisectLeft(x, origin + (first - 1) * width, 0, length); i < length; i++) {
      const value = y[i] ?? NaN;
      if (value - value !== 0) continue;
      const left = binOf(x[i] ?? 0);
      const right = Math.min(1, Math.max(0, ((x[i] ?? 0) - origin) / width - left));
      const count = weights?.[i] ?? 1;
      if (left >= first) add(left, count * (1 - right), value);
      if (left + 1 >= first) add(left + 1, count * right, value);
    }
  }

  function add(bin: number, share: number, value: number): void {
    sums[bin] = (sums[bin] ?? 0) + share * value;
    counts[bin] = (counts[bin] ?? 0) + share;
  }

  /** The mean around a bin; found once. */
  function meanAt(bin: number): number {
    const known = means[bin] ?? NaN;
    if (known === known) return known;
    let sum = 0;
    let weight = 0;
    const end = Math.min(counts.length - 1, bin + REACH);
    for (let at = Math.max(0, bin - REACH); at <= end; at++) {
      const count = counts[at] ?? 0;
      if (count === 0) continue;
      const share = KERNEL[Math.abs(at - bin)] ?? 0;
      sum += share * (sums[at] ?? 0);
      weight += share * count;
    }
    return (means[bin] = weight > 0 ? sum / weight : NaN);
  }

  function fill({ x, y, length }: Track, bin: number): void {
    means.fill(NaN, bin);
    for (let i = bisectLeft(x, origin + bin * width, 0, length); i < length; i++) {
      const value = y[i] ?? NaN;
      if (value - value !== 0) {
        smoothed.y[i] = value;
        continue;
      }
      const left = binOf(x[i] ?? 0);
      const right = Math.min(1, Math.max(0, ((x[i] ?? 0) - origin) / width - left));
      smoothed.y[i] = right === 0 ? meanAt(left) : (1 - right) * meanAt(left) + right * meanAt(left + 1);
    }
  }

  return {
    update(track) {
      const earlier = smoothed.earlier(track);
      if (earlier === null) return smoothed.out;
      const whole = earlier.alike === -Infinity;
      if (whole) origin = track.x[0] ?? 0;
      const first = whole ? 0 : Math.min(binOf(earlier.alike), sums.length - 1);
      gather(track, first);
      const from = Math.max(0, first - REACH - 1);
      fill(track, from);
      return smoothed.take(track, whole ? -Infinity : origin + from * width);
    },
  };
}
