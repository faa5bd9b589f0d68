/** What all components may ask for. */

import { createContext } from "svelte";
import type { Palette } from "../charts/palette";
import type { Session } from "./session.svelte";
import type { ThemeState } from "./theme.svelte";
import type { View } from "./view.svelte";

export interface Page {
  readonly session: Session;
  readonly theme: ThemeState;
  readonly view: View;
  readonly palette: Palette;
}

export const [getPage, setPage] = createContext<Page>();
