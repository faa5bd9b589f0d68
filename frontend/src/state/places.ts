/** Where cells stand: row by row in the order of `pos`, as matplotlib's subplots count. */

import type { Cell } from "../wire";

export interface Place {
  readonly cell: Cell;
  readonly columns: number;
  readonly rows: number;
}

/** Arrange cells in at most so many columns; spans are clipped to what there is, and a few cells share the whole width. */
export function placed(cells: readonly Cell[], most: number): { columns: number; cells: Place[] } {
  const ordered = [...cells].sort((a, b) => a.pos - b.pos || (a.id < b.id ? -1 : 1));
  const wanted = ordered.reduce((sum, cell) => sum + cell.columns, 0);
  const columns = Math.max(1, Math.min(most, wanted));
  return {
    columns,
    cells: ordered.map((cell) => ({ cell, columns: Math.min(cell.columns, columns), rows: cell.rows })),
  };
}
