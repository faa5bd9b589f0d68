/** A sandboxed document in a cell that is changed without a flicker: drawn hidden, swapped, the old one removed. */

import { documentAddress, frameAddress } from "../network";
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
  destroy(): void;
}

interface Load {
  readonly wish: Wish;
  readonly frame: HTMLIFrameElement;
  timer: ReturnType<typeof setTimeout>;
}

/** A document that never says that it is ready is shown so long after its load. */
const PATIENCE_MS = 2000;
/** A load that brings nothing is given up after so long. */
const GIVE_UP_MS = 15_000;

/** Make the place for a document. `onheight` hears how high its content is, in pixels. */
export function figureFrame(onheight: (height: number) => void): FigureFrame {
  const node = document.createElement("div");
  node.className = "frames";
  let shown: Load | null = null;
  let load: Load | null = null;
  let next: Wish | null = null;
  let theme: Theme = "light";
  let settle: (() => void)[] = [];

  window.addEventListener("message", hear);

  // A sandboxed document has no origin to check: it is known by its window.
  function hear(event: MessageEvent<unknown>): void {
    const from = [load, shown].find((each) => each !== null && each.frame.contentWindow === event.source);
    const said = read(event.data);
    if (!from || said === null) return;
    if (said.agnez === "ready" && from === load) swap(from);
    if (said.agnez === "size" && from === shown) onheight(said.height);
  }

  function start(wish: Wish): void {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.title = wish.title;
    frame.style.visibility = "hidden";
    frame.src = wish.src === null ? frameAddress(wish.cell, wish.theme, wish.version) : documentAddress(wish.src, wish.theme);
    const begun: Load = { wish, frame, timer: setTimeout(() => giveUp(begun), GIVE_UP_MS) };
    load = begun;
    frame.addEventListener("load", () => {
      clearTimeout(begun.timer);
      // An error page of the browser says nothing either: it does not replace a document.
      begun.timer = setTimeout(() => (shown === null ? swap(begun) : giveUp(begun)), PATIENCE_MS);
    }, { once: true });
    node.append(frame);
  }

  function swap(ready: Load): void {
    if (ready !== load) return;
    ready.frame.style.visibility = "";
    ready.frame.dataset["testid"] = "figure";
    ready.frame.dataset["version"] = ready.wish.version;
    shown?.frame.remove();
    shown = ready;
    tell(ready.frame, theme);
    finish(ready);
  }

  function giveUp(failed: Load): void {
    if (failed !== load) return;
    failed.frame.remove();
    finish(failed);
  }

  function finish(done: Load): void {
    clearTimeout(done.timer);
    load = null;
    const wish = next;
    next = null;
    if (wish !== null && wish.version !== shown?.wish.version) {
      start(wish);
    } else {
      settle.forEach((each) => each());
      settle = [];
    }
  }

  return {
    node,
    want(wish) {
      if (load === null && shown?.wish.version === wish.version) return Promise.resolve();
      theme = wish.theme;
      const settled = new Promise<void>((resolve) => settle.push(resolve));
      if (load === null) start(wish);
      else next = load.wish.version === wish.version ? null : wish;
      return settled;
    },
    setTheme(now) {
      theme = now;
      if (shown !== null) tell(shown.frame, now);
    },
    destroy() {
      window.removeEventListener("message", hear);
      if (load !== null) clearTimeout(load.timer);
      node.remove();
    },
  };
}

function tell(frame: HTMLIFrameElement, theme: Theme): void {
  // The document's origin is opaque, so that no narrower target can be named; a theme is no secret.
  frame.contentWindow?.postMessage({ agnez: "theme", theme }, "*");
}

/** Read what a document says; anything may speak from inside a hostile one. */
function read(data: unknown): { agnez: "ready" } | { agnez: "size"; height: number } | null {
  if (typeof data !== "object" || data === null || !("agnez" in data)) return null;
  if (data.agnez === "ready") return { agnez: "ready" };
  if (data.agnez !== "size" || !("height" in data) || typeof data.height !== "number") return null;
  return Number.isFinite(data.height) ? { agnez: "size", height: data.height } : null;
}
