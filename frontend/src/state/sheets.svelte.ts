/** What lies over the page until it is put away: the palette of commands, the sheet of keys, or the cells that are hidden. */

export type Sheet = "palette" | "keys" | "hidden";

export class Sheets {
  open = $state<Sheet | null>(null);
}
