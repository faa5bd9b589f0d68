/** What opens beside a chart. */

import type { Component } from "svelte";
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
  /** What gets the focus back. */
  readonly back: HTMLElement | undefined;
  readonly onclose: () => void;
  readonly ontable: () => void;
  readonly onnote: () => void;
}

type Load = () => Promise<{ readonly default: Component<PanelProps> }>;

/** Few ask for them: they are loaded when somebody does. */
export const PANELS: Readonly<Record<Panel, Load>> = {
  menu: () => import("./ChartMenu.svelte"),
  table: () => import("./ChartTable.svelte"),
};

/** Load all that a chart may be asked for. */
export async function loadPanels(): Promise<void> {
  await Promise.all([...Object.values(PANELS).map((load) => load()), import("../charts/export"), import("./notes")]);
}
