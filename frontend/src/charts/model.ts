/** What a chart of lines shows, and where it stands on its sheet. */

import { bisectLeft } from "d3-array";
import type { ScaleLinear } from "d3-scale";
import type { Points } from "../state/columns";
import type { ChartSettings, Interval } from "../state/view.svelte";
import type { Trace } from "./buckets";
import type { ValueScale } from "./domain";
import type { Palette } from "./palette";
import type { Placing } from "./placing";
import type { SeriesStyle } from "./style";
import type { Track } from "./track";
import type { XAxis } from "./xaxis";

export interface Line {
  /** What is smoothed in the place of the points, where some of them are left out; null while it is being read. */
  readonly means?: Points | null;
  /** Tells the line from all others of the chart, and stays the same. */
  readonly key: string;
  readonly style: SeriesStyle;
  readonly points: Points;
  readonly placing: Placing;
  /** The value that came last: the order of arrival need not be that of the steps. */
  readonly last: number;
  /** The name of the run that is laid over; null for the run that is shown. */
  readonly run: string | null;
  /** Whether the line still grows: then its head is a dot. */
  readonly alive: boolean;
}

/** A range of steps that a finding speaks of. */
export interface Mark {
  readonly from: number;
  readonly to: number;
  readonly severe: boolean;
}

/** What somebody wrote at a step. */
export interface Note {
  readonly step: number;
  readonly text: string;
}

export interface LineModel {
  readonly lines: readonly Line[];
  readonly axis: XAxis;
  readonly settings: Pick<ChartSettings, "y" | "smoothing" | "scale" | "robust"> & { readonly zoom: Interval | null };
  readonly hover: number | null;
  /** The line that is meant; null where none is. */
  readonly near: string | null;
  readonly pins: readonly number[];
  readonly share: boolean;
  readonly marks: readonly Mark[];
  readonly notes: readonly Note[];
  readonly palette: Palette;
  /** What the chart shows, in words. */
  readonly summary: string;
}

/** The place of the axes on a sheet, in pixels, with the scales that lead there. */
export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly x: ScaleLinear<number, number>;
  readonly y: ValueScale;
  /** The highest and the lowest value where they lie outside of what is shown; else null. */
  readonly above: number | null;
  readonly below: number | null;
}

/** A curve as it is stroked: a line has one, and one before it where it is smoothed. */
export interface Stroke {
  readonly line: Line;
  readonly track: Track;
  readonly trace: Trace;
  readonly smooth: boolean;
  readonly strength: number;
  /** Whether it has more points than pixels. */
  readonly dense: boolean;
  /** Whether its points stand so far apart that each is marked. */
  readonly dotted: boolean;
}

/** What stands on a sheet. */
export interface Drawn {
  readonly model: LineModel;
  readonly frame: Frame;
  /** In the order of the lines; of a smoothed one the raw curve first. */
  readonly strokes: readonly Stroke[];
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** The curve of a line that speaks for it: the smoothed one where there is one. */
export function spoken(strokes: readonly Stroke[], key: string): Stroke | undefined {
  let found: Stroke | undefined;
  for (const stroke of strokes) if (stroke.line.key === key && (found === undefined || stroke.smooth)) found = stroke;
  return found;
}

/** The pixel of a step, by the line that was given to it. */
export function pixelOf(step: number, frame: Frame, strokes: readonly Stroke[]): number | null {
  const own = strokes.find(({ line, track }) => line.run === null && track.length > 0 && track.order === undefined);
  if (own === undefined) return null;
  const { steps, length } = own.line.points;
  const right = bisectLeft(steps, step, 0, length);
  const [next, before] = [Math.min(right, length - 1), Math.max(0, right - 1)];
  const [low, high] = [steps[before] ?? 0, steps[next] ?? 0];
  const share = high > low ? clamp((step - low) / (high - low), 0, 1) : 0;
  const [start, end] = [own.track.x[before] ?? 0, own.track.x[next] ?? 0];
  return frame.x(start + share * (end - start));
}
