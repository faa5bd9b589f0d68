import { describe, expect, test } from "vitest";
import { readFragment, writeFragment } from "../src/state/fragment";
import { DEFAULTS, lasting, ofRun, settingsOf, withChart, withRun, type AxisKind, type ChartSettings, type Outlook, type Zoom } from "../src/state/outlook";

/** Numbers that look like chance and are the same in every run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const NAMES = ["loss", "train/loss", "a,b", "a~b;c=d&e", "50 %", "(x)!*'", "#hash", "ünï/日本", "metric:x", "", "%41", "a+b", "\u{1f600}"];

function outlook(seed: number): Outlook {
  const next = chance(seed);
  const pick = <T>(...from: readonly T[]): T => from[Math.floor(next() * from.length)] as T;
  const name = (): string => pick(...NAMES.filter(Boolean));
  const names = (): string[] => Array.from({ length: Math.floor(next() * 4) }, name);
  const number = (): number => (next() - 0.5) * 10 ** Math.floor(next() * 40 - 20);
  const interval = (): readonly [number, number] => {
    const low = number();
    return [low, low + Math.abs(low) + next() + 1e-9];
  };
  const chart = (): ChartSettings => ({
    zoom: pick<Zoom | null>(null, interval(), [...interval(), number()]),
    y: pick(null, interval()),
    x: pick<AxisKind>("auto", "step", "epoch", "time", "relative", `metric:${name()}`),
    smoothing: { kind: pick("none", "ema", "time", "gauss", "median"), amount: next() },
    scale: pick("linear", "log"),
    robust: pick(true, false),
    follow: pick(true, false),
    muted: names(),
    pins: Array.from({ length: Math.floor(next() * 3) }, number),
  });
  const some = <T>(value: () => T): Record<string, T> => Object.fromEntries(names().map((key) => [key, value()]));
  return {
    ...chart(),
    linked: pick(true, false),
    overlays: names(),
    hidden: names(),
    filter: pick(...NAMES),
    search: pick(...NAMES),
    collapsed: names(),
    pinned: names(),
    open: pick(null, name()),
    theme: pick("system", "light", "dark"),
    scroll: pick(DEFAULTS.scroll, { top: Math.floor(next() * 10_000), cell: name(), above: Math.floor(next() * 200) - 100 }),
    charts: some(() => Object.fromEntries(Object.entries(chart()).filter(() => next() < 0.5)) as Partial<ChartSettings>),
    views: some(() => pick("live", "figure", "heat", "down-2")),
    sliders: some(number),
    figures: some(() => [[1 + next(), number(), number(), ...interval(), ...interval()]]),
  };
}

/** A chart without a setting of its own says nothing. */
function without(charts: Outlook["charts"]): Outlook["charts"] {
  return Object.fromEntries(Object.entries(charts).filter(([, own]) => Object.keys(own).length > 0));
}

describe("the view in the address", () => {
  test("is read as it was written, exactly, whatever is set", () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const set = outlook(seed);
      const { set: read, unknown } = readFragment(new URL(writeFragment(set), "http://localhost/").hash);
      expect({ ...DEFAULTS, ...read }).toEqual({ ...set, charts: without(set.charts) });
      expect(unknown).toEqual([]);
    }
  });

  test("says nothing where nothing is set, and is short and readable where something is", () => {
    expect(writeFragment(DEFAULTS)).toBe("");
    const set: Outlook = {
      ...DEFAULTS,
      zoom: [3.5, 8],
      smoothing: { kind: "ema", amount: 0.6 },
      collapsed: ["weights", "gradients"],
      pinned: ["train/loss"],
      charts: { loss: { scale: "log", x: "time" } },
      views: { accuracy: "figure" },
    };
    expect(writeFragment(set)).toBe(
      "#v=1&zoom=3.5~8&smooth=ema~0.6&folded=weights,gradients&top=train/loss&chart:loss=x~time;scale~log&view:accuracy=figure",
    );
  });

  test("keeps what a later page wrote, and passes what is no setting", () => {
    const { set, unknown } = readFragment("#v=2&lens=0.3&zoom=8~3&x=tomorrow&smooth=ema~7&scale=log&robust=perhaps&at=NaN&search=%E0%A4&chart:a=scale~odd");
    expect(set).toEqual({ scale: "log" });
    expect(unknown).toEqual(["lens=0.3"]);
    expect(writeFragment({ ...DEFAULTS, ...set }, unknown)).toBe("#v=1&scale=log&lens=0.3");
  });

  test("reads a scroll with and without the cell that stood there", () => {
    expect(readFragment("#v=1&at=120").set.scroll).toEqual({ top: 120, cell: "", above: 0 });
    expect(readFragment("#v=1&at=120~-8~val/loss").set.scroll).toEqual({ top: 120, cell: "val/loss", above: -8 });
  });

  test("survives any text", () => {
    const next = chance(7);
    for (let i = 0; i < 2000; i++) {
      const text = Array.from({ length: 40 }, () => "zomy=~;&,:%chart0.5#v\ud800"[Math.floor(next() * 21)]).join("");
      const { set, unknown } = readFragment(`#${text}`);
      const again = readFragment(writeFragment({ ...DEFAULTS, ...set }, unknown));
      expect({ ...DEFAULTS, ...again.set }).toEqual({ ...DEFAULTS, ...set });
    }
  });
});

