/** How often what streams in is taken: at once after silence, else a few times a second, all of it together. */

import { flushSync } from "svelte";

export interface Pace {
  /**
   * Do this now, or with all that comes until the next turn; in the order of the calls. What is `of` the same thing as
   * something that waits takes its place.
   */
  take(act: () => void, of?: object): void;
  /** Do this with what comes next; on its own only once it has waited a while. */
  goAlong(act: () => void): void;
  /** Do at once what waits. */
  flush(): void;
}

interface Options {
  readonly slack?: number;
  readonly begins?: () => void;
  readonly work?: (acts: Iterable<() => void>) => void;
}

/** How long what goes along waits for something to go along with. */
const ALONE_MS = 250;

/**
 * Leave at least `interval()` milliseconds between two turns. While nothing comes, no timer runs.
 *
 * What waits may wait `slack` milliseconds longer for a call that comes anyway, so that it needs no turn of its own.
 * `begins` is called at the beginning of each turn; `work` does what a turn has to do, by default all of it at once.
 */
export function pace(interval: () => number, { slack = 0, begins, work = atOnce }: Options = {}): Pace {
  let waiting = new Map<object, () => void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  let last = -Infinity;

  function flush(): void {
    clearTimeout(timer);
    due = Infinity;
    if (waiting.size === 0) return;
    const acts = waiting;
    waiting = new Map();
    last = performance.now();
    begins?.();
    work(acts.values());
  }

  function wait(act: () => void, of: object = act): void {
    waiting.delete(of);
    waiting.set(of, act);
  }

  function flushIn(rest: number): void {
    const then = performance.now() + rest;
    if (then >= due) return;
    clearTimeout(timer);
    due = then;
    timer = setTimeout(flush, rest);
  }

  return {
    take(act, of) {
      wait(act, of);
      const rest = last + interval() - performance.now();
      if (rest <= 0) flush();
      else flushIn(rest + slack);
    },
    goAlong(act) {
      wait(act);
      flushIn(Math.max(ALONE_MS, last + interval() - performance.now()));
    },
    flush,
  };
}

function atOnce(acts: Iterable<() => void>): void {
  for (const act of acts) act();
}

/** Milliseconds of work at a time, and between two of them: there are frames to be drawn. */
const PIECE_MS = 6;
const BETWEEN_MS = 12;

/** Return what does things in their order, a few milliseconds at a time; `settle` does what follows from each. */
export function pieces(settle: () => void): (acts: Iterable<() => void>) => void {
  const queue: (() => void)[] = [];
  let busy = false;

  function go(): void {
    const until = performance.now() + PIECE_MS;
    try {
      do {
        queue.shift()?.();
        settle();
      } while (queue.length > 0 && performance.now() < until);
    } finally {
      busy = queue.length > 0;
      if (busy) setTimeout(go, BETWEEN_MS);
    }
  }

  return (acts) => {
    queue.push(...acts);
    if (busy || queue.length === 0) return;
    busy = true;
    setTimeout(go);
  };
}

/** What need not follow at once, as it says nothing that is not said beside it: it does once a second, piece by piece. */
export const calmly = pace(() => 1000, { slack: 500, work: pieces(flushSync) });
