/** Where the axes of a chart stand on its sheet. */

import { scaleLinear } from "d3-scale";
import type { Interval } from "../state/view.svelte";
import type { Trace } from "./buckets";
import type { Curves } from "./curves";
import { chosenScale, extentOf, robustExtent, tickCount, tickWriter, valueScale, type Extent, type ValueScale } from "./domain";
import type { Ink } from "./ink";
import type { Drawn, Frame, LineModel, Stroke } from "./model";

const MARGIN = { top: 8, right: 12, bottom: 20, left: 42 };

interface Sheet {
  readonly width: number;
  readonly height: number;
  /** Pixels of the screen in one of CSS: the extremes of each are kept. */
  readonly ratio: number;
}

/** Lay a chart out; `before` is what stood there. */
export function layOut(ink: Ink, sheet: Sheet, model: LineModel, curves: Curves, before: Drawn | null): Drawn {
  curves.place(model);
  const domain = shownDomain(model);
  const height = sheet.height - MARGIN.top - MARGIN.bottom;
  // How wide the axes are follows from the ticks' words, these from the values, and these from the pixels: so the
  // words of before are taken first, and only where others need more room all is done again.
  let left = before?.frame.left ?? MARGIN.left;
  for (;;) {
    const width = Math.max(1, sheet.width - left - MARGIN.right);
    const strokes = trace(model, curves, domain, width, sheet.ratio);
    const scaled = scaleOf(strokes.map((stroke) => stroke.trace), model, domain, height);
    const needed = leftOf(ink, scaled.y, model.share, height);
    if (needed === left) return { model, strokes, frame: frameOf(domain, left, width, height, scaled) };
    left = needed;
  }
}

/** The part of the x axis that is shown. */
export function shownDomain({ settings, axis }: LineModel): Interval {
  return settings.zoom ?? axis.domain;
}

function trace(model: LineModel, curves: Curves, domain: Interval, width: number, ratio: number): Stroke[] {
  const [from, to] = domain;
  // Rounded, so that a range that moves on keeps its pixels.
  const unit = Number(((to - from) / (width * ratio)).toPrecision(12));
  return curves.strokes(model, { origin: from, unit }, domain, width);
}

interface Scaled {
  readonly y: ValueScale;
  readonly above: number | null;
  readonly below: number | null;
}

function scaleOf(traces: readonly Trace[], { settings, share }: LineModel, domain: Interval, height: number): Scaled {
  const all = extentOf(traces, domain);
  const { y: chosen, scale, robust } = settings;
  if (chosen !== null) return { y: chosenScale(chosen, all, scale, height), above: null, below: null };
  const shown = all !== null && robust ? robustExtent(traces, domain, all) : all;
  return { y: valueScale(shown, scale, share, height), ...outside(all, shown) };
}

function outside(all: Extent | null, shown: Extent | null): { above: number | null; below: number | null } {
  if (all === null || shown === null) return { above: null, below: null };
  return { above: all.high > shown.high ? all.high : null, below: all.low < shown.low ? all.low : null };
}

/** The room for the ticks' words, in steps: axes do not jump for a digit. */
function leftOf(ink: Ink, y: ValueScale, share: boolean, height: number): number {
  const count = tickCount(height);
  const write = tickWriter(y, share, count);
  const widest = Math.max(0, ...y.ticks(count).map((tick) => ink.measure(write(tick))));
  return MARGIN.left + 6 * Math.max(0, Math.ceil((widest + 10 - MARGIN.left) / 6));
}

function frameOf(domain: Interval, left: number, width: number, height: number, scaled: Scaled): Frame {
  return { left, top: MARGIN.top, width, height, x: scaleLinear(domain, [0, width]), ...scaled };
}
