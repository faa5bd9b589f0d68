import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Mark, SeriesRead, SeriesWish } from "../src/network";
import { Feed, MissingError } from "../src/state/feed";
import type { PointsMessage } from "../src/wire";

/** The way to the server, as each test builds it. */
let reads: (wish: SeriesWish) => Promise<SeriesRead[]> = () => Promise.resolve([]);
vi.mock("../src/network", () => ({ readSeries: (wish: SeriesWish) => reads(wish) }));

const NOW = new Date("2026-03-01T12:00:00Z").getTime();

/** A server with runs in memory: a cursor is how many points of a run came before it. */
class Server {
  readonly #runs = new Map<string, [metric: string, value: number, time: number][]>();
  readonly wishes: SeriesWish[] = [];
  /** What goes wrong with the next readings. */
  readonly faults: Error[] = [];
  /** Reads wait while this is set. */
  held: Promise<void> = Promise.resolve();

  log(run: string, metric: string, ...values: number[]): void {
    const points = this.#runs.get(run) ?? [];
    this.#runs.set(run, points);
    for (const value of values) points.push([metric, value, Date.now() / 1000]);
  }

  forget(run: string): void {
    this.#runs.delete(run);
  }

  async read(wish: SeriesWish): Promise<SeriesRead[]> {
    this.wishes.push(wish);
    const found = wish.runs.flatMap((run) => (this.#runs.has(run) ? [{ message: this.#message(run, null, this.#named(run, wish)), asked: wish.metrics ?? [] }] : []));
    await this.held;
    const fault = this.faults.shift();
    if (fault !== undefined) throw fault;
    return found;
  }

  /** What a socket would bring for these marks. */
  follow(marks: readonly Mark[]): PointsMessage[] {
    return marks.map(({ run, after, metrics }) => this.#message(run, after, metrics));
  }

  #named(run: string, { metrics, first }: SeriesWish): readonly string[] {
    const logged = [...new Set(this.#runs.get(run)?.map(([metric]) => metric))];
    return metrics?.filter((metric) => logged.includes(metric)) ?? logged.slice(0, first);
  }

  #message(run: string, after: string | null, metrics: readonly string[]): PointsMessage {
    const points = this.#runs.get(run) ?? [];
    const fresh = points.map((point, nth) => [nth, ...point] as const).slice(Number(after ?? 0));
    const series = metrics.map((metric) => {
      const own = fresh.filter(([, name]) => name === metric);
      const column = (read: (point: (typeof own)[number]) => number): Float64Array => Float64Array.from(own, read);
      return { metric, steps: column(([nth]) => nth), values: column(([, , value]) => value), times: column(([, , , time]) => time), axis: null, places: null };
    });
    return { run, cursor: String(points.length), after, decimated: false, series };
  }
}

/** A feed with a server, and all that it told the outside. */
class Stand {
  readonly server = new Server();
  readonly marks: (readonly Mark[])[] = [];
  readonly told: unknown[] = [];
  caughtUp = 0;
  readonly feed = new Feed({
    watch: (_run, marks) => this.marks.push(marks),
    read: (error) => this.told.push(error),
    caughtUp: () => this.caughtUp++,
    pixels: () => 700,
  });

  constructor() {
    reads = (wish) => this.server.read(wish);
  }

  /** What the server was asked last to go on with. */
  get asked(): readonly Mark[] {
    return this.marks.at(-1) ?? [];
  }

  values(run: string, metric: string): number[] {
    return [...this.feed.of(run).points(metric).values];
  }

  /** Send what the server has for what it was asked last. */
  send(): number | null {
    return this.feed.take(this.server.follow(this.asked));
  }
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** A connected page that shows a run with three points of `loss` and one of `accuracy`. */
async function opened(): Promise<Stand> {
  const stand = new Stand();
  stand.server.log("r", "loss", 3, 2, 1);
  stand.server.log("r", "accuracy", 0.5);
  stand.feed.connected();
  stand.feed.show("r");
  await settle();
  return stand;
}

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

describe("cursors", () => {
  test("the socket goes on from where the reading ended", async () => {
    const stand = await opened();
    expect(stand.told).toEqual([null]);
    expect(stand.asked).toEqual([{ run: "r", after: "4", metrics: ["loss", "accuracy"] }]);
    stand.server.log("r", "loss", 0);
    stand.send();
    expect(stand.values("r", "loss")).toEqual([3, 2, 1, 0]);
  });

  test("each metric goes on from its own", async () => {
    const stand = await opened();
    stand.server.log("r", "reward", 7, 8);
    stand.feed.needs.all.need(["reward"]);
    await settle();
    expect(stand.values("r", "reward")).toEqual([7, 8]);
    expect(stand.asked).toContainEqual({ run: "r", after: "4", metrics: ["loss", "accuracy"] });
    expect(stand.asked).toContainEqual({ run: "r", after: "6", metrics: ["reward"] });
    stand.server.log("r", "reward", 9);
    stand.send();
    expect(stand.values("r", "reward")).toEqual([7, 8, 9]);
  });

  test("a gap is asked for again, and nothing comes twice", async () => {
    const stand = await opened();
    stand.server.log("r", "loss", 0);
    stand.send();
    stand.server.log("r", "loss", -1, -2);
    const asked = stand.marks.length;
    stand.feed.take(stand.server.follow([{ run: "r", after: "6", metrics: ["loss"] }]));
    expect(stand.marks.length).toBe(asked + 1);
    expect(stand.asked.find(({ metrics }) => metrics.includes("loss"))?.after).toBe("5");
    stand.send();
    expect(stand.values("r", "loss")).toEqual([3, 2, 1, 0, -1, -2]);
  });

  test("after a resync what is held is what the server has, and it goes on from there", async () => {
    const stand = await opened();
    stand.server.forget("r");
    stand.server.log("r", "loss", 9);
    await stand.feed.resync("r");
    expect(stand.values("r", "loss")).toEqual([9]);
    expect(stand.values("r", "accuracy")).toEqual([]);
    expect(stand.asked).toEqual([{ run: "r", after: "1", metrics: ["loss", "accuracy"] }]);
  });

  test("a run that is shown again is gone on with, not read again", async () => {
    const stand = await opened();
    stand.server.log("s", "loss", 5);
    stand.feed.show("s");
    await settle();
    stand.server.log("r", "loss", 0);
    const read = stand.server.wishes.length;
    stand.feed.show("r");
    await settle();
    stand.send();
    expect(stand.server.wishes.length).toBe(read);
    expect(stand.values("r", "loss")).toEqual([3, 2, 1, 0]);
  });
});

describe("a connection that comes back", () => {
  test("is told of once all that was missed is there", async () => {
    const stand = await opened();
    stand.send();
    stand.feed.lost();
    stand.server.log("r", "loss", 0, -1);
    const before = stand.caughtUp;
    stand.feed.connected();
    await settle();
    expect(stand.caughtUp).toBe(before);
    stand.send();
    expect(stand.caughtUp).toBe(before + 1);
    expect(stand.values("r", "loss")).toEqual([3, 2, 1, 0, -1]);
  });

  test("is told of where a run that was waited for is gone", async () => {
    const stand = await opened();
    stand.send();
    stand.feed.lost();
    const before = stand.caughtUp;
    stand.feed.connected();
    await settle();
    stand.feed.gone(["another"]);
    expect(stand.caughtUp).toBe(before);
    stand.feed.gone(["r"]);
    expect(stand.caughtUp).toBe(before + 1);
  });

  test("is not waited for without end", async () => {
    const stand = await opened();
    stand.send();
    stand.feed.lost();
    const before = stand.caughtUp;
    stand.feed.connected();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stand.caughtUp).toBe(before + 1);
  });

  test("reads nothing while it is lost", async () => {
    const stand = await opened();
    stand.feed.lost();
    const read = stand.server.wishes.length;
    stand.feed.needs.all.need(["reward"]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(stand.server.wishes.length).toBe(read);
    stand.server.log("r", "reward", 1);
    stand.feed.connected();
    await settle();
    expect(stand.values("r", "reward")).toEqual([1]);
  });
});

describe("runs that are not there", () => {
  test("are said to be missing", async () => {
    const stand = new Stand();
    stand.feed.connected();
    stand.feed.show("nowhere");
    await settle();
    expect(stand.told).toEqual([expect.any(MissingError)]);
  });

  test("are not asked for again until the server is reached anew", async () => {
    const stand = await opened();
    stand.feed.needs.all.need(["loss"]);
    stand.feed.lay(["deleted"]);
    await settle();
    const asked = (): number => stand.server.wishes.filter(({ runs }) => runs.includes("deleted")).length;
    expect(asked()).toBe(1);
    stand.feed.needs.all.need(["accuracy"]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked()).toBe(1);
    stand.server.log("deleted", "loss", 4);
    stand.feed.connected();
    await settle();
    expect(stand.values("deleted", "loss")).toEqual([4]);
  });
});

describe("reading", () => {
  test("asks for nothing twice while it is under way", async () => {
    const stand = await opened();
    stand.server.log("r", "reward", 1);
    let release = (): void => undefined;
    stand.server.held = new Promise((resolve) => (release = resolve));
    stand.feed.needs.all.need(["reward"]);
    await settle();
    stand.feed.needs.all.need(["reward"]);
    stand.feed.needs.shown.need(["reward"]);
    await settle();
    expect(stand.server.wishes.filter(({ metrics }) => metrics?.includes("reward"))).toHaveLength(1);
    release();
    await settle();
    expect(stand.values("r", "reward")).toEqual([1]);
  });

  test("of a run that is shown no more says nothing of the one that is", async () => {
    const stand = await opened();
    stand.server.log("slow", "loss", 5);
    stand.server.log("quick", "loss", 6);
    let release = (): void => undefined;
    stand.server.held = new Promise((resolve) => (release = resolve));
    stand.feed.show("slow");
    await settle();
    stand.server.held = Promise.resolve();
    stand.feed.show("quick");
    await settle();
    const told = stand.told.length;
    stand.server.faults.push(new Error("too late"));
    release();
    await settle();
    expect(stand.told.length).toBe(told);
    expect(stand.values("quick", "loss")).toEqual([6]);
    expect(stand.asked.map(({ run }) => run)).toEqual(["quick"]);
  });

  test("that fails is told of, and tried again after a while", async () => {
    const stand = await opened();
    stand.server.log("r", "reward", 1);
    const fault = new Error("the disk is full");
    stand.server.faults.push(fault);
    stand.feed.needs.all.need(["reward"]);
    await settle();
    expect(stand.told.at(-1)).toBe(fault);
    expect(stand.values("r", "reward")).toEqual([]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(stand.values("r", "reward")).toEqual([1]);
  });

  test("of runs that are laid over is one request for all that lack the same", async () => {
    const stand = await opened();
    for (const run of ["a", "b", "c"]) stand.server.log(run, "loss", 1);
    stand.feed.needs.all.need(["loss"]);
    stand.feed.lay(["a", "b", "c"]);
    await settle();
    expect(stand.server.wishes.at(-1)).toMatchObject({ runs: ["a", "b", "c"], metrics: ["loss", "accuracy"] });
    expect(stand.asked.map(({ run }) => run).sort()).toEqual(["a", "b", "c", "r"]);
  });

  test("of a run of many metrics is of those in view, and of the first hundred", async () => {
    const stand = new Stand();
    for (let nth = 0; nth < 150; nth++) stand.server.log("r", `m${nth}`, nth);
    stand.feed.connected();
    stand.feed.needs.shown.need(["m140"]); // as a tile of numbers does
    stand.feed.show("r");
    await settle();
    expect(stand.values("r", "m99")).toEqual([99]);
    expect(stand.values("r", "m140")).toEqual([140]);
    expect(stand.values("r", "m141")).toEqual([]);
  });
});

test("what leaves the view is followed for a while, and no longer", async () => {
  const stand = new Stand();
  for (let nth = 0; nth < 150; nth++) stand.server.log("r", `m${nth}`, nth);
  stand.feed.connected();
  const leave = stand.feed.needs.all.need(["m140"]);
  stand.feed.show("r");
  await settle();
  const follows = (): boolean => stand.asked.some(({ metrics }) => metrics.includes("m140"));
  leave();
  await vi.advanceTimersByTimeAsync(2000);
  expect(follows()).toBe(true);
  await vi.advanceTimersByTimeAsync(2000);
  expect(follows()).toBe(false);
});

describe("when a run was heard of", () => {
  test("is for an answer when its newest point was logged, and now for what comes after", async () => {
    const stand = await opened();
    stand.server.log("r", "loss", 0);
    vi.setSystemTime(NOW + 60_000);
    expect(stand.send()).toBe(NOW);
    stand.server.log("r", "loss", -1);
    const sent = stand.server.follow([{ run: "r", after: "5", metrics: ["loss", "accuracy"] }]);
    vi.setSystemTime(NOW + 61_000);
    expect(stand.feed.take(sent)).toBe(NOW + 61_000);
  });

  test("is not known from an answer without a point, nor from other runs", async () => {
    const stand = await opened();
    stand.server.log("s", "loss", 5);
    stand.feed.needs.all.need(["loss"]);
    stand.feed.lay(["s"]);
    await settle();
    expect(stand.send()).toBeNull();
    stand.server.log("s", "loss", 6);
    expect(stand.send()).toBeNull();
  });
});
