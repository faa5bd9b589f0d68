// The official clients, each over one transport, and what the tests ask of them.

import assert from "node:assert/strict";
import { once } from "node:events";

import feathers from "@feathersjs/client";
import { io } from "socket.io-client";
import { io as io3 } from "socket.io-client-3";

export const { errors } = feathers;

/** The servers that the Python side started: `[{url, multi, pages}]`, all over one store. */
export const servers = JSON.parse(process.env.AGNEZ_SERVERS ?? "[]");

/** The one with the default configuration. */
export const { url } = find({ multi: true, pages: null });

export const transports = ["fetch", "websocket", "polling"];

const sockets = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
};

/** Return the server of that configuration. */
export function find({ multi, pages }) {
  const same = (server) => server.multi === multi && JSON.stringify(server.pages) === JSON.stringify(pages);
  return servers.find(same) ?? assert.fail(`nobody started a server with ${JSON.stringify({ multi, pages })}`);
}

/**
 * Open a client, of the service `values` and by `service` of others; `socket` is there for those that have one. With
 * `options.old` it is of the major version 3 of Socket.IO's client, the oldest that speaks this wire.
 */
export async function open(transport, at = url, options = {}) {
  const app = feathers();
  if (transport === "fetch") {
    app.configure(feathers.rest(at).fetch(fetch));
    return { values: use(app, options), service: (path) => app.service(path), close: () => {} };
  }
  const socket = (options.old ? io3 : io)(at, { transports: sockets[transport], forceNew: true, reconnection: false });
  app.configure(feathers.socketio(socket));
  await once(socket, "connect");
  if (transport === "upgrade") {
    await upgraded(socket.io.engine);
  }
  return { values: use(app, options), service: (path) => app.service(path), socket, close: () => socket.disconnect() };
}

function use(app, options) {
  if (options.methods) {
    app.use("values", app.defaultService("values"), options);
  }
  return app.service("values");
}

async function upgraded(engine) {
  if (engine.transport.name !== "websocket") {
    await once(engine, "upgrade");
  }
}

/** Keep the events that a socket client gets, in order. */
export class Witness {
  events = [];
  #news = new EventTarget();

  constructor({ values }) {
    for (const name of ["created", "updated", "patched", "removed"]) {
      values.on(name, (...given) => {
        assert.equal(given.length, 1, "an event has one argument");
        this.events.push([name, given[0]]);
        this.#news.dispatchEvent(new Event("event"));
      });
    }
  }

  /** Wait until so many events came, and return all of them. */
  async wait(count) {
    while (this.events.length < count) {
      await once(this.#news, "event", { signal: AbortSignal.timeout(20_000) });
    }
    return this.events;
  }
}

/** Expect a call to fail with the official client's class of that name, and return the error. */
export async function fails(promise, name) {
  const error = await promise.then(
    (result) => assert.fail(`${name} was expected, not ${JSON.stringify(result)}`),
    (reason) => reason,
  );
  assert.ok(error instanceof errors[name], `${name} was expected, not ${error.name}: ${error.message}`);
  assert.deepEqual([error.name, typeof error.message], [name, "string"]);
  return error;
}

/** Return the ids of records. */
export const ids = (records) => records.map((record) => record._id);
