/** A line the size of a word. */

import type { Points } from "../state/columns";
import { calmly } from "../state/pace";
import { clear, fitCanvas } from "./canvas";
import { decimate } from "./decimate";
import { enlist, markDirty } from "./loop";
import { strokeDense } from "./stroke";

export interface SparkModel {
  readonly points: Points;
  readonly colour: string;
  /** First and last step of the whole; the line takes its share of the width. */
  readonly steps: readonly [number, number];
}

export interface Sparkline {
  readonly node: HTMLCanvasElement;
  update(model: SparkModel): void;
  destroy(): void;
}

/** Make a sparkline; the numbers beside it say the same, so it is hidden from assistive technology. */
export function sparkline(): Sparkline {
  const node = document.createElement("canvas");
  node.className = "spark";
  node.setAttribute("aria-hidden", "true");
  let model: SparkModel | null = null;
  const drawable = {
    node,
    draw: () => {
      const surface = fitCanvas(node, node);
      if (surface === null || model === null) return;
      clear(surface);
      draw(surface.context, surface.width, surface.height, model);
    },
  };
  const leave = enlist(drawable);
  return {
    node,
    update: (next) => {
      if (model !== null && looksAlike(model, next, node.width)) return;
      model = next;
      calmly.take(() => markDirty(drawable), drawable);
    },
    destroy: leave,
  };
}

/** The same points, not moved by as much as a pixel while the others grow. */
function looksAlike(a: SparkModel, b: SparkModel, width: number): boolean {
  if (a.points !== b.points || a.colour !== b.colour || a.steps[0] !== b.steps[0]) return false;
  return (b.steps[1] - a.steps[1]) * width < b.steps[1] - b.steps[0] || a.steps[1] === b.steps[1];
}

function draw(context: CanvasRenderingContext2D, width: number, height: number, { points, colour, steps }: SparkModel): void {
  if (points.range === null) return;
  const [low, high] = points.range;
  const [first, last] = steps;
  const x = new Float64Array(points.length);
  for (let i = 0; i < points.length; i++) {
    x[i] = last > first ? 1 + ((points.steps[i] ?? 0) - first) / (last - first) * (width - 2) : 1;
  }
  const y = (value: number): number => (high > low ? height - 2 - ((value - low) / (high - low)) * (height - 4) : height / 2);
  const trace = decimate(x, points.values, 0, points.length);
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  const path = new Path2D();
  let joined = false;
  for (let i = 0; i < trace.length; i++) {
    const [at, value] = [trace.x[i] ?? 0, trace.y[i] ?? NaN];
    if (Number.isNaN(value)) joined = false;
    else if (joined) path.lineTo(at, y(value));
    else {
      path.moveTo(at, y(value));
      joined = true;
    }
  }
  if (trace.length > width) strokeDense(context, path, context.lineWidth);
  else context.stroke(path);
  const [at, value] = [trace.x[trace.length - 1], trace.y[trace.length - 1]];
  if (trace.length !== 1 || at === undefined || value === undefined) return;
  context.beginPath();
  context.arc(at + 1, y(value), 1.5, 0, 2 * Math.PI);
  context.fill();
}
