/** What the user points at and has zoomed to: shared by all charts of a run. */

export type Interval = readonly [number, number];

export class View {
  /** The place on the x axis that the cursor is at, in the axis' unit. */
  hover = $state<number | null>(null);
  /** The part of the x axis that is shown; null for all of it. */
  zoom = $state.raw<Interval | null>(null);

  reset(): void {
    this.hover = null;
    this.zoom = null;
  }
}
