/** What a user has set of the page: one frozen record, so that a step back is the record before. */

import type { View as CellView } from "../wire";

export type Interval = readonly [number, number];
/** A part of the x axis that was chosen; the third number is where the head of a live run stood in it then. */
export type Zoom = Interval | readonly [number, number, number];
/** What the x axis of the charts counts; `auto` takes epochs where a run tells of them, else steps. */
export type AxisKind = "auto" | "step" | "epoch" | "time" | "relative" | `metric:${string}`;
export type SmoothingKind = "none" | "ema" | "time" | "gauss" | "median";
export type ScaleKind = "linear" | "log";
/** How a cell is shown, where the user chose: live or as a figure; a histogram as a map; a table by one of its columns. */
export type CellLook = CellView | "heat" | `${"up" | "down"}-${number}`;
/**
 * What a figure is zoomed to: of each of its axes how close, how far moved (in shares of its width and its height), and the
 * limits of x and of y that this is of.
 */
export type FigureZoom = readonly (readonly number[])[];
/**
 * How far the page is scrolled: in pixels, and which cell stood there, `above` of whose pixels were out of the window (less
 * than none where it began within it). In a window of another width the cell is where to go; "" is none.
 */
export interface Scrolled {
  readonly top: number;
  readonly cell: string;
  readonly above: number;
}
export type ThemeChoice = "system" | "light" | "dark";

/** How curves are smoothed; `amount` from 0 (not at all) to 1. */
export interface Smoothing {
  readonly kind: SmoothingKind;
  readonly amount: number;
}

/** How a chart is drawn: the page's settings, or what a chart has of its own in their place. */
export interface ChartSettings {
  /** The part of the x axis that was chosen, in its unit; null for all of it. */
  readonly zoom: Zoom | null;
  /** The part of the y axis that is shown; null for what the curves need. */
  readonly y: Interval | null;
  readonly x: AxisKind;
  readonly smoothing: Smoothing;
  readonly scale: ScaleKind;
  /** Whether outliers are left out of the range of y. */
  readonly robust: boolean;
  /** Whether a zoomed chart moves on with the head of a live run. */
  readonly follow: boolean;
  /** The metrics whose lines are switched off. */
  readonly muted: readonly string[];
  /** Places on the x axis that the user has pinned the crosshair to. */
  readonly pins: readonly number[];
}

export interface Outlook extends ChartSettings {
  /** Whether a range selected in one chart applies to all. */
  readonly linked: boolean;
  /** The ids of the runs that are laid over the charts, in the order in which they were. */
  readonly overlays: readonly string[];
  /** The ids of the runs whose lines are switched off. */
  readonly hidden: readonly string[];
  /** The filter of the list of runs. */
  readonly filter: string;
  /** The filter of the metrics: words, or a regular expression between slashes. */
  readonly search: string;
  /** The sections that are folded, by their prefix. */
  readonly collapsed: readonly string[];
  /** The keys of the cells that stand on top. */
  readonly pinned: readonly string[];
  /** The key of the cell that fills the screen. */
  readonly open: string | null;
  readonly theme: ThemeChoice;
  readonly scroll: Scrolled;
  /** What single charts have of their own, by the key of their cell. */
  readonly charts: Readonly<Record<string, Partial<ChartSettings>>>;
  /** How cells are shown, where the user chose. */
  readonly views: Readonly<Record<string, CellLook>>;
  /** Where the sliders of cells stand, as places in what they go through; a cell whose slider follows the newest has none. */
  readonly sliders: Readonly<Record<string, number>>;
  /** What figures are zoomed to, where that is not all. */
  readonly figures: Readonly<Record<string, FigureZoom>>;
}

export const DEFAULTS: Outlook = {
  zoom: null,
  y: null,
  x: "auto",
  smoothing: { kind: "none", amount: 0.6 },
  scale: "linear",
  robust: false,
  follow: true,
  muted: [],
  pins: [],
  linked: true,
  overlays: [],
  hidden: [],
  filter: "",
  search: "",
  collapsed: [],
  pinned: [],
  open: null,
  theme: "system",
  scroll: { top: 0, cell: "", above: 0 },
  charts: {},
  views: {},
  sliders: {},
  figures: {},
};

const MOST_AXES = 16;

/** Tell whether something is what a figure can be zoomed to. */
export function isFigureZoom(axes: unknown): axes is FigureZoom {
  const one = (each: unknown): boolean =>
    Array.isArray(each) && each.length === 7 && each.every(Number.isFinite) && each[0] > 0 && each[3] !== each[4] && each[5] !== each[6];
  return Array.isArray(axes) && axes.length > 0 && axes.length <= MOST_AXES && axes.every(one);
}

