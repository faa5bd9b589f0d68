/** The strokes of a chart of lines. */

import { bisectLeft, bisectRight } from "d3-array";
import type { Interval } from "../state/view.svelte";
import { drawBeads, inBands } from "./apart";
import type { Gap, Trace } from "./buckets";
import { canvasInk, clear, type Surface } from "./canvas";
import { changedFrom, ROOM } from "./change";
import type { Curves } from "./curves";
import { tickCount, tickWriter, type ValueScale } from "./domain";
import { rule, SIZE, wrapped, type Ink, type Lettering, type Way } from "./ink";
import { layOut } from "./layout";
import { clamp, pixelOf, spoken, type Drawn, type Frame, type LineModel, type Stroke } from "./model";
import { seriesColour, type Palette } from "./palette";
import { pointAt } from "./track";
import { placeText, xTicks } from "./xaxis";
import { short } from "../format";

/** How far lines and their heads may reach over the axes. */
const OVER = 4;
/** Lines that get a dot each at the cursor. */
const MOST_CURSOR_DOTS = 12;
/** Lines from which on one that is meant stands out before the others. */
const CROWD = 4;
const NOTE_LETTERS = 22;
/** Pixels that the cursor is at a note in. */
const NEAR_NOTE = 6;
/** Of a note that is written whole: the room aside, and from one line to the next. */
const PAD = 6;
const LEAD = 14;
/** How long the bands of a dense line are by its dashes, and how strong it is between them. */
const BANDS = 1.4;
const WEAK = 0.3;
/** Pixels at the right that a chart's buttons lie over. */
const TOOLS = 56;

/** Draw axes and lines, or of a chart that stands there `before` what has changed; return what stands there now. */
export function drawChart(surface: Surface, model: LineModel, curves: Curves, before: Drawn | null): Drawn {
  const ink = canvasInk(surface.context);
  const drawn = layOut(ink, surface, model, curves, before);
  const from = before === null || surface.blank ? -Infinity : changedFrom(before, drawn);
  if (from === -Infinity) {
    clear(surface);
    drawAll(ink, drawn);
  } else if (from < Infinity) {
    drawFrom(surface, ink, drawn, from);
  }
  return drawn;
}

/** Draw all of a chart. */
export function drawAll(ink: Ink, drawn: Drawn): void {
  drawAxes(ink, drawn, -Infinity);
  drawTicks(ink, drawn);
}

/** Empty the axes from a pixel on, and draw nowhere else. */
function drawFrom({ context, ratio }: Surface, ink: Ink, drawn: Drawn, from: number): void {
  const { left, top, width, height } = drawn.frame;
  const edge = Math.floor((left + from) * ratio) / ratio; // half a pixel of the screen would be drawn over half
  const box = [edge, top - OVER, left + width + OVER - edge, height + 2 * OVER] as const;
  context.clearRect(...box);
  ink.within(...box, () => drawAxes(ink, drawn, from));
}

function drawAxes(ink: Ink, drawn: Drawn, from: number): void {
  drawMarks(ink, drawn);
  drawGrid(ink, drawn);
  drawLines(ink, drawn, from);
  drawPins(ink, drawn);
  drawNotes(ink, drawn);
  drawOutside(ink, drawn);
}

function drawGrid(ink: Ink, { frame, model: { palette } }: Drawn): void {
  const { left, top, width, height, y } = frame;
  for (const tick of y.ticks(tickCount(height))) {
    const at = y(tick);
    if (at < -0.5 || at > height + 0.5) continue;
    const row = Math.round(top + at) + 0.5;
    rule(ink, { colour: tick === 0 ? palette.line : palette.grid, width: 1 }, left, row, left + width, row);
  }
}

/** Write the ticks: they stand outside the axes. */
function drawTicks(ink: Ink, { frame, model: { axis, share, palette } }: Drawn): void {
  const { left, top, height, x, y } = frame;
  const count = tickCount(height);
  const write = tickWriter(y, share, count);
  for (const tick of spaced(y, height, count)) {
    ink.write(write(tick), left - 8, Math.round(top + y(tick)) + 0.5, { colour: palette.second, align: "right" });
  }
  const below = top + height + 13;
  ink.write(axis.label, left - 8, below, { colour: palette.second, align: "right" });
  drawPlaces(ink, frame, axis.unit, x.domain() as [number, number], below, palette);
}

