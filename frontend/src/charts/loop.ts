/** One animation frame for all charts: it draws those that changed and can be seen. */

export interface Drawable {
  readonly node: Element;
  draw(): void;
}

const dirty = new Set<Drawable>();
const visible = new WeakSet<Element>();
const drawables = new WeakMap<Element, Drawable>();
let frame = 0;

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) visible.add(target);
    else visible.delete(target);
  }
  if (dirty.size > 0) schedule();
});

const size = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const drawable = drawables.get(target);
    if (drawable !== undefined) markDirty(drawable);
  }
});

/** Take a chart into the loop; call what is returned to take it out. */
export function enlist(drawable: Drawable): () => void {
  drawables.set(drawable.node, drawable);
  sight.observe(drawable.node);
  size.observe(drawable.node);
  return () => {
    sight.unobserve(drawable.node);
    size.unobserve(drawable.node);
    dirty.delete(drawable);
  };
}

/** Have a chart drawn in the next frame in which it is in view. */
export function markDirty(drawable: Drawable): void {
  dirty.add(drawable);
  schedule();
}

function schedule(): void {
  if (frame === 0) frame = requestAnimationFrame(drawAll);
}

function drawAll(): void {
  frame = 0;
  for (const drawable of dirty) {
    if (!visible.has(drawable.node)) continue;
    dirty.delete(drawable);
    drawable.draw();
  }
}

/** Fit a canvas to its box at the screen's resolution; the context then counts in CSS pixels. */
export function fitCanvas(canvas: HTMLCanvasElement): { context: CanvasRenderingContext2D; width: number; height: number } | null {
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext("2d");
  if (context === null || width === 0 || height === 0) return null;
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
