/** Where the points of one run stand on the x axis. */

import { bisectRight } from "d3-array";
import type { Points } from "../state/columns";
import { alikeKnots, projectSteps, type Knots } from "./axis";

/**
 * By the step; by the epoch that the step lies in; by the wall time since a moment; by another metric of the step; by
 * places that came with the points.
 */
export type Placing =
  | { readonly by: "step" }
  | { readonly by: "epoch"; readonly knots: Knots }
  | { readonly by: "time"; readonly since: number }
  | { readonly by: "metric"; readonly metric: Points }
  | { readonly by: "places"; readonly places: Float64Array };

export const BY_STEP: Placing = { by: "step" };

/** Write the places of points, `start` to `end`, to `out`; NaN where one is not known. */
export function place(placing: Placing, points: Points, start: number, end: number, out: Float64Array): void {
  switch (placing.by) {
    case "step":
      out.set(points.steps.subarray(start, end), start);
      break;
    case "epoch":
      projectSteps(placing.knots, points.steps, start, end, out);
      break;
    case "time":
      for (let i = start; i < end; i++) out[i] = (points.times[i] ?? NaN) - placing.since;
      break;
    case "metric":
      join(placing.metric, points.steps, start, end, out);
      break;
    case "places":
      out.set(placing.places.subarray(start, end), start);
  }
}

/** The value of a metric at each of ascending steps, evenly between those that are known, and none beyond them. */
function join({ steps: at, values, length }: Points, steps: Float64Array, start: number, end: number, out: Float64Array): void {
  let next = bisectRight(at, (steps[start] ?? 0) - 1e-9, 0, length);
  for (let i = start; i < end; i++) {
    const step = steps[i] ?? NaN;
    while (next < length && (at[next] ?? Infinity) < step) next++;
    const [right, value] = [at[next] ?? NaN, values[next] ?? NaN];
    if (next >= length) out[i] = NaN;
    else if (right === step) out[i] = value;
    else if (next === 0) out[i] = NaN;
    else {
      const [left, before] = [at[next - 1] ?? NaN, values[next - 1] ?? NaN];
      out[i] = before + ((step - left) / (right - left)) * (value - before);
    }
  }
}

/** The place up to which two placings are alike; null where nothing of the kind can be said. */
export function placedAlike(a: Placing, b: Placing): number | null {
  if (a === b) return Infinity;
  if (a.by === "step" && b.by === "step") return Infinity;
  if (a.by === "epoch" && b.by === "epoch") return alikeKnots(a.knots, b.knots);
  if (a.by === "time" && b.by === "time") return a.since === b.since ? Infinity : null;
  if (a.by === "places" && b.by === "places") return a.places === b.places ? Infinity : null;
  return a.by === "metric" && b.by === "metric" && a.metric === b.metric ? Infinity : null;
}
