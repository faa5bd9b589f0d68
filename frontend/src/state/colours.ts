/** One look for each run, the same wherever it is shown. */

import { RUN_LOOKS } from "../charts/style";
import type { Run } from "../wire";

/** Give each run the number of its look, from 1, by the order in which they began: it keeps it as others come. */
export function runColours(runs: Iterable<Run>): ReadonlyMap<string, number> {
  const ordered = [...runs].sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
  return new Map(ordered.map(({ id }, nth) => [id, (nth % RUN_LOOKS) + 1]));
}

/** The run of the same project that began last before this one; null where there is none. */
export function previousOf(run: Run | undefined, runs: Iterable<Run>): string | null {
  let found: Run | null = null;
  for (const each of run === undefined ? [] : runs) {
    if (each.project !== run?.project || each.created >= run.created) continue;
    if (found === null || each.created > found.created) found = each;
  }
  return found?.id ?? null;
}
