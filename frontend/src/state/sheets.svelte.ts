/** What lies over the page until it is put away: the palette of commands, or the sheet of keys. */

export type Sheet = "palette" | "keys";

export class Sheets {
  open = $state<Sheet | null>(null);
}
