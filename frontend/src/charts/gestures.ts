/** What the user does on a chart: pointer, wheel and keyboard. */

import type { Interval } from "../state/view.svelte";
import { lowered, stretched, type ValueScale } from "./domain";
import type { Selection } from "./draw";
import { clamp, spoken, type Drawn, type Stroke } from "./model";
import { around, moved, within, wider } from "./ranges";
import { pointAt } from "./track";

/** Pixels that a drag has to go to be one. */
const LEAST_DRAG = 8;
/** Pixels that a drag may wander off without meaning the other axis, too. */
const STRAIGHT = 24;
/** Pixels that a line is near in. */
const NEAR = 36;
/** Milliseconds within which a second click makes a double one. */
const DOUBLE_MS = 240;
/** Pixels within which a finger means a mark. */
const FINGER = 16;
const ZOOM_STEP = 1.4;

/** A part of the axes; what is undefined stays as it is, null is all there is. */
export interface Range {
  readonly x?: Interval | null;
  readonly y?: Interval | null;
}

/** Hears what the user wants of the view. */
export interface LineEvents {
  hover(x: number | null, near: string | null): void;
  zoom(range: Range): void;
  /** Mark a place, or take away the mark that is there, or within `reach` of it. */
  pin(x: number, reach?: number): void;
  /** Say of a point of a line where it is. */
  say(stroke: Stroke, place: number, value: number): void;
  /** A key that means something to what is around the chart: `n`ote, `f`ull screen, `t`able. */
  command(key: string): void;
}

/** The chart, as its gestures need it. */
export interface Inner {
  drawn(): Drawn | null;
  hover(): number | null;
  near(): string | null;
  select(selection: Selection | null): void;
  /** Whether the wheel is the chart's alone: nothing around it scrolls. */
  alone(): boolean;
}

interface Grip {
  readonly kind: "select" | "pan";
  readonly x: number;
  readonly y: number;
  readonly range: Interval;
  readonly values: ValueScale;
}

