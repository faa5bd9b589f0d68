import { describe, expect, test } from "vitest";
import { History } from "../src/state/history";

describe("steps back and forth", () => {
  test("lead through all that was, and forth again", () => {
    const history = new History<number>();
    for (let now = 0; now < 3; now++) history.note(now, `kind ${now}`, 0);
    expect([history.undo(3), history.undo(2), history.undo(1), history.undo(0)]).toEqual([2, 1, 0, undefined]);
    expect([history.redo(0), history.redo(1), history.redo(2), history.redo(3)]).toEqual([1, 2, 3, undefined]);
  });

  test("take a burst of one kind as one, however long it lasts", () => {
    const history = new History<number>();
    for (let now = 0; now < 100; now++) history.note(now, "zoom", now * 100);
    expect(history.undo(100)).toBe(0);
    expect(history.canUndo).toBe(false);
  });

  test("tell a later change of the same kind, and one of another kind, apart", () => {
    const history = new History<number>();
    history.note(0, "zoom", 0);
    history.note(1, "scale", 10);
    history.note(2, "zoom", 20);
    history.note(3, "zoom", 2000);
    expect([history.undo(4), history.undo(3), history.undo(2), history.undo(1)]).toEqual([3, 2, 1, 0]);
  });

  test("begin anew after a step back: what was taken back is gone, and a burst does not go on", () => {
    const history = new History<number>();
    history.note(0, "zoom", 0);
    expect(history.undo(1)).toBe(0);
    history.note(0, "zoom", 10);
    expect(history.canRedo).toBe(false);
    expect(history.undo(2)).toBe(0);
  });

  test("are bounded", () => {
    const history = new History<number>();
    for (let now = 0; now < 1000; now++) history.note(now, `kind ${now}`, 0);
    let steps = 0;
    for (let now: number | undefined = 1000; now !== undefined; steps++) now = history.undo(now);
    expect(steps - 1).toBe(200);
  });
});
