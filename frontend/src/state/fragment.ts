/**
 * What the user has set, in the page's address: `#v=1&zoom=3.5~8&smooth=ema~0.6&folded=weights,gradients`.
 *
 * Only what differs from the defaults is there, in words to be read. What this page does not know is kept as it is, and what
 * it cannot read counts as not said.
 */

import { alike, DEFAULTS, isFigureZoom, type CellLook, type ChartSettings, type FigureZoom, type Interval, type Outlook, type Scrolled, type Smoothing, type Zoom } from "./outlook";

const VERSION = "1";
const SMOOTHINGS: readonly string[] = ["ema", "time", "gauss", "median"];
const AXES = /^(auto|step|epoch|time|relative|metric:.+)$/s;

/** A fragment that was read; `unknown` holds the parts that this page does not know, as they were. */
export interface Reading {
  readonly set: Partial<Outlook>;
  readonly unknown: readonly string[];
}

/** How one setting is written; null where it is the default. `read` gives undefined for what is no such setting. */
interface Code<T> {
  readonly word: string;
  write(value: T): string | null;
  read(text: string): T | undefined;
}

type Codes<T> = { readonly [K in keyof T]: Code<T[K]> };

const CHART: Codes<ChartSettings> = {
  zoom: { word: "zoom", write: (zoom) => zoom && tuple(zoom), read: readZoom },
  y: { word: "y", write: (y) => y && tuple(y), read: interval },
  x: { word: "x", write: plain, read: (text) => axis(unescaped(text)) },
  smoothing: { word: "smooth", write: writeSmoothing, read: readSmoothing },
  scale: { word: "scale", write: plain, read: (text) => one(text, ["linear", "log"] as const) },
  robust: flag("robust"),
  follow: flag("follow"),
  muted: list("mute"),
  pins: {
    word: "pins",
    write: (pins) => pins.map(String).join(","),
    read: (text) => text.split(",").flatMap((each) => finite(each) ?? []),
  },
};

const PAGE: Codes<Omit<Outlook, "charts" | "views" | "sliders" | "figures">> = {
  ...CHART,
  linked: flag("linked"),
  overlays: list("over"),
  hidden: list("hide"),
  filter: { word: "runs", write: escaped, read: unescaped },
  search: { word: "search", write: escaped, read: unescaped },
  collapsed: list("folded"),
  pinned: list("top"),
  open: { word: "open", write: (open) => (open === null ? "" : escaped(open)), read: (text) => unescaped(text) ?? undefined },
  theme: { word: "theme", write: plain, read: (text) => one(text, ["system", "light", "dark"] as const) },
  scroll: { word: "at", write: writeScroll, read: readScroll },
};

/** Write what differs from the defaults, behind what is unknown; "" where nothing does. */
export function writeFragment(outlook: Outlook, unknown: readonly string[] = []): string {
  const parts = [
    ...written(PAGE, outlook, DEFAULTS),
    ...Object.entries(outlook.charts).map(([key, own]) => `chart:${escaped(key)}=${written(CHART, own, {}).join(";").replaceAll("=", "~")}`),
    ...Object.entries(outlook.views).map(([key, view]) => `view:${escaped(key)}=${view}`),
    ...Object.entries(outlook.sliders).map(([key, at]) => `slide:${escaped(key)}=${String(at)}`),
    ...Object.entries(outlook.figures).map(([key, axes]) => `fig:${escaped(key)}=${axes.map((each) => each.map(String).join("~")).join(";")}`),
    ...unknown,
  ];
  return parts.length === 0 ? "" : `#v=${VERSION}&${parts.join("&")}`;
}

