/** A chart as a file: its picture as PNG or SVG, its numbers as text. */

import { drawBead } from "./apart";
import { canvasInk, surfaceOf } from "./canvas";
import { Curves } from "./curves";
import { drawAll } from "./draw";
import type { Ink } from "./ink";
import { layOut } from "./layout";
import type { Drawn, LineModel } from "./model";
import { seriesColour } from "./palette";
import { tableOf } from "./numbers";
import { svgPage } from "./svg";

const WIDTH = 960;
const HEIGHT = 480;
const HEAD = 34;
const FOOT = 26;
/** Pixels of a PNG in one of the chart. */
const SHARP = 2;
/** Names below a picture: more are none. */
const MOST_NAMES = 14;

/** Save what a chart shows. */
export async function save(kind: "png" | "svg" | "csv", model: LineModel, title: string): Promise<void> {
  const name = `${fileName(title)}.${kind}`;
  if (kind === "png") return download(await pngOf(model, title), name);
  const text = kind === "svg" ? svgOf(model, title) : csvOf(laidOut(model, measuring()), ",");
  download(new Blob([text], { type: kind === "svg" ? "image/svg+xml" : "text/csv" }), name);
}

function fileName(title: string): string {
  return title.trim().replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").replaceAll(/^-+|-+$/g, "") || "chart";
}

function download(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Draw a chart as SVG. */
export function svgOf(model: LineModel, title: string): string {
  const page = svgPage(WIDTH, HEIGHT, measuring().measure);
  compose(page.ink, model, title);
  return page.text();
}

async function pngOf(model: LineModel, title: string): Promise<Blob> {
  const canvas = document.createElement("canvas");
  const surface = surfaceOf(canvas, WIDTH, HEIGHT, SHARP);
  if (surface === null) throw new Error("this browser draws on no canvas");
  compose(canvasInk(surface.context), model, title);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob === null ? reject(new Error("this browser makes no PNG")) : resolve(blob)), "image/png"),
  );
}

/** Draw title, chart and names. */
function compose(ink: Ink, model: LineModel, title: string): void {
  const { palette } = model;
  ink.box(palette.panel, 0, 0, WIDTH, HEIGHT);
  ink.write(title, 14, 20, { colour: palette.ink, bold: true, size: 14 });
  drawAll(shifted(ink, HEAD), laidOut(model, ink));
  writeNames(ink, model, HEIGHT - 13);
}

function laidOut(model: LineModel, ink: Ink): Drawn {
  const still = { ...model, hover: null, near: null };
  return layOut(ink, { width: WIDTH, height: HEIGHT - HEAD - FOOT, ratio: SHARP }, still, new Curves(), null);
}

function measuring(): Ink {
  const surface = surfaceOf(document.createElement("canvas"), 1, 1, 1);
  if (surface === null) throw new Error("this browser draws on no canvas");
  return canvasInk(surface.context);
}

function writeNames(ink: Ink, { lines, palette }: LineModel, y: number): void {
  let x = 14;
  for (const { style } of lines.slice(0, MOST_NAMES)) {
    const width = ink.measure(style.label, { size: 12 });
    if (x + width + 40 > WIDTH) break;
    const pen = { colour: seriesColour(palette, style.colour), width: 2, dash: style.dash, strength: style.strength < 1 ? 0.5 : 1 };
    ink.stroke(pen, (way) => {
      way.moveTo(x, y);
      way.lineTo(x + 16, y);
    });
    drawBead(ink, style.bead, x + 8, y, pen.colour, palette.panel);
    ink.write(style.label, x + 21, y, { colour: palette.second, size: 12 });
    x += 21 + width + 18;
  }
}

/** Ink for a sheet that lies lower. */
function shifted(ink: Ink, down: number): Ink {
  const lower = (way: { moveTo(x: number, y: number): void; lineTo(x: number, y: number): void }): typeof way => ({
    moveTo: (x, y) => way.moveTo(x, y + down),
    lineTo: (x, y) => way.lineTo(x, y + down),
  });
  return {
    stroke: (pen, draw) => ink.stroke(pen, (way) => draw(lower(way))),
    fill: (colour, draw) => ink.fill(colour, (way) => draw(lower(way))),
    box: (colour, x, y, width, height, strength) => ink.box(colour, x, y + down, width, height, strength),
    dot: (colour, x, y, radius, strength) => ink.dot(colour, x, y + down, radius, strength),
    write: (text, x, y, lettering) => ink.write(text, x, y + down, lettering),
    measure: (text, lettering) => ink.measure(text, lettering),
    within: (x, y, width, height, draw) => ink.within(x, y + down, width, height, draw),
  };
}

/** Write the numbers that a chart shows, a point a row, for a file (",") or the clipboard (a tab). */
export function csvOf(drawn: Drawn, separator: "," | "\t"): string {
  const { columns, rows } = tableOf(drawn);
  const escaped = (text: string): string => (/[",\n\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const line = (cells: readonly (string | number)[]): string => cells.map((each) => escaped(String(each))).join(separator);
  return [line(columns), ...rows.map(line), ""].join("\n");
}
