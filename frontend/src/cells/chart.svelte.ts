/** What a chart's cell shows: its lines, its axis and what is said of them, put together from the session and the view. */

import { untrack } from "svelte";
import { axesOf, joined, type SeriesOf, type Stand } from "../charts/axes.svelte";
import { stepAt } from "../charts/axis";
import { declaredAxis } from "../charts/declared";
import { Means } from "../charts/means";
import { Merger } from "../charts/merge";
import type { Range } from "../charts/gestures";
import type { Drawn, Line, LineModel, Mark, Note } from "../charts/model";
import type { Placing } from "../charts/placing";
import { chosen, rangeOf, rideOf } from "../charts/ranges";
import { amongRuns, isShare, overlaid, seriesStyles, type SeriesStyle } from "../charts/style";
import { pointAt, type Track } from "../charts/track";
import type { XAxis } from "../charts/xaxis";
import { metricValue } from "../format";
import { NO_POINTS, type Points } from "../state/columns";
import type { Page } from "../state/context";
import type { Answer, Finer, Want, Wish } from "../state/detail.svelte";
import type { AxisKind, ChartSettings, Interval, Zoom } from "../state/view.svelte";
import type { Cell } from "../wire";
import { laidOf, type Laid, type Overlay } from "./laid.svelte";

