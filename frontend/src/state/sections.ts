/** Cells in sections, by what their metrics' names begin with. */

import { split } from "../charts/style";

/** What a section knows of a cell. */
export interface Member {
  readonly key: string;
  /** What the names of its metrics begin with, see `prefixOf`. */
  readonly prefix: string;
}

export interface Section<T extends Member> {
  /** `pinned`, "" for what has no section of its own, else the beginning of the names, with its slash. */
  readonly key: string;
  readonly title: string;
  readonly cells: readonly T[];
}

export const PINNED = "pinned";

/** So many cells make a section of their own; of fewer a heading would be in the way. */
const FEWEST = 3;
/** More sections than anybody folds: names that differ in their beginnings are no sections. */
const MOST = 400;

/** What the names of a cell's metrics begin with: their common folder, when it was measured aside; "" where there is none. */
export function prefixOf(metrics: readonly string[]): string {
  const parts = metrics.map(split);
  const folders = new Set(parts.map(({ quantity }) => /^[^/]+\//.exec(quantity)?.[0] ?? ""));
  const [folder = ""] = folders;
  if (folders.size !== 1) return "";
  if (folder !== "") return folder;
  const phases = new Set(parts.map(({ phase }) => phase));
  const [phase] = phases;
  return phases.size === 1 && phase ? `${phase}/` : "";
}

/** Sort cells, which come in their order, into sections. The pinned ones stand on top, in the order they were pinned in. */
export function sections<T extends Member>(cells: readonly T[], pinned: readonly string[]): Section<T>[] {
  const top = pinned.flatMap((key) => cells.find((cell) => cell.key === key) ?? []);
  const groups = new Map<string, T[]>();
  for (const cell of cells) {
    const group = groups.get(cell.prefix);
    if (group === undefined) groups.set(cell.prefix, [cell]);
    else group.push(cell);
  }
  const own = [...groups].filter(([prefix, group]) => prefix !== "" && group.length >= FEWEST);
  const kept = new Set(own.length > MOST || groups.size === 1 ? [] : own.map(([prefix]) => prefix));
  const rest = cells.filter((cell) => !pinned.includes(cell.key) && !kept.has(cell.prefix));
  return [
    { key: PINNED, title: "Pinned", cells: top },
    { key: "", title: "", cells: rest },
    ...own
      .filter(([prefix]) => kept.has(prefix))
      .map(([key, group]) => ({ key, title: key, cells: group.filter((cell) => !pinned.includes(cell.key)) })),
  ].filter((section) => section.cells.length > 0);
}
