/** The time, second by second, as state. */

import { createSubscriber } from "svelte/reactivity";

const SECOND = 1000;

let timer: ReturnType<typeof setTimeout> | undefined;
let last = 0;
let update: (() => void) | null = null;

const listen = createSubscriber((changed) => {
  update = changed;
  wait();
  return () => {
    clearTimeout(timer);
    update = null;
  };
});

function wait(): void {
  last = performance.now();
  clearTimeout(timer);
  timer = setTimeout(tick, SECOND);
}

function tick(): void {
  wait();
  update?.();
}

/** Milliseconds since 1970, read anew each second while something shows it. */
export function now(): number {
  listen();
  return Date.now();
}

/** Tell that the page changes now: a tick that is about due comes along, and needs no frame of its own. */
export function goAlong(): void {
  if (update !== null && performance.now() - last > 0.7 * SECOND) tick();
}
