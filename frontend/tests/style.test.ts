import { describe, expect, test } from "vitest";
import { amongRuns, better, colourOf, isShare, overlaid, seriesStyles, split } from "../src/charts/style";

describe("the style of series", () => {
  test("batch is train's colour at a quarter, val is dashed in its own", () => {
    const [batch, train, val] = seriesStyles(["batch/loss", "train/loss", "val/loss"]);
    expect(batch).toMatchObject({ label: "batch", colour: 1, strength: 0.25, dash: [] });
    expect(train).toMatchObject({ label: "train", colour: 1, strength: 1, dash: [] });
    expect(val).toMatchObject({ label: "val", colour: 2, strength: 1 });
    expect(val?.dash).not.toEqual([]);
  });

  test("test is dotted, and no phase shares val's dash", () => {
    const [val, dotted] = seriesStyles(["val/loss", "test/loss"]);
    expect(dotted?.dash).not.toEqual([]);
    expect(dotted?.dash).not.toEqual(val?.dash);
    expect(dotted?.colour).not.toBe(val?.colour);
  });

  test("val has the same look alone as beside train", () => {
    expect(seriesStyles(["val/loss"])[0]).toEqual(seriesStyles(["train/loss", "val/loss"])[1]);
  });

  test("plain names beside val_loss are train", () => {
    expect(seriesStyles(["loss", "val_loss"]).map((each) => [each.label, each.colour])).toEqual([
      ["train", 1],
      ["val", 2],
    ]);
  });

  test("layers are told apart by their own names and colours", () => {
    const styles = seriesStyles(["weights/conv1", "weights/conv2", "weights/head"]);
    expect(styles.map((each) => each.label)).toEqual(["conv1", "conv2", "head"]);
    expect(styles.map((each) => each.colour)).toEqual([1, 2, 3]);
  });

  test("past the sixth layer no two look alike", () => {
    const styles = seriesStyles(Array.from({ length: 18 }, (_, i) => `weights/${i}`));
    expect(new Set(styles.map((each) => `${each.colour} ${each.dash.join()}`)).size).toBe(18);
  });

  test("two outputs in one chart name the quantity as well", () => {
    const labels = seriesStyles(["train/a_loss", "val/a_loss", "train/b_loss"]).map((each) => each.label);
    expect(labels).toEqual(["train a_loss", "val a_loss", "train b_loss"]);
  });

  test("the learning rate has one colour wherever it stands", () => {
    expect(colourOf("learning_rate")).toBe(seriesStyles(["learning_rate"])[0]?.colour);
    expect(colourOf("learning_rate")).not.toBe(colourOf("train/loss"));
  });
});

test.each([
  ["val/loss", "val", "loss"],
  ["val_loss", "val", "loss"],
  ["batch_size", null, "batch_size"],
  ["batch/loss", "batch", "loss"],
  ["loss", null, "loss"],
  ["weights/train", null, "weights/train"],
])("%s is of phase %s and measures %s", (metric, phase, quantity) => {
  expect(split(metric)).toEqual({ phase, quantity });
});

test.each([
  ["val/sparse_categorical_accuracy", "higher"],
  ["train/loss", "lower"],
  ["mae", "lower"],
  ["learning_rate", null],
  ["time/step", null],
])("the best of %s is %s", (metric, direction) => {
  expect(better(metric)).toBe(direction);
});

test("accuracy is a share, pace is not", () => {
  expect([isShare("val/accuracy"), isShare("auc"), isShare("acc"), isShare("pace"), isShare("accumulated")]).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});

test("among runs the colour is the run's, and dashes tell the series apart", () => {
  const plain = seriesStyles(["weights/a", "weights/b", "weights/c"]).map((style, place) => amongRuns(style, place, 4));
  expect(new Set(plain.map(({ colour }) => colour))).toEqual(new Set([4]));
  expect(new Set(plain.map(({ dash }) => dash.join())).size).toBe(3);
  const phased = seriesStyles(["train/loss", "val/loss"]);
  expect(phased.map((style, place) => amongRuns(style, place, 4).dash)).toEqual(phased.map(({ dash }) => dash));
  const [style] = seriesStyles(["loss"]);
  if (style !== undefined) expect(overlaid(style, 0, 5, "other", true)).toMatchObject({ colour: 5, width: 1, label: "other" });
  if (style !== undefined) expect(amongRuns(style, 0, 4)).toBe(amongRuns(style, 0, 4));
});