/** Read a fragment, with or without its `#`. */
export function readFragment(fragment: string): Reading {
  const set: Record<string, unknown> = {};
  const unknown: string[] = [];
  const [charts, views, sliders, figures]: Record<string, unknown>[] = [{}, {}, {}, {}];
  for (const part of fragment.replace(/^#/, "").split("&")) {
    const [word = "", text = ""] = halves(part, "=");
    const [kind, key] = halves(word, ":").map(unescaped);
    if (word === "v" || part === "") continue;
    if (kind === "chart" && key) enter(charts, key, readChart(text));
    else if (kind === "view" && key) enter(views, key, look(text));
    else if (kind === "slide" && key) enter(sliders, key, finite(text));
    else if (kind === "fig" && key) enter(figures, key, figure(text));
    else if (!take(PAGE, set, word, text)) unknown.push(part);
  }
  const records = Object.entries({ charts, views, sliders, figures }).filter(([, record]) => Object.keys(record ?? {}).length > 0);
  return { set: { ...set, ...Object.fromEntries(records) } as Partial<Outlook>, unknown };
}

function readChart(text: string): Partial<ChartSettings> | undefined {
  const own: Record<string, unknown> = {};
  for (const part of text.split(";")) take(CHART, own, ...halves(part, "~"));
  return Object.keys(own).length === 0 ? undefined : (own as Partial<ChartSettings>);
}

function written<T extends object>(codes: Codes<T>, values: Partial<T>, defaults: Partial<T>): string[] {
  return (Object.keys(codes) as (keyof T)[]).flatMap((name) => {
    const value = values[name];
    if (value === undefined || (name in defaults && alike(value, defaults[name]))) return [];
    return [`${codes[name].word}=${codes[name].write(value as T[keyof T]) ?? ""}`];
  });
}

/** Take in a setting that is known; tells whether it is. */
function take<T extends object>(codes: Codes<T>, into: Record<string, unknown>, word: string, text: string): boolean {
  const known = (Object.entries(codes) as [string, Code<unknown>][]).find(([, code]) => code.word === word);
  if (known === undefined) return false;
  const value = known[1].read(text);
  if (value !== undefined) into[known[0]] = value;
  return true;
}

function enter(record: Record<string, unknown> | undefined, key: string, value: unknown): void {
  if (record !== undefined && value !== undefined) record[key] = value;
}

function flag(word: string): Code<boolean> {
  return { word, write: (value) => (value ? "1" : "0"), read: (text) => (text === "1" ? true : text === "0" ? false : undefined) };
}

function list(word: string): Code<readonly string[]> {
  return {
    word,
    write: (items) => items.map(escaped).join(","),
    read: (text) => (text === "" ? [] : text.split(",").flatMap((each) => unescaped(each) ?? [])),
  };
}

function plain(value: string): string {
  return escaped(value);
}

function tuple(numbers: Zoom): string {
  return numbers.map(String).join("~");
}

function interval(text: string): Interval | null | undefined {
  if (text === "") return null;
  const [low, high] = text.split("~").map(finite);
  return low !== undefined && high !== undefined && low < high ? [low, high] : undefined;
}

/** What a figure is zoomed to: seven numbers of each of its axes. */
function figure(text: string): FigureZoom | undefined {
  const axes = text.split(";").map((each) => each.split("~").flatMap((number) => finite(number) ?? []));
  return isFigureZoom(axes) ? axes : undefined;
}

/** A range, and behind it where the head of a live run stood in it. */
function readZoom(text: string): Zoom | null | undefined {
  const [low = "", high = "", at = ""] = text.split("~");
  const range = interval(high === "" ? low : `${low}~${high}`);
  const head = finite(at);
  return range && head !== undefined ? [...range, head] : range;
}

function writeSmoothing({ kind, amount }: Smoothing): string {
  return `${kind}~${String(amount)}`;
}

function readSmoothing(text: string): Smoothing | undefined {
  const [kind = "", amount = ""] = halves(text, "~");
  const number = finite(amount);
  if (number === undefined || number < 0 || number > 1 || !(kind === "none" || SMOOTHINGS.includes(kind))) return undefined;
  return { kind: kind as Smoothing["kind"], amount: number };
}

function writeScroll({ top, cell, above }: Scrolled): string {
  return cell === "" ? String(top) : `${top}~${above}~${escaped(cell)}`;
}

function readScroll(text: string): Scrolled | undefined {
  const [first = "", second = "", cell = ""] = text.split("~");
  const [top, above] = [finite(first), finite(second)];
  return top === undefined ? undefined : { top, cell: above === undefined ? "" : (unescaped(cell) ?? ""), above: above ?? 0 };
}

function axis(text: string | undefined): Outlook["x"] | undefined {
  return text !== undefined && AXES.test(text) ? (text as Outlook["x"]) : undefined;
}

function look(text: string): CellLook | undefined {
  return one(text, ["live", "figure", "heat"] as const) ?? (/^(up|down)-\d{1,6}$/.test(text) ? (text as CellLook) : undefined);
}

function one<T extends string>(text: string, among: readonly T[]): T | undefined {
  return among.find((each) => each === text);
}

function finite(text: string): number | undefined {
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

function halves(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}

/** Escape what has a meaning here, or would make a mail program end the link early; slashes and colons stay to be read. */
function escaped(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"))
    .replace(/[!'()*~]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/")
    .replaceAll("%3A", ":");
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
