/** What a metric's name says of how it is drawn. */

export type Phase = "batch" | "train" | "val" | "test";

/** What stands along a line whose colour another line has as well. */
export type Bead = "none" | "ring" | "square";

export interface SeriesStyle {
  readonly metric: string;
  /** What tells this series from the others of its chart. */
  readonly label: string;
  /** Which of the six series colours, from 1. */
  readonly colour: number;
  readonly dash: readonly number[];
  readonly bead: Bead;
  readonly width: number;
  /** Strength of the line: 1 is full; the raw curve behind is a quarter. */
  readonly strength: number;
}

const PHASES: readonly string[] = ["batch", "train", "val", "test"];
const COLOURS = 6;
const DASHED = [5, 3.5];
const DOTTED = [1.5, 3];
/** What tells series apart where colours tell runs apart. */
const DASHES: readonly (readonly number[])[] = [[], DASHED, DOTTED, [7, 2.5, 1.5, 2.5], [10, 4]];
/** Metrics that have one colour wherever they are shown. */
const OWN_COLOUR: Readonly<Record<string, number>> = { learning_rate: 4, "time/step": 6, "time/epoch": 6 };

/** Tell when a metric was measured (`val/loss`, and `val_loss` as Keras and Lightning write it) and what it measures. */
export function split(metric: string): { phase: Phase | null; quantity: string } {
  const match = /^([a-z]+)([/_])(.+)$/.exec(metric);
  const [, phase, joint, quantity] = match ?? [];
  if (phase && quantity && PHASES.includes(phase) && (joint === "/" || phase !== "batch")) {
    return { phase: phase as Phase, quantity };
  }
  return { phase: null, quantity: metric };
}

/** Tell whether a metric is of a kind that is a share of one (the values decide whether it is). */
export function isShare(metric: string): boolean {
  return /accuracy|precision|recall|auc|(^|[/_])acc($|_)/i.test(metric);
}

/** Tell whether the best value of a metric is its highest, its lowest, or neither. */
export function better(metric: string): "higher" | "lower" | null {
  if (isShare(metric) || /(^|[/_])(f1|r2|iou|dice|bleu)/i.test(metric)) return "higher";
  if (/loss|error|mae|mse|perplexity/i.test(metric)) return "lower";
  return null;
}

/** Style the series of one chart, in the order of their metrics. */
export function seriesStyles(metrics: readonly string[]): SeriesStyle[] {
  const parts = metrics.map((metric) => ({ metric, ...split(metric) }));
  const phased = parts.some((part) => part.phase !== null);
  const quantities = [...new Set(parts.filter((part) => part.phase !== null || phased).map((part) => part.quantity))];
  const shared = commonFolder(parts.filter((part) => part.phase === null).map((part) => part.metric));
  let others = 0;
  return parts.map(({ metric, phase, quantity }) => {
    if (phase === null && !phased) {
      const own = OWN_COLOUR[metric];
      const label = own === undefined ? metric.slice(shared.length) : metric.replace("_", " ");
      return plain(metric, label, own ?? ++others);
    }
    const nth = quantities.indexOf(quantity);
    const label = quantities.length > 1 ? [phase, quantity].filter(Boolean).join(" ") : (phase ?? "train");
    return ofPhase(metric, label, phase ?? "train", nth);
  });
}

function plain(metric: string, label: string, nth: number): SeriesStyle {
  // Past the sixth series colours come again, told apart by their dashes.
  const round = Math.floor((nth - 1) / COLOURS) % 3;
  return { metric, label, colour: ring(nth), dash: [[], DASHED, DOTTED][round] ?? [], bead: "none", width: 1.75, strength: 1 };
}

function ofPhase(metric: string, label: string, phase: Phase, nth: number): SeriesStyle {
  const own = { batch: 1, train: 1, val: 2, test: 3 }[phase];
  return {
    metric,
    label,
    colour: ring(2 * nth + own),
    dash: phase === "val" ? DASHED : phase === "test" ? DOTTED : [],
    bead: "none",
    width: phase === "batch" ? 1 : 1.75,
    strength: phase === "batch" ? 0.25 : 1,
  };
}

function ring(nth: number): number {
  return ((nth - 1) % COLOURS) + 1;
}

/** The folder that all names are in (`weights/`), or "" where they are in none or it is all there is. */
function commonFolder(names: readonly string[]): string {
  const folder = /^[^/]+\//.exec(names[0] ?? "")?.[0] ?? "";
  return names.length > 1 && names.every((name) => name.startsWith(folder)) ? folder : "";
}

/** The colour of a metric where it stands alone, as in a tile of numbers: that of its chart. */
export function colourOf(metric: string): number {
  return seriesStyles([metric])[0]?.colour ?? 1;
}

const styled = new WeakMap<SeriesStyle, Map<string, SeriesStyle>>();

const BEADS: readonly Bead[] = ["none", "ring", "square"];

/** How many runs look each different. */
export const RUN_LOOKS = COLOURS * BEADS.length;

/** The look of a run by its number, from 1: past the sixth colours come again, and beads tell the runs apart. */
export function runLook(nth: number): Pick<SeriesStyle, "colour" | "bead"> {
  return { colour: ring(nth), bead: BEADS[Math.floor((nth - 1) / COLOURS) % BEADS.length] ?? "none" };
}

/** Style the series at a `place` of its chart, of a run that is laid over: thin, with the look of the run. */
export function overlaid(style: SeriesStyle, place: number, nth: number, run: string, alone: boolean): SeriesStyle {
  const label = alone ? run : `${run} ${style.label}`;
  return kept(style, `${place} ${nth} ${label}`, () => ({ ...amongRuns(style, place, nth), width: 1, label }));
}

/** Style the series at a `place` of its chart, of the run that others are laid over: dashes tell the series apart there. */
export function amongRuns(style: SeriesStyle, place: number, nth: number): SeriesStyle {
  const dash = split(style.metric).phase === null ? (DASHES[place % DASHES.length] ?? []) : style.dash;
  return kept(style, `${place} ${nth}`, () => ({ ...style, ...runLook(nth), dash }));
}

/** What was made of a style under a key: the same object each time. */
function kept(style: SeriesStyle, key: string, make: () => SeriesStyle): SeriesStyle {
  const known = styled.get(style) ?? new Map<string, SeriesStyle>();
  styled.set(style, known);
  const found = known.get(key) ?? make();
  known.set(key, found);
  return found;
}