/** The ticks that have room for their words; zero before all others. */
function spaced(y: ValueScale, height: number, count: number): number[] {
  const kept: number[] = [];
  for (const tick of [...y.ticks(count)].sort((a, b) => Number(b === 0) - Number(a === 0))) {
    const at = y(tick);
    if (at >= -0.5 && at <= height + 0.5 && kept.every((each) => Math.abs(y(each) - at) >= SIZE + 2)) kept.push(tick);
  }
  return kept;
}

/** Write the ticks of the x axis, as many as have room beside each other. */
function drawPlaces(ink: Ink, { left, width, x }: Frame, unit: LineModel["axis"]["unit"], domain: Interval, below: number, palette: Palette): void {
  const wide = unit === "time" || unit === "relative" ? 78 : 64;
  let free = -Infinity;
  for (const { at, text } of xTicks(unit, domain, Math.max(2, Math.min(10, Math.round(width / wide))))) {
    const place = left + x(at);
    const align = place > left + width - 12 ? "right" : place < left + 8 ? "left" : "center";
    const [anchor, length] = [align === "right" ? left + width + 6 : place, ink.measure(text)];
    const start = align === "right" ? anchor - length : align === "left" ? anchor : anchor - length / 2;
    if (start < free) continue;
    free = start + length + 6;
    ink.write(text, anchor, below, { colour: palette.second, align });
  }
}

/** Tint the ranges that findings speak of. */
function drawMarks(ink: Ink, { frame, strokes, model: { marks, palette } }: Drawn): void {
  const { left, top, width, height } = frame;
  for (const { from, to, severe } of marks) {
    const ends = [pixelOf(from, frame, strokes), pixelOf(to, frame, strokes)].map((at) => (at === null ? null : clamp(at, 0, width)));
    const [start, end] = ends;
    if (start === null || start === undefined || end === null || end === undefined) continue;
    ink.box(palette.warningSoft, left + start, top, Math.max(2, end - start), height, 0.7);
    const pen = { colour: severe ? palette.error : palette.warning, width: 1, dash: [2, 3] };
    rule(ink, pen, left + start, top, left + start, top + height);
  }
}

/** Mark the places that are pinned. */
function drawPins(ink: Ink, { frame, model: { pins, palette } }: Drawn): void {
  const { left, top, width, height, x } = frame;
  for (const pin of pins) {
    const at = x(pin);
    if (at < 0 || at > width) continue;
    const column = Math.round(left + at) + 0.5;
    rule(ink, { colour: palette.accent, width: 1 }, column, top, column, top + height);
    ink.fill(palette.accent, (way) => polygon(way, [column, top + 7], [column - 4, top], [column + 4, top]));
  }
}

/** Write what was noted, as far as there is room for. */
function drawNotes(ink: Ink, { frame, strokes, model: { notes, palette } }: Drawn): void {
  const { left, top, width, height } = frame;
  const placed = notes.map(({ step, text }) => ({ text, at: pixelOf(step, frame, strokes) ?? -1 })).filter(({ at }) => at >= 0 && at <= width);
  placed.sort((a, b) => a.at - b.at);
  placed.forEach(({ text, at }, nth) => {
    const column = Math.round(left + at) + 0.5;
    rule(ink, { colour: palette.second, width: 1, dash: [2, 3] }, column, top, column, top + height);
    const cut = text.length > NOTE_LETTERS ? `${text.slice(0, NOTE_LETTERS - 1)}…` : text;
    const room = (placed[nth + 1]?.at ?? width) - at;
    const length = ink.measure(cut);
    if (length + 8 <= room) ink.write(cut, column + 4, top + 5, { colour: palette.second, halo: palette.panel });
    else if (nth === placed.length - 1 && at > length + 8) ink.write(cut, column - 4, top + 5, { colour: palette.second, align: "right", halo: palette.panel });
  });
}