/** The lines of one run; `run` is null for the run that is shown. */
interface Group {
  readonly run: Overlay | null;
  readonly alive: boolean;
  readonly placing: Placing;
  readonly styles: readonly SeriesStyle[];
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
    this.#want = page.session.detail.want();
    this.#wantMeans = page.session.detail.want();
    this.#laid = laidOf(page);
  }

  // Cells come anew with each figure: the styles change only with the names.
  readonly #names = $derived.by(() => this.#cell().metrics.join("\n"));
  readonly metrics = $derived.by(() => this.#names.split("\n"));
  readonly styles = $derived.by(() => seriesStyles(this.metrics));
  readonly #id = $derived.by(() => this.#cell().id);

  /** How the chart is drawn. */
  readonly settings: ChartSettings = $derived.by(() => this.#page.view.chart(this.#id));

  /** What the x axis counts: what is set, else what the run says of these metrics. */
  readonly kind: AxisKind = $derived.by(() =>
    this.settings.x === "auto" ? declaredAxis(this.metrics, this.#page.session.run?.axes) : this.settings.x,
  );

  /** Whether the x axis is that of the other charts, with its cursor and its range. */
  readonly shared: boolean = $derived.by(() => {
    const { session, view } = this.#page;
    if (this.settings.x !== view.x) return false;
    return this.kind === view.x || this.axis.unit === session.axis.unit;
  });

  /** The range that was chosen: of a chart whose axis no other has its own. */
  get #chosen(): Zoom | null {
    const { view } = this.#page;
    return this.shared || !view.linked ? this.settings.zoom : (view.own(this.#id).zoom ?? null);
  }

  /** Show a part of the axes; null is all there is, and what is undefined stays. */
  show({ x, y }: Range): void {
    const { session, view } = this.#page;
    const goes = session.run?.state === "running" && this.held.length > 0 && !this.kind.startsWith("metric:");
    const head = goes ? this.#stand.head : null; // on the axis of a metric the newest point may lie anywhere
    const zoom = x && chosen(x, head);
    view.setChart(this.#id, { ...(zoom !== undefined && { zoom }), ...(y !== undefined && { y }) }, !this.shared);
  }

  readonly #want: Want;
  readonly #wantMeans: Want;
  #mergers: Record<string, Merger> = {};
  #means: Record<string, Means> = {};

  readonly #laid: Laid;
  readonly #stand: Stand = $derived.by(() => axesOf(this.#laid.main.series, () => this.#laid.main).stand(this.kind));

  #axis: XAxis | null = null;
  readonly axis: XAxis = $derived.by(() => {
    const stands = [this.#stand, ...this.#laid.over(this.kind).map(({ stand }) => stand)];
    return (this.#axis = joined(stands.filter((each) => each.unit === this.#stand.unit), this.#axis));
  });

  // The array stays the same while none of its series grows: then nothing that follows from it is done again.
  #held: readonly Line[] = [];
  readonly lines: readonly Line[] = $derived.by(() => {
    void this.#laid.news;
    const { session, view } = this.#page;
    const hidden = typeof session.shown === "string" && view.hidden.has(session.shown);
    const over = this.#laid.over(this.kind);
    const { look } = this.#laid;
    const styles = over.length === 0 ? this.styles : this.styles.map((style, place) => amongRuns(style, place, look));
    const group: Group = { run: null, alive: session.run?.state === "running", placing: this.#stand.placing, styles };
    const { muted } = this.settings;
    const answer = this.#want.answer;
    const means = this.#smoothed ? { answer: this.#wantMeans.answer, awaited: this.#wantMeans.loading } : null;
    // What the lines follow from was read above: asked again of each series, each chart would listen to all of them.
    return untrack(() => {
      const now: Line[] = [];
      if (!hidden) this.#add(now, group, this.#laid.main.series, muted, answer, means);
      for (const { overlay, stand } of over) {
        const alone = this.styles.length === 1;
        const styles = this.styles.map((style, place) => overlaid(style, place, overlay.colour, overlay.name, alone));
        const beside = { run: overlay, alive: overlay.alive, placing: stand.placing, styles };
        this.#add(now, beside, session.seriesOf(overlay.id), muted, answer, means);
      }
      this.#mergers = ofLines(this.#mergers, now);
      this.#means = ofLines(this.#means, now);
      const same = now.length === this.#held.length && now.every((line, nth) => line === this.#held[nth]);
      return (this.#held = same ? this.#held : now);
    });
  });

  /** Add the lines of one run; what did not change is the same object as before. */
  #add(
    lines: Line[],
    { run, alive, placing, styles }: Group,
    series: SeriesOf,
    muted: readonly string[],
    answer: Answer | null,
    means: MeansRead | null,
  ): void {
    const id = run?.id ?? this.#page.session.shown ?? "";
    for (const style of styles) {
      if (muted.includes(style.metric)) continue;
      const columns = series.get(style.metric);
      if (run !== null && (columns?.points.length ?? 0) === 0) continue;
      const key = `${run?.id ?? ""}\n${style.metric}`;
      const nth = this.#held[lines.length];
      const old = nth?.key === key ? nth : this.#held.find((line) => line.key === key);
      const drawn = this.#finer(key, answer?.get(id, style.metric), answer, columns?.points ?? NO_POINTS, placing);
      const soft = columns?.points.thinned !== true ? undefined : this.#meansOf(key, means, id, style.metric, columns.points);
      const same =
        old?.points === drawn.points && old.means === soft && old.style === style && old.placing === drawn.placing && old.alive === alive;
      const softly = soft !== undefined && { means: soft };
      lines.push(same ? old : { key, style, ...drawn, ...softly, last: lastOf(columns), run: run?.name ?? null, alive });
    }
  }

  /** The points of a line, finer where the user zoomed in. */
  #finer(key: string, finer: Finer | undefined, answer: Answer | null, points: Points, placing: Placing): Pick<Line, "points" | "placing"> {
    if (finer === undefined || finer.points.length === 0 || answer?.wish.x !== this.#wishX()) return { points, placing };
    // On the axis of a metric the order of points is not that of their steps: there they stand alone.
    if (placing.by === "metric") {
      const places = finer.places ?? NO_POINTS.steps;
      const placed = this.#placed.get(places) ?? { by: "places" as const, places };
      this.#placed.set(places, placed);
      return { points: finer.points, placing: placed };
    }
    return { points: (this.#mergers[key] ??= new Merger()).join(points, finer.points), placing };
  }

  /** What is smoothed of a line whose points are thinned: undefined where that is not known, null while it is read. */
  #meansOf(key: string, means: MeansRead | null, run: string, metric: string, points: Points): Points | null | undefined {
    if (means === null) return undefined;
    const { answer, awaited } = means;
    if (answer === null || answer.wish.x !== this.#wishX()) return awaited ? null : undefined;
    const found = answer.get(run, metric);
    if (found === undefined || found.points.length === 0) return awaited ? null : undefined;
    return (this.#means[key] ??= new Means()).join(found, points, answer.to === null);
  }

  readonly #placed = new WeakMap<Float64Array, Placing>();

  /** How the server calls what the axis counts. */
  #wishX(): string {
    const x = this.kind;
    if (x.startsWith("metric:")) return x.slice("metric:".length);
    return x === "time" || x === "relative" ? x : "step";
  }

  /** Whether means are smoothed in the place of points: on the axis of a metric the order of points is another. */
  get #smoothed(): boolean {
    return this.settings.smoothing.kind !== "none" && !this.kind.startsWith("metric:");
  }

  /** Ask for what is to be smoothed, where points were left out; `width` is that of the chart. */
  askMeans(width: number): void {
    this.#wantMeans.ask(this.#smoothed && this.#coarse ? this.#wish(width, 2, true) : null);
  }

  /** Ask for finer points of what is shown, where there are any; what is moving on with the head has them. */
  ask(width: number): void {
    if (this.#rides) return;
    // Two for each pixel are its extremes; what the page holds was chosen along the steps.
    const fine = this.zoom === null && this.#wishX() === "step" && this.#grain >= 2 * width * devicePixelRatio;
    this.#want.ask(this.#coarse && !fine ? this.#wish(width, 4, false) : null);
  }

  /** Whether what is shown has moved on with the head from where it was chosen. */
  get #rides(): boolean {
    return this.zoom !== null && this.#chosen !== null && this.zoom !== rangeOf(this.#chosen);
  }

  /** Wish for so many points, or means, for each pixel of what is shown. */
  #wish(width: number, each: number, means: boolean): Wish | null {
    const { session } = this.#page;
    const run = session.shown;
    if (typeof run !== "string" || width <= 0) return null;
    const runs = [run, ...this.#laid.overlays.map(({ id }) => id)];
    const metrics = this.metrics.filter((metric) => !this.settings.muted.includes(metric));
    const share = each * width * devicePixelRatio * (this.#rides ? this.#times : 1);
    const most = Math.round(Math.max(200, Math.min(share, MOST_FINER / (runs.length * metrics.length))));
    return { runs, metrics, x: this.#wishX(), ...this.#span(), most, means, until: this.#closed ? 0 : this.#until };
  }

  /** The part to wish for. What moves on is read whole, so that it is not asked for with each step. */
  #span(): { readonly from: number | null; readonly to: number | null } {
    if (this.zoom === null || this.#rides) return { from: null, to: null };
    const bounds = this.#bounds(this.zoom);
    return this.#closed ? bounds : { ...bounds, to: null };
  }

  /** Whether nothing will come any more into what is shown. */
  readonly #closed: boolean = $derived.by(() => {
    if (this.#page.session.run?.state !== "running") return true;
    return this.zoom !== null && !this.#rides && this.zoom[1] < this.#stand.head;
  });

  /** How many times what is shown goes into the whole axis, as a power of two. */
  readonly #times: number = $derived.by(() => {
    const [low, high] = this.axis.domain;
    const wide = this.zoom === null ? high - low : this.zoom[1] - this.zoom[0];
    return wide > 0 ? Math.min(MOST_TIMES, 2 ** Math.max(0, Math.ceil(Math.log2((high - low) / wide)))) : 1;
  });

  /** How far the run has come, in fifths: what grows is read again then; what came since follows as it is. */
  readonly #until: number = $derived.by(() => {
    const { run, series } = this.#page.session;
    return run?.state === "running" ? Math.floor(Math.log(1 + series.steps[1]) / Math.log(1.2)) : 0;
  });

  /** Stop asking. */
  close(): void {
    this.#want.close();
    this.#wantMeans.close();
  }

  /** In about how many points the line is held that has the fewest of those that points were left out of. */
  readonly #grain: number = $derived.by(() => {
    void this.#laid.news;
    return untrack(() => {
      const sources = [this.#laid.main, ...this.#laid.overlays.map(({ id }) => this.#laid.source(id))];
      return Math.min(...sources.flatMap(({ series }) => this.metrics.map((metric) => series.get(metric)?.grain ?? Infinity)));
    });
  });

  /** Whether points were left out of what is held of any line. */
  get #coarse(): boolean {
    return this.#grain < Infinity;
  }

  /** The bounds of a range as the server counts them. */
  #bounds([low, high]: Interval): { readonly from: number; readonly to: number } {
    if (this.axis.unit !== "epoch") return { from: low, to: high };
    const placings = [this.#stand, ...this.#laid.over(this.kind).map(({ stand }) => stand)].map(({ placing }) => placing);
    const steps = placings.flatMap((placing) => (placing.by === "epoch" ? [stepAt(placing.knots, low), stepAt(placing.knots, high)] : []));
    return { from: Math.floor(Math.min(...steps)), to: Math.ceil(Math.max(...steps)) };
  }

  readonly held: readonly Line[] = $derived.by(() => this.lines.filter((line) => line.points.length > 0));

  /** Whether all values are shares of one. */
  readonly share: boolean = $derived.by(() => {
    const { series } = this.#laid.main;
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

  // Before the first points come the head is nowhere: no range rides with it from there.
  readonly #zoom: Interval | null = $derived.by(() => {
    const zoom = this.#chosen;
    if (zoom === null) return null;
    return this.held.length === 0 ? rangeOf(zoom) : rideOf(zoom, this.#stand.head, this.settings.follow);
  });

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
    const noted = this.notes.length === 0 ? "" : this.notes.length === 1 ? "; a note" : `; ${this.notes.length} notes`;
    return `${title}: ${said.join(", ")}${more}${noted}`;
  });

  readonly #pins: readonly number[] = $derived.by(() => (this.shared ? this.#page.view.pins : this.settings.pins));

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

  /** The place of the newest point that is shown; null while there is none. */
  get head(): number | null {
    if (this.held.length === 0) return null;
    return this.zoom === null ? this.#stand.head : Math.min(this.#stand.head, this.zoom[1]);
  }

  /** Point at a place, and maybe at a line. */
  point(at: number | null, near: string | null): void {
    this.near = near;
    if (this.shared) this.#page.view.hover = at;
    else this.#hover = at;
  }

  /** Mark a place for all charts that have this axis, or take away the mark that is about there. */
  pin(at: number, reach = 0): void {
    const [low = 0, high = 1] = this.drawn?.frame.x.domain() ?? [];
    const left = this.#pins.filter((each) => Math.abs(each - at) > Math.max(reach, (high - low) / 100));
    const pins = left.length < this.#pins.length ? left : [...this.#pins, at].sort((a, b) => a - b);
    if (this.shared) this.#page.view.set({ pins });
    else this.#page.view.setChart(this.#id, { pins }, true);
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
    // Of a part that was zoomed into, only that part is smoothed: nothing is known of the head.
    const reaches = at !== null || soft === undefined || raw === undefined || endOf(soft.track) >= endOf(raw.track);
    const softValue = reaches ? valueOf(soft) : null;
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

/** What was read of means: the newest answer, and whether another one is under way. */
interface MeansRead {
  readonly answer: Answer | null;
  readonly awaited: boolean;
}

/** How many times as many means as for the whole axis are asked for a part that moves on with the head. */
const MOST_TIMES = 16;
/** Finer points that a chart asks for at most, of all its lines. */
const MOST_FINER = 400_000;

/** What is kept for lines, without that of lines which are there no more. */
function ofLines<T>(kept: Record<string, T>, lines: readonly Line[]): Record<string, T> {
  if (Object.keys(kept).length <= lines.length) return kept;
  return Object.fromEntries(Object.entries(kept).filter(([key]) => lines.some((line) => line.key === key)));
}

function endOf({ x, length }: Track): number {
  return x[length - 1] ?? NaN;
}

function lastOf(columns: { readonly points: { readonly values: Float64Array; readonly length: number }; readonly last?: number } | undefined): number {
  return columns?.last ?? columns?.points.values[columns.points.length - 1] ?? NaN;
}