/** What is said of one run, and means nothing to another. */
const OF_A_RUN = ["zoom", "y", "pins", "open", "scroll", "sliders", "figures"] as const satisfies readonly (keyof Outlook)[];
const PLACES = ["zoom", "y", "pins"] as const satisfies readonly (keyof ChartSettings)[];

/** What is said of the run that is shown: ranges and pins, of single charts too, and where the user was in it. */
export function ofRun(outlook: Outlook): Partial<Outlook> {
  return { ...picked(outlook, OF_A_RUN), charts: eachChart(outlook.charts, (own) => picked(own, PLACES)) };
}

/** What means something to another run of the project, too. */
export function lasting(outlook: Outlook): Outlook {
  return { ...outlook, ...picked(DEFAULTS, OF_A_RUN), charts: eachChart(outlook.charts, (own) => without(own, PLACES)) };
}

/** The same for a run of which this was said. */
export function withRun(outlook: Outlook, said: Partial<Outlook>): Outlook {
  const all = lasting(outlook);
  const charts = new Map(Object.entries(all.charts));
  for (const [key, own] of Object.entries(said.charts ?? {})) charts.set(key, { ...charts.get(key), ...own });
  return { ...all, ...said, charts: Object.fromEntries(charts) };
}

/** What charts have of their own, changed; those that are left without anything are none. */
export function eachChart(charts: Outlook["charts"], change: (own: Partial<ChartSettings>) => Partial<ChartSettings>): Outlook["charts"] {
  const changed = Object.entries(charts).map(([key, own]) => [key, change(own)] as const);
  return Object.fromEntries(changed.filter(([, own]) => Object.keys(own).length > 0));
}

function picked<T extends object>(record: T, names: readonly (keyof T)[]): Partial<T> {
  return Object.fromEntries(names.filter((name) => name in record).map((name) => [name, record[name]])) as Partial<T>;
}

/** A record without some of its fields. */
export function without<T extends object>(record: T, names: readonly (keyof T)[]): Partial<T> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name as keyof T))) as Partial<T>;
}

/** The settings of a chart: its own, else the page's. The zoom of linked charts is the page's. */
export function settingsOf(outlook: Outlook, key: string): ChartSettings {
  const own = entry(outlook.charts, key) ?? {};
  const { zoom, x, smoothing, scale, robust, follow } = outlook;
  // Values of one chart say nothing of another's: the range of y and what is muted are never shared, nor are the pins of a
  // chart whose axis no other has.
  const shared: ChartSettings = { zoom, y: null, x, smoothing, scale, robust, follow, muted: [], pins: [] };
  return { ...shared, ...own, ...(outlook.linked ? { zoom } : {}) };
}

/**
 * Set what one chart has of its own; a setting that equals the page's is not its own any more. The zoom of linked charts is
 * the page's, but for one that stands `alone`, on an axis that the others do not have.
 */
export function withChart(outlook: Outlook, key: string, patch: Partial<ChartSettings>, alone = false): Outlook {
  const { zoom, ...own } = patch;
  const together = outlook.linked && !alone;
  const next = together && zoom !== undefined ? { ...outlook, zoom } : outlook;
  const wanted: Partial<ChartSettings> = { ...entry(next.charts, key), ...(together ? own : patch) };
  const shared = { ...settingsOf({ ...next, charts: {} }, key), ...(outlook.linked && { zoom: null }) };
  const kept = Object.entries(wanted).filter(([name, value]) => !alike(value, shared[name as keyof ChartSettings]));
  return { ...next, charts: entered(next.charts, key, kept.length > 0 ? Object.fromEntries(kept) : null) };
}

/** An entry of a record; undefined where there is none, also by the names that every object has. */
export function entry<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** A record with one entry set, or taken out (null). */
export function entered<T>(record: Readonly<Record<string, T>>, key: string, value: T | null): Readonly<Record<string, T>> {
  const others = Object.entries(record).filter(([each]) => each !== key);
  return Object.fromEntries(value === null ? others : [...others, [key, value]]);
}

/** A list with an item added, or without it if it was there. */
export function toggled(list: readonly string[], item: string): readonly string[] {
  return list.includes(item) ? list.filter((each) => each !== item) : [...list, item];
}

/** Tell whether two settings say the same: they are plain data. */
export function alike(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