/** What was noted about where a place is. */
export function notedAt({ frame, strokes, model: { notes } }: Drawn, place: number): string {
  const near = (step: number): boolean => Math.abs((pixelOf(step, frame, strokes) ?? Infinity) - frame.x(place)) <= NEAR_NOTE;
  return notes.filter(({ step }) => near(step)).map(({ text }) => text).join(" · ");
}

/** Write what was noted at the cursor, all of it. */
function drawNoted(ink: Ink, drawn: Drawn, { hover, palette }: LineModel): void {
  const { left, top, height, x } = drawn.frame;
  const width = drawn.frame.width - TOOLS;
  const all = wrapped(notedAt(drawn, hover ?? 0), width - 2 * PAD, (text) => ink.measure(text));
  const room = Math.max(1, Math.floor(height / LEAD));
  const lines = all.length > room ? [...all.slice(0, room - 1), "…"] : all;
  if (lines.length === 0) return;
  const wide = Math.max(...lines.map((line) => ink.measure(line))) + 2 * PAD;
  const start = Math.max(left, Math.min(left + x(hover ?? 0) - wide / 2, left + width - wide));
  ink.box(palette.panel, start, top - 2, wide, lines.length * LEAD + 6);
  for (const [nth, line] of lines.entries()) ink.write(line, start + PAD, top + 5 + nth * LEAD, { colour: palette.ink });
}

/** Say that something lies outside of what is shown. */
function drawOutside(ink: Ink, { frame, model: { palette, notes } }: Drawn): void {
  const { left, top, width, height, above, below } = frame;
  const lettering: Lettering = { colour: palette.second, align: "right", halo: palette.panel };
  const right = left + width - TOOLS;
  const first = notes.length > 0 ? top + 5 + SIZE + 3 : top + 5; // notes stand above
  if (above !== null) ink.write(`▲ up to ${short(above)}`, right, first, lettering);
  if (below !== null) ink.write(`▼ down to ${short(below)}`, right, top + height - 6, lettering);
}

function drawLines(ink: Ink, drawn: Drawn, from: number): void {
  const { frame, strokes } = drawn;
  // What stands back lies behind: runs that are laid over, and raw curves.
  const order = [...strokes].sort((a, b) => Number(b.line.run !== null) - Number(a.line.run !== null) || a.strength - b.strength);
  ink.within(frame.left - 3, frame.top - OVER, frame.width + 3 + OVER, frame.height + 2 * OVER, () => {
    for (const stroke of order) drawStroke(ink, drawn, stroke, from);
    for (const stroke of order) drawHead(ink, drawn, stroke);
    for (const { smooth, trace } of strokes) if (!smooth) drawGaps(ink, drawn, trace.gaps, from);
  });
}

function drawStroke(ink: Ink, { frame, model }: Drawn, stroke: Stroke, from: number): void {
  const { style } = stroke.line;
  const colour = seriesColour(model.palette, style.colour);
  // Dashes are counted from the beginning of a line.
  const dash = stroke.dense ? [] : style.dash;
  const bands = stroke.dense ? style.dash[0] : undefined;
  const start = from > 0 && dash.length === 0 ? startOf(stroke.trace, frame.x.invert(from - ROOM)) : 0;
  const lone: number[] = [];
  // Where a faint line of many points crosses itself it grows stronger: so it is as thin as it can be.
  const width = stroke.dense && stroke.strength < 1 ? 1 : style.width;
  const pen = { colour, width, dash, strength: stroke.strength, dense: stroke.dense };
  if (bands === undefined) ink.stroke(pen, (way) => followTrace(way, frame, stroke.trace, start, lone));
  else {
    ink.stroke({ ...pen, strength: WEAK * stroke.strength }, (way) => followTrace(inBands(way, frame.left, BANDS * bands, 1), frame, stroke.trace, start, lone));
    ink.stroke(pen, (way) => followTrace(inBands(way, frame.left, BANDS * bands, 0), frame, stroke.trace, start, []));
  }
  if (stroke.smooth || stroke.strength === 1) drawBeads(ink, frame, stroke.trace, style.bead, colour, model.palette.panel, from - ROOM);
  // A point without a neighbour is no line: it is drawn as a dot.
  for (const i of lone) pointOf(ink, frame, stroke, i, style.width / 2 + 0.75, colour);
  if (stroke.dotted) {
    const end = bisectRight(stroke.trace.x, frame.x.domain()[1] ?? 0, 0, stroke.trace.length);
    for (let i = start; i < end; i++) if (!Number.isNaN(stroke.trace.y[i])) pointOf(ink, frame, stroke, i, 2.25, colour);
  }
}

