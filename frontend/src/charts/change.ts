/** What has to be drawn anew: mostly a chart only grew at its right end, and all left of that can stay. */

import { alikeUpTo } from "./axis";
import type { Drawn, Frame, Line, LineModel } from "./model";

/** Pixels of room for the dot at a line's head, and for the joint to what stays. */
export const ROOM = 6;

/** The pixel of the axes from which a chart is to be drawn anew; -Infinity for all of it, Infinity for nothing. */
export function changedFrom(before: Drawn, now: Drawn): number {
  if (!sameFrame(before.frame, now.frame) || !sameLooks(before, now)) return -Infinity;
  const place = alikeUpTo(before.model.axis, now.model.axis);
  if (place === null) return -Infinity;
  const starts = now.model.lines.map((line, nth) => grownFrom(before.model.lines[nth], line, now));
  if (place < Infinity) starts.push(now.frame.x(place));
  const from = Math.min(...starts) - ROOM;
  return from > 0 ? from : -Infinity;
}

function sameFrame(a: Frame, b: Frame): boolean {
  const alike = (as: readonly number[], bs: readonly number[]): boolean => as.every((each, nth) => each === bs[nth]);
  return (
    alike([a.left, a.top, a.width, a.height], [b.left, b.top, b.width, b.height]) &&
    alike(a.x.domain(), b.x.domain()) &&
    alike(a.y.domain(), b.y.domain())
  );
}

/** All but the lines' points, the axis and the cursor, which has a layer of its own. */
const LOOKS: readonly (keyof LineModel)[] = ["zoom", "share", "alive", "marks", "palette"];

function sameLooks(before: Drawn, now: Drawn): boolean {
  return (
    LOOKS.every((key) => before.model[key] === now.model[key]) &&
    before.pens.length === now.pens.length &&
    before.pens.every((pen, nth) => {
      const other = now.pens[nth];
      return pen.strength === other?.strength && pen.dense === other.dense && pen.style === other.style;
    })
  );
}

/** The pixel of the last point that a line had, if it went on from there. */
function grownFrom(before: Line | undefined, line: Line, { frame, model }: Drawn): number {
  if (before?.points === line.points) return Infinity;
  if (before === undefined || (before.points.length > 0 && before.points.stem !== line.points.stem)) return -Infinity;
  const step = line.points.steps[Math.max(0, before.points.length - 1)];
  return step === undefined ? Infinity : frame.x(model.axis.at(step));
}
