import { expect, test } from "vitest";
import { wrapped } from "../src/charts/ink";

test("a note is written in lines that are no wider than there is room, its long words parted", () => {
  const letters = (text: string): number => text.length;
  expect(wrapped("the rate was halved here", 12, letters)).toEqual(["the rate was", "halved here"]);
  expect(wrapped("unbelievably long", 5, letters)).toEqual(["unbel", "ievab", "ly", "long"]);
  expect(wrapped("  ", 5, letters)).toEqual([]);
});
