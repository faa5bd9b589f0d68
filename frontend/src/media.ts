/** What the values of cells hold, mirrored from `agnez/media/`: beside `wire.ts` the only place that checks shapes. */

/** Pictures of one size on one file, row by row. */
export interface Sheet {
  readonly src: string;
  readonly count: number;
  readonly columns: number;
  readonly width: number;
  readonly height: number;
}

export interface Picture {
  readonly src: string;
  readonly caption: string;
}

export type Pictures = { readonly sheet: Sheet } | { readonly pictures: readonly Picture[] };

export interface Film {
  readonly src: string;
  readonly frames: number | null;
  /** Whether it is a GIF, which a browser shows as a picture and never stops by itself. */
  readonly gif: boolean;
}

export interface Sound {
  readonly src: string;
  readonly seconds: number | null;
  /** The loudest of each stretch, from 0 to 1. */
  readonly peaks: readonly number[];
}

export interface Histogram {
  readonly counts: readonly number[];
  /** Where the bins begin, and where the last one ends. */
  readonly edges: readonly number[];
  readonly nonFinite: number;
}

/** A value of a table: null is an empty one, and a number may be none that is finite. */
export type Value = string | number | boolean | null;

export interface Table {
  readonly columns: readonly { readonly name: string; readonly numeric: boolean }[];
  readonly rows: readonly (readonly Value[])[];
}

/** What travels with the cell, or the address of the file that has it. */
export type Here<T> = { readonly value: T } | { readonly src: string };

const NON_FINITE: Readonly<Record<string, number>> = { NaN, Infinity, "-Infinity": -Infinity };

function record(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

function size(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : null;
}

function numbers(value: unknown): number[] {
  return Array.isArray(value) ? value.filter((each): each is number => typeof each === "number" && Number.isFinite(each)) : [];
}

/** Tell whether a cell has no value yet. */
export function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** Read the value of an `images` cell; null where it is none. */
export function readPictures(value: unknown): Pictures | null {
  if (Array.isArray(value)) {
    const pictures = value.map(readPicture);
    return pictures.every((each) => each !== null) ? { pictures } : null;
  }
  const found = record(value);
  const [count, columns, width, height] = [found?.["count"], found?.["columns"], found?.["width"], found?.["height"]].map(size);
  if (typeof found?.["src"] !== "string" || !count || !columns || !width || !height) return null;
  return { sheet: { src: found["src"], count, columns, width, height } };
}

function readPicture(value: unknown): Picture | null {
  if (typeof value === "string") return { src: value, caption: "" };
  const found = record(value);
  if (typeof found?.["src"] !== "string") return null;
  return { src: found["src"], caption: typeof found["caption"] === "string" ? found["caption"] : "" };
}

/** Read the value of a `video` cell; null where it is none. */
export function readFilm(value: unknown): Film | null {
  const found = typeof value === "string" ? { src: value } : record(value);
  if (typeof found?.["src"] !== "string") return null;
  return { src: found["src"], frames: size(record(value)?.["frames"]), gif: isGif(found["src"]) };
}

/** Tell whether an address is that of a GIF. */
export function isGif(address: string): boolean {
  return /\.gif([?#]|$)|^data:image\/gif/i.test(address);
}

/** Read the value of an `audio` cell; null where it is none. */
export function readSound(value: unknown): Sound | null {
  const found = typeof value === "string" ? { src: value } : record(value);
  if (typeof found?.["src"] !== "string") return null;
  return { src: found["src"], seconds: size(record(value)?.["seconds"]), peaks: numbers(record(value)?.["peaks"]) };
}

/** Read the value of a `text` cell; null where it is none. */
export function readText(value: unknown): Here<string> | null {
  if (typeof value === "string") return { value };
  const src = record(value)?.["src"];
  return typeof src === "string" ? { src } : null;
}

/** Read the value of a `table` cell; null where it is none. */
export function readTable(value: unknown): Here<Table> | null {
  const found = record(value);
  if (found === null) return null;
  if (typeof found["src"] === "string") return { src: found["src"] };
  const { columns, rows } = found;
  if (!Array.isArray(columns) || !Array.isArray(rows) || !rows.every(Array.isArray)) return null;
  const numeric = columns.map((_, place) => isNumeric(rows, place));
  return {
    value: {
      columns: columns.map((name, place) => ({ name: String(name), numeric: numeric[place] ?? false })),
      rows: rows.map((row: unknown[]) => columns.map((_, place) => readValue(row[place], numeric[place] ?? false))),
    },
  };
}

/** A column is one of numbers where all that it has are numbers. */
function isNumeric(rows: readonly unknown[][], place: number): boolean {
  let some = false;
  for (const row of rows) {
    const value = row[place];
    if (value === null || value === undefined) continue;
    if (typeof value !== "number" && !(typeof value === "string" && value in NON_FINITE)) return false;
    some ||= typeof value === "number";
  }
  return some;
}

function readValue(value: unknown, numeric: boolean): Value {
  if (value === null || value === undefined) return null;
  if (numeric && typeof value === "string") return NON_FINITE[value] ?? null;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : JSON.stringify(value);
}

/** Read the value of a `histogram` cell; null where it is none. */
export function readHistogram(value: unknown): Histogram | null {
  const found = record(value);
  const [counts, edges] = [numbers(found?.["counts"]), numbers(found?.["edges"])];
  if (found === null || !Array.isArray(found["counts"]) || (counts.length > 0 && edges.length !== counts.length + 1)) return null;
  return { counts, edges, nonFinite: size(found["non_finite"]) ?? 0 };
}

/** Read the value of a `number` cell; null where its metric is to be shown. */
export function readNumber(value: unknown): number | null {
  if (typeof value === "number") return value;
  return typeof value === "string" ? (NON_FINITE[value] ?? null) : null;
}

/** Read the address of an `html` cell's file; null where the HTML is the value itself. */
export function readDocument(value: unknown): string | null {
  const src = record(value)?.["src"];
  return typeof src === "string" ? src : null;
}
