/** Ink that writes SVG. */

import { font, type Ink, type Lettering, type Pen } from "./ink";

export interface Page {
  readonly ink: Ink;
  /** The document, with what was drawn so far. */
  text(): string;
}

/** Make an empty page; `measure` says how wide letters are. */
export function svgPage(width: number, height: number, measure: Ink["measure"]): Page {
  const parts: string[] = [];
  let clips = 0;
  const ink: Ink = {
    stroke: (pen, draw) => parts.push(`<path d="${way(draw)}" fill="none" ${penned(pen)}/>`),
    fill: (colour, draw) => parts.push(`<path d="${way(draw)}Z" fill="${colour}"/>`),
    box: (colour, x, y, wide, high, strength = 1) =>
      parts.push(`<rect x="${n(x)}" y="${n(y)}" width="${n(wide)}" height="${n(high)}" fill="${colour}"${opacity(strength)}/>`),
    dot: (colour, x, y, radius, strength = 1) =>
      parts.push(`<circle cx="${n(x)}" cy="${n(y)}" r="${n(radius)}" fill="${colour}"${opacity(strength)}/>`),
    write: (text, x, y, lettering) => parts.push(`<text x="${n(x)}" y="${n(y)}" ${lettered(lettering)}>${escaped(text)}</text>`),
    measure,
    within(x, y, wide, high, draw) {
      const id = `clip-${++clips}`;
      parts.push(
        `<clipPath id="${id}"><rect x="${n(x)}" y="${n(y)}" width="${n(wide)}" height="${n(high)}"/></clipPath>`,
        `<g clip-path="url(#${id})">`,
      );
      draw();
      parts.push("</g>");
    },
  };
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`;
  return { ink, text: () => `${head}\n${parts.join("\n")}\n</svg>\n` };
}

function way(draw: Parameters<Ink["fill"]>[1]): string {
  const steps: string[] = [];
  draw({
    moveTo: (x, y) => steps.push(`M${n(x)} ${n(y)}`),
    lineTo: (x, y) => steps.push(`L${n(x)} ${n(y)}`),
  });
  return steps.join("");
}

function penned({ colour, width, dash = [], strength = 1 }: Pen): string {
  const dashed = dash.length > 0 ? ` stroke-dasharray="${dash.join(" ")}"` : "";
  return `stroke="${colour}" stroke-width="${width}" stroke-linejoin="round"${dashed}${strength < 1 ? ` stroke-opacity="${strength}"` : ""}`;
}

function lettered(lettering: Lettering): string {
  const anchor = { left: "start", center: "middle", right: "end" }[lettering.align ?? "left"];
  const halo = lettering.halo === undefined ? "" : ` stroke="${lettering.halo}" stroke-width="3" paint-order="stroke"`;
  return `fill="${lettering.colour}"${halo} text-anchor="${anchor}" dominant-baseline="central" style="font:${escaped(font(lettering))}"`;
}

function opacity(strength: number): string {
  return strength < 1 ? ` fill-opacity="${strength}"` : "";
}

/** Hundredths of a pixel are enough for every eye. */
function n(value: number): string {
  return String(Math.round(100 * value) / 100);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
