/** The strokes of a chart of lines. */

import { bisector } from "d3-array";
import { scaleLinear } from "d3-scale";
import { place } from "../format";
import { NO_POINTS, type Points } from "../state/columns";
import type { Interval } from "../state/view.svelte";
import type { Axis } from "./axis";
import { clear, type Surface } from "./canvas";
import { changedFrom, ROOM } from "./change";
import { decimate, type Trace } from "./decimate";
import { extent, tickCount, tickWriter, union, valueScale } from "./domain";
import { clamp, nearest, type Drawn, type Frame, type Line, type LineModel, type Pen } from "./model";
import { seriesColour, type Palette } from "./palette";
import { strokeDense } from "./stroke";
import type { SeriesStyle } from "./style";

const MARGIN = { top: 8, right: 12, bottom: 20, left: 42 };
/** How far lines and their heads may reach over the axes. */
const OVER = 4;
const FONT = '10.5px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';

/** What is drawn, and on what. */
interface Sheet extends Drawn {
  readonly context: CanvasRenderingContext2D;
  /** The pixel of the axes at which drawing begins: left of it all stays as it is. */
  readonly from: number;
}

/** Draw axes and lines, or of a chart that stands there `before` what has changed; return what stands there now. */
export function drawChart(surface: Surface, model: LineModel, before: Drawn | null): Drawn {
  const { context } = surface;
  const frame = layOut(surface, model);
  const drawn = { model, frame, pens: model.lines.map((line) => penOf(line, frame, model)) };
  const from = before === null || surface.blank ? -Infinity : changedFrom(before, drawn);
  if (from === Infinity) return drawn;
  const sheet: Sheet = { ...drawn, context, from };
  context.save();
  if (from === -Infinity) clear(surface);
  else clearFrom(sheet, surface.ratio);
  drawMarks(sheet);
  drawGrid(sheet);
  drawLines(sheet);
  context.restore();
  if (from === -Infinity) drawTicks(sheet);
  return drawn;
}

/** Empty the axes from a pixel on, and draw nowhere else. */
function clearFrom({ context, frame: { left, top, width, height }, from }: Sheet, ratio: number): void {
  const edge = Math.floor((left + from) * ratio) / ratio; // half a pixel of the screen would be drawn over half
  const box = [edge, top - OVER, left + width + OVER - edge, height + 2 * OVER] as const;
  context.clearRect(...box);
  context.beginPath();
  context.rect(...box);
  context.clip();
}

function layOut({ context, width, height }: Surface, model: LineModel): Frame {
  const inner = height - MARGIN.top - MARGIN.bottom;
  const domain = model.zoom ?? model.axis.domain;
  const y = valueScale(visibleExtent(model, domain), model.share, inner);
  const write = tickWriter(y, model.share, tickCount(inner));
  context.font = FONT;
  const labels = y.ticks(tickCount(inner)).map((tick) => context.measureText(write(tick)).width);
  const left = Math.max(MARGIN.left, Math.ceil(Math.max(0, ...labels)) + 10);
  const across = Math.max(1, width - left - MARGIN.right);
  return { left, top: MARGIN.top, width: across, height: inner, x: scaleLinear(domain, [0, across]), y };
}

function visibleExtent({ lines, axis, zoom }: LineModel, domain: Interval): [number, number] | null {
  return union(
    lines.map(({ points }) => {
      if (zoom === null) return points.range;
      const [start, end] = within(points, axis, domain, 1);
      return extent(points, start, end);
    }),
  );
}

/** The range of points inside an interval of the axis, with `more` points on either side to join the line to. */
function within({ steps, length }: Points, axis: Axis, [low, high]: Interval, more: number): [number, number] {
  const by = bisector((step: number) => axis.at(step));
  return [
    Math.max(0, by.left(steps, low, 0, length) - more),
    Math.min(length, by.right(steps, high, 0, length) + more),
  ];
}

function drawGrid({ context, frame: { left, top, width, height, y }, model: { palette } }: Sheet): void {
  context.lineWidth = 1;
  for (const tick of y.ticks(tickCount(height))) {
    const at = Math.round(top + y(tick)) + 0.5;
    context.strokeStyle = tick === 0 ? palette.line : palette.grid;
    stroke(context, left, at, left + width, at);
  }
}