/** The point of a trace that a place is reached from. */
function startOf({ x, length }: Trace, place: number): number {
  return Math.max(0, bisectLeft(x, place, 0, length) - 1);
}

function followTrace(way: Way, { left, top, x, y }: Frame, trace: Trace, start: number, lone: number[]): void {
  const [origin = 0, end = 1] = x.domain();
  const scale = (x.range()[1] ?? 1) / (end - origin);
  let run = 0;
  for (let i = start; i <= trace.length; i++) {
    const value = i < trace.length ? (trace.y[i] ?? NaN) : NaN;
    if (Number.isNaN(value)) {
      if (run === 1) lone.push(i - 1);
      run = 0;
      continue;
    }
    const [at, height] = [left + ((trace.x[i] ?? 0) - origin) * scale, top + y(value)];
    if (run++ === 0) way.moveTo(at, height);
    else way.lineTo(at, height);
  }
}

function pointOf(ink: Ink, { left, top, x, y }: Frame, { trace, strength }: Stroke, i: number, radius: number, colour: string): void {
  ink.dot(colour, left + x(trace.x[i] ?? 0), top + y(trace.y[i] ?? 0), radius, strength);
}

function drawHead(ink: Ink, { frame, model }: Drawn, { line, trace, track, strength, smooth }: Stroke): void {
  const last = track.length - 1;
  const [place = NaN, value = NaN] = [track.x[last], track.y[last]];
  const at = frame.x(place);
  if (!line.alive || trace.length === 0 || !Number.isFinite(value) || !(at <= frame.width + 1 && at >= 0)) return;
  if (strength < 0.5 && !smooth) return;
  const radius = line.run === null && line.style.strength === 1 ? 2.75 : 2;
  const [column, row] = [frame.left + at, frame.top + frame.y(value)];
  ink.dot(model.palette.panel, column, row, radius + 1.25);
  ink.dot(seriesColour(model.palette, line.style.colour), column, row, radius);
}

/** Values that are not finite have no place on the axis: a glyph at its edge says where they are, and of which kind. */
function drawGaps(ink: Ink, { frame, model: { palette } }: Drawn, gaps: readonly Gap[], from: number): void {
  const { left, top, height, width, x } = frame;
  const free = { nan: -Infinity, up: -Infinity, down: -Infinity };
  for (const gap of gaps) {
    const at = x(gap.x);
    if (at < from - ROOM || at < 0 || at > width) continue;
    const column = Math.round(left + at);
    const edge = gap.kind === "up" ? top - 1 : top + height - 1;
    ink.box(palette.error, column - 1, edge, 2, 2);
    // Where many stand close, the bar says it.
    if (at < free[gap.kind]) continue;
    free[gap.kind] = at + 7;
    drawOddity(ink, palette.error, gap, column, edge);
  }
}

function drawOddity(ink: Ink, colour: string, { kind }: Gap, column: number, edge: number): void {
  if (kind === "nan") {
    ink.stroke({ colour, width: 1.5 }, (way) => {
      for (const slope of [-1, 1]) {
        way.moveTo(column - 3, edge - 5 - 3 * slope);
        way.lineTo(column + 3, edge - 5 + 3 * slope);
      }
    });
  } else {
    const [tip, foot] = kind === "up" ? [edge + 1, edge + 7] : [edge, edge - 6];
    ink.fill(colour, (way) => polygon(way, [column, tip], [column - 3.5, foot], [column + 3.5, foot]));
  }
}

