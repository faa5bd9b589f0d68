/** The x axis that all charts of a run share: epochs where they are known, else steps. */

import { bisectRight } from "d3-array";
import type { Points } from "../state/columns";
import type { Progress } from "../wire";

export type Unit = "epoch" | "step";

export interface Axis {
  readonly unit: Unit;
  readonly knots: Knots;
  readonly domain: readonly [number, number];
  /** Place a step on the axis. */
  at(step: number): number;
}

/** Maps steps to epochs through known places; both columns grow strictly. */
export interface Knots {
  readonly steps: readonly number[];
  readonly epochs: readonly number[];
  /** Epochs a step past the last place. */
  readonly slope: number;
}

/** Make the axis of a run from its series `epoch` and its progress; `steps` are the first and last step of all. */
export function runAxis(
  epochs: Points,
  progress: Progress,
  steps: readonly [number, number],
  alive: boolean,
): Axis {
  const knots = epochKnots(epochs, progress.stepsPerEpoch);
  if (knots === null) return { knots: UNCHANGED, at: (step) => step, unit: "step", domain: stepDomain(steps, alive) };
  const at = (step: number): number => epochAt(knots, step);
  return { knots, at, unit: "epoch", domain: epochDomain([at(steps[0]), at(steps[1])], progress.epochs, alive) };
}

/** Steps as they are. */
const UNCHANGED: Knots = { steps: [0], epochs: [0], slope: 1 };

/** Tell whether two axes place every step alike and show the same part. */
export function sameAxis(a: Axis, b: Axis): boolean {
  return (
    a.unit === b.unit &&
    a.knots.slope === b.knots.slope &&
    alike(a.domain, b.domain) &&
    alike(a.knots.steps, b.knots.steps) &&
    alike(a.knots.epochs, b.knots.epochs)
  );
}

/** The epoch up to which two sets of knots place steps alike; null where nothing of the kind can be said. */
export function alikeKnots(a: Knots, b: Knots): number | null {
  if (a === b || (a.slope === b.slope && alike(a.steps, b.steps) && alike(a.epochs, b.epochs))) return Infinity;
  const shared = Math.min(a.steps.length, b.steps.length);
  const begins = alike(a.steps.slice(0, shared), b.steps.slice(0, shared)) && alike(a.epochs.slice(0, shared), b.epochs.slice(0, shared));
  return begins ? (a.epochs[shared - 1] ?? null) : null;
}

function alike(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((each, nth) => each === b[nth]);
}

/**
 * Write the epochs of ascending steps, `start` to `end`, to `out`.
 *
 * The places that steps lie between are found by walking, not by searching: charts have many points.
 */
export function projectSteps(
  { steps: knots, epochs, slope }: Knots,
  steps: Float64Array,
  start: number,
  end: number,
  out: Float64Array,
): void {
  let next = Math.max(0, bisectRight(knots, steps[start] ?? 0) - 1);
  let [from, epoch, rise] = [knots[next] ?? 0, epochs[next] ?? 0, slope];
  let until = from;
  for (let i = start; i < end; i++) {
    const step = steps[i] ?? 0;
    while (step >= until) {
      [from, epoch] = [knots[next] ?? 0, epochs[next] ?? 0];
      until = knots[++next] ?? Infinity;
      rise = until === Infinity ? slope : ((epochs[next] ?? 0) - epoch) / (until - from);
    }
    out[i] = epoch + (step - from) * rise;
  }
}

/** Find the places where the epoch is known; null where nothing is. */
export function epochKnots(epochs: Points, stepsPerEpoch: number | null): Knots | null {
  const perStep = stepsPerEpoch !== null && stepsPerEpoch > 0 ? 1 / stepsPerEpoch : null;
  const rising = risingPlaces(epochs);
  const [first] = rising;
  if (first === undefined) return perStep === null ? null : { steps: [0], epochs: [0], slope: perStep };
  const knots = first[0] > 0 ? [[0, beginning(first, perStep)] as const, ...rising] : rising;
  const last = knots[knots.length - 1] ?? first;
  const before = knots[knots.length - 2];
  const slope = perStep ?? (before ? (last[1] - before[1]) / (last[0] - before[0]) : 0);
  return { steps: knots.map(([step]) => step), epochs: knots.map(([, epoch]) => epoch), slope };
}

/** Of an epoch that is logged at every step only the first step of each value counts: between them it grows evenly. */
function risingPlaces({ steps, values, length }: Points): (readonly [number, number])[] {
  const places: (readonly [number, number])[] = [];
  let lastStep = -Infinity;
  let lastEpoch = -Infinity;
  for (let i = 0; i < length; i++) {
    const step = steps[i] ?? NaN;
    const epoch = values[i] ?? NaN;
    if (!(epoch > lastEpoch && step > lastStep) || !Number.isFinite(epoch)) continue;
    places.push([(lastStep = step), (lastEpoch = epoch)]);
  }
  return places;
}

/** The epoch at step 0: 0, or later where a training went on from an earlier one. */
function beginning([step, epoch]: readonly [number, number], perStep: number | null): number {
  return perStep === null ? 0 : Math.max(0, epoch - step * perStep);
}

/** Map a step to an epoch, evenly between the places where it is known. */
export function epochAt({ steps, epochs, slope }: Knots, step: number): number {
  const i = bisectRight(steps, step) - 1;
  const step0 = steps[i];
  const epoch0 = epochs[i];
  if (step0 === undefined || epoch0 === undefined) return (epochs[0] ?? 0) + (step - (steps[0] ?? 0)) * slope;
  const step1 = steps[i + 1];
  const epoch1 = epochs[i + 1];
  const rise = step1 === undefined || epoch1 === undefined ? slope : (epoch1 - epoch0) / (step1 - step0);
  return epoch0 + (step - step0) * rise;
}

/** Map an epoch to a step, evenly between the places where it is known. */
export function stepAt({ steps, epochs, slope }: Knots, epoch: number): number {
  const i = Math.max(0, bisectRight(epochs, epoch) - 1);
  const [step0, epoch0] = [steps[i] ?? 0, epochs[i] ?? 0];
  const [step1, epoch1] = [steps[i + 1], epochs[i + 1]];
  const rise = step1 === undefined || epoch1 === undefined ? slope : (epoch1 - epoch0) / (step1 - step0);
  return rise > 0 ? step0 + (epoch - epoch0) / rise : step0;
}

/** With a known end the axis reaches there from the start; what ended early, or went on past it, shows what there is. */
function epochDomain([first, last]: readonly [number, number], epochs: number | null, alive: boolean): [number, number] {
  const start = Math.floor(first + 1e-9);
  if (alive && epochs !== null && epochs >= last - 1e-6) return [start, epochs];
  if (alive) return [start, start + roomy(last - start)];
  return [start, Math.max(start + 1, Math.ceil(last - 1e-9))];
}

function stepDomain([first, last]: readonly [number, number], alive: boolean): [number, number] {
  if (alive) return [first, first + Math.max(10, roomy(last - first))];
  return [first, Math.max(first + 1, last)];
}

/** The next of 1, 1.5, 2, 3, 4, 6, 8 times a power of ten: an axis that grows does so in steps. */
export function roomy(length: number): number {
  if (!(length > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(length));
  const step = [1, 1.5, 2, 3, 4, 6, 8, 10].find((each) => each * power >= length * (1 - 1e-9)) ?? 10;
  return step * power;
}
