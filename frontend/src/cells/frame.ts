/**
 * A sandboxed document in a cell that is changed without a flicker: drawn behind the old one, which is then removed.
 *
 * Figures of our own drawing stay in one document, which is handed the next figure and keeps what the user zoomed to; it
 * tells of that, so that a document that comes in its place can be zoomed to the same.
 */

import { documentAddress, frameAddress, readFigure } from "../network";
import { alike, isFigureZoom, type FigureZoom } from "../state/outlook";
import type { Theme } from "../state/theme.svelte";

export interface Wish {
  readonly cell: string;
  /** The file that the document is made of; null where it is the cell's own value. */
  readonly src: string | null;
  readonly version: string;
  readonly theme: Theme;
  readonly title: string;
}

export interface FigureFrame {
  readonly node: HTMLElement;
  /** Show this version. One load is under way at a time; of those wished for meanwhile the newest is next. */
  want(wish: Wish): Promise<void>;
  /** Recolour what is shown; nothing is loaded for that. */
  setTheme(theme: Theme): void;
  /** Zoom a figure of our own drawing; null shows all of it. */
  setZoom(zoom: FigureZoom | null): void;
  destroy(): void;
}

interface Load {
  wish: Wish;
  /** Whether its document can draw the next figure itself. */
  lasting: boolean;
  readonly frame: HTMLIFrameElement;
  timer: ReturnType<typeof setTimeout>;
}

/** A document that never says that it is ready is shown so long after its load. */
const PATIENCE_MS = 2000;
/** A load that brings nothing is given up after so long. */
const GIVE_UP_MS = 15_000;

/** What is heard of a document. */
export interface Heard {
  /** How high its content is, in pixels. */
  height(height: number): void;
  /** What the user zoomed its figure to. */
  zoom(zoom: FigureZoom | null): void;
  /** The user takes something back, or does it again. */
  step(which: "undo" | "redo"): void;
}

