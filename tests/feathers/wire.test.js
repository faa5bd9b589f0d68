// The rows of the wire that the official client never makes use of: plain fetch, and bare calls on its socket.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import { Witness, open, url } from "./clients.js";

const ACK = 3; // Socket.IO's number for the packet
const json = { "Content-Type": "application/json" };
const answer = { "content-type": "application/json; charset=utf-8" };

async function ask(method, path, { body, headers = {} } = {}) {
  const response = await fetch(url + path, { method, body, headers, redirect: "error" });
  const text = await response.text();
  if (method !== "HEAD") {
    assert.equal(response.headers.get("content-type"), answer["content-type"]);
  }
  return [response.status, text && JSON.parse(text), response.headers];
}

async function refused(code, name, ...request) {
  const [status, error] = await ask(...request);
  assert.deepEqual([status, error.code, error.name], [code, code, name]);
  assert.deepEqual(Object.keys(error).slice(0, 4), ["name", "message", "code", "className"]);
  assert.equal(error.stack, undefined);
}

const post = (record) => ask("POST", "/values", { body: JSON.stringify(record), headers: json });

describe("values over plain HTTP", () => {
  beforeEach(() => ask("DELETE", "/values"));

  test("each method answers with its status", async () => {
    assert.deepEqual((await post({ _id: "a" })).slice(0, 2), [201, { _id: "a" }]);
    assert.deepEqual((await post([{ _id: "b" }]))[0], 201);
    const body = "{}";
    for (const [method, path] of [
      ["GET", "/values"],
      ["GET", "/values/a"],
      ["PUT", "/values/a"],
      ["PATCH", "/values/a"],
      ["PATCH", "/values"],
      ["DELETE", "/values/a"],
      ["DELETE", "/values"],
    ]) {
      const writes = method === "PUT" || method === "PATCH";
      const [status] = await ask(method, path, writes ? { body, headers: json } : {});
      assert.equal(status, 200, `${method} ${path}`);
    }
  });

  test("PUT without an id is 400", () => refused(400, "BadRequest", "PUT", "/values", { body: "{}", headers: json }));

  test("a trailing slash is the same path", async () => {
    assert.equal((await ask("POST", "/values/", { body: '{"_id":"a"}', headers: json }))[0], 201);
    assert.deepEqual((await ask("GET", "/values/"))[1], [{ _id: "a" }]);
    assert.deepEqual((await ask("GET", "/values/a/"))[1], { _id: "a" });
    assert.equal((await ask("DELETE", "/values/"))[0], 200);
  });

  test("HEAD is GET without a body", async () => {
    await post({ _id: "a" });
    for (const path of ["/values", "/values/a"]) {
      const [status, text, headers] = await ask("HEAD", path);
      const [, got] = await ask("GET", path);
      assert.deepEqual([status, text, headers.get("content-length")], [200, "", `${JSON.stringify(got).length}`]);
    }
    assert.equal((await ask("HEAD", "/values/nope"))[0], 404);
  });

  for (const method of ["OPTIONS", "PROPFIND", "LINK"]) {
    test(`${method} is 405`, () => refused(405, "MethodNotAllowed", method, "/values/a"));
  }

  test("a header that names a method which is not there is 405", async () => {
    const headers = { ...json, "X-Service-Method": "resetPassword" };
    await refused(405, "MethodNotAllowed", "POST", "/values", { body: "{}", headers });
  });

  for (const body of ["", "{", "NaN", '{"a":NaN}', '[{"a":-Infinity}]', '"text"', "7", "true", "null", "{'a':1}", "[".repeat(9999)]) {
    const shown = body.length > 20 ? `${body.slice(0, 20)}…` : body;
    test(`a body of ${shown || "nothing"} is 400`, async () => {
      for (const [method, path] of [["POST", "/values"], ["PUT", "/values/a"], ["PATCH", "/values"]]) {
        await refused(400, "BadRequest", method, path, { body, headers: json });
      }
    });
  }

  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]) {
    test(`a body of ${type} is 415`, async () => {
      await refused(415, "UnsupportedMediaType", "POST", "/values", { body: '{"a":1}', headers: { "Content-Type": type } });
      assert.deepEqual((await ask("GET", "/values"))[1], []);
    });
  }

  test("an oversized body is 413", async () => {
    const body = JSON.stringify({ a: "x".repeat(17 * 1024 * 1024) });
    await refused(413, "PayloadTooLarge", "POST", "/values", { body, headers: json });
  });

  for (const accept of ["application/json", "*/*", "text/html", "image/png"]) {
    test(`whoever accepts ${accept} gets JSON`, () =>
      refused(404, "NotFound", "GET", "/values/nope", { headers: { Accept: accept } }));
  }

  for (const [form, found] of [
    ["name%5B%24in%5D%5B0%5D=a&name%5B%24in%5D%5B1%5D=b%20c", ["a", "b"]],
    ["name[$in][0]=a&name[$in][1]=b%20c", ["a", "b"]],
    ["name[$in][]=a&name[$in][]=b+c", ["a", "b"]],
    ["name[$in]=a&name[$in]=b+c", ["a", "b"]],
    ["name=b+c", ["b"]],
    ["name=b%20c", ["b"]],
    ["$or[0][pos][$gt]=1&$or[1][flag]=true", ["a", "b", "c"]],
    ["$sort[name]=-1&$sort[pos]=-1", ["b", "a", "c"]],
    ["$select[0]=name&$limit=2", ["a", "b"]],
    ["meta.layer=fc", ["a"]],
    ["meta[layer]=fc", ["a"]],
    ["flag=", ["c"]],
    ["flag=true", ["a"]],
    ["pos[$gt]=1", ["b", "c"]],
    ["name=007", ["c"]],
    ["", ["a", "b", "c"]],
  ]) {
    test(`the query ?${form}`, async () => {
      await post([
        { _id: "a", name: "a", pos: 1, flag: true, meta: { layer: "fc" } },
        { _id: "b", name: "b c", pos: 10, flag: false },
        { _id: "c", name: "007", pos: 2, flag: null },
      ]);
      const [status, records] = await ask("GET", `/values?${form}`);
      assert.equal(status, 200);
      assert.deepEqual(records.map(({ _id }) => _id), found);
    });
  }
});

