/** A canvas that fits its box at the screen's resolution, and the ink for it. */

import { font, type Ink } from "./ink";
import { sizeOf } from "./loop";
import { strokeDense } from "./stroke";

export interface Surface {
  /** Counts in CSS pixels. */
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  /** Pixels of the screen in one of CSS. */
  readonly ratio: number;
  /** Whether nothing is left of what was drawn before. */
  readonly blank: boolean;
}

/** Fit a canvas to a box that is in the loop; null while it has no size. To change a canvas' size empties it. */
export function fitCanvas(canvas: HTMLCanvasElement, box: Element): Surface | null {
  const { width, height } = sizeOf(box);
  return surfaceOf(canvas, width, height, window.devicePixelRatio || 1);
}

/** Make a canvas so large; null where it would have no size. */
export function surfaceOf(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): Surface | null {
  const context = canvas.getContext("2d");
  if (context === null || width === 0 || height === 0) return null;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  const blank = canvas.width !== wide || canvas.height !== high;
  if (blank) [canvas.width, canvas.height] = [wide, high];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height, ratio, blank };
}

/** Empty a surface. */
export function clear({ context, width, height }: Surface): void {
  context.clearRect(0, 0, width, height);
}

/** To measure words is dear, and they are mostly the same. */
const widths = new Map<string, number>();
const MOST_WIDTHS = 2000;

/** The ink of a canvas. */
export function canvasInk(context: CanvasRenderingContext2D): Ink {
  return {
    stroke({ colour, width, dash = [], strength = 1, dense = false }, draw) {
      const path = new Path2D();
      draw(path);
      context.strokeStyle = colour;
      context.globalAlpha = strength;
      context.lineJoin = "round";
      if (dense) {
        strokeDense(context, path, width);
      } else {
        context.lineWidth = width;
        context.setLineDash([...dash]);
        context.stroke(path);
        context.setLineDash([]);
      }
      context.globalAlpha = 1;
    },
    fill(colour, draw) {
      const path = new Path2D();
      draw(path);
      context.fillStyle = colour;
      context.fill(path);
    },
    box(colour, x, y, width, height, strength = 1) {
      context.globalAlpha = strength;
      context.fillStyle = colour;
      context.fillRect(x, y, width, height);
      context.globalAlpha = 1;
    },
    dot(colour, x, y, radius, strength = 1) {
      context.globalAlpha = strength;
      context.fillStyle = colour;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      context.globalAlpha = 1;
    },
    write(text, x, y, lettering) {
      context.font = font(lettering);
      context.textBaseline = "middle";
      context.textAlign = lettering.align ?? "left";
      if (lettering.halo !== undefined) {
        context.strokeStyle = lettering.halo;
        context.lineWidth = 3;
        context.strokeText(text, x, y);
      }
      context.fillStyle = lettering.colour;
      context.fillText(text, x, y);
    },
    measure(text, lettering = {}) {
      const key = `${font(lettering)} ${text}`;
      let width = widths.get(key);
      if (width === undefined) {
        context.font = font(lettering);
        width = context.measureText(text).width;
        if (widths.size > MOST_WIDTHS) widths.clear();
        widths.set(key, width);
      }
      return width;
    },
    within(x, y, width, height, draw) {
      context.save();
      context.beginPath();
      context.rect(x, y, width, height);
      context.clip();
      draw();
      context.restore();
    },
  };
}