function polygon(way: Way, ...corners: (readonly [number, number])[]): void {
  corners.forEach(([x, y], nth) => (nth === 0 ? way.moveTo(x, y) : way.lineTo(x, y)));
}

/** What is being selected: a range of x, of y, or of both. */
export interface Selection {
  readonly x: Interval | null;
  readonly y: Interval | null;
}

/** Tint what is being selected; all in pixels of the axes. */
export function drawSelection(ink: Ink, { left, top, width, height }: Frame, { x, y }: Selection, palette: Palette): void {
  const [from, to] = x ?? [0, width];
  const [high, low] = y ?? [0, height];
  ink.box(palette.accentSoft, left + from, top + high, to - from, low - high, 0.6);
  const pen = { colour: palette.accent, width: 1 };
  if (x !== null) for (const at of x) rule(ink, pen, left + at, top + high, left + at, top + low);
  if (y !== null) for (const at of y) rule(ink, pen, left + from, top + at, left + to, top + at);
}

/** Draw the cursor, with a dot on each line at its nearest point; the line that is meant stands before the others. */
export function drawCursor(ink: Ink, drawn: Drawn, model: LineModel): void {
  const { frame, strokes } = drawn;
  const { left, top, width, height } = frame;
  const near = model.near === null ? undefined : spoken(strokes, model.near);
  if (near !== undefined && model.lines.length > CROWD) drawMeant(ink, frame, near, model.palette);
  const at = model.hover === null ? NaN : frame.x(model.hover);
  if (!(at >= -0.5 && at <= width + 0.5)) return;
  const column = Math.round(left + at) + 0.5;
  rule(ink, { colour: model.palette.third, width: 1 }, column, top, column, top + height);
  drawPlace(ink, frame, column, model);
  const shown = model.lines.length > MOST_CURSOR_DOTS ? [] : strokes.filter((stroke) => spoken(strokes, stroke.line.key) === stroke);
  for (const stroke of near === undefined ? shown : [...shown.filter((each) => each !== near), near]) {
    drawCursorDot(ink, frame, stroke, model, stroke === near);
  }
  drawNoted(ink, { ...drawn, model }, model);
}

function drawCursorDot(ink: Ink, frame: Frame, { line, track }: Stroke, { hover, palette }: LineModel, meant: boolean): void {
  const point = pointAt(track, hover ?? 0);
  if (point === null || !Number.isFinite(point.value)) return;
  const [x, y] = [frame.left + frame.x(point.place), frame.top + frame.y(point.value)];
  if (y < frame.top - OVER || y > frame.top + frame.height + OVER) return;
  ink.dot(palette.panel, x, y, meant ? 5.5 : 4.5);
  ink.dot(seriesColour(palette, line.style.colour), x, y, meant ? 4 : 3);
}

/** Veil all lines, and draw the one that is meant above. */
function drawMeant(ink: Ink, frame: Frame, { line, trace, dense }: Stroke, palette: Palette): void {
  const { left, top, width, height } = frame;
  ink.box(palette.panel, left, top, width, height, 0.6);
  ink.within(left - 3, top - OVER, width + 3 + OVER, height + 2 * OVER, () =>
    ink.stroke({ colour: seriesColour(palette, line.style.colour), width: line.style.width + 1, dense }, (way) => followTrace(way, frame, trace, 0, [])),
  );
}

/** Write the cursor's place over the ticks of the x axis. */
function drawPlace(ink: Ink, { left, top, width, height, x }: Frame, column: number, { axis, hover, palette }: LineModel): void {
  const text = placeText(axis.unit, hover ?? 0, x.domain() as [number, number]);
  const half = ink.measure(text) / 2 + 4;
  const at = clamp(column, left + half - 4, left + width - half + 10);
  ink.box(palette.panel, at - half, top + height + 5, 2 * half, SIZE + 4.5);
  ink.write(text, at, top + height + 13, { colour: palette.ink, align: "center" });
}
