/** What opens beside a chart. */

import type { Cell } from "../wire";
import type { Chart } from "./chart.svelte";

export type Panel = "menu" | "table";

export interface PanelProps {
  readonly [name: string]: unknown;
  readonly cell: Cell;
  readonly title: string;
  readonly chart: Chart;
  /** What it opens at. */
  readonly anchor: HTMLElement | undefined;
  readonly onclose: () => void;
  readonly ontable: () => void;
  readonly onnote: () => void;
}
