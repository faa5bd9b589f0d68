/** The place to which the page is scrolled: kept with the view, and gone to once what was there is there again. */

import type { Scrolled } from "../state/outlook";
import { pace } from "../state/pace";
import type { View } from "../state/view.svelte";

const NOTE_MS = 250;
/** After so long the user has begun to look at what is there. */
const PATIENCE_MS = 6000;
const AGAIN_MS = 100;
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
  let wanted: Scrolled | null = null;
  let until = 0;
  let again: ReturnType<typeof setTimeout> | undefined;
  const notes = pace(() => NOTE_MS);
  history.scrollRestoration = "manual";

  function go(): void {
    if (wanted === null) return;
    const { cell, above, top } = wanted;
    const tile = tileOf(cell);
    const place = tile === undefined ? top : tile.getBoundingClientRect().top + scrollY + above;
    scrollTo(0, place);
    const there = Math.abs(scrollY - place) < 2 && (cell === "" || tile !== undefined);
    clearTimeout(again);
    if (there || performance.now() > until) letGo();
    else if (tile === undefined) again = setTimeout(look, AGAIN_MS);
  }

  /** Go on once the cell is there: it may be made without the page growing. */
  function look(): void {
    if (wanted === null) return;
    if (tileOf(wanted.cell) !== undefined || performance.now() > until) go();
    else again = setTimeout(look, AGAIN_MS);
  }

  function note(): void {
    notes.take(() => {
      if (wanted !== null) return;
      const now = scrolled();
      view.noteScroll(now);
      clearTimeout(again);
      if (now.cell === "" && now.top > 0) again = setTimeout(noteCell, NOTE_MS);
    });
  }

  /** Note once more where the page is: cells are made only once it has come near them. */
  function noteCell(): void {
    if (wanted === null) view.noteScroll(scrolled());
  }

  /** Where the page is: the cell that counts is the first that reaches over the upper quarter of the window. */
  function scrolled(): Scrolled {
    const top = Math.round(scrollY);
    const tile = top === 0 ? undefined : tiles().find((each) => each.getBoundingClientRect().bottom > innerHeight / 4);
    if (tile === undefined) return { top, cell: "", above: 0 };
    return { top, cell: view.keyOf(tile.dataset.cell ?? ""), above: -Math.round(tile.getBoundingClientRect().top) };
  }

  function tiles(): HTMLElement[] {
    return [...content.querySelectorAll<HTMLElement>("[data-testid=cell]")];
  }

  function tileOf(cell: string): HTMLElement | undefined {
    return cell === "" ? undefined : tiles().find(({ dataset }) => view.keyOf(dataset.cell ?? "") === cell);
  }

  function letGo(): void {
    wanted = view.aim = null;
  }

  const size = new ResizeObserver(go);
  size.observe(content);
  window.addEventListener("scroll", note, { passive: true });
  for (const name of BY_HAND) window.addEventListener(name, letGo, { passive: true });
  return {
    restore() {
      wanted = view.scroll;
      view.aim = wanted.cell === "" ? null : wanted.cell;
      until = performance.now() + PATIENCE_MS;
      requestAnimationFrame(go); // then the page is laid out anyway
    },
    destroy() {
      size.disconnect();
      clearTimeout(again);
      letGo();
      window.removeEventListener("scroll", note);
      for (const name of BY_HAND) window.removeEventListener(name, letGo);
    },
  };
}
