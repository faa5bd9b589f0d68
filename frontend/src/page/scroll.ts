/** The place to which the page is scrolled: kept with the view, and gone to once what was there is there again. */

import { pace } from "../state/pace";
import type { View } from "../state/view.svelte";

const NOTE_MS = 250;
/** After so long the user has begun to look at what is there. */
const PATIENCE_MS = 6000;
/** What says that the user scrolls by hand. */
const BY_HAND = ["wheel", "touchmove", "pointerdown", "keydown"];

export interface Scroll {
  /** Go where the view says, now or as soon as the page is long enough. */
  restore(): void;
  /** End it. */
  destroy(): void;
}

/** Keep the scroll of the window in the view. `content` is what makes the page long. */
export function keepScroll(view: View, content: Element): Scroll {
  let wanted: number | null = null;
  let until = 0;
  const notes = pace(() => NOTE_MS);
  history.scrollRestoration = "manual";

  function go(): void {
    if (wanted === null) return;
    scrollTo(0, wanted);
    if (Math.abs(scrollY - wanted) < 2 || performance.now() > until) wanted = null;
  }

  function note(): void {
    if (wanted === null) notes.take(() => wanted === null && view.noteScroll(Math.round(scrollY)));
  }

  function letGo(): void {
    wanted = null;
  }

  const size = new ResizeObserver(go);
  size.observe(content);
  window.addEventListener("scroll", note, { passive: true });
  for (const name of BY_HAND) window.addEventListener(name, letGo, { passive: true });
  return {
    restore() {
      wanted = view.scroll;
      until = performance.now() + PATIENCE_MS;
      requestAnimationFrame(go); // then the page is laid out anyway
    },
    destroy() {
      size.disconnect();
      window.removeEventListener("scroll", note);
      for (const name of BY_HAND) window.removeEventListener(name, letGo);
    },
  };
}
