/** What must be loaded before the server goes, so that the page stays explorable without it. */

const loaders = new Set<() => Promise<void>>();

/** Register something that can be loaded in advance; call what is returned to withdraw it. */
export function keepable(load: () => Promise<void>): () => void {
  loaders.add(load);
  return () => loaders.delete(load);
}

/** Load all of it; resolves after `most` milliseconds at the latest. */
export async function keepAll(most: number): Promise<void> {
  const all = Promise.allSettled([...loaders].map((load) => load()));
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, most))]);
}
