/** What the page's address says of what is shown: `?run=<id>`, or `?run=none` for the cells without a run. */

const NONE = "none";

/** Read what an address names: a run, the cells without one (null), or nothing (undefined). */
export function readAddress(query: string): string | null | undefined {
  const named = new URLSearchParams(query).get("run");
  return named === null ? undefined : named === NONE ? null : named;
}

/** Write the address of a run, or of the cells without one. */
export function addressOf(run: string | null): string {
  return `?${new URLSearchParams({ run: run ?? NONE }).toString()}`;
}