/** Let pointer, wheel and keyboard act on a chart. */
export function listen(node: HTMLElement, events: LineEvents, inner: Inner): void {
  pointer(node, events, inner);
  pinch(node, events, inner);
  wheel(node, events, inner);
  node.addEventListener("blur", () => events.hover(null, null));
  node.addEventListener("keydown", (event) => {
    const drawn = inner.drawn();
    if (drawn === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (pressed(event.key, event.shiftKey ? 10 : 1, drawn, events, inner)) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
}

function pointer(node: HTMLElement, events: LineEvents, inner: Inner): void {
  let grip: Grip | null = null;
  let clicked: ReturnType<typeof setTimeout> | undefined;

  /** Where an event is, in pixels of the axes. */
  function at(event: MouseEvent, { frame }: Drawn): { x: number; y: number } {
    const box = node.getBoundingClientRect();
    return {
      x: clamp(event.clientX - box.left - frame.left, 0, frame.width),
      y: clamp(event.clientY - box.top - frame.top, 0, frame.height),
    };
  }

  function selected(place: { x: number; y: number }): Selection | null {
    if (grip?.kind !== "select") return null;
    const [wide, high] = [Math.abs(place.x - grip.x), Math.abs(place.y - grip.y)];
    if (Math.max(wide, high) < LEAST_DRAG) return null;
    const both = wide >= STRAIGHT && high >= STRAIGHT;
    const pair = (a: number, b: number): Interval => [Math.min(a, b), Math.max(a, b)];
    return {
      x: both || wide >= high ? pair(grip.x, place.x) : null,
      y: both || high > wide ? pair(grip.y, place.y) : null,
    };
  }

  node.addEventListener("pointerdown", (event) => {
    const drawn = inner.drawn();
    if (drawn === null || event.button > 1 || event.pointerType === "touch") return;
    const kind = event.shiftKey || event.button === 1 ? "pan" : "select";
    grip = { kind, ...at(event, drawn), range: drawn.frame.x.domain() as [number, number], values: drawn.frame.y };
    if (kind === "pan") event.preventDefault();
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    const drawn = inner.drawn();
    if (drawn === null) return;
    const place = at(event, drawn);
    if (grip?.kind === "pan") return pan(drawn, grip, place, events);
    events.hover(drawn.frame.x.invert(place.x), nearestLine(drawn, place));
    if (grip !== null) inner.select(selected(place));
  });
  node.addEventListener("pointerup", (event) => {
    const drawn = inner.drawn();
    if (grip === null || drawn === null) return;
    const place = at(event, drawn);
    const selection = selected(place);
    const still = grip.kind === "select" && selection === null;
    grip = null;
    inner.select(null);
    if (selection !== null) events.zoom(rangeOf(drawn, selection));
    // Only a single click pins: the first of two must not.
    else if (still && event.detail <= 1) clicked = setTimeout(() => events.pin(drawn.frame.x.invert(place.x)), DOUBLE_MS);
  });
  node.addEventListener("pointercancel", () => {
    grip = null;
    inner.select(null);
  });
  node.addEventListener("pointerleave", () => {
    if (grip === null) events.hover(null, null);
  });
  // A finger that stops a page from scrolling, or rests to read the cursor, makes no click.
  node.addEventListener("click", (event) => {
    const drawn = inner.drawn();
    if (drawn === null || !(event instanceof PointerEvent) || event.pointerType !== "touch") return;
    clearTimeout(clicked);
    if (event.detail > 1) return;
    const { left, width, x } = drawn.frame;
    const at = clamp(event.clientX - node.getBoundingClientRect().left - left, 0, width);
    clicked = setTimeout(() => events.pin(x.invert(at), x.invert(FINGER) - x.invert(0)), DOUBLE_MS);
  });
  node.addEventListener("dblclick", () => {
    clearTimeout(clicked);
    events.zoom({ x: null, y: null });
  });
}

function rangeOf({ frame }: Drawn, { x, y }: Selection): Range {
  return {
    ...(x !== null && { x: [frame.x.invert(x[0]), frame.x.invert(x[1])] as const }),
    ...(y !== null && { y: [frame.y.invert(y[1]), frame.y.invert(y[0])] as const }),
  };
}

/** Move what is shown along with the pointer. The y axis goes along where its range is the user's own. */
function pan({ frame, model }: Drawn, grip: Grip, place: { x: number; y: number }, events: LineEvents): void {
  const [low, high] = grip.range;
  const aside = ((grip.x - place.x) / frame.width) * (high - low);
  const x = model.settings.zoom === null ? undefined : within(moved(grip.range, aside), model.axis.domain);
  const y = model.settings.y === null ? undefined : lowered(grip.values, frame.height, place.y - grip.y);
  if (x !== undefined || y !== undefined) events.zoom({ ...(x && { x }), ...(y && { y }) });
}

/** The line that runs nearest to a place of the axes. */
function nearestLine({ frame, strokes }: Drawn, { x, y }: { x: number; y: number }): string | null {
  const place = frame.x.invert(x);
  let found: string | null = null;
  let least = NEAR;
  for (const stroke of strokes) {
    if (spoken(strokes, stroke.line.key) !== stroke) continue;
    const point = pointAt(stroke.track, place);
    const apart = point === null ? Infinity : Math.abs(frame.y(point.value) - y);
    if (apart < least) [found, least] = [stroke.line.key, apart];
  }
  return found;
}

/** Two fingers zoom as they part, and move what is zoomed along; one moves the cursor, or scrolls the page. */
function pinch(node: HTMLElement, events: LineEvents, inner: Inner): void {
  const fingers = new Map<number, number>();
  let began: { readonly domain: Interval; readonly apart: number; readonly at: number } | null = null;

  const apart = (): number => {
    const [a = 0, b = 0] = fingers.values();
    return Math.max(1, Math.abs(a - b));
  };
  /** Where the middle between the fingers is, as a share of the axis. */
  const middle = ({ left, width }: Drawn["frame"]): number => {
    const [a = 0, b = 0] = fingers.values();
    return clamp((a + b) / 2 - node.getBoundingClientRect().left - left, 0, width) / width;
  };
  const leave = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
    began = null;
  };

  node.addEventListener("pointerdown", (event) => {
    const frame = inner.drawn()?.frame;
    if (event.pointerType !== "touch" || frame === undefined) return;
    fingers.set(event.pointerId, event.clientX);
    if (fingers.size !== 2) return;
    began = { domain: frame.x.domain() as [number, number], apart: apart(), at: frame.x.invert(middle(frame) * frame.width) };
  });
  node.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const drawn = inner.drawn();
    if (began === null || drawn === null) return;
    const all = drawn.model.axis.domain;
    const wide = ((began.domain[1] - began.domain[0]) * began.apart) / apart();
    const low = began.at - wide * middle(drawn.frame);
    events.zoom({ x: wider(within([low, low + wide], all), all) });
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"] as const) node.addEventListener(end, leave);
}

/** The wheel zooms with Ctrl or Cmd held, so that the page scrolls as it does everywhere; aside it moves what is zoomed. */
function wheel(node: HTMLElement, events: LineEvents, inner: Inner): void {
  node.addEventListener(
    "wheel",
    (event) => {
      const drawn = inner.drawn();
      if (drawn === null) return;
      const { frame, model } = drawn;
      const box = node.getBoundingClientRect();
      const domain = frame.x.domain() as [number, number];
      const zooms = event.ctrlKey || event.metaKey || (inner.alone() && Math.abs(event.deltaY) >= Math.abs(event.deltaX));
      const aside = !zooms && model.settings.zoom !== null && Math.abs(event.deltaX) > Math.abs(event.deltaY);
      if (!zooms && !aside) return;
      event.preventDefault();
      if (aside) {
        const way = (event.deltaX / frame.width) * (domain[1] - domain[0]);
        events.zoom({ x: within(moved(domain, way), model.axis.domain) });
        return;
      }
      const factor = Math.exp(clamp(event.deltaY, -120, 120) * 0.004);
      if (event.shiftKey) {
        const at = clamp(event.clientY - box.top - frame.top, 0, frame.height);
        events.zoom({ y: stretched(frame.y, frame.height, at, factor) });
        return;
      }
      const at = frame.x.invert(clamp(event.clientX - box.left - frame.left, 0, frame.width));
      events.zoom({ x: wider(around(domain, at, factor), model.axis.domain) });
    },
    { passive: false },
  );
}

/** Do what a key means; tell whether it means something. */
function pressed(key: string, times: number, drawn: Drawn, events: LineEvents, inner: Inner): boolean {
  const { frame, model } = drawn;
  const domain = frame.x.domain() as [number, number];
  const middle = inner.hover() ?? (domain[0] + domain[1]) / 2;
  const { zoom } = model.settings;
  switch (key) {
    case "ArrowLeft":
      return step(-times, drawn, events, inner);
    case "ArrowRight":
      return step(times, drawn, events, inner);
    case "ArrowUp":
      return times > 1 ? values(1 / ZOOM_STEP, drawn, events, inner) : otherLine(-1, drawn, events, inner);
    case "ArrowDown":
      return times > 1 ? values(ZOOM_STEP, drawn, events, inner) : otherLine(1, drawn, events, inner);
    case "Home":
      return step(-Infinity, drawn, events, inner);
    case "End":
      return step(Infinity, drawn, events, inner);
    case "+":
    case "=":
      events.zoom({ x: wider(around(domain, middle, 1 / ZOOM_STEP), model.axis.domain) });
      return true;
    case "-":
      events.zoom({ x: wider(around(domain, middle, ZOOM_STEP), model.axis.domain) });
      return true;
    case "0":
      events.zoom({ x: null, y: null });
      return true;
    case "PageUp":
    case "PageDown": {
      const way = key === "PageUp" ? -1 : 1;
      if (times > 1) {
        if (model.settings.y === null) return false;
        events.zoom({ y: lowered(frame.y, frame.height, (-way * frame.height) / 2) });
        return true;
      }
      if (zoom === null) return false;
      events.zoom({ x: within(moved(domain, (way * (domain[1] - domain[0])) / 2), model.axis.domain) });
      return true;
    }
    case "Enter":
      if (inner.hover() === null) return false;
      events.pin(inner.hover() ?? 0);
      return true;
    case "Escape":
      if (inner.hover() !== null) events.hover(null, null);
      else if (zoom !== null || model.settings.y !== null) events.zoom({ x: null, y: null });
      else return false;
      return true;
    case "n":
    case "f":
    case "t":
      events.command(key);
      return true;
    default:
      return false;
  }
}

/** Show a lesser or a greater range of values, around the line that is meant. */
function values(factor: number, drawn: Drawn, events: LineEvents, inner: Inner): boolean {
  const { y, x, height } = drawn.frame;
  const stroke = voice(drawn, inner);
  const [low, high] = y.domain();
  const point = stroke === undefined ? null : pointAt(stroke.track, inner.hover() ?? x.domain()[1] ?? 0);
  const at = point === null || !(point.value > low && point.value < high) ? height / 2 : y(point.value);
  events.zoom({ y: stretched(y, height, at, factor) });
  return true;
}

/** The lines that the keyboard goes through. */
function voices({ strokes, model }: Drawn): Stroke[] {
  return model.lines.map((line) => spoken(strokes, line.key)).filter((each) => each !== undefined && each.track.length > 0) as Stroke[];
}

function voice(drawn: Drawn, inner: Inner): Stroke | undefined {
  const all = voices(drawn);
  return all.find(({ line }) => line.key === inner.near()) ?? all[0];
}

/** Move the cursor along the points of a line. */
function step(count: number, drawn: Drawn, events: LineEvents, inner: Inner): boolean {
  const stroke = voice(drawn, inner);
  if (stroke === undefined) return false;
  const { track } = stroke;
  const [low, high] = drawn.frame.x.domain() as [number, number];
  const hover = inner.hover();
  const from = hover === null ? (count < 0 ? high : low) : hover;
  const current = pointAt(track, from)?.index ?? (from < (track.x[0] ?? 0) ? 0 : track.length - 1);
  // The first key shows the point at which the cursor enters.
  const wanted = hover === null && Number.isFinite(count) ? current : current + count;
  const [first, last] = shownPoints(stroke, low, high);
  const index = clamp(wanted, first, last);
  const place = track.x[index] ?? 0;
  events.hover(place, stroke.line.key);
  events.say(stroke, place, track.y[index] ?? NaN);
  return true;
}

/** The first and the last point of a line that lie in a range. */
function shownPoints({ track: { x, length } }: Stroke, low: number, high: number): [number, number] {
  let [first, last] = [0, length - 1];
  while (first < last && (x[first] ?? 0) < low) first++;
  while (last > first && (x[last] ?? 0) > high) last--;
  return [first, last];
}

function otherLine(count: number, drawn: Drawn, events: LineEvents, inner: Inner): boolean {
  const all = voices(drawn);
  const now = voice(drawn, inner);
  if (now === undefined) return false;
  const next = all[(all.indexOf(now) + count + all.length) % all.length] ?? now;
  const hover = inner.hover() ?? drawn.frame.x.domain()[1] ?? 0;
  const point = pointAt(next.track, hover) ?? pointAt(next.track, next.track.x[next.track.length - 1] ?? 0);
  if (point === null) return false;
  events.hover(point.place, next.line.key);
  events.say(next, point.place, point.value);
  return true;
}
