/** Strokes of many points. */

/**
 * Stroke a line that has more points than pixels.
 *
 * Where the processor draws, the outline of such a line costs by far the most of all that is drawn. Lines as thin as a
 * pixel of the screen have no outline: a few of them beside each other look like it and take a tenth of the time.
 */
export function strokeDense(context: CanvasRenderingContext2D, path: Path2D, width: number): void {
  const pixel = 1 / context.getTransform().d;
  const times = Math.max(1, Math.round(width / pixel));
  context.lineWidth = pixel;
  for (let nth = 0; nth < times; nth++) {
    const aside = times === 1 ? 0 : (nth / (times - 1) - 0.5) * (width - pixel);
    context.translate(0, aside);
    context.stroke(path);
    context.translate(0, -aside);
  }
}