describe("the settings of a chart", () => {
  test("are the page's but for what it has of its own", () => {
    const page: Outlook = { ...DEFAULTS, zoom: [1, 2], scale: "log" };
    const own = withChart(page, "loss", { scale: "linear", smoothing: { kind: "ema", amount: 0.9 } });
    expect(settingsOf(own, "loss")).toMatchObject({ zoom: [1, 2], scale: "linear", smoothing: { kind: "ema", amount: 0.9 } });
    expect(settingsOf(own, "accuracy")).toMatchObject({ zoom: [1, 2], scale: "log", smoothing: DEFAULTS.smoothing });
  });

  test("are not its own any more once they equal the page's", () => {
    const own = withChart(DEFAULTS, "loss", { scale: "log" });
    expect(withChart(own, "loss", { scale: "linear" }).charts).toEqual({});
  });

  test("share the zoom while charts are linked, and only then", () => {
    const linked = withChart(DEFAULTS, "loss", { zoom: [3, 4], y: [0, 1] });
    expect(settingsOf(linked, "accuracy")).toMatchObject({ zoom: [3, 4], y: null });
    const apart = withChart({ ...DEFAULTS, linked: false }, "loss", { zoom: [3, 4] });
    expect(settingsOf(apart, "loss").zoom).toEqual([3, 4]);
    expect(settingsOf(apart, "accuracy").zoom).toBeNull();
    const all = withChart({ ...apart, zoom: [1, 9] }, "loss", { zoom: null });
    expect(settingsOf(all, "loss").zoom).toBeNull();
  });

  test("of a chart on an axis of its own have a zoom of their own, linked or not", () => {
    const page: Outlook = { ...DEFAULTS, zoom: [1, 2] };
    const alone = withChart(page, "steps", { zoom: [30, 40, 35] }, true);
    expect(alone.zoom).toEqual([1, 2]);
    expect(alone.charts.steps).toEqual({ zoom: [30, 40, 35] });
    expect(settingsOf(alone, "loss").zoom).toEqual([1, 2]);
    expect(withChart(alone, "steps", { zoom: null }, true).charts).toEqual({});
    expect(readFragment(writeFragment(alone)).set).toEqual({ zoom: [1, 2], charts: { steps: { zoom: [30, 40, 35] } } });
  });
});

describe("what is said of one run", () => {
  const both: Outlook = {
    ...DEFAULTS,
    zoom: [1, 2],
    scroll: { top: 7, cell: "loss", above: -60 },
    scale: "log",
    charts: { loss: { y: [0, 1], zoom: [3, 4], scale: "linear" }, accuracy: { y: [5, 6] }, norms: { robust: true } },
  };

  test("does not go along to another, of single charts neither", () => {
    expect(lasting(both)).toEqual({ ...DEFAULTS, scale: "log", charts: { loss: { scale: "linear" }, norms: { robust: true } } });
  });

  test("comes back with it, over what was set meanwhile", () => {
    const there = withChart(lasting(both), "loss", { scale: "log", muted: ["a"] });
    const back = withRun({ ...there, zoom: [8, 9] }, ofRun(both));
    expect(back).toMatchObject({ zoom: [1, 2], scroll: { top: 7 } });
    expect(back.charts).toEqual({ loss: { muted: ["a"], y: [0, 1], zoom: [3, 4] }, accuracy: { y: [5, 6] }, norms: { robust: true } });
  });
});
