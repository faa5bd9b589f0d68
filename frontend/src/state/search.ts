/** Which metrics a search names: all of its words, or a regular expression between slashes. */

export interface Search {
  /** What is wrong with a regular expression; null where nothing is. */
  readonly wrong: string | null;
  /** Whether everything matches, as nothing is asked for. */
  readonly all: boolean;
  /** Tell whether lines of text (one a name) match. `lower` is the text in small letters, where it is known. */
  matches(text: string, lower?: string): boolean;
}

/** Read a search. Words are looked for whatever their case; an expression has the flags behind its second slash. */
export function search(text: string): Search {
  const asked = text.trim();
  const [, pattern, flags] = /^\/(.+)\/([a-z]*)$/s.exec(asked) ?? [];
  if (pattern !== undefined) return byExpression(pattern, flags ?? "");
  // A slash at either end is that of an expression only where both are there: `train/` is a word.
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  return {
    wrong: null,
    all: words.length === 0,
    matches: (lines, lower = lines.toLowerCase()) => words.every((word) => lower.includes(word)),
  };
}

function byExpression(pattern: string, flags: string): Search {
  try {
    const expression = new RegExp(pattern, [...new Set(`${flags.replace(/[gy]/g, "")}m`)].join(""));
    return { wrong: null, all: false, matches: (lines) => expression.test(lines) };
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : "this is no regular expression", all: false, matches: () => false };
  }
}
