/** Light or dark: by the system, or by hand. */

import { MediaQuery } from "svelte/reactivity";
import type { ThemeChoice, View } from "./view.svelte";

export type Theme = "light" | "dark";

const ORDER: readonly ThemeChoice[] = ["system", "light", "dark"];

export class ThemeState {
  readonly #dark = new MediaQuery("prefers-color-scheme: dark");
  readonly #view: View;

  constructor(view: View) {
    this.#view = view;
  }

  get choice(): ThemeChoice {
    return this.#view.theme;
  }

  get theme(): Theme {
    if (this.choice !== "system") return this.choice;
    return this.#dark.current ? "dark" : "light";
  }

  /** Go on to the next of system, light, dark. */
  next(): void {
    this.#view.set({ theme: ORDER[(ORDER.indexOf(this.choice) + 1) % ORDER.length] ?? "system" });
  }

  /** Have the page's colours follow the choice; the colours of charts are read after that. */
  apply(): void {
    if (this.choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.choice;
  }
}