/** Write the ticks: they stand outside the axes. */
function drawTicks({ context, frame, model: { axis, share, palette } }: Sheet): void {
  const { left, top, width, height, x, y } = frame;
  const count = tickCount(height);
  const write = tickWriter(y, share, count);
  context.font = FONT;
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.fillStyle = palette.second;
  for (const tick of y.ticks(count)) context.fillText(write(tick), left - 8, Math.round(top + y(tick)) + 0.5);
  const across = Math.max(2, Math.min(6, Math.round(width / 64)));
  const ticks = x.ticks(across).filter((tick) => axis.unit !== "epoch" || width > 60 || Number.isInteger(tick));
  const writeX = x.tickFormat(across);
  const below = top + height + 13;
  context.fillText(axis.unit, left - 8, below);
  for (const tick of ticks) {
    const at = left + x(tick);
    context.textAlign = at > left + width - 8 ? "right" : at < left + 8 ? "left" : "center";
    context.fillText(writeX(tick), context.textAlign === "right" ? left + width + 4 : at, below);
  }
}

function stroke(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number): void {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** Tint the ranges that findings speak of. */
function drawMarks({ context, frame, model: { marks, axis, palette } }: Sheet): void {
  for (const { from, to, severe } of marks) {
    const [start, end] = [frame.x(axis.at(from)), frame.x(axis.at(to))].map((at) => clamp(at, 0, frame.width));
    if (start === undefined || end === undefined) continue;
    context.fillStyle = palette.warningSoft;
    context.globalAlpha = 0.7;
    context.fillRect(frame.left + start, frame.top, Math.max(2, end - start), frame.height);
    context.globalAlpha = 1;
    context.strokeStyle = severe ? palette.error : palette.warning;
    context.setLineDash([2, 3]);
    stroke(context, frame.left + start, frame.top, frame.left + start, frame.top + frame.height);
    context.setLineDash([]);
  }
}

function drawLines(sheet: Sheet): void {
  const { context, frame, model, pens } = sheet;
  const traces = pens.map((pen, nth) => ({ pen, trace: traceOf(sheet, model.lines[nth]?.points ?? NO_POINTS, pen) }));
  // Raw curves lie behind.
  const order = [...traces].sort((a, b) => a.pen.style.strength - b.pen.style.strength);
  context.beginPath();
  context.rect(frame.left - 3, frame.top - OVER, frame.width + 3 + OVER, frame.height + 2 * OVER);
  context.clip();
  context.lineJoin = "round";
  context.lineCap = "butt";
  for (const { pen, trace } of order) drawTrace(sheet, pen, trace);
  for (const { pen, trace } of order) drawHead(sheet, pen, trace);
  for (const { trace } of traces) drawGaps(sheet, trace);
}

function penOf({ style, points }: Line, frame: Frame, model: LineModel): Pen {
  const [low = 0, high = 1] = frame.x.domain();
  const [start, end] = within(points, model.axis, [low, high], 1);
  return { style, strength: strength(style, model), dense: end - start > frame.width && style.dash.length === 0 };
}

/** The points to draw, in pixels; of a dashed line all, since its dashes are counted from its beginning. */
function traceOf({ frame, model: { axis }, from }: Sheet, points: Points, { style }: Pen): Trace {
  const [low = 0, high = 1] = frame.x.domain();
  const first = from > 0 && style.dash.length === 0 ? frame.x.invert(from - ROOM) : low;
  const [start, end] = within(points, axis, [first, high], 1);
  if (pixels.length < end) pixels = new Float64Array(2 * end);
  axis.project(points.steps, start, end, low, frame.width / (high - low), pixels);
  return decimate(pixels, points.values, start, end);
}

/** Room for the pixels of one line at a time: charts are drawn one after the other, and garbage costs frames. */
let pixels = new Float64Array(4096);

/** A raw curve stands back only once there is a line in front of it. */
function strength(style: SeriesStyle, { lines }: LineModel): number {
  if (style.strength === 1) return 1;
  const front = lines.some((line) => line.style.colour === style.colour && line.style.strength === 1 && line.points.length > 1);
  return front ? style.strength : 0.6;
}

function drawTrace({ context, frame: { left, top, y }, model }: Sheet, { style, strength, dense }: Pen, trace: Trace): void {
  context.strokeStyle = context.fillStyle = seriesColour(model.palette, style.colour);
  context.globalAlpha = strength;
  const path = new Path2D();
  let run = 0;
  for (let i = 0; i <= trace.length; i++) {
    const value = i < trace.length ? (trace.y[i] ?? NaN) : NaN;
    const at = left + (trace.x[i] ?? 0);
    if (Number.isNaN(value)) {
      if (run === 1) dot(context, left + (trace.x[i - 1] ?? 0), top + y(trace.y[i - 1] ?? 0), style.width + 0.5);
      run = 0;
    } else if (run++ === 0) {
      path.moveTo(at, top + y(value));
    } else {
      path.lineTo(at, top + y(value));
    }
  }
  if (dense) {
    strokeDense(context, path, style.width);
  } else {
    context.lineWidth = style.width;
    context.setLineDash([...style.dash]);
    context.stroke(path);
    context.setLineDash([]);
  }
  context.globalAlpha = 1;
}

/** A point without a neighbour is no line: it is drawn as a dot, as part of the path under way. */
function dot(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  const circle = new Path2D();
  circle.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill(circle);
}

function drawHead({ context, frame: { left, top, width, y }, model }: Sheet, { style }: Pen, trace: Trace): void {
  const [x, value] = [trace.x[trace.length - 1], trace.y[trace.length - 1]];
  if (!model.alive || x === undefined || value === undefined || Number.isNaN(value) || x > width + 1) return;
  const radius = style.strength === 1 ? 2.75 : 2;
  context.fillStyle = model.palette.panel;
  dot(context, left + x, top + y(value), radius + 1.25);
  context.fillStyle = seriesColour(model.palette, style.colour);
  dot(context, left + x, top + y(value), radius);
}

/** Non-finite values have no place on the axis: a tick at the bottom edge says where they are. */
function drawGaps({ context, frame: { left, top, height }, model: { palette } }: Sheet, { gaps }: Trace): void {
  context.fillStyle = palette.error;
  for (const x of gaps) context.fillRect(Math.round(left + x) - 1, top + height - 2, 2, 4);
}

/** Tint what is being selected. */
export function drawSelection(context: CanvasRenderingContext2D, frame: Frame, [from, to]: Interval, palette: Palette): void {
  const [start, end] = [frame.x(Math.min(from, to)), frame.x(Math.max(from, to))];
  context.fillStyle = palette.accentSoft;
  context.globalAlpha = 0.6;
  context.fillRect(frame.left + start, frame.top, end - start, frame.height);
  context.globalAlpha = 1;
}

/** Draw the cursor, with a dot on each line at its nearest point. */
export function drawCursor(context: CanvasRenderingContext2D, frame: Frame, model: LineModel, hover: number): void {
  const at = frame.x(hover);
  if (at < -0.5 || at > frame.width + 0.5) return;
  const x = Math.round(frame.left + at) + 0.5;
  context.strokeStyle = model.palette.third;
  context.lineWidth = 1;
  stroke(context, x, frame.top, x, frame.top + frame.height);
  drawPlace(context, frame, x, hover, model);
  for (const { style, points } of model.lines) {
    const i = nearest(points, model.axis, hover);
    const value = i === null ? NaN : (points.values[i] ?? NaN);
    if (i === null || !Number.isFinite(value)) continue;
    const [px, py] = [frame.left + frame.x(model.axis.at(points.steps[i] ?? 0)), frame.top + frame.y(value)];
    context.fillStyle = model.palette.panel;
    dot(context, px, py, 4.5);
    context.fillStyle = seriesColour(model.palette, style.colour);
    dot(context, px, py, 3);
  }
}

/** Write the cursor's place over the ticks of the x axis. */
function drawPlace(context: CanvasRenderingContext2D, { left, top, width, height }: Frame, x: number, hover: number, model: LineModel): void {
  const text = place(hover, model.axis.unit);
  context.font = FONT;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const half = context.measureText(text).width / 2 + 4;
  const at = clamp(x, left + half - 4, left + width - half + 10);
  context.fillStyle = model.palette.panel;
  context.fillRect(at - half, top + height + 5, 2 * half, 15);
  context.fillStyle = model.palette.ink;
  context.fillText(text, at, top + height + 13);
}
