/** The page's colours as a canvas needs them: resolved from the custom properties of the theme. */

export interface Palette {
  readonly ink: string;
  readonly second: string;
  readonly third: string;
  readonly line: string;
  readonly grid: string;
  readonly panel: string;
  readonly accent: string;
  readonly accentSoft: string;
  readonly warning: string;
  readonly warningSoft: string;
  readonly error: string;
  /** Series colours; the first is number 1. */
  readonly series: readonly string[];
}

/** Read the colours of the theme that holds now. */
export function readPalette(): Palette {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    ink: colour("ink"),
    second: colour("second"),
    third: colour("third"),
    line: colour("line"),
    grid: colour("grid"),
    panel: colour("panel"),
    accent: colour("accent"),
    accentSoft: colour("accent-soft"),
    warning: colour("warning"),
    warningSoft: colour("warning-soft"),
    error: colour("error"),
    series: [1, 2, 3, 4, 5, 6].map((nth) => colour(`series-${nth}`)),
  };
  probe.remove();
  return palette;
}

/** Return the colour of a series by its number, from 1. */
export function seriesColour(palette: Palette, nth: number): string {
  return palette.series[(nth - 1) % palette.series.length] ?? palette.ink;
}
