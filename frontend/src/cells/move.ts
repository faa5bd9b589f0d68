/**
 * Moving a cell by its head: it follows the pointer, and changes places with the cell that it is let go on.
 *
 * A finger has to rest on the head first, for one that moves at once scrolls the page.
 */

import type { Layout } from "../state/layout.svelte";
import { PINNED } from "../state/sections";

/** So far a pointer goes before it means to move. */
const LEAST = 6;
/** So long a finger rests before it means to move a cell, and so little it may tremble meanwhile. */
const REST_MS = 420;
const TREMBLE = 10;
/** So near to the edge of the window the page scrolls along. */
const EDGE = 60;

/** Let a cell be moved by the node, which is in it. */
export function movable(layout: Layout, id: string): (node: HTMLElement) => () => void {
  return (node) => {
    let from: { x: number; y: number; scroll: number } | null = null;
    let last: PointerEvent | null = null;
    let frame = 0;
    let resting: ReturnType<typeof setTimeout> | undefined;
    const tile = (): HTMLElement | null => node.closest("article");

    function down(event: PointerEvent): void {
      if (event.button !== 0 || from !== null || isControl(event.target)) return;
      from = { x: event.clientX, y: event.clientY, scroll: scrollY };
      if (event.pointerType === "touch") resting = setTimeout(() => (layout.moving = { id, to: null }), REST_MS);
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", up);
      window.addEventListener("pointercancel", end);
      window.addEventListener("keydown", key, true);
    }

    /** What is moved by a finger is not scrolled by it as well. */
    function hold(event: Event): void {
      if (layout.moving?.id === id) event.preventDefault();
    }

    /** To rest on something is not to ask for its menu. */
    function ask(event: Event): void {
      if (resting !== undefined) event.preventDefault();
    }

    function move(event: PointerEvent): void {
      if (from === null) return;
      const far = Math.hypot(event.clientX - from.x, event.clientY - from.y);
      if (layout.moving === null && resting !== undefined) return far > TREMBLE ? end() : undefined;
      if (layout.moving === null && far < LEAST) return;
      event.preventDefault();
      getSelection()?.removeAllRanges();
      last = event;
      layout.moving = { id, to: targetAt(event, layout, id) };
      follow();
      frame ||= requestAnimationFrame(scroll);
    }

    /** Have the cell follow the pointer, also while the page scrolls under it. */
    function follow(): void {
      const article = tile();
      if (article === null || from === null || last === null) return;
      article.style.transform = `translate(${last.clientX - from.x}px, ${last.clientY - from.y + scrollY - from.scroll}px)`;
    }

    function scroll(): void {
      frame = 0;
      if (last === null || layout.moving === null) return;
      const over = Math.min(0, last.clientY - EDGE) + Math.max(0, last.clientY - innerHeight + EDGE);
      if (over === 0) return;
      scrollBy(0, over / 4);
      follow();
      layout.moving = { id, to: targetAt(last, layout, id) };
      frame = requestAnimationFrame(scroll);
    }

    function up(): void {
      const to = layout.moving?.to ?? null;
      end();
      if (typeof to === "string") layout.swap(id, to);
      else if (to !== null) layout.put(id, to);
    }

    function key(event: KeyboardEvent): void {
      if (event.key !== "Escape" || layout.moving === null) return;
      event.preventDefault();
      event.stopPropagation();
      end();
    }

    function end(): void {
      from = last = null;
      clearTimeout(resting);
      resting = undefined;
      cancelAnimationFrame(frame);
      frame = 0;
      layout.moving = null;
      tile()?.style.removeProperty("transform");
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("pointercancel", end);
      window.removeEventListener("keydown", key, true);
    }

    node.addEventListener("pointerdown", down);
    node.addEventListener("touchmove", hold, { passive: false });
    node.addEventListener("contextmenu", ask);
    return () => {
      node.removeEventListener("pointerdown", down);
      node.removeEventListener("touchmove", hold);
      node.removeEventListener("contextmenu", ask);
      if (from !== null) end();
    };
  };
}

/** What lies under the pointer: another cell of the same section, or an empty place. What is pinned stays on top. */
function targetAt({ clientX, clientY }: PointerEvent, layout: Layout, id: string): string | number | null {
  const under = document.elementFromPoint(clientX, clientY)?.closest<HTMLElement>("article[data-cell], [data-slot]");
  if (under === null || under === undefined) return null;
  const section = layout.sectionOf(id);
  const slot = under.dataset["slot"];
  if (slot !== undefined) return section?.key === PINNED ? null : Number(slot);
  const other = under.dataset["cell"];
  return other !== id && section?.cells.some((cell) => cell.id === other) === true ? (other ?? null) : null;
}

/** The cell that stands next above a tile, or below it, and most nearly over it. */
export function overOrUnder(tile: HTMLElement, way: -1 | 1): string | undefined {
  const own = tile.getBoundingClientRect();
  const away = ({ top, left }: DOMRect): number => 1000 * Math.abs(top - own.top) + Math.abs(left - own.left);
  const others = [...(tile.closest("section")?.querySelectorAll<HTMLElement>("article[data-cell]") ?? [])]
    .map((each) => ({ id: each.dataset["cell"], box: each.getBoundingClientRect() }))
    .filter(({ box }) => (way < 0 ? box.bottom <= own.top : box.top >= own.bottom) && box.left < own.right && box.right > own.left);
  return others.sort((a, b) => away(a.box) - away(b.box))[0]?.id;
}

/** Whether the page has room for one column only: nothing is wider or narrower there, nor beside something else. */
export function oneColumn(): boolean {
  return matchMedia("(max-width: 759px)").matches;
}

/** Whether the page has room for the columns that a script asks for. */
export function gridded(): boolean {
  return matchMedia("(min-width: 1200px)").matches;
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, a, input, select") !== null;
}
