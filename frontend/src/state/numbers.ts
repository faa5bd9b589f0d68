/** Which metrics are shown as numbers, and what is said of each. */

import type { Axis } from "../charts/axis";
import { better, isShare, split } from "../charts/style";
import { isTime, metricValue, short } from "../format";
import type { Summary } from "../wire";
import type { Columns } from "./columns";

/** The last value and the extremes of a metric, wherever they come from. */
export interface Known {
  readonly last: number;
  readonly first: number | null;
  readonly least: { readonly value: number; readonly step: number } | null;
  readonly most: { readonly value: number; readonly step: number } | null;
}

const MOST_TILES = 5;

/** Choose the main metrics of a run: losses, one accuracy, the rate, the time of a step; else the first that there are. */
export function mainMetrics(known: readonly string[]): string[] {
  const pick = (...wanted: string[]): string[] => wanted.filter((name) => known.includes(name)).slice(0, 1);
  const shares = known.filter((name) => isShare(name) && split(name).phase !== "batch");
  const share = shares.find((name) => split(name).phase === "val") ?? shares.find((name) => split(name).phase === "train") ?? shares[0];
  const chosen = [
    ...pick("train/loss", "loss", "train_loss"),
    ...pick("val/loss", "val_loss"),
    ...(share === undefined ? [] : [share]),
    ...pick("learning_rate", "lr"),
    ...pick("time/step", "time/epoch"),
  ];
  const others = known.filter((name) => isOwnNumber(name) && !chosen.includes(name));
  return [...chosen, ...(chosen.length >= 3 ? [] : others)].slice(0, MOST_TILES);
}

/** What lies inside the model has many numbers, none of them main; the epoch is an axis. */
function isOwnNumber(metric: string): boolean {
  return metric !== "epoch" && split(metric).phase !== "batch" && !/^(weights|gradients|time)\//.test(metric);
}

/** Take what is known of a metric from its points, else from the store's summary. */
export function known(columns: Columns | undefined, summary: Summary | undefined): Known | null {
  if (columns !== undefined && columns.length > 0) {
    return { last: columns.last, first: columns.first, least: columns.least, most: columns.most };
  }
  if (summary === undefined || summary.count === 0) return null;
  const extreme = (value: number, step: number): Known["least"] => (Number.isFinite(value) ? { value, step } : null);
  return {
    last: summary.last,
    first: null,
    least: extreme(summary.min, summary.minStep),
    most: extreme(summary.max, summary.maxStep),
  };
}

/** Tell whether all values seen are shares of one. */
export function sharesOfOne(known: Known | null): boolean {
  return (known?.least?.value ?? 0) >= 0 && (known?.most?.value ?? 0) <= 1;
}

/** Say what stands below the number: its best, or what suits the metric. */
export function remark(metric: string, known: Known, axis: Axis): string {
  if (metric === "time/step" && known.last > 0) return `${short(1 / known.last)} steps/s`;
  if (isTime(metric)) return "";
  const direction = better(metric);
  const best = direction === "higher" ? known.most : direction === "lower" ? known.least : null;
  if (best !== null) return `best ${metricValue(metric, best.value, sharesOfOne(known))} · ${moment(axis, best.step)}`;
  if (known.least === null || known.most === null) return "";
  if (known.least.value === known.most.value) return "constant";
  return known.first === null || direction !== null ? "" : `from ${short(known.first)}`;
}

function moment(axis: Axis, step: number): string {
  return axis.unit === "epoch" ? `epoch ${Math.max(1, Math.ceil(axis.at(step) - 1e-6))}` : `step ${step}`;
}
