/** What tells lines apart that colour alone does not: bands of dense ones, beads on those whose colour comes again. */

import { bisectLeft } from "d3-array";
import type { Trace } from "./buckets";
import type { Ink, Way } from "./ink";
import { clamp, type Frame } from "./model";
import type { Bead } from "./style";

/** Pixels from bead to bead. */
const BEADS = 72;

/**
 * A way that goes on in each other band of so many pixels only.
 *
 * A line with a point in each pixel has no dashes; its bands go across. What is between them has to be drawn as well,
 * weaker: nothing that a line shows is left out.
 */
export function inBands(way: Way, left: number, width: number, odd: 0 | 1): Way {
  let [x, y, on] = [0, 0, false];
  return {
    moveTo(nextX, nextY) {
      [x, y, on] = [nextX, nextY, false];
    },
    lineTo(nextX, nextY) {
      const within = (Math.floor(((x + nextX) / 2 - left) / width) & 1) === odd;
      if (within && !on) way.moveTo(x, y);
      if (within) way.lineTo(nextX, nextY);
      [x, y, on] = [nextX, nextY, within];
    },
  };
}

/** Draw beads along a line: rings or squares, from a pixel of the axes on. */
export function drawBeads(ink: Ink, { left, top, width, x, y }: Frame, trace: Trace, bead: Bead, colour: string, ground: string, from: number): void {
  if (bead === "none" || trace.length === 0) return;
  const begin = x(trace.x[0] ?? 0);
  const end = Math.min(width, x(trace.x[trace.length - 1] ?? 0));
  // The first stands where the line begins: there it stays as the line grows.
  for (let at = begin >= 0 ? begin : BEADS - (-begin % BEADS); at <= end; at += BEADS) {
    const value = at < Math.max(0, from) ? NaN : valueAt(trace, x.invert(at));
    if (Number.isFinite(value)) drawBead(ink, bead, left + at, top + y(value), colour, ground);
  }
}

/** Draw one bead. */
export function drawBead(ink: Ink, bead: Bead, x: number, y: number, colour: string, ground: string): void {
  if (bead === "none") return;
  if (bead === "square") return ink.box(colour, x - 2.5, y - 2.5, 5, 5);
  ink.dot(colour, x, y, 3.25);
  ink.dot(ground, x, y, 1.75);
}

/** The value of a line at a place, between its points. */
function valueAt({ x, y, length }: Trace, place: number): number {
  const right = clamp(bisectLeft(x, place, 0, length), 0, length - 1);
  const before = Math.max(0, right - 1);
  const [low, high] = [x[before] ?? 0, x[right] ?? 0];
  const share = high > low ? clamp((place - low) / (high - low), 0, 1) : 1;
  return (y[before] ?? NaN) * (1 - share) + (y[right] ?? NaN) * share;
}
