/** The texts of files of media: their names say what they hold, so each is read once. */

import { readFile } from "../network";

const MOST = 24;
const known = new Map<string, Promise<string>>();

/** Read the text of a file, or have it again. */
export function fileText(address: string): Promise<string> {
  const before = known.get(address);
  if (before !== undefined) return before;
  const reading = readFile(address).catch((error: unknown) => {
    known.delete(address);
    throw error;
  });
  known.set(address, reading);
  for (const oldest of known.keys()) {
    if (known.size <= MOST) break;
    known.delete(oldest);
  }
  return reading;
}
