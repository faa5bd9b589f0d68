/** The runs that all charts of the page show: what would be found for each chart is found once for all. */

import { axesOf, rooted, type Source, type Stand } from "../charts/axes.svelte";
import type { Page } from "../state/context";
import type { AxisKind } from "../state/view.svelte";

/** A run that is laid over the charts. */
export interface Overlay {
  readonly id: string;
  readonly name: string;
  readonly colour: number;
  readonly alive: boolean;
}

/** A run with how its points stand on an axis. */
export interface LaidOver {
  readonly overlay: Overlay;
  readonly stand: Stand;
}

export class Laid {
  readonly #page: Page;
  readonly #stands: Partial<Record<AxisKind, Stands>> = {};
  #before: readonly Overlay[] = [];

  constructor(page: Page) {
    this.#page = page;
  }

  /** The runs that are laid over the shown one: the same array as long as they are the same. */
  readonly overlays: readonly Overlay[] = $derived.by(() => {
    const { session, view, colours } = this.#page;
    const ids = view.overlays.filter((id) => id !== session.shown && !view.hidden.has(id));
    const now = ids.map((id): Overlay => {
      const run = session.runs.get(id);
      return { id, name: run?.name ?? id, colour: colours.get(id) ?? 1, alive: run?.state === "running" };
    });
    return (this.#before = sameOverlays(this.#before, now) ? this.#before : now);
  });

  /** The number of the look of the run that is shown. */
  readonly look: number = $derived.by(() => {
    const { session, colours } = this.#page;
    return (typeof session.shown === "string" ? colours.get(session.shown) : undefined) ?? 1;
  });

  /** Another object whenever points came of any of these runs. */
  readonly news: object = $derived.by(() => {
    void this.main.series.version;
    for (const { id } of this.overlays) void this.#page.session.seriesOf(id).version;
    return {};
  });

  /** The run that is shown. */
  get main(): Source {
    const { session } = this.#page;
    return { run: session.run, series: session.series };
  }

  source(id: string): Source {
    const { session } = this.#page;
    return { run: session.runs.get(id), series: session.seriesOf(id) };
  }

  /** How the runs that are laid over stand on an axis. */
  over(kind: AxisKind): readonly LaidOver[] {
    return (this.#stands[kind] ??= rooted(() => new Stands(this, kind))).over;
  }
}

class Stands {
  readonly #laid: Laid;
  readonly #kind: AxisKind;

  constructor(laid: Laid, kind: AxisKind) {
    this.#laid = laid;
    this.#kind = kind;
  }

  readonly over: readonly LaidOver[] = $derived.by(() =>
    this.#laid.overlays.map((overlay) => {
      const source = (): Source => this.#laid.source(overlay.id);
      return { overlay, stand: axesOf(source().series, source).stand(this.#kind) };
    }),
  );
}

function sameOverlays(a: readonly Overlay[], b: readonly Overlay[]): boolean {
  const same = (x: Overlay, y: Overlay | undefined): boolean =>
    x.id === y?.id && x.name === y.name && x.colour === y.colour && x.alive === y.alive;
  return a.length === b.length && a.every((each, nth) => same(each, b[nth]));
}

const kept = new WeakMap<Page, Laid>();

/** What all charts of a page share. */
export function laidOf(page: Page): Laid {
  let laid = kept.get(page);
  if (laid === undefined) kept.set(page, (laid = rooted(() => new Laid(page))));
  return laid;
}
