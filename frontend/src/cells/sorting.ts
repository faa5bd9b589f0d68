/** Rows of a table in an order: what is empty, or no number, comes last either way. */

import type { Table, Value } from "../media";

export interface Order {
  readonly column: number;
  readonly down: boolean;
}

const words = new Intl.Collator(undefined, { numeric: true });

/** Return the places of rows in an order; equal ones stay as they were. */
export function sorted({ rows }: Table, order: Order | null): readonly number[] {
  const places = rows.map((_, place) => place);
  if (order === null) return places;
  const { column, down } = order;
  return places.sort((a, b) => compare(rows[a]?.[column] ?? null, rows[b]?.[column] ?? null, down));
}

function compare(a: Value, b: Value, down: boolean): number {
  const [first, second] = [isNothing(a), isNothing(b)];
  if (first || second) return Number(first) - Number(second);
  const found = typeof a === "number" && typeof b === "number" ? (a < b ? -1 : a > b ? 1 : 0) : words.compare(String(a), String(b));
  return down ? -found : found;
}

function isNothing(value: Value): boolean {
  return value === null || value === "" || Number.isNaN(value);
}

/** The order after a click on a column: down, up, as it came; texts go up first. */
export function clicked(order: Order | null, column: number, numeric: boolean): Order | null {
  if (order?.column !== column) return { column, down: numeric };
  return order.down === numeric ? { column, down: !numeric } : null;
}
