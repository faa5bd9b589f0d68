/** The numbers behind a chart: of each line the points in the part that is shown. */

import { bisectLeft, bisector, bisectRight } from "d3-array";
import { pixelOf, type Drawn, type Line, type Stroke } from "./model";
import { pointAt } from "./track";

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** Whether other points lie between these, none of them further out. */
  readonly thinned: boolean;
}

/** A point a row, line by line, in the order of the axis. */
export function tableOf(drawn: Drawn): Table {
  const { frame, strokes, model } = drawn;
  const raw = strokes.filter((stroke) => !stroke.smooth);
  const overlaid = raw.some(({ line }) => line.run !== null);
  const smoothed = strokes.some(({ smooth }) => smooth);
  const noted = model.notes.length > 0;
  const own = model.axis.unit === "step" || model.axis.unit === "time";
  const columns = [
    ...(overlaid ? ["run"] : []),
    "metric",
    "step",
    "time",
    ...(own ? [] : [model.axis.unit === "metric" ? model.axis.label : model.axis.unit]),
    "value",
    ...(smoothed ? ["smoothed"] : []),
    ...(noted ? ["note"] : []),
  ];
  const [low = 0, high = 1] = frame.x.domain();
  const points = raw.flatMap((stroke) => {
    const soft = strokes.find((each) => each.smooth && each.line.key === stroke.line.key);
    return rowsOf(stroke, soft, low, high);
  });
  const notes = notesAt(points, drawn);
  const rows = points.map(({ run, metric, step, time, place, value, smooth }, nth) => [
    ...(overlaid ? [run] : []),
    metric,
    step,
    time,
    ...(own ? [] : [place]),
    value,
    ...(smoothed ? [smooth] : []),
    ...(noted ? [notes[nth] ?? ""] : []),
  ]);
  return { columns, rows, thinned: raw.some(({ line }) => line.points.thinned) };
}

interface Row {
  readonly run: string;
  readonly metric: string;
  readonly step: number;
  readonly time: string;
  readonly place: number;
  readonly value: number;
  readonly smooth: number | string;
}

function rowsOf({ line, track }: Stroke, soft: Stroke | undefined, low: number, high: number): Row[] {
  const { x, y, length } = track;
  const rows: Row[] = [];
  const end = bisectRight(x, high, 0, length);
  for (let i = bisectLeft(x, low, 0, length); i < end; i++) {
    const index = track.order?.[i] ?? i;
    const time = line.points.times[index];
    rows.push({
      run: line.run ?? "",
      metric: line.style.metric,
      step: line.points.steps[index] ?? NaN,
      time: time === undefined || !Number.isFinite(time) ? "" : new Date(1000 * time).toISOString(),
      place: x[i] ?? NaN,
      value: y[i] ?? NaN,
      smooth: soft === undefined ? "" : smoothed(line, soft, i, x[i] ?? NaN),
    });
  }
  return rows;
}

/** What was noted in the part that is shown, by the row of the run whose step is nearest: a note may stand between two. */
function notesAt(rows: readonly Row[], { frame, strokes, model: { notes } }: Drawn): readonly string[] {
  const said: string[] = [];
  if (notes.length === 0) return said;
  const own = rows.flatMap(({ run, step }, nth) => (run === "" ? [{ step, nth }] : [])).sort((a, b) => a.step - b.step);
  for (const { step, text } of notes) {
    const at = pixelOf(step, frame, strokes);
    const nearest = own[BY_STEP.center(own, step)];
    if (nearest === undefined || at === null || at < 0 || at > frame.width) continue;
    said[nearest.nth] = [said[nearest.nth], text].filter(Boolean).join(" · ");
  }
  return said;
}

const BY_STEP = bisector(({ step }: { readonly step: number }) => step);

/** The smoothed value at a point: of means that were smoothed in the place of points, that which lies there. */
function smoothed(line: Line, { track }: Stroke, i: number, place: number): number | string {
  return line.means === undefined ? (track.y[i] ?? NaN) : (pointAt(track, place)?.value ?? "");
}

/** How many points lie in the part that is shown. */
export function countOf({ frame, strokes }: Drawn): number {
  const [low = 0, high = 1] = frame.x.domain();
  const within = ({ track: { x, length } }: Stroke): number => bisectRight(x, high, 0, length) - bisectLeft(x, low, 0, length);
  return strokes.filter(({ smooth }) => !smooth).reduce((sum, stroke) => sum + within(stroke), 0);
}
