/** What the user can do from the keyboard, wherever the focus is: one list for keys, palette and the sheet of keys. */

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
  { id: "undo", title: "Undo the last change of the view", keys: ["Mod+z"], able: ({ view }) => view.canUndo, run: ({ view }) => void view.undo() },
  { id: "redo", title: "Redo it", keys: ["Mod+Shift+z", "Mod+y"], able: ({ view }) => view.canRedo, run: ({ view }) => void view.redo() },
  { id: "reset", title: "Reset the view", keys: ["Shift+Escape"], able: ({ view }) => view.touched, run: ({ view }) => view.resetAll() },
  { id: "link", title: "Copy a link to this view", keys: ["l"], able: always, run: (page) => void copyLink(page) },
  { id: "search", title: "Search metrics", keys: ["/"], able: ({ layout }) => layout.entries.length > 0, run: ({ layout }) => layout.seek() },
  { id: "previous", title: "Lay the previous run over the charts", keys: ["p"], able: (page) => page.previous() !== null, run: layPrevious },
  { id: "theme", title: "Change the colours", keys: ["Shift+T"], able: always, run: ({ theme }) => theme.next() },
  {
    id: "fold",
    title: "Fold all sections, or unfold them",
    keys: ["Shift+F"],
    able: ({ layout }) => layout.sections.length > 0,
    run: ({ view, layout }) => view.set({ collapsed: view.collapsed.size > 0 ? [] : layout.sections }),
  },
];

/** The command that a key stands for, where it can be done; none while the user writes. */
export function commandOf(event: KeyboardEvent, page: Page, commands: readonly Command[] = COMMANDS): Command | undefined {
  if (event.defaultPrevented || event.altKey || isWriting(event.target)) return undefined;
  const mod = event.metaKey || event.ctrlKey;
  const key = event.key.length === 1 && mod ? event.key.toLowerCase() : event.key;
  // A letter bears its own Shift; a key that writes nothing, and one with ⌘ or Ctrl, says it.
  const shift = event.shiftKey && (mod || key.length > 1 || /[A-Z]/.test(key)) ? "Shift+" : "";
  const pressed = `${mod ? "Mod+" : ""}${shift}${key}`;
  return commands.find((command) => command.keys.includes(pressed) && command.able(page));
}

async function copyLink({ session, view }: Page): Promise<void> {
  try {
    await navigator.clipboard.writeText(view.link());
    session.notice = null;
    view.told = "A link to this view is in the clipboard.";
  } catch {
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
