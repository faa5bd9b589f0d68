/** A canvas that fits its box at the screen's resolution. */

import { sizeOf } from "./loop";

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
  const context = canvas.getContext("2d");
  if (context === null || width === 0 || height === 0) return null;
  const ratio = window.devicePixelRatio || 1;
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
