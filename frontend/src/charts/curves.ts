/** The curves of a chart's lines: placed, smoothed, and brought to pixels; each only anew where it is new. */

import type { Interval } from "../state/view.svelte";
import { Buckets, type Grid } from "./buckets";
import type { Line, LineModel, Stroke } from "./model";
import { smootherOf, type Smoother } from "./smoothing/smoother";
import { Tracker, type Track } from "./track";

/** The raw curve behind a smoothed one is a quarter as strong. */
const BEHIND = 0.25;
/** The least strength of a smoothed curve. */
const SOFTEST = 0.6;
/** Pixels between points below which a line without dashes is dense: to stroke it costs more than all else. */
const SPARSE = 3;
/** Pixels between points from which on each is marked. */
const APART = 7;
const MOST_DOTS = 3000;

interface Curve {
  readonly tracker: Tracker;
  /** Places the means that are smoothed in the place of the points. */
  readonly means: Tracker;
  readonly buckets: Buckets;
  readonly smoothBuckets: Buckets;
  smoother: Smoother | null;
  /** What the smoother was made for. */
  way: string;
}

interface Placed {
  readonly line: Line;
  readonly track: Track;
  readonly smooth: boolean;
  readonly buckets: Buckets;
}

export class Curves {
  readonly #curves = new Map<string, Curve>();
  #placed: readonly Placed[] = [];

  /** Place and smooth all lines. */
  place(model: LineModel): void {
    const { smoothing } = model.settings;
    const span = model.axis.domain[1] - model.axis.domain[0];
    const wide = smoothing.kind === "time" || smoothing.kind === "gauss";
    const way = `${smoothing.kind} ${smoothing.amount} ${wide ? span : ""}`;
    this.#forget(model.lines);
    this.#placed = model.lines.flatMap((line): Placed[] => {
      const curve = this.#of(line.key);
      const track = curve.tracker.update(line.points, line.placing);
      if (curve.way !== way) {
        curve.way = way;
        curve.smoother = smootherOf(smoothing, span);
      }
      const raw = { line, track, smooth: false, buckets: curve.buckets };
      // Few points are their own curve.
      if (curve.smoother === null || track.length < 3 || line.means === null) return [raw];
      const rough = line.means === undefined ? track : curve.means.update(line.means, line.placing);
      return [raw, { line, track: curve.smoother.update(rough), smooth: true, buckets: curve.smoothBuckets }];
    });
  }

  /** Bring what lies between two places to pixels. */
  strokes(model: LineModel, grid: Grid, [from, to]: Interval, width: number): Stroke[] {
    const traced = this.#placed.map((placed) => ({ ...placed, trace: placed.buckets.update(placed.track, grid, from, to) }));
    const total = traced.reduce((sum, { trace }) => sum + trace.points, 0);
    const fronted = new Set(model.lines.filter(isFront).map((line) => `${line.run} ${line.style.colour}`));
    return traced.map(({ line, track, smooth, trace }) => ({
      line,
      track,
      trace,
      smooth,
      strength: smooth ? Math.max(SOFTEST, line.style.strength) : strengthOf(line, !this.#isSmoothed(line.key), fronted),
      dense: trace.points * (line.style.dash.length > 0 ? 1 : SPARSE) > width,
      dotted: model.settings.zoom !== null && !smooth && total < MOST_DOTS && trace.points * APART < width,
    }));
  }

  #isSmoothed(key: string): boolean {
    return this.#placed.some((placed) => placed.smooth && placed.line.key === key);
  }

  #of(key: string): Curve {
    let curve = this.#curves.get(key);
    if (curve === undefined) {
      curve = { tracker: new Tracker(), means: new Tracker(), buckets: new Buckets(), smoothBuckets: new Buckets(), smoother: null, way: "" };
      this.#curves.set(key, curve);
    }
    return curve;
  }

  #forget(lines: readonly Line[]): void {
    if (this.#curves.size <= lines.length) return;
    const wanted = new Set(lines.map((line) => line.key));
    for (const key of this.#curves.keys()) if (!wanted.has(key)) this.#curves.delete(key);
  }
}

function isFront({ style, points }: Line): boolean {
  return style.strength === 1 && points.length > 1;
}

/** A raw curve stands back only once there is a line in front of it. */
function strengthOf({ run, style }: Line, front: boolean, fronted: ReadonlySet<string>): number {
  if (!front) return BEHIND * style.strength;
  if (style.strength === 1) return 1;
  return fronted.has(`${run} ${style.colour}`) ? style.strength : 0.6;
}
