/** What the user does on a chart: pointer and keyboard. */

import type { Interval } from "../state/view.svelte";
import type { Scale } from "./domain";
import { clamp, type Frame, type LineModel } from "./model";

const LEAST_ZOOM = 8;

/** Hears what the user wants of the view. */
export interface LineEvents {
  hover(x: number | null): void;
  zoom(interval: Interval | null): void;
}

/** The chart, as its gestures need it. */
export interface Inner {
  frame(): Frame | null;
  model(): LineModel | null;
  select(interval: Interval | null): void;
}

/** Pointer, keyboard: the cursor follows; dragging selects a part of the axis; a double click shows all of it again. */
export function listen(node: HTMLElement, events: LineEvents, inner: Inner): void {
  let anchor: number | null = null;

  function pointed(event: PointerEvent): number | null {
    const frame = inner.frame();
    if (frame === null) return null;
    const at = event.clientX - node.getBoundingClientRect().left - frame.left;
    return frame.x.invert(clamp(at, 0, frame.width));
  }

  function apart(a: number, b: number): number {
    const frame = inner.frame();
    return frame === null ? 0 : Math.abs(frame.x(a) - frame.x(b));
  }

  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    anchor = pointed(event);
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    const at = pointed(event);
    events.hover(at);
    if (anchor !== null && at !== null && apart(anchor, at) >= LEAST_ZOOM) inner.select([anchor, at]);
  });
  node.addEventListener("pointerup", (event) => {
    const at = pointed(event);
    if (anchor !== null && at !== null && apart(anchor, at) >= LEAST_ZOOM) {
      events.zoom([Math.min(anchor, at), Math.max(anchor, at)]);
    }
    anchor = null;
    inner.select(null);
  });
  node.addEventListener("pointercancel", () => {
    anchor = null;
    inner.select(null);
  });
  node.addEventListener("pointerleave", () => events.hover(null));
  node.addEventListener("blur", () => events.hover(null));
  node.addEventListener("dblclick", () => events.zoom(null));
  node.addEventListener("keydown", (event) => {
    const [frame, model] = [inner.frame(), inner.model()];
    if (frame === null || model === null) return;
    const moved = keyTarget(event.key, model.hover, frame.x, event.shiftKey ? 10 : 1);
    if (moved === undefined) return;
    event.preventDefault();
    if (event.key === "Escape" && model.hover === null) events.zoom(null);
    events.hover(moved);
  });
}

/** Where a key moves the cursor: to a place, to nowhere (null), or not at all (undefined). */
function keyTarget(key: string, from: number | null, x: Scale, times: number): number | null | undefined {
  const [low = 0, high = 1] = x.domain();
  const stride = ((high - low) / 100) * times;
  if (key === "ArrowLeft") return clamp((from ?? high) - stride, low, high);
  if (key === "ArrowRight") return clamp((from ?? low) + stride, low, high);
  if (key === "Home") return low;
  if (key === "End") return high;
  return key === "Escape" ? null : undefined;
}
