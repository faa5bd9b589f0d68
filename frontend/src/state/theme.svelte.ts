/** Light or dark: by the system, or by hand. */

import { MediaQuery } from "svelte/reactivity";

export type Theme = "light" | "dark";
export type Choice = "system" | Theme;

const KEY = "agnez-theme";
const ORDER: readonly Choice[] = ["system", "light", "dark"];

export class ThemeState {
  readonly #dark = new MediaQuery("prefers-color-scheme: dark");
  #choice = $state<Choice>(remembered());

  constructor() {
    this.#apply();
  }

  get choice(): Choice {
    return this.#choice;
  }

  get theme(): Theme {
    if (this.#choice !== "system") return this.#choice;
    return this.#dark.current ? "dark" : "light";
  }

  /** Go on to the next of system, light, dark. */
  next(): void {
    this.#choice = ORDER[(ORDER.indexOf(this.#choice) + 1) % ORDER.length] ?? "system";
    remember(this.#choice);
    this.#apply();
  }

  #apply(): void {
    if (this.#choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.#choice;
  }
}

// Storage can be forbidden by the browser: then the choice lasts as long as the page.
function remembered(): Choice {
  try {
    return ORDER.find((each) => each === localStorage.getItem(KEY)) ?? "system";
  } catch {
    return "system";
  }
}

function remember(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    return;
  }
}
