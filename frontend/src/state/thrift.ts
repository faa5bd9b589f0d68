/** How long the page rests between two turns, by what a turn costs: a training on the same machine comes first. */

/** The share of the time that the page may be busy. */
const SHARE = 1 / 50;
const LEAST_MS = 150;
const MOST_MS = 600;
/** How much one turn counts among those before it. */
const WEIGHT = 1 / 8;

export class Thrift {
  #cost = 300 * SHARE;

  /** The milliseconds from one turn to the next. */
  get interval(): number {
    return Math.min(MOST_MS, Math.max(LEAST_MS, this.#cost / SHARE));
  }

  /** Take in what a turn cost, in milliseconds. */
  note(cost: number): void {
    this.#cost += (Math.min(cost, MOST_MS) - this.#cost) * WEIGHT;
  }

  /** Measure the turn that begins now: what it does at once, and the frame that shows it. */
  measure(): void {
    let done = 0;
    untilFree((busy) => (done = busy));
    requestAnimationFrame(() => untilFree((busy) => this.note(done + busy)));
  }
}

/** Say how many milliseconds it takes until the page is free for a message to itself. */
function untilFree(say: (busy: number) => void): void {
  const began = performance.now();
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    say(performance.now() - began);
  };
  port2.postMessage(null);
}
