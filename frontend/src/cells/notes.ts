/** Notes are kept in the record of their cell, so that they stay with the run and all pages show them. */

import { isForbidden, patchCell, RequestError } from "../network";
import type { Note } from "../wire";

/** Keep the notes of a chart; what is returned says why it could not be done. */
export async function keepNotes(cell: string, notes: readonly Note[]): Promise<string | null> {
  try {
    await patchCell(cell, { notes });
    return null;
  } catch (error) {
    if (isForbidden(error)) return "You may only look here: notes are not kept.";
    if (error instanceof RequestError) return `The server did not take it (${error.status}).`;
    return "The server cannot be reached.";
  }
}
