/** The only module that talks to the network: addresses, requests and the socket. */

import { io } from "socket.io-client";
import * as wire from "./wire";

/** What the socket reports. */
export interface Listener {
  connected(): void;
  lost(): void;
  runs(runs: wire.Run[]): void;
  /** Runs were removed. */
  gone(ids: string[]): void;
  cells(change: wire.CellsChange): void;
  findings(findings: wire.Finding[]): void;
  points(messages: readonly wire.PointsMessage[]): void;
  resync(run: string | null): void;
  /** The server ends: resolve once the page has what it needs without it. */
  closing(command: string): Promise<void>;
  unreadable(error: wire.WireError): void;
}

/** Metrics of a run, and the cursor after which the page wants their points. */
export interface Mark {
  readonly run: string;
  readonly after: string;
  readonly metrics: readonly string[];
}

export interface Link {
  /** Show a run, and ask for what comes after some marks, of that run and of others; replaces what was watched before. */
  watch(run: string | null, marks: readonly Mark[]): void;
}

/** Open the page's own socket. It reconnects for ever, and soon: the next training may take the port over. */
export function connect(listener: Listener): Link {
  const socket = io("/live", {
    path: new URL("./socket.io/", folder()).pathname,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    reconnectionDelay: 300,
    reconnectionDelayMax: 1500,
  });

  /** Call a listener with what was read; a message that cannot be read is reported, never thrown into the socket. */
  function on<T>(event: string, read: (payload: unknown) => T, act: (value: T) => void): void {
    socket.on(event, (payload: unknown) => {
      try {
        act(read(payload));
      } catch (error) {
        if (!(error instanceof wire.WireError)) throw error;
        listener.unreadable(error);
      }
    });
  }

  socket.on("connect", () => listener.connected());
  socket.on("connect_error", () => {
    if (!socket.active) void askAgain(() => socket.connect());
  });
  socket.on("disconnect", (reason) => {
    listener.lost();
    // A server that says goodbye is not waited for by the library itself.
    if (reason === "io server disconnect") socket.connect();
  });
  on("runs", wire.readRuns, listener.runs);
  on("gone", wire.readGone, listener.gone);
  on("cells", wire.readCells, listener.cells);
  on("findings", wire.readFindings, listener.findings);
  on("points", readBytes, listener.points);
  on("resync", wire.readResync, listener.resync);
  socket.on("closing", (payload: unknown, ack?: unknown) => {
    void listener.closing(wire.readClosing(payload)).then(() => {
      if (typeof ack === "function") ack();
    });
  });
  const reconnect = (): void => {
    socket.disconnect().connect();
  };
  onWake(() => {
    if (socket.connected) socket.timeout(ANSWER_MS).emit("here", (error: Error | null) => error !== null && reconnect());
  });
  return {
    watch(run, marks) {
      if (socket.connected) socket.emit("watch", { run, marks });
    },
  };
}

/** How long a server may take to answer whether it is there. */
const ANSWER_MS = 3000;
const BEAT_MS = 5000;
/** Hidden pages have their timers slowed to one a minute. */
const ASLEEP_MS = 90_000;

/** Call `act` when the machine woke up, or came back to its network: then a connection may be dead and not know it. */
function onWake(act: () => void): void {
  let last = Date.now();
  setInterval(() => {
    const slept = Date.now() - last > ASLEEP_MS;
    last = Date.now();
    if (slept) act();
  }, BEAT_MS);
  window.addEventListener("online", act);
  window.addEventListener("pageshow", (event) => event.persisted && act());
}

/** Return the folder of the page, in which all addresses of the server lie, whatever prefix a proxy shows it under. */
function folder(): string {
  return new URL("./", location.href).href;
}

/** The server refused the socket: where it asks for a token now, it has a page that takes one. */
async function askAgain(connect: () => void): Promise<void> {
  const response = await fetch("./about").catch(() => null);
  if (response?.status === 401) location.reload();
  else setTimeout(connect, REFUSED_MS);
}

const REFUSED_MS = 1500;

