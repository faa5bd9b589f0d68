/** What all components may ask for. */

import { createContext } from "svelte";
import type { Palette } from "../charts/palette";
import type { Layout } from "./layout.svelte";
import type { Session } from "./session.svelte";
import type { Sheets } from "./sheets.svelte";
import type { ThemeState } from "./theme.svelte";
import type { View } from "./view.svelte";

export interface Page {
  readonly session: Session;
  readonly theme: ThemeState;
  readonly view: View;
  readonly layout: Layout;
  readonly sheets: Sheets;
  readonly palette: Palette;
  /** The number of the look of each run, the same wherever it is shown. */
  readonly colours: ReadonlyMap<string, number>;
  /** The run of the same project that began before the shown one. */
  previous(): string | null;
}

export const [getPage, setPage] = createContext<Page>();
