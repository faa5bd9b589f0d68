import { expect, test } from "vitest";
import { declaredAxis } from "../src/charts/declared";

test("metrics are drawn over what the run says they are", () => {
  const axes = { "val/*": "epoch", "val/tokens_*": "tokens", "lr?": "relative", "[ab].x": "step" };
  expect(declaredAxis(["val/loss", "val/accuracy"], axes)).toBe("epoch");
  expect(declaredAxis(["val/tokens_loss"], axes)).toBe("metric:tokens");
  expect(declaredAxis(["lr2"], axes)).toBe("relative");
  expect(declaredAxis(["a.x", "b.x"], axes)).toBe("step");
});

test("metrics of different axes, and what nothing is said of, go by the page's axis", () => {
  const axes = { "val/*": "epoch" };
  expect(declaredAxis(["val/loss", "train/loss"], axes)).toBe("auto");
  expect(declaredAxis(["aXx"], { "[!a].x": "step", "a.x": "step" })).toBe("auto");
  expect(declaredAxis(["tokens"], { "*": "tokens" })).toBe("auto");
  expect(declaredAxis(["loss"])).toBe("auto");
});