function readBytes(payload: unknown): wire.PointsMessage[] {
  if (!(payload instanceof ArrayBuffer)) throw new wire.WireError("points came without bytes");
  return wire.readPoints(payload);
}

/** Says that the server answered, but not with what was asked for. */
export class RequestError extends Error {
  override name = "RequestError";
  constructor(
    readonly status: number,
    address: string,
  ) {
    super(`${address} answered ${status}`);
  }
}

/** Tell whether the server refused a change because this page came by a link that may only look. */
export function isForbidden(error: unknown): boolean {
  return error instanceof RequestError && error.status === 403;
}

async function get(address: string, signal?: AbortSignal): Promise<Response> {
  const headers = { Accept: "application/json, application/octet-stream" };
  const response = await fetch(address, { headers, signal: signal ?? null });
  if (!response.ok) throw new RequestError(response.status, address);
  return response;
}

/** What the page shows of a run in its list: a run's config may be long. */
const LISTED = ["project", "name", "state", "reason", "created", "ended", "heartbeat", "progress", "problems", "axes", "summary"];

/** Read all runs, page by page where the server answers in pages. */
export async function readRuns(): Promise<wire.Run[]> {
  const query = new URLSearchParams(LISTED.map((field) => ["$select[]", field]));
  const runs: wire.Run[] = [];
  for (;;) {
    query.set("$skip", String(runs.length));
    const { records, total } = wire.readPage(await (await get(`./runs?${query.toString()}`)).json());
    runs.push(...wire.readRuns(records));
    if (records.length === 0 || runs.length >= total) return runs;
  }
}

/** What to read of some runs: named metrics, or the first that were logged; at most `most` points of each. */
export interface SeriesWish {
  readonly runs: readonly string[];
  readonly metrics?: readonly string[];
  readonly first?: number;
  readonly most: number;
  /** About `most` means of equally many points each in the place of points. */
  readonly means?: boolean;
  /** A part of the series: the axis whose bounds are given, and along which they are thinned. */
  readonly part?: Part;
}

export interface Part {
  /** `step`, `time` (seconds since 1970), `relative` (seconds since the run began) or a metric. */
  readonly x: string;
  readonly from: number | null;
  readonly to: number | null;
}

/** What was read of one run: of the metrics that were asked for and are not in the message there is no point. */
export interface SeriesRead {
  readonly message: wire.PointsMessage;
  readonly asked: readonly string[];
}

/** Read series, each with its extremes, up to a cursor. Runs that are not there are left out. */
export async function readSeries(wish: SeriesWish, signal?: AbortSignal): Promise<SeriesRead[]> {
  const read = async ({ query, asked }: Query): Promise<SeriesRead[]> => {
    const bytes = await (await get(`./series?${query}`, signal)).arrayBuffer();
    return bytes.byteLength === 0 ? [] : wire.readPoints(bytes).map((message) => ({ message, asked }));
  };
  return (await Promise.all(queries(wish).map(read))).flat();
}

interface Query {
  readonly query: string;
  readonly asked: readonly string[];
}

/** Servers and proxies take addresses of 8 kB. */
const MOST_LETTERS = 3500;

/** A wish that is too long for one address is written in several. */
function queries({ runs, metrics, first, most, means, part }: SeriesWish): Query[] {
  const rest: string[][] = [[means === true ? "means" : "max", String(most)]];
  if (first !== undefined) rest.push(["first", String(first)]);
  if (part !== undefined) {
    rest.push(["x", part.x]);
    if (part.from !== null) rest.push(["from", String(part.from)]);
    if (part.to !== null) rest.push(["to", String(part.to)]);
  }
  const named = metrics === undefined ? [[]] : shares(metrics);
  return shares(runs).flatMap((some) =>
    named.map((asked) => {
      const pairs = [...some.map((run) => ["run", run]), ...asked.map((metric) => ["metric", metric]), ...rest];
      return { query: new URLSearchParams(pairs).toString(), asked };
    }),
  );
}

