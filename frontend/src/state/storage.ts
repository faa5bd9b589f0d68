/** What this browser remembers. Storage can be forbidden, or full: then it lasts as long as the page. */

/** Recall what was remembered under a name. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Remember a text under a name. */
export function remember(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
  } catch {
    return;
  }
}

/** Forget what was remembered under a name. */
export function forget(name: string): void {
  try {
    localStorage.removeItem(name);
  } catch {
    return;
  }
}
