/** Which metrics somebody looks at now: what is out of view need not be read. */

export class Needs {
  readonly #counts = new Map<string, number>();
  #told = false;
  /** Called once after any number of changes, when the page comes to rest. */
  changed: () => void = () => undefined;

  get metrics(): string[] {
    return [...this.#counts.keys()];
  }

  has(metric: string): boolean {
    return this.#counts.has(metric);
  }

  /** Ask for some metrics; call what is returned when they are needed no more. */
  need(metrics: readonly string[]): () => void {
    this.#count(metrics, 1);
    return () => this.#count(metrics, -1);
  }

  #count(metrics: readonly string[], by: number): void {
    for (const metric of metrics) {
      const count = (this.#counts.get(metric) ?? 0) + by;
      if (count > 0) this.#counts.set(metric, count);
      else this.#counts.delete(metric);
    }
    if (this.#told || metrics.length === 0) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      this.changed();
    });
  }
}
