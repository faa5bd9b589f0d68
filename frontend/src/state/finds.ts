/** What the palette offers: commands, runs and cells, by the words of whoever looks for them. */

import { titleOf } from "../wire";
import { addressOf } from "./address";
import { COMMANDS } from "./commands";
import type { Page } from "./context";

export interface Find {
  readonly id: string;
  readonly kind: "command" | "run" | "cell";
  readonly title: string;
  /** What tells it from others of its title. */
  readonly about: string;
  readonly keys: readonly string[];
  run(): void;
}

/** So many are shown at once: who has not found it by then writes a word more. */
const MOST = 60;

/** All that can be done, or gone to, now. */
export function finds(page: Page): Find[] {
  const { session, layout } = page;
  const commands = COMMANDS.filter((command) => command.id !== "palette" && command.able(page)).map(
    (command): Find => ({ id: `command ${command.id}`, kind: "command", title: command.title, about: "", keys: command.keys, run: () => command.run(page) }),
  );
  const runs = [...session.runs.values()]
    .filter(({ id }) => id !== session.shown)
    .sort((a, b) => b.created - a.created)
    .map((run): Find => ({ id: `run ${run.id}`, kind: "run", title: run.name, about: `${run.project} · ${run.state}`, keys: [], run: () => session.choose(run.id) }));
  const loose: Find[] =
    session.looseCells > 0 && session.shown !== null
      ? [{ id: "run", kind: "run", title: "Cells without a run", about: addressOf(null), keys: [], run: () => session.choose(null) }]
      : [];
  const cells = layout.entries.map(
    ({ id, cell, hidden }): Find => ({
      id: `cell ${id}`,
      kind: "cell",
      title: titleOf(cell),
      about: hidden ? "hidden" : cell.description,
      keys: [],
      run: () => page.view.set({ open: page.view.keyOf(id) }),
    }),
  );
  const hidden = layout.hidden.map(
    ({ id, cell }): Find => ({ id: `show ${id}`, kind: "command", title: `Show ${titleOf(cell)} again`, about: "", keys: [], run: () => layout.hide(id, false) }),
  );
  return [...commands, ...runs, ...loose, ...cells, ...hidden];
}

/** Those that hold every word, the ones that begin with the first before others, in their order. */
export function matching(all: readonly Find[], query: string): Find[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const [first = ""] = words;
  const found = all.filter(({ title, about, kind }) => {
    const text = `${title} ${about} ${kind}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const rank = ({ title }: Find): number => (first !== "" && title.toLowerCase().startsWith(first) ? 0 : 1);
  return found.map((find, place) => ({ find, place })).sort((a, b) => rank(a.find) - rank(b.find) || a.place - b.place).slice(0, MOST).map(({ find }) => find);
}

const NAMES: Readonly<Record<string, string>> = { Escape: "Esc", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space" };

/** The keys of a command as they stand on this keyboard: `Mod+Shift+z` is ⌘ ⇧ Z, or Ctrl Shift Z. */
export function keyCaps(keys: string, apple: boolean): string[] {
  const parts = keys === "+" ? ["+"] : keys.split("+");
  return parts.map((part, nth) => {
    if (nth < parts.length - 1) return part === "Mod" ? (apple ? "⌘" : "Ctrl") : part === "Shift" && apple ? "⇧" : part;
    return NAMES[part] ?? (part.length === 1 ? part.toUpperCase() : part);
  });
}

/** Whether this is a keyboard of Apple's. */
export function isApple(): boolean {
  return /Mac|iPhone|iPad/.test(navigator.platform);
}
