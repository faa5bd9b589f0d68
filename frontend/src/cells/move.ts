/** Moving a cell by its head: it follows the pointer, and changes places with the cell that it is let go on. */

import type { Layout } from "../state/layout.svelte";

/** So far a pointer goes before it means to move. */
const LEAST = 6;
/** So near to the edge of the window the page scrolls along. */
const EDGE = 60;

/** Let a cell be moved by the node, which is in it. */
export function movable(layout: Layout, id: string): (node: HTMLElement) => () => void {
  return (node) => {
    let from: { x: number; y: number; scroll: number } | null = null;
    let last: PointerEvent | null = null;
    let frame = 0;
    const tile = (): HTMLElement | null => node.closest("article");

    function down(event: PointerEvent): void {
      if (event.button !== 0 || event.pointerType === "touch" || isControl(event.target)) return;
      from = { x: event.clientX, y: event.clientY, scroll: scrollY };
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", up);
      window.addEventListener("keydown", key, true);
    }

    function move(event: PointerEvent): void {
      if (from === null) return;
      if (layout.moving === null && Math.hypot(event.clientX - from.x, event.clientY - from.y) < LEAST) return;
      event.preventDefault();
      getSelection()?.removeAllRanges();
      last = event;
      layout.moving = { id, to: targetAt(event, id) };
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
      layout.moving = { id, to: targetAt(last, id) };
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
      cancelAnimationFrame(frame);
      frame = 0;
      layout.moving = null;
      tile()?.style.removeProperty("transform");
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      window.removeEventListener("keydown", key, true);
    }

    node.addEventListener("pointerdown", down);
    return () => {
      node.removeEventListener("pointerdown", down);
      if (from !== null) end();
    };
  };
}

/** What lies under the pointer: another cell of the same section, or an empty place. */
function targetAt({ clientX, clientY }: PointerEvent, id: string): string | number | null {
  const under = document.elementFromPoint(clientX, clientY)?.closest<HTMLElement>("article[data-cell], [data-slot]");
  if (under === null || under === undefined) return null;
  const slot = under.dataset["slot"];
  if (slot !== undefined) return Number(slot);
  const other = under.dataset["cell"];
  return other === undefined || other === id ? null : other;
}

function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("button, a, input, select") !== null;
}
