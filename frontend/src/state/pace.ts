/** How often what streams in is taken: at once after silence, else a few times a second, all of it together. */

export interface Pace {
  /** Do this now, or with all that comes until the next turn; in the order of the calls. */
  take(act: () => void): void;
  /** Do at once what waits. */
  flush(): void;
}

/** Leave at least `interval` milliseconds between two turns. While nothing comes, no timer runs. */
export function pace(interval: number): Pace {
  let waiting: (() => void)[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = -Infinity;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    const acts = waiting;
    waiting = [];
    last = performance.now();
    for (const act of acts) act();
  }

  return {
    take(act) {
      waiting.push(act);
      if (timer === undefined) {
        const rest = last + interval - performance.now();
        if (rest <= 0) flush();
        else timer = setTimeout(flush, rest);
      }
    },
    flush,
  };
}
