import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const SOURCES = join(import.meta.dirname, "..", "src");

function styles(): { readonly file: string; readonly text: string }[] {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf-8" }).filter((file) => /\.(svelte|css)$/.test(file));
  return files.map((file) => {
    const text = readFileSync(join(SOURCES, file), "utf-8");
    return { file, text: file.endsWith(".css") ? text : [...text.matchAll(/<style>(.*?)<\/style>/gs)].map(([, style]) => style).join("\n") };
  });
}

function said(property: RegExp): string[] {
  const declared = new RegExp(String.raw`^\s*(${property.source}):([^;]+);`, "gm");
  return styles()
    .filter(({ file }) => !file.endsWith("tokens.css"))
    .flatMap(({ file, text }) => [...text.matchAll(declared)].map(([, name, value]) => `${file}: ${name}:${value}`));
}

/** A length in pixels, but for a hairline. */
const PIXELS = /(?<![\w.-])-?(?!1px)\d*\.?\d+px/;

describe("styles take from the tokens", () => {
  test("the sizes of their type", () => {
    const sizes = said(/font-size|font/).filter((each) => !/font: inherit/.test(each));
    expect(sizes.length).toBeGreaterThan(30);
    expect(sizes.filter((each) => !/var\(--text-|em$/.test(each))).toEqual([]);
  });

  test("their weights", () => {
    expect(said(/font-weight/).filter((each) => !/var\(--strong\)|: 400$|inherit/.test(each))).toEqual([]);
  });

  test("their steps of space", () => {
    const steps = said(/(?:row-|column-)?gap|padding[a-z-]*|margin[a-z-]*/);
    expect(steps.length).toBeGreaterThan(90);
    expect(steps.filter((each) => PIXELS.test(each))).toEqual([]);
  });

  test("their radii, but for what is round", () => {
    expect(said(/border-radius/).filter((each) => /(?<!99)px/.test(each))).toEqual([]);
  });

  test("their colours", () => {
    const colours = said(/(?:background|border|outline)(?:-[a-z]+)*|color|fill|stroke|box-shadow/);
    expect(colours.filter((each) => /#[0-9a-f]{3,8}\b|rgb\(/i.test(each))).toEqual([]);
  });

  test("which are all there", () => {
    const tokens = styles().map(({ text }) => text).join("\n");
    const used = new Set([...tokens.matchAll(/var\((--(?:text|space|radius|series)-[a-z0-9]+|--(?:strong|quick|lifted|afloat|veil))\)/g)].map(([, name]) => name ?? ""));
    expect([...used].filter((name) => !tokens.includes(`${name}:`))).toEqual([]);
  });
});
