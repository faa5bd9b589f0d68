/** What a chart's cell shows: its lines, its axis and what is said of them, put together from the session and the view. */

import { axesOf, joined, type Source, type Stand } from "../charts/axes.svelte";
import { pointAt } from "../charts/draw";
import type { Drawn, Line, LineModel, Mark, Note } from "../charts/model";
import type { Placing } from "../charts/placing";
import { rideOf } from "../charts/ranges";
import { isShare, overlaid, seriesStyles, type SeriesStyle } from "../charts/style";
import type { XAxis } from "../charts/xaxis";
import { metricValue } from "../format";
import { NO_POINTS } from "../state/columns";
import type { Page } from "../state/context";
import type { ChartSettings, Interval } from "../state/view.svelte";
import type { Cell } from "../wire";

/** A run that is laid over the charts. */
interface Overlay {
  readonly id: string;
  readonly name: string;
  readonly colour: number;
}

export class Chart {
  readonly #page: Page;
  readonly #cell: () => Cell;
  readonly #title: () => string;

  /** The line that is meant. */
  near = $state<string | null>(null);
  /** The cursor of a chart whose axis no other has. */
  #hover = $state<number | null>(null);
  /** What stands on the canvas; told where something is read from it. */
  drawn = $state.raw<Drawn | null>(null);

  constructor(page: Page, cell: () => Cell, title: () => string) {
    this.#page = page;
    this.#cell = cell;
    this.#title = title;
  }

