/** A chart of lines on canvas: one layer for axes and lines, one above it for the cursor. */

import type { Interval } from "../state/view.svelte";
import { clear, fitCanvas } from "./canvas";
import { drawChart, drawCursor, drawSelection } from "./draw";
import { listen, type LineEvents } from "./gestures";
import { enlist, markDirty } from "./loop";
import type { Drawn, LineModel } from "./model";

export interface LineChart {
  readonly node: HTMLElement;
  update(model: LineModel): void;
  destroy(): void;
}

/** Make a chart; `update` gives it what to show, `events` hears what the user does on it. */
export function lineChart(events: LineEvents): LineChart {
  const node = document.createElement("div");
  node.className = "chart";
  node.tabIndex = 0;
  node.setAttribute("role", "img");
  node.dataset["testid"] = "chart";
  const [base, above] = [document.createElement("canvas"), document.createElement("canvas")];
  node.append(base, above);

  let model: LineModel | null = null;
  let drawn: Drawn | null = null;
  let selection: Interval | null = null;

  const lines = { node, draw: () => drawBase() };
  const cursor = { node: above, draw: () => drawAbove() };
  const leave = [enlist(lines), enlist(cursor)];

  function drawBase(): void {
    const surface = fitCanvas(base, node);
    if (surface === null || model === null) return;
    drawn = drawChart(surface, model, drawn);
    drawAbove();
  }

  function drawAbove(): void {
    if (selection === null && (model === null || model.hover === null)) {
      // An empty layer is still a layer to blend: one without width is none.
      if (above.width > 0) above.width = 0;
      return;
    }
    const surface = fitCanvas(above, node);
    if (surface === null || model === null || drawn === null) return;
    clear(surface);
    if (selection !== null) drawSelection(surface.context, drawn.frame, selection, model.palette);
    if (model.hover !== null) drawCursor(surface.context, drawn.frame, model, model.hover);
  }

  function update(next: LineModel): void {
    const changed = model === null || !sameBut(model, next, "hover");
    model = next;
    if (changed) {
      describe(node, next);
      markDirty(lines);
    } else {
      markDirty(cursor);
    }
  }

  listen(node, events, {
    frame: () => drawn?.frame ?? null,
    model: () => model,
    select: (interval) => {
      selection = interval;
      markDirty(cursor);
    },
  });
  return { node, update, destroy: () => leave.forEach((each) => each()) };
}

/** Compare two models field by field, one field left out; points are views that change with every append. */
function sameBut(a: LineModel, b: LineModel, skip: keyof LineModel): boolean {
  return (Object.keys(a) as (keyof LineModel)[]).every((key) => key === skip || a[key] === b[key]);
}

/** Say in attributes what is drawn: for assistive technology and for tests. */
function describe(node: HTMLElement, { lines, summary }: LineModel): void {
  const last = Object.fromEntries(
    lines.filter((line) => line.points.length > 0).map((line) => [line.style.metric, sayable(line.last)]),
  );
  node.setAttribute("aria-label", summary);
  node.dataset["points"] = String(lines.reduce((sum, line) => sum + line.points.length, 0));
  node.dataset["last"] = JSON.stringify(last);
}

function sayable(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
