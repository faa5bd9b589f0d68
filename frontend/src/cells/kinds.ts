/** The types of cells, each with what shows it: a kind is one module in `agnez/media/`, one here, and this word. */

import type { Component } from "svelte";
import { isEmpty } from "../media";
import type { Cell } from "../wire";

export interface CellProps {
  readonly cell: Cell;
  readonly title: string;
}

type Load = () => Promise<{ readonly default: Component<CellProps> }>;

/** `chart` and `html` are shown by the tile itself, which switches between a chart and its figure. */
export const KINDS: Readonly<Record<string, Load>> = {
  img: () => import("./ImageCell.svelte"),
  images: () => import("./ImagesCell.svelte"),
  video: () => import("./VideoCell.svelte"),
  audio: () => import("./AudioCell.svelte"),
  text: () => import("./TextCell.svelte"),
  table: () => import("./TableCell.svelte"),
  histogram: () => import("./HistogramCell.svelte"),
  number: () => import("./NumberCell.svelte"),
};

/** Tell whether a cell's numbers are drawn by the page. */
export function isCharted(cell: Cell): boolean {
  return cell.metrics.length > 0 && (cell.type === "html" || cell.type === "chart");
}

/** Tell whether a cell has a figure, or other HTML, to show. */
export function hasFigure(cell: Cell): boolean {
  return cell.type === "html" && (cell.version === null ? !isEmpty(cell.value) : cell.version !== "");
}

/** Tell whether a cell can be shown both ways, live and as a figure. */
export function showsBoth(cell: Cell): boolean {
  return isCharted(cell) && cell.type === "html";
}

/** Tell whether a cell has nothing to show yet. */
export function waits(cell: Cell): boolean {
  return isEmpty(cell.value) && !(cell.type === "number" && cell.metrics.length > 0);
}