/** Part words so that each part fits into an address with another one. */
function shares(words: readonly string[]): string[][] {
  const parts: string[][] = [];
  let left = 0;
  for (const word of words) {
    const letters = encodeURIComponent(word).length + 8;
    if (letters > left) {
      parts.push([]);
      left = MOST_LETTERS;
    }
    parts[parts.length - 1]?.push(word);
    left -= letters;
  }
  return parts;
}

/** Read what the socket brings first of a run, and how the cells of its project stand. */
export async function readBoard(run: string): Promise<wire.Board> {
  return wire.readBoard(await (await get(`./board?${new URLSearchParams({ run }).toString()}`)).json());
}

/** Count the cells that belong to no run. */
export async function countLooseCells(): Promise<number> {
  return wire.readLooseCells(await (await get("./about")).json());
}

/** Read some of what was logged under a name: `count` from a place on, or so many spread over all. */
export async function readMedia(run: string, name: string, part: { first: number; count: number } | { most: number }): Promise<wire.MediaPage> {
  const query = new URLSearchParams({ name });
  for (const [key, value] of Object.entries(part)) query.set(key, String(value));
  return wire.readMedia(await (await get(`./runs/${encodeURIComponent(run)}/media?${query.toString()}`)).json());
}

/** Read the text of a file of media. */
export async function readFile(address: string): Promise<string> {
  return (await get(pictureAddress(address, 0))).text();
}

/** Read the figure of a cell as its frame can draw it in the place of another; null where it cannot. */
export async function readFigure(cell: string): Promise<object | null> {
  const response = await fetch(`./figure?${new URLSearchParams({ cell }).toString()}`, { headers: { Accept: "application/json" } });
  const figure: unknown = response.ok ? await response.json() : null;
  return typeof figure === "object" ? figure : null;
}

/** Name the address of the document that a file of media is shown as. */
export function documentAddress(src: string, theme: string): string {
  return `./frame?${new URLSearchParams({ src, theme }).toString()}`;
}

/** Name the address of an html cell's document. `version` makes a new address of a new value. */
export function frameAddress(cell: string, theme: string, version: string): string {
  return `./frame?${new URLSearchParams({ cell, theme, v: version }).toString()}`;
}

/** Name the address of a picture, relative to the page's root; the n-th state of one address is asked for anew. */
export function pictureAddress(value: string, version: number): string {
  if (/^(data|blob):/i.test(value)) return value;
  // A proxy may show the page under a prefix that a value with a slash before it knows nothing of.
  const address = new URL(value.replace(/^\/(?!\/)/, "./"), folder());
  if (version > 0) address.searchParams.set("v", String(version));
  return address.href;
}

/** Change some of a cell's fields. */
export async function patchCell(id: string, fields: object): Promise<void> {
  await send("PATCH", `./values?${new URLSearchParams({ _id: id }).toString()}`, fields);
}

/** Read what is noted at a cell. */
export async function readNotesOf(id: string): Promise<readonly wire.Note[]> {
  const query = new URLSearchParams({ _id: id, "$select[]": "notes" });
  return wire.readNotesFound(await (await get(`./values?${query.toString()}`)).json());
}

/** Read how the cells of a project stand; null where nobody has moved one. */
export async function readLayout(project: string): Promise<ReturnType<typeof wire.readLayout>> {
  return wire.readLayout(await (await get(`./values?${layoutOf(project)}`)).json());
}

/** Keep how the cells of a project stand. */
export async function writeLayout(project: string, value: object): Promise<void> {
  const changed: unknown = await (await send("PATCH", `./values?${layoutOf(project)}`, { value })).json();
  if (!Array.isArray(changed) || changed.length > 0) return;
  const record = { _id: layoutId(project), name: `Layout of ${project}`, type: "layout", project, value, pos: 0 };
  await send("POST", "./values", record);
}

function layoutId(project: string): string {
  return `layout/${project}`;
}

function layoutOf(project: string): string {
  return new URLSearchParams({ _id: layoutId(project) }).toString();
}

async function send(method: string, address: string, body: object): Promise<Response> {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  const response = await fetch(address, { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new RequestError(response.status, address);
  return response;
}
