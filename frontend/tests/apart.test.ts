import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { inBands } from "../src/charts/apart";
import { RUN_LOOKS, runLook } from "../src/charts/style";

describe("the bands of a dense line", () => {
  const points = Array.from({ length: 60 }, (_, nth) => [nth, nth % 7] as const);

  /** The pieces of the line that are drawn in one kind of bands, each as where it begins and ends. */
  function drawn(odd: 0 | 1, from = 0): [number, number][] {
    const pieces: [number, number][] = [];
    const way = inBands({ moveTo: (x) => pieces.push([x, x]), lineTo: (x) => ((pieces[pieces.length - 1] ?? [0, 0])[1] = x) }, 0, 10, odd);
    points.slice(from).forEach(([x, y], nth) => (nth === 0 ? way.moveTo(x, y) : way.lineTo(x, y)));
    return pieces;
  }

  test("leave no piece of it out, and draw none twice", () => {
    const all = [...drawn(0), ...drawn(1)].sort((a, b) => a[0] - b[0]);
    expect(all[0]?.[0]).toBe(0);
    expect(all.at(-1)?.[1]).toBe(59);
    for (let nth = 1; nth < all.length; nth++) expect(all[nth]?.[0]).toBe(all[nth - 1]?.[1]);
  });

  test("are where they were when the line is drawn from further on", () => {
    expect(drawn(0, 25).slice(1)).toEqual(drawn(0).filter(([begin]) => begin > 29));
  });
});

test("no two runs look alike until there are many", () => {
  const looks = Array.from({ length: RUN_LOOKS }, (_, nth) => runLook(nth + 1));
  expect(new Set(looks.map(({ colour, bead }) => `${colour} ${bead}`)).size).toBe(18);
});

// --- the colours of series, as those see them who lack a kind of cones (Machado, Oliveira and Fernandes 2009)

const SIGHTS: Readonly<Record<string, readonly number[]>> = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};
const tokens = readFileSync(new URL("../src/design/tokens.css", import.meta.url), "utf-8");
const series = [...tokens.matchAll(/--series-\d: light-dark\((#\w+), (#\w+)\)/g)];

function seen(colour: string, sight: readonly number[]): number[] {
  const light = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const [r = 0, g = 0, b = 0] = [0, 3, 6].map((row) => Math.min(1, Math.max(0, light.reduce((sum, c, nth) => sum + c * (sight[row + nth] ?? 0), 0))));
  const white = [0.95047, 1, 1.08883];
  const [x = 0, y = 0, z = 0] = [0.4124 * r + 0.3576 * g + 0.1805 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b, 0.0193 * r + 0.1192 * g + 0.9505 * b]
    .map((each, nth) => each / (white[nth] ?? 1))
    .map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

describe.each(Object.keys(SIGHTS))("to eyes with %s", (name) => {
  test.each([1, 2])("no two series have the same colour in either theme (%d)", (theme) => {
    expect(series).toHaveLength(6);
    const colours = series.map((each) => seen(each[theme] ?? "", SIGHTS[name] ?? []));
    colours.forEach((one, nth) =>
      colours.slice(nth + 1).forEach((other) => expect(Math.hypot(...one.map((value, at) => value - (other[at] ?? 0)))).toBeGreaterThan(13)),
    );
  });
});