/** Make the place for a document. */
export function figureFrame(heard: Heard): FigureFrame {
  const node = document.createElement("div");
  node.className = "frames";
  let shown: Load | null = null;
  let load: Load | null = null;
  let next: Wish | null = null;
  let theme: Theme = "light";
  let zoom: FigureZoom | null = null;
  let settle: (() => void)[] = [];
  /** What the shown document is drawing in its own place. */
  let renewal: Wish | null = null;
  let patience: ReturnType<typeof setTimeout> | undefined;

  window.addEventListener("message", hear);

  // A sandboxed document has no origin to check: it is known by its window.
  function hear(event: MessageEvent<unknown>): void {
    const from = [load, shown].find((each) => each !== null && each.frame.contentWindow === event.source);
    const said = read(event.data);
    if (!from || said === null) return;
    if (said.agnez === "lasting") {
      from.lasting = true;
      if (zoom !== null) sendZoom(from);
    }
    if (said.agnez === "ready" && from === load) swap(from);
    if (said.agnez === "drawn" && from === shown && said.version === renewal?.version) renewed(from, renewal);
    if (said.agnez === "size" && from === shown) heard.height(said.height);
    if (from !== shown || !isAtHand(from)) return;
    if (said.agnez === "zoom" && !alike(said.axes, zoom)) heard.zoom((zoom = said.axes));
    if (said.agnez === "undo" || said.agnez === "redo") heard.step(said.agnez);
  }

  function sendZoom(to: Load): void {
    if (to.lasting && to.wish.src === null) to.frame.contentWindow?.postMessage({ agnez: "zoom", axes: zoom }, "*");
  }

  function begin(wish: Wish): void {
    if (shown?.lasting === true && shown.wish.cell === wish.cell && wish.src === null && shown.wish.src === null) void renew(shown, wish);
    else start(wish);
  }

  /** Hand the shown document the next figure; where that fails, a new document is loaded. */
  async function renew(into: Load, wish: Wish): Promise<void> {
    renewal = wish;
    const figure = await readFigure(wish.cell).catch(() => null);
    if (renewal !== wish) return;
    if (figure === null || shown !== into) {
      renewal = null;
      start(wish);
      return;
    }
    // A hand at the figure may hold it up; a document that does not answer for so long is replaced.
    patience = setTimeout(() => {
      if (renewal !== wish) return;
      renewal = null;
      start(wish);
    }, GIVE_UP_MS);
    into.frame.contentWindow?.postMessage({ ...figure, agnez: "figure", version: wish.version }, "*");
  }

  function renewed(into: Load, wish: Wish): void {
    into.wish = wish;
    into.frame.dataset["version"] = wish.version;
    finish();
  }

  function start(wish: Wish): void {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.title = wish.title;
    // What is hidden is painted only once it is shown, which may be late: so it stands behind what it is to replace.
    if (shown === null) frame.style.visibility = "hidden";
    frame.inert = true;
    frame.src = wish.src === null ? frameAddress(wish.cell, wish.theme, wish.version) : documentAddress(wish.src, wish.theme);
    const begun: Load = { wish, lasting: false, frame, timer: setTimeout(() => giveUp(begun), GIVE_UP_MS) };
    load = begun;
    frame.addEventListener("load", () => {
      clearTimeout(begun.timer);
      // An error page of the browser says nothing either: it does not replace a document.
      begun.timer = setTimeout(() => (shown === null ? swap(begun) : giveUp(begun)), PATIENCE_MS);
    }, { once: true });
    node.prepend(frame);
  }

  function swap(ready: Load): void {
    if (ready !== load) return;
    ready.frame.style.visibility = "";
    ready.frame.inert = false;
    ready.frame.dataset["testid"] = "figure";
    ready.frame.dataset["version"] = ready.wish.version;
    const focused = shown !== null && document.activeElement === shown.frame;
    shown?.frame.remove();
    shown = ready;
    if (focused) ready.frame.focus({ preventScroll: true });
    tell(ready.frame, theme);
    if (zoom !== null) sendZoom(ready); // it may have changed since the document was there
    done(ready);
  }

  function giveUp(failed: Load): void {
    if (failed !== load) return;
    failed.frame.remove();
    done(failed);
  }

  function done({ timer }: Load): void {
    clearTimeout(timer);
    load = null;
    finish();
  }

  function finish(): void {
    clearTimeout(patience);
    renewal = null;
    const wish = next;
    next = null;
    if (wish !== null && wish.version !== shown?.wish.version) {
      begin(wish);
    } else {
      settle.forEach((each) => each());
      settle = [];
    }
  }

  return {
    node,
    want(wish) {
      const under = load?.wish ?? renewal;
      if (under === null && shown?.wish.version === wish.version) return Promise.resolve();
      theme = wish.theme;
      const settled = new Promise<void>((resolve) => settle.push(resolve));
      if (under === null) begin(wish);
      else next = under.version === wish.version ? null : wish;
      return settled;
    },
    setTheme(now) {
      theme = now;
      if (shown !== null) tell(shown.frame, now);
    },
    setZoom(now) {
      if (alike(now, zoom)) return;
      zoom = now;
      if (shown !== null) sendZoom(shown);
    },
    destroy() {
      window.removeEventListener("message", hear);
      if (load !== null) clearTimeout(load.timer);
      clearTimeout(patience);
      node.remove();
    },
  };
}

/** Whether the user is at a figure of our own drawing: no other document has a say in what the page shows. */
function isAtHand({ lasting, wish, frame }: Load): boolean {
  return lasting && wish.src === null && (document.activeElement === frame || frame.matches(":hover"));
}

function tell(frame: HTMLIFrameElement, theme: Theme): void {
  // The document's origin is opaque, so that no narrower target can be named; a theme is no secret.
  frame.contentWindow?.postMessage({ agnez: "theme", theme }, "*");
}

type Said = { agnez: "zoom"; axes: FigureZoom | null } | { agnez: "ready" | "lasting" | "undo" | "redo" } | { agnez: "drawn"; version: string } | { agnez: "size"; height: number };

/** Read what a document says; anything may speak from inside a hostile one. */
function read(data: unknown): Said | null {
  if (typeof data !== "object" || data === null || !("agnez" in data)) return null;
  if (data.agnez === "ready" || data.agnez === "lasting" || data.agnez === "undo" || data.agnez === "redo") return { agnez: data.agnez };
  if (data.agnez === "drawn") return "version" in data && typeof data.version === "string" ? { agnez: "drawn", version: data.version } : null;
  if (data.agnez === "zoom") return "axes" in data && (data.axes === null || isFigureZoom(data.axes)) ? { agnez: "zoom", axes: data.axes } : null;
  if (data.agnez !== "size" || !("height" in data) || typeof data.height !== "number") return null;
  return Number.isFinite(data.height) ? { agnez: "size", height: data.height } : null;
}
