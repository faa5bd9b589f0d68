import { expect, test } from "vitest";
import { favicon } from "../src/state/favicon";

test("the tab's icon changes with what it says, and in few steps", () => {
  const icons = Array.from({ length: 1001 }, (_, nth) => favicon(nth / 1000, "good"));
  expect(new Set(icons).size).toBe(21);
  expect(decodeURIComponent(favicon(1, "good"))).toContain("h17.00");
  expect(favicon(0.5, "error")).not.toBe(favicon(0.5, "good"));
  expect(favicon(null, null)).not.toContain("NaN");
});
