/** The tab's icon: the mark of Agnez, and how far and in what state the training is. */

import type { Tone } from "./status";

const COLOURS: Readonly<Record<Tone, string>> = { good: "#4fc3b4", quiet: "#9299a3", warning: "#e9a94b", error: "#f0766a" };
const MARK = "M4.5 7.6c1.5-2.2 3.6-2 4.7.6l1.5 3.7c1 2.4 2.7 2.4 3.5.2.9-2.3 2.4-2.2 3.2-.2l1.6 3.6";
/** So many shares are told apart: a browser does much with an icon. */
const STEPS = 20;

/** Draw the icon as the address of a picture. `share` is from 0 to 1; null where it is not known. */
export function favicon(share: number | null, tone: Tone | null): string {
  const done = share === null ? null : Math.round(share * STEPS) / STEPS;
  const bar =
    done === null || tone === null
      ? ""
      : `<path d="M3.5 20.5h17" stroke="#fff" stroke-opacity=".35"/><path d="M3.5 20.5h${(17 * done).toFixed(2)}" stroke="#fff"/>`;
  const dot = tone === null || tone === "good" ? "" : `<circle cx="19" cy="5" r="4.5" fill="${COLOURS[tone]}" stroke="#fff" stroke-width="1.4"/>`;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6.5" fill="#0f766e"/>` +
    `<g fill="none" stroke-linecap="round" stroke-width="2.1"><path d="${MARK}" stroke="#fff"/>${bar}</g>${dot}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