for (const over of ["websocket", "polling", "upgrade"]) {
  describe(`bare calls over ${over}`, () => {
    let client, acks;

    before(async () => {
      client = await open(over);
      client.socket.io.on("packet", ({ type }) => (acks += type === ACK));
    });
    beforeEach(async () => {
      await client.values.remove(null);
      acks = 0;
    });
    after(() => client.close());

    /** Emit, and return what the ack bore. */
    const call = (...words) => new Promise((resolve) => client.socket.emit(...words, (...given) => resolve(given)));

    test("the ack of a result is null and the result", async () => {
      assert.deepEqual(await call("create", "values", { _id: "a" }, {}), [null, { _id: "a" }]);
      assert.deepEqual(await call("find", "values", {}), [null, [{ _id: "a" }]]);
      assert.deepEqual(await call("remove", "values", null, {}), [null, [{ _id: "a" }]]);
    });

    test("the ack of an error is the error alone", async () => {
      const message = "No record found for id 'nope'";
      const error = { name: "NotFound", message, code: 404, className: "not-found" };
      assert.deepEqual(await call("get", "values", "nope", {}), [error]);
    });

    test("the query may be missing", async () => {
      assert.deepEqual(await call("create", "values", { _id: "a" }), [null, { _id: "a" }]);
      assert.deepEqual(await call("get", "values", "a"), [null, { _id: "a" }]);
      assert.deepEqual(await call("patch", "values", "a", { x: 1 }), [null, { _id: "a", x: 1 }]);
      assert.deepEqual(await call("update", "values", "a", {}), [null, { _id: "a" }]);
      assert.deepEqual(await call("find", "values"), [null, [{ _id: "a" }]]);
      assert.deepEqual(await call("remove", "values", "a"), [null, { _id: "a" }]);
    });

    test("the ack may be missing, and the call is done", async () => {
      const witness = new Witness(client);
      client.socket.emit("create", "values", { _id: "a" }, {});
      client.socket.emit("get", "values");
      client.socket.emit("nonsense", "values");
      client.socket.emit("values::create", { _id: "b" });
      assert.deepEqual(await call("find", "values", {}), [null, [{ _id: "a" }]]);
      assert.deepEqual(await witness.wait(1), [["created", { _id: "a" }]]);
    });

    for (const [words, name] of [
      [["find"], "NotFound"],
      [["find", "nope", {}], "NotFound"],
      [["find", "constructor", {}], "NotFound"],
      [["find", 7, {}], "NotFound"],
      [["find", null, {}], "NotFound"],
      [["find", { path: "values" }, {}], "NotFound"],
      [["find", "values", {}, {}], "BadRequest"],
      [["find", "values", "x"], "BadRequest"],
      [["find", "values", ["x"]], "BadRequest"],
      [["get", "values"], "BadRequest"],
      [["get", "values", null, {}], "BadRequest"],
      [["get", "values", { a: 1 }, {}], "BadRequest"],
      [["get", "values", "a", {}, {}], "BadRequest"],
      [["create", "values"], "BadRequest"],
      [["create", "values", "x", {}], "BadRequest"],
      [["create", "values", {}, {}, {}], "BadRequest"],
      [["create", "values", new Uint8Array([1, 2]), {}], "BadRequest"],
      [["create", "values", { a: new Uint8Array([1, 2]) }, {}], "BadRequest"],
      [["update", "values", null, {}, {}], "BadRequest"],
      [["update", "values", "a"], "BadRequest"],
      [["patch", "values", "a", {}, {}, {}], "BadRequest"],
      [["patch", "values", true, {}, {}], "BadRequest"],
      [["remove", "values", "a", {}, {}], "BadRequest"],
      [["remove", "projects", "a", {}], "MethodNotAllowed"],
    ]) {
      test(`${JSON.stringify(words)} is answered once, with ${name}`, async () => {
        const given = await call(...words);
        assert.deepEqual(given.map((error) => error.name), [name]);
        assert.deepEqual(await call("find", "values", {}), [null, []]); // and a second ack would have come before
        assert.equal(acks, 2);
      });
    }
  });
}
