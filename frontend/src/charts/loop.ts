/** One animation frame for all charts: it draws those that changed and can be seen. */

export interface Drawable {
  readonly node: Element;
  draw(): void;
}

/** Width and height in whole CSS pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

const NO_SIZE: Size = { width: 0, height: 0 };

const dirty = new Set<Drawable>();
const visible = new WeakSet<Element>();
const drawables = new WeakMap<Element, Drawable>();
const sizes = new WeakMap<Element, Size>();
let frame = 0;

const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) visible.add(target);
    else visible.delete(target);
  }
  if (dirty.size > 0) schedule();
});

// A frame that lays something out anew shows it drawn at once, not the next one.
const size = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    sizes.set(target, { width: Math.round(contentRect.width), height: Math.round(contentRect.height) });
    const drawable = drawables.get(target);
    if (drawable !== undefined) dirty.add(drawable);
  }
  drawAll();
});

/** Take a chart into the loop; call what is returned to take it out. */
export function enlist(drawable: Drawable): () => void {
  drawables.set(drawable.node, drawable);
  visible.add(drawable.node); // until it is known
  sight.observe(drawable.node);
  size.observe(drawable.node);
  return () => {
    sight.unobserve(drawable.node);
    size.unobserve(drawable.node);
    dirty.delete(drawable);
  };
}

/** The size of what is in the loop, as the browser last told it: to ask for it would have the page laid out. */
export function sizeOf(node: Element): Size {
  return sizes.get(node) ?? NO_SIZE;
}

/** Have a chart drawn in the next frame in which it is in view. */
export function markDirty(drawable: Drawable): void {
  dirty.add(drawable);
  schedule();
}

function schedule(): void {
  if (frame === 0) frame = requestAnimationFrame(drawAll);
}

/** Milliseconds after which the rest waits for the next frame: the page has other things to do. */
const FRAME_MS = 12;

/** What is large is looked at first. */
function byArea(a: Drawable, b: Drawable): number {
  const [first, second] = [sizeOf(a.node), sizeOf(b.node)];
  return second.width * second.height - first.width * first.height;
}

function drawAll(): void {
  cancelAnimationFrame(frame);
  frame = 0;
  const until = performance.now() + FRAME_MS;
  for (const drawable of [...dirty].sort(byArea)) {
    if (!visible.has(drawable.node)) continue;
    if (performance.now() > until) return schedule();
    dirty.delete(drawable);
    drawable.draw();
  }
}
