/** One look for each run, the same wherever it is shown. */

import { RUN_LOOKS } from "../charts/style";
import type { Run } from "../wire";

/**
 * Give each run the number of its look, from 1, by the order in which they began: it keeps it as others come. Of runs that
 * are drawn together, `drawn`, no two look alike as long as there are looks left.
 */
export function runColours(runs: Iterable<Run>, drawn: readonly string[] = []): ReadonlyMap<string, number> {
  const ordered = [...runs].sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
  const looks = new Map(ordered.map(({ id }, nth) => [id, (nth % RUN_LOOKS) + 1]));
  const taken = new Set<number>();
  for (const id of new Set(drawn)) {
    const own = looks.get(id);
    if (own === undefined) continue;
    let look = own;
    while (taken.has(look) && taken.size < RUN_LOOKS) look = (look % RUN_LOOKS) + 1;
    taken.add(look);
    looks.set(id, look);
  }
  return looks;
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
