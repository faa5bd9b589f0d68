import { expect, test } from "vitest";
import { wrapped } from "../src/charts/ink";

test("a note is written in lines that are no wider than there is room, as far as its words allow it", () => {
  const letters = (text: string): number => text.length;
  expect(wrapped("the rate was halved here", 12, letters)).toEqual(["the rate was", "halved here"]);
  expect(wrapped("unbelievably long", 5, letters)).toEqual(["unbelievably", "long"]);
  expect(wrapped("  ", 5, letters)).toEqual([]);
});
