/** The x axes that the charts of a page share: what they count, and where the points of each run stand on them. */

import { NO_POINTS, type Points } from "../state/columns";
import type { AxisKind, Interval } from "../state/view.svelte";
import type { Run } from "../wire";
import { roomy, runAxis, sameAxis, type Axis } from "./axis";
import { BY_STEP, placedAlike, type Placing } from "./placing";
import type { XAxis } from "./xaxis";

/** The series of a run, as far as axes ask of them. */
export interface SeriesOf {
  readonly version: number;
  readonly metrics: readonly string[];
  readonly steps: readonly [number, number];
  get(metric: string): { readonly points: Points; readonly grain: number; readonly least: Extreme | null; readonly most: Extreme | null } | undefined;
}

interface Extreme {
  readonly value: number;
}

/** A run whose lines stand on the axes. */
export interface Source {
  readonly run: Run | undefined;
  readonly series: SeriesOf;
}

/** How the points of a run stand on an axis, and which part of it they take. */
export interface Stand {
  readonly unit: XAxis["unit"];
  readonly label: string;
  readonly placing: Placing;
  readonly domain: Interval;
  /** The place of what came last. */
  readonly head: number;
}

const NO_PROGRESS = { epoch: null, epochs: null, step: null, stepsPerEpoch: null };

/** Keeps what follows from one run's series until these have grown. */
export class Axes {
  readonly #source: () => Source;
  readonly #kept: Partial<Record<AxisKind, Stand>> = {};

  constructor(source: () => Source) {
    this.#source = source;
  }

  readonly #axis: Axis = $derived.by(() => {
    const { run, series } = this.#source();
    void series.version;
    const epochs = series.get("epoch")?.points ?? NO_POINTS;
    return this.#keepAxis(runAxis(epochs, run?.progress ?? NO_PROGRESS, series.steps, run?.state === "running"));
  });

  readonly #times: Interval = $derived.by(() => {
    const { series } = this.#source();
    void series.version;
    let [first, last] = [Infinity, -Infinity];
    for (const metric of series.metrics) {
      const { times, length } = series.get(metric)?.points ?? NO_POINTS;
      first = Math.min(first, times[0] ?? first);
      last = Math.max(last, times[length - 1] ?? last);
    }
    return first <= last ? [first, last] : [0, 1];
  });

  #last: Axis | null = null;

  #keepAxis(axis: Axis): Axis {
    return (this.#last = this.#last !== null && sameAxis(this.#last, axis) ? this.#last : axis);
  }

  /** How the run stands on an axis: the same object as long as nothing of it changed. */
  stand(kind: AxisKind): Stand {
    const now = this.#standNow(kind);
    const before = this.#kept[kind];
    if (before === undefined) return (this.#kept[kind] = now);
    if (sameStand(before, now)) return before;
    const alike = placedAlike(before.placing, now.placing) === Infinity;
    return (this.#kept[kind] = alike ? { ...now, placing: before.placing } : now);
  }

  #standNow(kind: AxisKind): Stand {
    const { run, series } = this.#source();
    const alive = run?.state === "running";
    if (kind === "time" || kind === "relative") return this.#byTime(kind, run, alive);
    if (kind.startsWith("metric:")) return byMetric(kind.slice("metric:".length), series, alive);
    const axis = kind === "step" ? runAxis(NO_POINTS, NO_PROGRESS, (void series.version, series.steps), alive) : this.#axis;
    const placing: Placing = axis.unit === "step" ? BY_STEP : { by: "epoch", knots: axis.knots };
    return { unit: axis.unit, label: axis.unit, placing, domain: axis.domain, head: axis.at((void series.version, series.steps)[1]) };
  }

  #byTime(kind: "time" | "relative", run: Run | undefined, alive: boolean): Stand {
    const [first, last] = this.#times;
    const start = Math.min(run === undefined ? first : run.created / 1e6, first);
    const since = kind === "relative" ? start : 0;
    const length = Math.max(last - start, 1e-3);
    const domain: Interval = [start - since, start - since + (alive ? roomy(length) : length)];
    return { unit: kind, label: kind === "time" ? "time" : "after", placing: { by: "time", since }, domain, head: last - since };
  }
}

function byMetric(metric: string, series: SeriesOf, alive: boolean): Stand {
  void series.version;
  const columns = series.get(metric);
  const points = columns?.points ?? NO_POINTS;
  const [low, high] = [columns?.least?.value ?? 0, columns?.most?.value ?? 1];
  const head = points.values[points.length - 1] ?? high;
  const placing: Placing = { by: "metric", metric: points };
  const domain: Interval = high > low ? [low, alive && head === high ? low + roomy(high - low) : high] : [low - 1, low + 1];
  return { unit: "metric", label: metric.slice(metric.lastIndexOf("/") + 1), placing, domain, head };
}

function sameStand(a: Stand, b: Stand): boolean {
  return (
    a.unit === b.unit &&
    a.label === b.label &&
    a.head === b.head &&
    a.domain[0] === b.domain[0] &&
    a.domain[1] === b.domain[1] &&
    placedAlike(a.placing, b.placing) === Infinity
  );
}

/** The axis on which several runs stand: it has room for all. */
export function joined(stands: readonly Stand[], before: XAxis | null): XAxis {
  const [first] = stands;
  const domain: Interval = [Math.min(...stands.map((each) => each.domain[0])), Math.max(...stands.map((each) => each.domain[1]))];
  const axis: XAxis = { unit: first?.unit ?? "step", label: first?.label ?? "step", domain: stands.length > 0 ? domain : [0, 1] };
  const same = before?.unit === axis.unit && before.label === axis.label && before.domain[0] === axis.domain[0] && before.domain[1] === axis.domain[1];
  return same ? before : axis;
}

/** Make something whose deriveds belong to no component. */
export function rooted<T>(make: () => T): T {
  const made: T[] = [];
  $effect.root(() => {
    made.push(make());
  });
  return made[0] as T;
}

const shared = new WeakMap<object, Axes>();

/** The axes of a run's series; all charts that show it ask the same. */
export function axesOf(series: SeriesOf, source: () => Source): Axes {
  let axes = shared.get(series);
  // Of its own root: what a chart owns goes with it when it leaves the view, and others ask on.
  if (axes === undefined) shared.set(series, (axes = rooted(() => new Axes(source))));
  return axes;
}
