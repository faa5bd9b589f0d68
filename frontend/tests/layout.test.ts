import { describe, expect, test } from "vitest";
import { blocks, freeSlots, packed, swapped, type Sized } from "../src/state/places";
import { search } from "../src/state/search";
import { PINNED, prefixOf, sections } from "../src/state/sections";

interface Named extends Sized {
  readonly id: string;
}

function item(id: string, pos: number, columns = 1, rows = 1): Named {
  return { id, pos, rows, columns };
}

/** The grid as letters, a dot where nothing stands. */
function drawn(items: readonly Named[], columns: number, slots = 0): string[] {
  const rows: string[][] = [];
  for (const { item, row, column, rows: height, columns: width } of packed(items, columns, slots)) {
    for (let r = row; r < row + height; r++) {
      for (let c = column; c < column + width; c++) {
        const line = (rows[r] ??= []);
        expect(line[c], "two cells on one place").toBeUndefined();
        line[c] = item.id;
      }
    }
  }
  return rows.map((line) => Array.from({ length: columns }, (_, c) => line[c] ?? ".").join(""));
}

describe("places of cells", () => {
  test("of a script's grid that nothing stands on are free", () => {
    const placed = packed([item("a", 0, 2), item("b", 4, 1, 2), item("c", 99)], 3, 6);
    expect(freeSlots(placed, 3, 6)).toEqual([2, 3, 5]);
    expect(freeSlots([], 2, 0)).toEqual([]);
  });

  test("follow each other row by row", () => {
    expect(drawn([item("a", 0), item("b", 1), item("c", 5), item("d", 7)], 3)).toEqual(["abc", "d.."]);
  });

  test("have room for spans, and let what comes later fill the gaps", () => {
    expect(drawn([item("a", 0), item("b", 1, 3), item("c", 2), item("d", 3)], 3)).toEqual(["acd", "bbb"]);
    expect(drawn([item("a", 0, 2, 2), item("b", 1), item("c", 2), item("d", 3)], 3)).toEqual(["aab", "aac", "d.."]);
  });

  test("clip spans to the columns there are", () => {
    expect(drawn([item("a", 0, 5), item("b", 1)], 2)).toEqual(["aa", "b."]);
  });

  test("of subplots are just what pos says, and empty ones stay empty", () => {
    expect(drawn([item("a", 0), item("b", 4), item("c", 6), item("d", 7)], 3, 6)).toEqual(["a..", ".b.", "cd."]);
  });

  test("of subplots that want the same place give way", () => {
    expect(drawn([item("a", 0, 2), item("b", 1), item("c", 3)], 2, 4)).toEqual(["aa", ".c", "b."]);
  });

  test("hold whatever comes, each cell once, none over another", () => {
    let state = 7;
    const chance = (below: number): number => (state = (state * 1103515245 + 12345) % 2 ** 31) % below;
    for (let round = 0; round < 300; round++) {
      const items = Array.from({ length: 1 + chance(40) }, (_, nth) => item(String.fromCharCode(65 + nth), chance(60), 1 + chance(4), 1 + chance(3)));
      const columns = 1 + chance(6);
      const cells = drawn(items, columns, chance(3) * columns).join("");
      for (const { id } of items) expect(cells).toContain(id);
    }
  });

  test("are cut into blocks where no cell crosses", () => {
    const items = [item("a", 0, 1, 6), ...Array.from({ length: 27 }, (_, nth) => item(`b${nth}`, nth + 1))];
    const cut = blocks(packed(items, 3));
    expect(cut.map(({ rows }) => rows)).toEqual([6, 2, 2, 1]);
    expect(cut.flatMap(({ placed }) => placed.map(({ item }) => item.id)).sort()).toEqual(items.map(({ id }) => id).sort());
    expect(cut[1]?.placed[0]?.row).toBe(0);
  });

  test("are swapped, and told apart first where they never were", () => {
    expect(swapped([item("a", 3), item("b", 7), item("c", 9)], "c", "a")).toEqual([
      ["a", 9],
      ["c", 3],
    ]);
    expect(swapped([item("a", 0), item("b", 0), item("c", 0)], "c", "a")).toEqual([
      ["a", 2],
      ["b", 1],
    ]);
    expect(swapped([item("a", 0)], "a", "gone")).toEqual([]);
  });
});

describe("sections", () => {
  const cells = (...names: readonly string[]) => names.map((key) => ({ key, prefix: prefixOf(key.split(" ")) }));

  test("are named by the folder of a cell's metrics, else by when they were measured", () => {
    expect(prefixOf(["train/loss", "val/loss"])).toBe("");
    expect(prefixOf(["train/loss"])).toBe("train/");
    expect(prefixOf(["train/encoder/loss", "val/encoder/loss"])).toBe("encoder/");
    expect(prefixOf(["loss"])).toBe("");
    expect(prefixOf(["weights/a", "weights/b"])).toBe("weights/");
    expect(prefixOf(["weights/a", "loss"])).toBe("");
    expect(prefixOf([])).toBe("");
  });

  test("are made of three cells or more, and the others stand first", () => {
    const made = sections(cells("loss", "a/x", "a/y", "b/x", "a/z"), []);
    expect(made.map(({ title, cells }) => [title, ...cells.map(({ key }) => key)])).toEqual([
      ["", "loss", "b/x"],
      ["a/", "a/x", "a/y", "a/z"],
    ]);
  });

  test("have the pinned cells above all, in the order they were pinned in", () => {
    const made = sections(cells("loss", "a/x", "a/y", "a/z", "a/w"), ["a/y", "loss", "gone"]);
    expect(made.map(({ key }) => key)).toEqual([PINNED, "a/"]);
    expect(made[0]?.cells.map(({ key }) => key)).toEqual(["a/y", "loss"]);
  });

  test("are none where there is but one", () => {
    expect(sections(cells("a/x", "a/y", "a/z"), []).map(({ key }) => key)).toEqual([""]);
  });
});

describe("a search", () => {
  test("finds all words, whatever their case", () => {
    const { matches } = search("  LOSS val ");
    expect(matches("Loss\ntrain/loss\nval/loss")).toBe(true);
    expect(matches("train/loss")).toBe(false);
    expect(search("train/").matches("train/loss")).toBe(true);
  });

  test("takes an expression between slashes, name by name", () => {
    expect(search("/^val.(loss|acc)$/").matches("Loss\nval/loss")).toBe(true);
    expect(search("/^val.LOSS$/").matches("val/loss")).toBe(false);
    expect(search("/^val.LOSS$/i").matches("val/loss")).toBe(true);
    const again = search("/loss/g");
    expect([again.matches("loss"), again.matches("loss")]).toEqual([true, true]);
  });

  test("says what is wrong with an expression", () => {
    expect(search("/(/").wrong).toMatch(/./);
    expect(search("/(/").matches("(")).toBe(false);
    expect(search("").all).toBe(true);
  });
});
