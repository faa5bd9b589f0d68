/** Giving a cell more or fewer rows and columns by its corner. */

import { oneColumn } from "./move";
import type { Layout } from "../state/layout.svelte";

/** Let a cell be resized by the node, which is its corner. */
export function resizable(layout: Layout, id: string): (node: HTMLElement) => () => void {
  return (node) => {
    let from: { x: number; y: number; width: number; height: number; rows: number; columns: number } | null = null;

    function down(event: PointerEvent): void {
      const entry = layout.entry(id);
      const box = node.closest("article")?.getBoundingClientRect();
      if (event.button !== 0 || entry === undefined || box === undefined) return;
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      const { rows, columns } = entry;
      from = { x: event.clientX, y: event.clientY, width: box.width / columns, height: box.height / rows, rows, columns };
    }

    function move(event: PointerEvent): void {
      if (from === null) return;
      const wider = oneColumn() ? 0 : Math.round((event.clientX - from.x) / from.width);
      const columns = Math.max(1, from.columns + wider);
      const rows = Math.max(1, from.rows + Math.round((event.clientY - from.y) / from.height));
      if (rows !== layout.trying?.rows || columns !== layout.trying.columns) layout.trying = { id, rows, columns };
    }

    function up(): void {
      const tried = layout.trying;
      const changed = tried !== null && (tried.rows !== from?.rows || tried.columns !== from.columns);
      cancel();
      if (changed) layout.resize(id, tried.rows, tried.columns);
    }

    function cancel(): void {
      from = null;
      layout.trying = null;
    }

    const heard = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: cancel };
    for (const [name, hear] of Object.entries(heard)) node.addEventListener(name, hear as EventListener);
    return () => {
      for (const [name, hear] of Object.entries(heard)) node.removeEventListener(name, hear as EventListener);
    };
  };
}
