/** What a cell can show. */

import type { Cell } from "../wire";

/** Tell whether a cell's numbers are drawn by the page. */
export function isCharted(cell: Cell): boolean {
  return cell.metrics.length > 0 && (cell.type === "html" || cell.type === "chart");
}

/** Tell whether a cell has a figure, or other HTML, to show. */
export function hasFigure(cell: Cell): boolean {
  return cell.type === "html" && (cell.version === null ? !isEmpty(cell.value) : cell.version !== "");
}

/** Tell whether a cell can be shown both ways, live and as a figure. */
export function showsBoth(cell: Cell): boolean {
  return isCharted(cell) && cell.type === "html";
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}
