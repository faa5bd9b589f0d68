/** What has to be drawn anew: mostly a chart only grew at its right end, and all left of that can stay. */

import type { Drawn, Frame, LineModel, Stroke } from "./model";
import { alikeUpTo, type Track } from "./track";

/** Pixels of room for the dot at a line's head, and for the joint to what stays. */
export const ROOM = 6;

/** The pixel of the axes from which a chart is to be drawn anew; -Infinity for all of it, Infinity for nothing. */
export function changedFrom(before: Drawn, now: Drawn): number {
  if (!sameFrame(before.frame, now.frame) || !sameLooks(before, now)) return -Infinity;
  let place = Infinity;
  now.strokes.forEach(({ track }, nth) => (place = Math.min(place, changedAt(before.strokes[nth]?.track, track))));
  if (place === -Infinity) return -Infinity;
  const from = now.frame.x(place) - ROOM;
  return place === Infinity ? Infinity : from > 0 ? from : -Infinity;
}

/** The place from which a curve is new; all of it where it is another's, or its points came out of order. */
function changedAt(before: Track | undefined, now: Track): number {
  if (before?.length === 0) return now.x[0] ?? Infinity;
  return alikeUpTo(before ?? null, now);
}

function sameFrame(a: Frame, b: Frame): boolean {
  const alike = (as: readonly unknown[], bs: readonly unknown[]): boolean => as.every((each, nth) => each === bs[nth]);
  return (
    alike([a.left, a.top, a.width, a.height, a.above, a.below], [b.left, b.top, b.width, b.height, b.above, b.below]) &&
    alike(a.x.domain(), b.x.domain()) &&
    alike(a.y.domain(), b.y.domain()) &&
    a.y.kind === b.y.kind &&
    a.y.threshold === b.y.threshold
  );
}

/** All but the lines' points and what the layer above shows. */
const LOOKS: readonly (keyof LineModel)[] = ["share", "marks", "notes", "pins", "palette"];

function sameLooks(before: Drawn, now: Drawn): boolean {
  return (
    LOOKS.every((key) => before.model[key] === now.model[key]) &&
    before.model.axis.unit === now.model.axis.unit &&
    before.model.axis.label === now.model.axis.label &&
    before.strokes.length === now.strokes.length &&
    before.strokes.every((stroke, nth) => sameStroke(stroke, now.strokes[nth]))
  );
}

function sameStroke(a: Stroke, b: Stroke | undefined): boolean {
  return (
    a.strength === b?.strength &&
    a.dense === b.dense &&
    a.dotted === b.dotted &&
    a.smooth === b.smooth &&
    a.line.style === b.line.style &&
    a.line.alive === b.line.alive
  );
}
