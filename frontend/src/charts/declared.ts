/** The axis that a run says its metrics have. */

import type { AxisKind } from "../state/view.svelte";

const OWN: readonly string[] = ["step", "epoch", "time", "relative"];

/** What metrics that are drawn together are drawn over: what all of them are said to be, else `auto`. */
export function declaredAxis(metrics: readonly string[], axes: Readonly<Record<string, string>> = {}): AxisKind {
  const [first, ...others] = metrics.map((metric) => axisOf(metric, axes));
  if (first === undefined || others.some((axis) => axis !== first)) return "auto";
  return OWN.includes(first) ? (first as AxisKind) : `metric:${first}`;
}

/** The last pattern that fits counts; a metric is no axis of its own. */
function axisOf(metric: string, axes: Readonly<Record<string, string>>): string | undefined {
  const fits = Object.entries(axes).filter(([pattern, axis]) => axis !== metric && matches(pattern, metric));
  return fits[fits.length - 1]?.[1];
}

/** As shells match names: `*` for anything, `?` for a letter, `[ab]` and `[!ab]` for one of some. */
function matches(pattern: string, name: string): boolean {
  const source = pattern.replaceAll(/\[!?[^\]]+\]|[\s\S]/g, (part) => {
    if (part === "*") return "[\\s\\S]*";
    if (part === "?") return "[\\s\\S]";
    if (part.length > 1) return `[${part.startsWith("[!") ? "^" : ""}${part.slice(part.startsWith("[!") ? 2 : 1, -1).replaceAll(/[\\^]/g, "\\$&")}]`;
    return part.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  });
  return new RegExp(`^${source}$`).test(name);
}
