/**
 * Averages that fade: each point is the mean of all up to it, weighted by how long ago they were.
 *
 * What has faded is divided by the weights that have, so the first points are not drawn to zero (the debiased average).
 */

import { roomier, type Track } from "../track";
import { Smoothed } from "./smoothed";
import type { Smoother } from "./smoother";

/** By a weight for each point before, or by the length of the axis over which a point fades to 1/e. */
export type Fading = { readonly weight: number } | { readonly fade: number };

/** Points that are not finite add nothing, and stay as they are. A mean of many fades what came before as they would. */
export function exponential(fading: Fading): Smoother {
  const smoothed = new Smoothed();
  // Both are kept for every point, so that the average can go on from any.
  let sums = new Float64Array(0);
  let weights = new Float64Array(0);

  function fill({ x, y, length, weights: counts }: Track, start: number): void {
    let sum = start > 0 ? (sums[start - 1] ?? 0) : 0;
    let weight = start > 0 ? (weights[start - 1] ?? 0) : 0;
    const steady = "weight" in fading ? fading.weight : 0;
    const fade = "fade" in fading ? fading.fade : 0;
    for (let i = start; i < length; i++) {
      const value = y[i] ?? NaN;
      const count = counts?.[i] ?? 1;
      const keep = fade > 0 ? Math.exp(((x[i - 1] ?? x[i] ?? 0) - (x[i] ?? 0)) / fade) : steady ** count;
      // So many equal values one after the other, each faded by those behind it.
      const share = fade > 0 ? count : count === 1 ? 1 : (1 - keep) / (1 - steady);
      const finite = value - value === 0;
      // Time passes over a gap; a step that brought nothing is none.
      if (finite || fade > 0) {
        sum *= keep;
        weight *= keep;
      }
      if (finite) {
        sum += share * value;
        weight += share;
      }
      sums[i] = sum;
      weights[i] = weight;
      smoothed.y[i] = finite ? sum / weight : value;
    }
  }

  return {
    update(track) {
      const earlier = smoothed.earlier(track);
      if (earlier === null) return smoothed.out;
      if (sums.length < track.length) [sums, weights] = [roomier(sums, track.length), roomier(weights, track.length)];
      fill(track, earlier.index);
      return smoothed.take(track, earlier.alike);
    },
  };
}
