/** How long the page rests between two turns, by what turns cost: a training on the same machine comes first. */

/** The share of the time that the page may be busy. */
const SHARE = 1 / 2;
const LEAST_MS = 95;
const MOST_MS = 600;
/** What is not spent is saved for so long: what comes now and then is shown at once, whatever a turn costs. */
const SAVED_MS = 1000;

export class Thrift {
  /** Milliseconds of work that the page may do now; less than none where it has done too much. */
  #saved = SAVED_MS * SHARE;
  #noted: number;
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#noted = now();
  }

  /** The milliseconds from the last turn to the next. */
  get interval(): number {
    return Math.min(MOST_MS, Math.max(LEAST_MS, -this.#saved / SHARE));
  }

  /** Take in what a turn cost, in milliseconds. */
  note(cost: number): void {
    const now = this.#now();
    this.#saved = Math.min(SAVED_MS * SHARE, this.#saved + (now - this.#noted) * SHARE) - cost;
    this.#saved = Math.max(this.#saved, -MOST_MS * SHARE);
    this.#noted = now;
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
