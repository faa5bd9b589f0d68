/** What a chart of lines shows, and where it stands on the canvas. */

import { bisector } from "d3-array";
import type { Points } from "../state/columns";
import type { Interval } from "../state/view.svelte";
import type { Axis } from "./axis";
import type { Scale } from "./domain";
import type { Palette } from "./palette";
import type { SeriesStyle } from "./style";

export interface Line {
  readonly style: SeriesStyle;
  readonly points: Points;
  /** The value that came last: the order of arrival need not be that of the steps. */
  readonly last: number;
}

/** A range of steps that a finding speaks of. */
export interface Mark {
  readonly from: number;
  readonly to: number;
  readonly severe: boolean;
}

export interface LineModel {
  readonly lines: readonly Line[];
  readonly axis: Axis;
  readonly zoom: Interval | null;
  readonly hover: number | null;
  readonly share: boolean;
  /** Whether lines still grow: then their heads are dots. */
  readonly alive: boolean;
  readonly marks: readonly Mark[];
  readonly palette: Palette;
  /** What the chart shows, in words. */
  readonly summary: string;
}

/** The place of the axes in a chart, in pixels, with the scales that lead there. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: Scale;
  readonly y: Scale;
}

/** How a line is stroked. */
export interface Pen {
  readonly style: SeriesStyle;
  readonly strength: number;
  /** Whether the line has more points than pixels. */
  readonly dense: boolean;
}

/** What stands on a canvas. */
export interface Drawn {
  readonly model: LineModel;
  readonly frame: Frame;
  /** One for each line. */
  readonly pens: readonly Pen[];
}

/** The index of the point nearest to a place on the axis; null beyond the ends of the series. */
export function nearest({ steps, length }: Points, axis: Axis, x: number): number | null {
  if (length === 0) return null;
  const at = (i: number): number => axis.at(steps[i] ?? 0);
  const right = bisector((step: number) => axis.at(step)).left(steps, x, 0, length);
  const near = right === 0 || (right < length && at(right) - x < x - at(right - 1)) ? right : right - 1;
  // Between two points far apart the nearest is meant; past an end only what is about as near as neighbours are.
  const reach = length > 1 ? (at(length - 1) - at(0)) / (length - 1) : 0.5;
  return Math.abs(at(near) - x) <= Math.max(reach, 0.5) || (right > 0 && right < length) ? near : null;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
