/** How often what streams in is taken: at once after silence, else a few times a second, all of it together. */

export interface Pace {
  /** Do this now, or with all that comes until the next turn; in the order of the calls. */
  take(act: () => void): void;
  /** Do this with what comes next; on its own only once it has waited a while. */
  goAlong(act: () => void): void;
  /** Do at once what waits. */
  flush(): void;
}

interface Options {
  readonly slack?: number;
  readonly begins?: () => void;
}

/** How long what goes along waits for something to go along with. */
const ALONE_MS = 250;

/**
 * Leave at least `interval()` milliseconds between two turns. While nothing comes, no timer runs.
 *
 * What waits may wait `slack` milliseconds longer for a call that comes anyway, so that it needs no turn of its own.
 * `begins` is called at the beginning of each turn.
 */
export function pace(interval: () => number, { slack = 0, begins }: Options = {}): Pace {
  let waiting: (() => void)[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  let last = -Infinity;

  function flush(): void {
    clearTimeout(timer);
    due = Infinity;
    if (waiting.length === 0) return;
    const acts = waiting;
    waiting = [];
    last = performance.now();
    begins?.();
    for (const act of acts) act();
  }

  function flushIn(rest: number): void {
    const then = performance.now() + rest;
    if (then >= due) return;
    clearTimeout(timer);
    due = then;
    timer = setTimeout(flush, rest);
  }

  return {
    take(act) {
      waiting.push(act);
      const rest = last + interval() - performance.now();
      if (rest <= 0) flush();
      else flushIn(rest + slack);
    },
    goAlong(act) {
      waiting.push(act);
      flushIn(Math.max(ALONE_MS, last + interval() - performance.now()));
    },
    flush,
  };
}

/** What need not follow at once, as it says nothing that is not said beside it: it does once a second, all together. */
export const calmly = pace(() => 1000, { slack: 500 });
