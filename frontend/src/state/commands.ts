/** What the user can do from the keyboard, wherever the focus is: one list for keys, palette and the sheet of keys. */

import { copyText } from "./clipboard";
import type { Page } from "./context";

export interface Command {
  readonly id: string;
  /** What it does, as a user would ask for it. */
  readonly title: string;
  /** The keys that do it, as `KeyboardEvent.key` names them, with `Mod+` (⌘ or Ctrl) and `Shift+` before. */
  readonly keys: readonly string[];
  /** Whether it can be done now. */
  able(page: Page): boolean;
  run(page: Page): void;
}

const always = (): boolean => true;

export const COMMANDS: readonly Command[] = [
  { id: "palette", title: "Search commands, runs and cells", keys: ["Mod+k"], able: always, run: ({ sheets }) => (sheets.open = "palette") },
  { id: "keys", title: "Show all keys", keys: ["?"], able: always, run: ({ sheets }) => (sheets.open = "keys") },
  { id: "newest", title: "Show the newest run", keys: ["g"], able: ({ session }) => session.runs.size > 0, run: ({ session }) => session.chooseNewest() },
  { id: "earlier", title: "Show the run before", keys: ["["], able: (page) => beside(page, 1) !== null, run: (page) => choose(page, 1) },
  { id: "later", title: "Show the run after", keys: ["]"], able: (page) => beside(page, -1) !== null, run: (page) => choose(page, -1) },
  { id: "undo", title: "Undo the last change of the view", keys: ["Mod+z"], able: ({ view }) => view.canUndo, run: ({ view }) => void view.undo() },
  { id: "redo", title: "Redo it", keys: ["Mod+Shift+z", "Mod+y"], able: ({ view }) => view.canRedo, run: ({ view }) => void view.redo() },
  { id: "reset", title: "Reset the view", keys: ["Shift+Escape"], able: ({ view }) => view.touched, run: ({ view }) => view.resetAll() },
  { id: "link", title: "Copy a link to this view", keys: ["l"], able: always, run: (page) => void copyLink(page) },
  { id: "search", title: "Search metrics", keys: ["/"], able: ({ layout }) => layout.entries.length > 0, run: ({ layout }) => layout.seek() },
  { id: "hidden", title: "Choose among hidden cells", keys: ["h"], able: ({ layout }) => layout.hidden.length > 0, run: ({ sheets }) => (sheets.open = "hidden") },
  { id: "show-all", title: "Show all hidden cells", keys: [], able: ({ layout }) => layout.hidden.length > 0, run: ({ layout }) => layout.showAll() },
  { id: "previous", title: "Lay the previous run over the charts", keys: ["p"], able: (page) => page.previous() !== null, run: layPrevious },
  { id: "theme", title: "Change the colours", keys: ["Shift+T"], able: always, run: ({ theme }) => theme.next() },
  {
    id: "fold",
    title: "Fold all sections, or unfold them",
    keys: ["Shift+F"],
    able: ({ layout }) => layout.headings.length > 0,
    run: ({ view, layout }) => view.set({ collapsed: view.collapsed.size > 0 ? [] : layout.headings }),
  },
];

/** The command that a key stands for, where it can be done; none while the user writes. */
export function commandOf(event: KeyboardEvent, page: Page, commands: readonly Command[] = COMMANDS): Command | undefined {
  const mod = event.metaKey || event.ctrlKey;
  const isPalette = mod && event.key.toLowerCase() === "k"; // it opens while one writes, too
  if (event.defaultPrevented || event.altKey || page.sheets.open !== null || (isWriting(event.target) && !isPalette)) return undefined;
  const key = event.key.length === 1 && mod ? event.key.toLowerCase() : event.key;
  // A letter bears its own Shift; a key that writes nothing, and one with ⌘ or Ctrl, says it.
  const shift = event.shiftKey && (mod || key.length > 1 || /[A-Z]/.test(key)) ? "Shift+" : "";
  const pressed = `${mod ? "Mod+" : ""}${shift}${key}`;
  return commands.find((command) => command.keys.includes(pressed) && command.able(page));
}

/** The run that stands before or behind the shown one in the list. */
function beside({ session }: Page, by: number): string | null {
  const runs = [...session.runs.values()].sort((a, b) => b.created - a.created);
  const at = runs.findIndex(({ id }) => id === session.shown);
  return at < 0 ? null : (runs[at + by]?.id ?? null);
}

function choose(page: Page, by: number): void {
  const run = beside(page, by);
  if (run !== null) page.session.choose(run);
}

async function copyLink({ session, view }: Page): Promise<void> {
  if (await copyText(view.link())) {
    session.notice = null;
    view.told = "A link to this view is in the clipboard.";
  } else {
    view.told = "The browser does not let this page write to the clipboard: copy the address instead.";
  }
}

function layPrevious(page: Page): void {
  const previous = page.previous();
  if (previous !== null) page.view.toggleOverlay(previous);
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox], [type=range]), textarea, select"));
}
