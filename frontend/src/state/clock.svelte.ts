/** The time, second by second, as state. */

import { createSubscriber } from "svelte/reactivity";

const tick = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

/** Milliseconds since 1970, read anew each second while something shows it. */
export function now(): number {
  tick();
  return Date.now();
}
