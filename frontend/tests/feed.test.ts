import { afterEach, expect, test, vi } from "vitest";
import { Feed } from "../src/state/feed";

/** A points message of version 2 with one point, at step 0. */
function message(run: string, metric: string): Uint8Array {
  const header = JSON.stringify({ run, cursor: "1", series: [[metric, 1]] });
  const length = 8 * Math.ceil(header.length / 8);
  const bytes = new Uint8Array(16 + length + 24);
  const head = new DataView(bytes.buffer);
  head.setUint8(0, 2);
  head.setUint32(4, length, true);
  bytes.set(new TextEncoder().encode(header.padEnd(length)), 16);
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A server that answers a request for series once it is told to. */
class Server {
  readonly open: { readonly runs: readonly string[]; readonly answer: () => void }[] = [];
  readonly asked: string[] = [];

  constructor() {
    vi.stubGlobal("fetch", (address: string) => {
      const query = new URL(address, "http://page/").searchParams;
      const runs = query.getAll("run");
      const metric = query.get("metric") ?? "loss";
      this.asked.push(...runs);
      return new Promise<Response>((resolve) => {
        const request = { runs, answer: (): void => resolve(new Response(joined(runs.map((run) => message(run, metric))))) };
        this.open.push(request);
      });
    });
  }

  /** Answer the request that was made first, and let the page take it. */
  async answer(): Promise<readonly string[]> {
    const request = this.open.shift();
    request?.answer();
    await new Promise((resolve) => setTimeout(resolve));
    return request?.runs ?? [];
  }
}

afterEach(() => vi.unstubAllGlobals());

const RUNS = Array.from({ length: 49 }, (_, nth) => `over-${nth}`);

async function opened(): Promise<[Feed, Server]> {
  const server = new Server();
  const feed = new Feed({ watch: () => undefined, read: () => undefined, caughtUp: () => undefined, pixels: () => 700 });
  feed.show("shown");
  feed.needs.all.need(["loss"]);
  expect(await server.answer()).toEqual(["shown"]);
  feed.lay(RUNS);
  await new Promise((resolve) => setTimeout(resolve));
  return [feed, server];
}

const held = (feed: Feed): string[] => RUNS.filter((run) => feed.of(run).holds("loss"));

test("of runs that are laid over what the shown one has is read before any chart is made, where it is little", async () => {
  const server = new Server();
  const feed = new Feed({ watch: () => undefined, read: () => undefined, caughtUp: () => undefined, pixels: () => 700 });
  feed.lay(["over"]);
  feed.show("shown");
  await server.answer();
  expect(await server.answer()).toEqual(["over"]);
  expect(feed.of("over").holds("loss")).toBe(true);
  expect(server.asked).toEqual(["shown", "over"]);
});

test("many runs are read in pieces: what has come is there while the rest is read", async () => {
  const [feed, server] = await opened();
  const first = await server.answer();
  expect(first.length).toBeLessThan(RUNS.length / 2);
  expect(held(feed)).toEqual(first);
});

test("two pieces are read at a time, and each run once", async () => {
  const [feed, server] = await opened();
  let most = 0;
  while (server.open.length > 0) {
    most = Math.max(most, server.open.length);
    await server.answer();
  }
  expect(most).toBe(2);
  expect(held(feed)).toEqual(RUNS);
  expect(server.asked.filter((run) => run !== "shown")).toEqual(RUNS);
});

test("as many points are read at first as the widest chart has pixels to show", async () => {
  const wishes: number[] = [];
  const ask = async (pixels: number): Promise<void> => {
    vi.stubGlobal("fetch", (address: string) => {
      wishes.push(Number(new URL(address, "http://page/").searchParams.get("max")));
      return Promise.resolve(new Response(joined([message("shown", "loss")])));
    });
    new Feed({ watch: () => undefined, read: () => undefined, caughtUp: () => undefined, pixels: () => pixels }).show("shown");
    await new Promise((resolve) => setTimeout(resolve));
  };
  for (const pixels of [390, 1440.5, 3840]) await ask(pixels);
  expect(wishes).toEqual([2000, 2881, 4096]);
});
