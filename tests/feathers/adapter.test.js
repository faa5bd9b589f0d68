// Feathers' own tests of a database adapter, run against the service `values` from afar, over each transport.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";

import { errors, find, open, transports } from "./clients.js";

// These ask for what is inside an adapter, or for what the wrapper below would have to play itself.
const LEFT_OUT = {
  ".options": "the options of an adapter are its own; the wrapper's tell which server to call",
  ".events": "custom events are a matter of an adapter's options",
  "._get": "a method beneath the hooks, which only the adapter's own process can call",
  "._find": "the same",
  "._create": "the same",
  "._update": "the same",
  "._patch": "the same",
  "._remove": "the same",
  "internal .find": "how the adapter calls itself",
  "internal .get": "the same",
  "internal .create": "the same",
  "internal .update": "the same",
  "internal .patch": "the same",
  "internal .remove": "the same",
};

/** Call the server whose configuration is that of `options`, as a test sets them or as `params` have them. */
class Remote {
  id = "_id";
  options = { multi: false, paginate: {} };
  #over;
  #clients = new Map();

  constructor(over) {
    this.#over = over;
  }

  async find(params = {}) {
    return (await this.#client("find", params)).find(params);
  }

  async get(id, params = {}) {
    return (await this.#client("get", params)).get(id, params);
  }

  async create(data, params = {}) {
    return (await this.#client("create", params)).create(data, params);
  }

  async update(id, data, params = {}) {
    return (await this.#client("update", params)).update(id, data, params);
  }

  async patch(id, data, params = {}) {
    return (await this.#client("patch", params)).patch(id, data, params);
  }

  async remove(id, params = {}) {
    return (await this.#client("remove", params)).remove(id, params);
  }

  async close() {
    for (const client of this.#clients.values()) {
      (await client).close();
    }
  }

  async #client(method, params) {
    const { multi, paginate } = { ...this.options, ...params.adapter };
    const wanted = params.paginate ?? paginate;
    const { url } = find({
      multi: multi === true || (Array.isArray(multi) && multi.includes(method)),
      pages: wanted?.default ? { default: wanted.default, max: wanted.max ?? null } : null,
    });
    if (!this.#clients.has(url)) {
      this.#clients.set(url, open(this.#over, url));
    }
    return (await this.#clients.get(url)).values;
  }
}

Object.assign(globalThis, { after, afterEach, before, beforeEach, describe, it }); // as mocha has them
const require = createRequire(import.meta.url);
const suite = require("@feathersjs/adapter-tests");
const asked = new Set();
const names = Object.assign([], { includes: (name) => asked.add(name) && !(name in LEFT_OUT) }); // all, also later ones

for (const over of transports) {
  describe(`over ${over}`, () => {
    const service = new Remote(over);
    after(() => service.close());
    suite(names)({ service: () => service }, errors, "values", "_id");
  });
}

it("nothing is left out that is not there", () => {
  assert.deepEqual(Object.keys(LEFT_OUT).filter((name) => !asked.has(name)), []);
});
