/** A chart of lines on canvas: one layer for axes and lines, one above it for the cursor. */

import { canvasInk, clear, fitCanvas } from "./canvas";
import { Curves } from "./curves";
import { drawChart, drawCursor, drawSelection, type Selection } from "./draw";
import { listen, type LineEvents } from "./gestures";
import { enlist, markDirty } from "./loop";
import type { Drawn, LineModel } from "./model";

export interface LineChart {
  readonly node: HTMLElement;
  update(model: LineModel): void;
  /** What stands there now. */
  drawn(): Drawn | null;
  destroy(): void;
}

interface Options {
  /** Called after each drawing. */
  readonly drew?: (drawn: Drawn) => void;
  /** Whether nothing around the chart scrolls. */
  readonly alone?: boolean;
}

/** Make a chart; `update` gives it what to show, `events` hears what the user does on it. */
export function lineChart(events: LineEvents, { drew, alone = false }: Options = {}): LineChart {
  const node = document.createElement("div");
  node.className = "chart";
  node.tabIndex = 0;
  // Its keys are its own: a screen reader hands them on.
  node.setAttribute("role", "application");
  node.setAttribute("aria-roledescription", "chart");
  node.dataset["testid"] = "chart";
  const [base, above] = [document.createElement("canvas"), document.createElement("canvas")];
  node.append(base, above);

  const curves = new Curves();
  let model: LineModel | null = null;
  let drawn: Drawn | null = null;
  let selection: Selection | null = null;
  let draws = 0;

  const lines = { node, draw: () => drawBase() };
  const cursor = { node: above, draw: () => drawAbove() };
  const leave = [enlist(lines), enlist(cursor)];

  function drawBase(): void {
    const surface = fitCanvas(base, node);
    if (surface === null || model === null) return;
    drawn = drawChart(surface, model, curves, drawn);
    node.dataset["draws"] = String(++draws);
    node.dataset["frame"] = JSON.stringify(told(drawn));
    drawAbove();
    drew?.(drawn);
  }

  function drawAbove(): void {
    if (selection === null && (model === null || (model.hover === null && model.near === null))) {
      // An empty layer is still a layer to blend: one without width is none.
      if (above.width > 0) above.width = 0;
      return;
    }
    const surface = fitCanvas(above, node);
    if (surface === null || model === null || drawn === null) return;
    clear(surface);
    const ink = canvasInk(surface.context);
    drawCursor(ink, drawn, model);
    if (selection !== null) drawSelection(ink, drawn.frame, selection, model.palette);
  }

  function update(next: LineModel): void {
    const changed = model === null || !sameBut(model, next, ["hover", "near"]);
    model = next;
    if (changed) {
      describe(node, next);
      markDirty(lines);
    } else {
      markDirty(cursor);
    }
  }

  listen(node, events, {
    drawn: () => drawn,
    hover: () => model?.hover ?? null,
    near: () => model?.near ?? null,
    alone: () => alone,
    select: (next) => {
      selection = next;
      markDirty(cursor);
    },
  });
  return { node, update, drawn: () => drawn, destroy: () => leave.forEach((each) => each()) };
}

/** Compare two models field by field, some fields left out; points are views that change with every append. */
function sameBut(a: LineModel, b: LineModel, skip: readonly (keyof LineModel)[]): boolean {
  return (Object.keys(a) as (keyof LineModel)[]).every((key) => skip.includes(key) || a[key] === b[key]);
}

/** Say in attributes what is drawn: for assistive technology and for tests. */
function describe(node: HTMLElement, { lines, summary }: LineModel): void {
  const own = lines.filter((line) => line.run === null && line.points.length > 0);
  const last = Object.fromEntries(own.map((line) => [line.style.metric, sayable(line.last)]));
  node.setAttribute("aria-label", summary);
  node.dataset["points"] = String(lines.reduce((sum, line) => sum + line.points.length, 0));
  node.dataset["last"] = JSON.stringify(last);
}

/** What stands there: the part of the axes, and what lies outside of it. */
function told({ frame, strokes, model }: Drawn): object {
  const { left, top, width, height, x, y, above, below } = frame;
  const gaps = strokes.filter(({ smooth }) => !smooth).flatMap(({ trace }) => trace.gaps).slice(0, MOST_TOLD);
  return {
    box: [left, top, width, height],
    x: x.domain(),
    y: y.domain(),
    unit: model.axis.unit,
    scale: y.kind,
    above,
    below,
    gaps,
    notes: model.notes.length,
    lines: strokes.filter(({ smooth, trace }) => !smooth && trace.length > 0).length,
    points: strokes.reduce((sum, { smooth, trace }) => sum + (smooth ? 0 : trace.points), 0),
    thinned: strokes.some(({ line }) => line.points.thinned),
  };
}

const MOST_TOLD = 20;

function sayable(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
