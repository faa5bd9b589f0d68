/** What charts are drawn with: on a canvas, or as SVG. Counts in CSS pixels. */

export interface Pen {
  readonly colour: string;
  readonly width: number;
  readonly dash?: readonly number[];
  readonly strength?: number;
  /** Whether the path has more points than pixels. */
  readonly dense?: boolean;
}

/** Where a path goes. */
export interface Way {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

export interface Lettering {
  readonly colour: string;
  readonly align?: "left" | "center" | "right";
  readonly bold?: boolean;
  readonly size?: number;
  /** The ground that letters keep free around them. */
  readonly halo?: string;
}

export interface Ink {
  /** Stroke a path. */
  stroke(pen: Pen, draw: (way: Way) => void): void;
  /** Fill a path. */
  fill(colour: string, draw: (way: Way) => void): void;
  box(colour: string, x: number, y: number, width: number, height: number, strength?: number): void;
  dot(colour: string, x: number, y: number, radius: number, strength?: number): void;
  /** Write a line of text, its middle at `y`. */
  write(text: string, x: number, y: number, lettering: Lettering): void;
  measure(text: string, lettering?: Pick<Lettering, "bold" | "size">): number;
  /** Draw nowhere but in a box. */
  within(x: number, y: number, width: number, height: number, draw: () => void): void;
}

const FAMILY = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';
export const SIZE = 10.5;

/** The font of some lettering, as CSS says it. */
export function font({ bold = false, size = SIZE }: Pick<Lettering, "bold" | "size">): string {
  return `${bold ? "600 " : ""}${size}px ${FAMILY}`;
}

/** Stroke a straight line. */
export function rule(ink: Ink, pen: Pen, x0: number, y0: number, x1: number, y1: number): void {
  ink.stroke(pen, (way) => {
    way.moveTo(x0, y0);
    way.lineTo(x1, y1);
  });
}

/** Part a text into lines that are no wider than there is room for; a word that is wider is parted, too. */
export function wrapped(text: string, room: number, measure: (text: string) => number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = `${lines[lines.length - 1] ?? ""} ${word}`;
    if (lines.length > 0 && measure(longer) <= room) lines[lines.length - 1] = longer;
    else lines.push(...pieces(word, room, measure));
  }
  return lines;
}

function pieces(word: string, room: number, measure: (text: string) => number): string[] {
  if (measure(word) <= room) return [word];
  const found: string[] = [""];
  for (const letter of word) {
    const longer = `${found[found.length - 1] ?? ""}${letter}`;
    if (longer.length === letter.length || measure(longer) <= room) found[found.length - 1] = longer;
    else found.push(letter);
  }
  return found;
}