  // Cells come anew with each figure: the styles change only with the names.
  readonly #names = $derived.by(() => this.#cell().metrics.join("\n"));
  readonly metrics = $derived.by(() => this.#names.split("\n"));
  readonly styles = $derived.by(() => seriesStyles(this.metrics));
  readonly #id = $derived.by(() => this.#cell().id);

  /** How the chart is drawn. */
  readonly settings: ChartSettings = $derived.by(() => this.#page.view.chart(this.#id));

  /** Whether the x axis is that of the other charts, with its cursor and its range. */
  readonly shared: boolean = $derived.by(() => this.settings.x === this.#page.view.x);

  get #source(): Source {
    const { session } = this.#page;
    return { run: session.run, series: session.series };
  }

  #sourceOf(id: string): Source {
    const { session } = this.#page;
    return { run: session.runs.get(id), series: session.seriesOf(id) };
  }

  readonly #overlays: readonly Overlay[] = $derived.by(() => {
    const { session, view, colours } = this.#page;
    const shown = view.overlays.filter((id) => id !== session.shown && !view.hidden.has(id));
    return shown.map((id) => ({ id, name: session.runs.get(id)?.name ?? id, colour: colours.get(id) ?? 1 }));
  });

  readonly #stand: Stand = $derived.by(() => axesOf(this.#source.series, () => this.#source).stand(this.settings.x));

  readonly #stands: readonly { readonly overlay: Overlay; readonly stand: Stand }[] = $derived.by(() =>
    this.#overlays.map((overlay) => {
      const source = (): Source => this.#sourceOf(overlay.id);
      return { overlay, stand: axesOf(source().series, source).stand(this.settings.x) };
    }),
  );

  #axis: XAxis | null = null;
  readonly axis: XAxis = $derived.by(() => {
    const stands = [this.#stand, ...this.#stands.map(({ stand }) => stand)];
    return (this.#axis = joined(stands.filter((each) => each.unit === this.#stand.unit), this.#axis));
  });

  // The array stays the same while none of its series grows: then nothing that follows from it is done again.
  #held: readonly Line[] = [];
  readonly lines: readonly Line[] = $derived.by(() => {
    const hidden = typeof this.#page.session.shown === "string" && this.#page.view.hidden.has(this.#page.session.shown);
    const own = hidden ? [] : this.#linesOf(this.#source, this.#stand.placing, null, this.styles);
    const now = [...own, ...this.#laidOver()];
    const same = now.length === this.#held.length && now.every((line, nth) => line === this.#held[nth]);
    return (this.#held = same ? this.#held : now);
  });

  #laidOver(): Line[] {
    return this.#stands.flatMap(({ overlay, stand }) => {
      const styles = this.styles.map((style) => overlaid(style, overlay.colour, overlay.name, this.styles.length === 1));
      return this.#linesOf(this.#sourceOf(overlay.id), stand.placing, overlay.id, styles).filter((line) => line.points.length > 0);
    });
  }

  #linesOf({ run, series }: Source, placing: Placing, id: string | null, styles: readonly SeriesStyle[]): Line[] {
    void series.version;
    const alive = run?.state === "running";
    const muted = this.settings.muted;
    const wanted = muted.length === 0 ? styles : styles.filter((style) => !muted.includes(style.metric));
    return wanted.map((style) => {
      const columns = series.get(style.metric);
      const points = columns?.points ?? NO_POINTS;
      const key = `${id ?? ""}\n${style.metric}`;
      const old = this.#held.find((line) => line.key === key);
      const same = old?.points === points && old.style === style && old.placing === placing && old.alive === alive;
      return same ? old : { key, style, points, placing, last: lastOf(columns), run: id, alive };
    });
  }

  readonly held: readonly Line[] = $derived.by(() => this.lines.filter((line) => line.points.length > 0));

  /** Whether all values are shares of one. */
  readonly share: boolean = $derived.by(() => {
    const { series } = this.#source;
    void series.version;
    const within = (metric: string): boolean => {
      const columns = series.get(metric);
      return columns === undefined || ((columns.least?.value ?? 0) >= 0 && (columns.most?.value ?? 0) <= 1);
    };
    return this.metrics.every((metric) => isShare(metric) && within(metric));
  });

  readonly #marks: readonly Mark[] = $derived.by(() =>
    this.#page.session.findings
      .filter((finding) => finding.metric !== null && this.metrics.includes(finding.metric) && finding.severity !== "info")
      .map(({ firstStep, lastStep, severity }) => ({ from: firstStep ?? 0, to: lastStep ?? firstStep ?? 0, severe: severity === "error" })),
  );

  // Cells come anew with each figure; what is noted seldom does.
  readonly #noted = $derived.by(() => JSON.stringify(this.#cell().notes));
  readonly notes: readonly Note[] = $derived.by(() => JSON.parse(this.#noted) as Note[]);

  readonly #zoom: Interval | null = $derived.by(() =>
    rideOf(this.settings.zoom, this.axis.unit, this.#stand.head, this.settings.follow),
  );

  readonly #shown: LineModel["settings"] = $derived.by(() => ({ ...this.settings, zoom: this.#zoom }));

  /** The part of the axis that is shown; null for all. */
  get zoom(): Interval | null {
    return this.#zoom;
  }

  get hover(): number | null {
    return this.shared ? this.#page.view.hover : this.#hover;
  }

  readonly summary: string = $derived.by(() => {
    const title = this.#title();
    if (this.held.length === 0) return `${title}: waiting for the first value`;
    const said = this.held.slice(0, 8).map((line) => `${line.style.label} ${this.written(line, line.last)}`);
    const more = this.held.length > 8 ? `, and ${this.held.length - 8} more lines` : "";
    return `${title}: ${said.join(", ")}${more}`;
  });

  readonly #pins: readonly number[] = $derived.by(() => (this.shared ? this.#page.view.pins : NONE));

  readonly model: LineModel = $derived.by(() => ({
    lines: this.lines,
    axis: this.axis,
    settings: this.#shown,
    hover: this.hover,
    near: this.near,
    pins: this.#pins,
    share: this.share,
    marks: this.#marks,
    notes: this.notes,
    palette: this.#page.palette,
    summary: this.summary,
  }));

  /** Point at a place, and maybe at a line. */
  point(at: number | null, near: string | null): void {
    this.near = near;
    if (this.shared) this.#page.view.hover = at;
    else this.#hover = at;
  }

  /** Write a value of a line. */
  written(line: Line, value: number): string {
    return metricValue(line.style.metric, value, this.share);
  }

  /** The value of a line at the cursor, else at the last pin, else its last one; with what the smoothed curve says. */
  current(line: Line): { readonly value: string; readonly soft: string } {
    const at = this.hover ?? this.#pins[this.#pins.length - 1] ?? null;
    if (line.points.length === 0) return { value: "–", soft: "" };
    const smoothed = this.settings.smoothing.kind !== "none";
    if (at === null && !smoothed) return { value: this.written(line, line.last), soft: "" };
    const own = (this.drawn?.strokes ?? []).filter((stroke) => stroke.line.key === line.key);
    const [raw, soft] = [own.find((stroke) => !stroke.smooth), own.find((stroke) => stroke.smooth)];
    const valueOf = (stroke: typeof raw): number | null =>
      stroke === undefined ? null : at === null ? (stroke.track.y[stroke.track.length - 1] ?? null) : (pointAt(stroke.track, at)?.value ?? null);
    const value = at === null ? line.last : valueOf(raw);
    const softValue = valueOf(soft);
    return { value: value === null ? "–" : this.written(line, value), soft: softValue === null ? "" : this.written(line, softValue) };
  }

  /** The step that was logged nearest to a place; null while nothing was. */
  stepAt(place: number): number | null {
    for (const { line, track, smooth } of this.drawn?.strokes ?? []) {
      if (smooth || line.run !== null) continue;
      const index = pointAt(track, place)?.index ?? (place > (track.x[track.length - 1] ?? Infinity) ? track.length - 1 : undefined);
      const step = index === undefined ? undefined : line.points.steps[track.order?.[index] ?? index];
      if (step !== undefined) return step;
    }
    return null;
  }
}

const NONE: readonly number[] = [];

function lastOf(columns: { readonly points: { readonly values: Float64Array; readonly length: number }; readonly last?: number } | undefined): number {
  return columns?.last ?? columns?.points.values[columns.points.length - 1] ?? NaN;
}
