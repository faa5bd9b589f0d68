/** A curve smoothed: which way, how much, and only anew where the curve is new. */

import type { Smoothing } from "../../state/view.svelte";
import type { Track } from "../track";
import { exponential } from "./exponential";
import { gaussian } from "./gaussian";
import { median } from "./median";

/** Smooths one curve; each call costs what has come since the one before. */
export interface Smoother {
  update(track: Track): Track;
}

/** The share of the whole axis that a Gaussian's deviation has at most. */
const WIDEST = 0.1;
/** A narrower one is narrower than any pixel. */
const NARROWEST = 5e-5;
/** Points on either side of a running median's middle at most. */
const MOST_BESIDE = 100;
/** The curve stays a curve. */
const MOST = 0.999;

/** Make what smooths a curve; null where it is to stay as it is. `span` is the length of the whole axis. */
export function smootherOf({ kind, amount }: Smoothing, span: number): Smoother | null {
  const much = Math.min(MOST, amount);
  if (kind === "none" || !(much > 0) || !(span > 0)) return null;
  if (kind === "ema") return exponential({ weight: much });
  // A thousandth of the axis counts as one step of the plain average does.
  if (kind === "time") return exponential({ fade: span / (-1000 * Math.log(Math.sqrt(much))) });
  if (kind === "gauss") return WIDEST * much * much < NARROWEST ? null : gaussian(span * WIDEST * much * much);
  return median(Math.max(1, Math.round(MOST_BESIDE * much * much)));
}

/** Say how much a curve is smoothed, in the words of the kind. */
export function smoothingWords({ kind, amount }: Smoothing): string {
  const much = Math.min(MOST, amount);
  if (kind === "none" || !(much > 0)) return "as logged";
  if (kind === "ema") return `weight ${much.toFixed(2)} a point`;
  if (kind === "time") return `fades over ${share(1 / (-1000 * Math.log(Math.sqrt(much))))} of the axis`;
  if (kind === "gauss") return `σ ${share(WIDEST * much * much)} of the axis`;
  return `${1 + 2 * Math.max(1, Math.round(MOST_BESIDE * much * much))} points`;
}

function share(part: number): string {
  return `${(100 * part).toPrecision(2)} %`;
}
