/** Notes are kept in the record of their cell, so that they stay with the run and all pages show them. */

import { isForbidden, patchCell, readNotesOf, RequestError } from "../network";

let last: Promise<unknown> = Promise.resolve();

/** Keep a note at a step of a chart, in the place of what was noted there; what is returned says why it could not be done. */
export function keepNote(cell: string, step: number, text: string): Promise<string | null> {
  const kept = last.then(() => keep(cell, step, text));
  last = kept;
  return kept;
}

/** Others may have written meanwhile, and what we wrote last may not have come back yet: the server's notes count. */
async function keep(cell: string, step: number, text: string): Promise<string | null> {
  try {
    const others = (await readNotesOf(cell)).filter((note) => note.step !== step);
    const notes = text === "" ? others : [...others, { step, text }];
    await patchCell(cell, { notes: notes.sort((a, b) => a.step - b.step) });
    return null;
  } catch (error) {
    if (isForbidden(error)) return "You may only look here: notes are not kept.";
    if (error instanceof RequestError) return `The server did not take it (${error.status}).`;
    return "The server cannot be reached.";
  }
}
