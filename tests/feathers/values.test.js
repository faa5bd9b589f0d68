// Each row of the wire of `values`, through the official client, over each transport.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";

import { Witness, errors, fails, find, ids, open, transports, url } from "./clients.js";

const q = (query) => ({ query });
const deep = (levels) => (levels > 1 ? { $and: [deep(levels - 2)] } : { x: 1 });

const strange = [
  "constructor",
  "__proto__",
  "hasOwnProperty",
  "toString",
  "with space",
  " ",
  "a/b",
  "/",
  "a//b/",
  "../up",
  "a\\b",
  "100%",
  "%2F",
  "a+b",
  "?a=1&b#c",
  "ünï ☃ 𝔘",
  "null",
  "undefined",
  "true",
  "0",
  "\u0000",
  "\"'`<script>",
  "x".repeat(4096),
];

const shelf = [
  { _id: "a", name: "a", pos: 1, flag: true, meta: { layer: "fc", deep: { er: 1 } }, tags: ["x", "y"] },
  { _id: "b", name: "b c", pos: 10, flag: false, meta: { layer: "conv" }, tags: [] },
  { _id: "c", name: "007", pos: 2, flag: null, tags: ["y", 3] },
  { _id: "d", name: "é", pos: "2", flag: "true" },
  { _id: "e", pos: -1.5e3, list: [{ k: 1 }, { k: 2 }] },
];

// The last column is for addresses, where it differs: all is text there, and text is compared with stored text too.
const matching = [
  ["equality with text", { name: "a" }, ["a"]],
  ["equality with a number", { pos: 10 }, ["b"]],
  ["equality with a fraction", { pos: -1500 }, ["e"]],
  ["equality with digits is one with text where text is stored", { name: "007" }, ["c"]],
  ["digits are not a number's text", { name: "7" }, []],
  ["several fields must all be equal", { name: "a", pos: 1 }, ["a"]],
  ["several fields, one of them different", { name: "a", pos: 2 }, []],
  ["dots reach into objects", { "meta.layer": "fc" }, ["a"]],
  ["dots reach further", { "meta.deep.er": 1 }, ["a"]],
  ["an object is compared as a whole", { meta: { layer: "conv" } }, ["b"]],
  ["a scalar matches an array that holds it", { tags: "x" }, ["a"]],
  ["a number matches an array that holds it", { tags: 3 }, ["c"]],
  ["dots reach into arrays of objects", { "list.k": 2 }, ["e"]],
  ["a field that nobody has", { nope: 1 }, []],
  ["names of the language are fields like others", { constructor: "x" }, []],
  ["an _id", { _id: "b" }, ["b"]],
  ["$in", { name: { $in: ["a", "b c"] } }, ["a", "b"]],
  ["$in of numbers", { pos: { $in: [1, 10] } }, ["a", "b"]],
  ["$in of one", { name: { $in: ["a"] } }, ["a"]],
  ["$in of ids", { _id: { $in: ["e", "a"] } }, ["a", "e"]],
  ["$in over an array", { tags: { $in: ["x"] } }, ["a"]],
  ["$in of more than qs counts by itself", { pos: { $in: [...Array(60).keys()] } }, ["a", "b", "c"], ["a", "b", "c", "d"]],
  ["$nin", { name: { $nin: ["a", "b c"] } }, ["c", "d", "e"]],
  ["$lt of numbers", { pos: { $lt: 2 } }, ["a", "e"]],
  ["$lte", { pos: { $lte: 1 } }, ["a", "e"]],
  ["$gt", { pos: { $gt: 2 } }, ["b"]],
  ["$gte", { pos: { $gte: 10 } }, ["b"], ["b", "d"]],
  ["$gt and $lt of one field", { pos: { $gt: 1, $lt: 10 } }, ["c"]],
  ["$lt of text", { name: { $lt: "a" } }, ["c"]],
  ["$ne", { name: { $ne: "a" } }, ["b", "c", "d", "e"]],
  ["$or", { $or: [{ pos: { $gt: 2 } }, { name: "a" }] }, ["a", "b"]],
  ["$or beside a field", { name: "a", $or: [{ pos: 1 }, { pos: 2 }] }, ["a"]],
  ["$and", { $and: [{ "meta.layer": "fc" }, { name: "a" }] }, ["a"]],
  ["$and and $or nested at will", { $and: [{ $or: [{ name: "a" }, { $and: [{ name: "007" }] }] }] }, ["a", "c"]],
  ["undefined is nothing at all", { name: undefined }, ["a", "b", "c", "d", "e"]],
  ["an empty query", {}, ["a", "b", "c", "d", "e"]],
];

const refused = [
  ["an unknown $-name", { $foo: 1 }],
  ["$where", { $where: "1" }],
  ["an unknown operator", { name: { $regex: "a" } }],
  ["an operator beside a field", { name: { $gt: 1, other: 2 } }],
  ["an operator below a field that is an object", { meta: { layer: { $gt: "a" } } }],
  ["$limit inside $or", { $or: [{ $limit: "1" }] }],
  ["$or of no array", { $or: "x" }],
  ["$or of no query", { $or: ["x"] }],
  ["$sort by no direction", { $sort: { name: 2 } }],
  ["$sort of no object", { $sort: "name" }],
  ["a negative $limit", { $limit: -1 }],
  ["a $limit of no number", { $limit: "x" }],
  ["half a $skip", { $skip: 1.5 }],
  ["a query past the bound of depth", deep(41)],
];

for (const over of transports) {
  describe(`values over ${over}`, () => {
    let client, values, other, witness;

    before(async () => {
      client = await open(over);
      ({ values } = client);
      other = await open(over === "websocket" ? "polling" : "websocket");
    });

    beforeEach(async () => {
      await values.remove(null);
      witness = await settled(other);
    });

    after(() => {
      client.close();
      other.close();
    });

    // --- records and methods ---

    test("create answers with the record and an _id, and with nothing else", async () => {
      const record = await values.create({ name: "x", pos: 1 });
      assert.equal(typeof record._id, "string");
      assert.deepEqual(record, { name: "x", pos: 1, _id: record._id });
    });

    test("create keeps the client's own _id", async () => {
      assert.deepEqual(await values.create({ _id: "mine", a: [1, { b: null }] }), { _id: "mine", a: [1, { b: null }] });
      assert.deepEqual(await values.get("mine"), { _id: "mine", a: [1, { b: null }] });
    });

    test("create of an array is a bulk create", async () => {
      const made = await values.create([{ n: 1 }, { _id: "b", n: 2 }]);
      assert.deepEqual(made.map(({ n }) => n), [1, 2]);
      assert.equal(made[1]._id, "b");
      assert.deepEqual(await values.create([]), []);
    });

    test("create with an _id that exists is a Conflict and changes nothing", async () => {
      await values.create({ _id: "a", n: 1 });
      await fails(values.create({ _id: "a", n: 2 }), "Conflict");
      await fails(values.create([{ _id: "b" }, { _id: "a" }]), "Conflict");
      assert.deepEqual(await values.find(), [{ _id: "a", n: 1 }]);
    });

    test("create of what is no record is a BadRequest", async () => {
      await fails(values.create([1]), "BadRequest");
      await fails(values.create({ _id: 7 }), "BadRequest");
      await fails(values.create("text"), "BadRequest");
      assert.deepEqual(await values.find(), []);
    });

    test("what JSON can hold comes back as it was", async () => {
      const value = { n: null, t: true, big: 2 ** 53 - 1, small: 5e-324, text: "☃\u0000\u2028\"\\", list: [[], {}], "": 0 };
      await values.create({ _id: "a", value, "a.b": 1, $dollar: 2, constructor: 3 });
      assert.deepEqual((await values.get("a")).value, value);
      assert.deepEqual(await values.get("a"), { _id: "a", value, "a.b": 1, $dollar: 2, constructor: 3 });
    });

    test("find answers with a plain array, in the order of creation", async () => {
      assert.deepEqual(await values.find(), []);
      await values.create(shelf);
      assert.deepEqual(await values.find(), shelf);
    });

    test("get answers with the record", async () => {
      await values.create(shelf);
      assert.deepEqual(await values.get("a"), shelf[0]);
    });

    test("update replaces a record as a whole", async () => {
      await values.create({ _id: "a", x: 1, y: 2 });
      assert.deepEqual(await values.update("a", { z: 3 }), { _id: "a", z: 3 });
      assert.deepEqual(await values.get("a"), { _id: "a", z: 3 });
    });

    test("patch merges at the top level only", async () => {
      await values.create({ _id: "a", x: 1, meta: { a: 1 } });
      assert.deepEqual(await values.patch("a", { meta: { b: 2 } }), { _id: "a", x: 1, meta: { b: 2 } });
      assert.deepEqual(await values.get("a"), { _id: "a", x: 1, meta: { b: 2 } });
    });

    test("remove answers with the removed record", async () => {
      await values.create({ _id: "a", x: 1 });
      assert.deepEqual(await values.remove("a"), { _id: "a", x: 1 });
      await fails(values.get("a"), "NotFound");
      await fails(values.remove("a"), "NotFound");
      assert.deepEqual(await values.create({ _id: "a", x: 2 }), { _id: "a", x: 2 });
    });

    test("patch and remove without an id act on all that match, also on none", async () => {
      await values.create(["a", "b", "c"].map((_id) => ({ _id, type: _id === "c" ? "r" : "q" })));
      assert.deepEqual(await values.patch(null, { n: 1 }, q({ type: "q" })), [
        { _id: "a", type: "q", n: 1 },
        { _id: "b", type: "q", n: 1 },
      ]);
      assert.deepEqual(await values.patch(null, { n: 1 }, q({ type: "none" })), []);
      assert.deepEqual(await values.remove(null, q({ type: "none" })), []);
      assert.deepEqual(ids(await values.remove(null, q({ n: 1 }))), ["a", "b"]);
      assert.deepEqual(ids(await values.find()), ["c"]);
    });

    test("update without an id is a BadRequest", async () => {
      await values.create({ _id: "a" });
      await fails(values.update(null, { x: 1 }), "BadRequest");
      assert.deepEqual(await values.find(), [{ _id: "a" }]);
    });

    test("with multi off, many at once are MethodNotAllowed", async () => {
      const single = await open(over, find({ multi: false, pages: null }).url);
      await values.create({ _id: "a" });
      await fails(single.values.create([{ x: 1 }]), "MethodNotAllowed");
      await fails(single.values.patch(null, { x: 1 }), "MethodNotAllowed");
      await fails(single.values.remove(null), "MethodNotAllowed");
      assert.deepEqual(await single.values.patch("a", { x: 1 }), { _id: "a", x: 1 });
      assert.deepEqual(await values.find(), [{ _id: "a", x: 1 }]);
      single.close();
    });

    test("with pagination, find answers with a page", async () => {
      const paged = await open(over, find({ multi: true, pages: { default: 1, max: 2 } }).url);
      await values.create(shelf);
      const page = (query) => paged.values.find(q(query));
      assert.deepEqual(await page({}), { total: 5, limit: 1, skip: 0, data: [shelf[0]] });
      assert.deepEqual(await page({ $limit: 9, $skip: 4 }), { total: 5, limit: 2, skip: 4, data: [shelf[4]] });
      assert.deepEqual(await page({ $limit: 0 }), { total: 5, limit: 0, skip: 0, data: [] });
      assert.deepEqual(await page({ name: "none" }), { total: 0, limit: 1, skip: 0, data: [] });
      paged.close();
    });

    test("an _id in the data of patch and update is ignored", async () => {
      await values.create({ _id: "a", x: 1 });
      assert.deepEqual(await values.patch("a", { _id: "b", x: 2 }), { _id: "a", x: 2 });
      assert.deepEqual(await values.update("a", { _id: "b", x: 3 }), { _id: "a", x: 3 });
      assert.deepEqual(await values.patch(null, { _id: "c", x: 4 }), [{ _id: "a", x: 4 }]);
      assert.deepEqual(await values.find(), [{ _id: "a", x: 4 }]);
    });

    test("a record that exists but does not match the query is NotFound", async () => {
      await values.create({ _id: "a", type: "html" });
      const img = q({ type: "img" });
      await fails(values.get("a", img), "NotFound");
      await fails(values.update("a", { x: 1 }, img), "NotFound");
      await fails(values.patch("a", { x: 1 }, img), "NotFound");
      await fails(values.remove("a", img), "NotFound");
      await fails(values.get("a", q({ _id: "b" })), "NotFound");
      assert.deepEqual(await values.get("a", q({ type: "html" })), { _id: "a", type: "html" });
    });

    test("$select trims the result of every method and keeps _id", async () => {
      const select = q({ $select: ["name"] });
      const short = { _id: "a", name: "n" };
      assert.deepEqual(await values.create({ ...short, pos: 1 }, select), short);
      assert.deepEqual(await values.find(select), [short]);
      assert.deepEqual(await values.get("a", select), short);
      assert.deepEqual(await values.patch("a", { pos: 2 }, select), short);
      assert.deepEqual(await values.patch(null, { pos: 2 }, select), [short]);
      assert.deepEqual(await values.update("a", { name: "n", pos: 3 }, select), short);
      assert.deepEqual(await values.remove("a", select), short);
      assert.deepEqual(await values.create([{ ...short, pos: 1 }], select), [short]);
      assert.deepEqual(await values.remove(null, select), [short]);
    });

    test("$select of several fields, of one by dots, and of one that is not there", async () => {
      await values.create({ _id: "a", name: "n", pos: 1, meta: { x: 1, y: 2 } });
      assert.deepEqual(await values.get("a", q({ $select: ["name", "pos", "nope"] })), { _id: "a", name: "n", pos: 1 });
      assert.deepEqual(await values.get("a", q({ $select: ["meta.x"] })), { _id: "a", meta: { x: 1 } });
      assert.deepEqual(await values.get("a", q({ $select: ["_id"] })), { _id: "a" });
    });

    test("create ignores the rest of the query", async () => {
      assert.deepEqual(await values.create({ _id: "a", name: "x" }, q({ name: "y" })), { _id: "a", name: "x" });
    });

    test("a custom method is MethodNotAllowed, or no call at all", async (context) => {
      if (over !== "fetch") {
        return context.skip("on a socket it is an event of its own, which stock servers do not answer either");
      }
      const custom = await open(over, url, { methods: ["create", "resetPassword"] });
      await fails(custom.values.resetPassword({ a: 1 }), "MethodNotAllowed");
      assert.deepEqual(await values.find(), []);
    });

    // --- ids ---

    for (const id of strange) {
      const shown = JSON.stringify(id.length > 30 ? `${id.slice(0, 8)}… of ${id.length}` : id);
      test(`${shown} is an id like another`, async () => {
        await fails(values.get(id), "NotFound");
        await fails(values.update(id, { x: 1 }), "NotFound");
        await fails(values.patch(id, { x: 1 }), "NotFound");
        await fails(values.remove(id), "NotFound");
        assert.deepEqual(await values.create({ _id: id, x: 1 }), { _id: id, x: 1 });
        assert.deepEqual(await values.get(id), { _id: id, x: 1 });
        assert.deepEqual(await values.find(q({ _id: id })), [{ _id: id, x: 1 }]);
        assert.deepEqual(await values.patch(id, { x: 2 }), { _id: id, x: 2 });
        assert.deepEqual(await values.update(id, { y: 3 }), { _id: id, y: 3 });
        assert.deepEqual(await values.remove(id), { _id: id, y: 3 });
      });
    }

    test("a number is taken for an id's digits", async () => {
      await values.create({ _id: "7", x: 1 });
      assert.deepEqual(await values.get(7), { _id: "7", x: 1 });
      await fails(values.get(123456789), "NotFound");
    });

    // --- queries ---

    for (const [name, query, expected, inAddress = expected] of matching) {
      test(`a query: ${name}`, async () => {
        await values.create(shelf);
        assert.deepEqual(ids(await values.find(q(query))), over === "fetch" ? inAddress : expected);
      });
    }

    test("a query of null matches null and what is missing", async () => {
      await values.create([{ _id: "a", x: null }, { _id: "b" }, { _id: "c", x: 0 }, { _id: "d", x: false }]);
      const found = ids(await values.find(q({ x: null })));
      assert.deepEqual(found, over === "fetch" ? ["a"] : ["a", "b"]); // in an address null is the empty text
    });

    test("a query of true matches truth, and in an address its text too", async () => {
      await values.create(shelf);
      assert.deepEqual(ids(await values.find(q({ flag: true }))), over === "fetch" ? ["a", "d"] : ["a"]);
    });

    test("an empty $in matches nothing, and in an address it is nothing at all", async () => {
      await values.create(shelf);
      const found = await values.find(q({ name: { $in: [] } }));
      assert.equal(found.length, over === "fetch" ? 5 : 0);
    });

    test("$sort, in the given order of its keys", async () => {
      await values.create([
        { _id: "a", n: 1, m: "x" },
        { _id: "b", n: 2, m: "y" },
        { _id: "c", n: 1, m: "z" },
        { _id: "d", n: 10, m: "x" },
      ]);
      const sorted = async ($sort) => ids(await values.find(q({ $sort })));
      assert.deepEqual(await sorted({ n: 1 }), ["a", "c", "b", "d"]);
      assert.deepEqual(await sorted({ n: -1 }), ["d", "b", "a", "c"]);
      assert.deepEqual(await sorted({ n: 1, m: -1 }), ["c", "a", "b", "d"]);
      assert.deepEqual(await sorted({ m: -1, n: 1 }), ["c", "b", "a", "d"]);
      assert.deepEqual(await sorted({ m: "1", n: "-1" }), ["d", "a", "b", "c"]);
    });

    test("$limit and $skip, as numbers and as strings", async () => {
      await values.create(shelf);
      const found = async (query) => ids(await values.find(q(query)));
      assert.deepEqual(await found({ $limit: 2 }), ["a", "b"]);
      assert.deepEqual(await found({ $limit: "2" }), ["a", "b"]);
      assert.deepEqual(await found({ $limit: 0 }), []);
      assert.deepEqual(await found({ $skip: 3 }), ["d", "e"]);
      assert.deepEqual(await found({ $skip: "3", $limit: "1" }), ["d"]);
      assert.deepEqual(await found({ $skip: 99 }), []);
    });

    for (const [name, query] of refused) {
      test(`a query that is refused: ${name}`, async () => {
        await values.create({ _id: "a", name: "a" });
        await fails(values.find(q(query)), "BadRequest");
        await fails(values.get("a", q(query)), "BadRequest");
        await fails(values.create({ _id: "b" }, q(query)), "BadRequest");
        await fails(values.update("a", { x: 1 }, q(query)), "BadRequest");
        await fails(values.patch(null, { x: 1 }, q(query)), "BadRequest");
        await fails(values.remove(null, q(query)), "BadRequest");
        assert.deepEqual(await values.find(), [{ _id: "a", name: "a" }]);
      });
    }

    test("a query of any depth below the bound", async () => {
      await values.create({ _id: "a", x: 1 });
      for (const levels of [1, 9, 21, 31]) {
        assert.deepEqual(ids(await values.find(q(deep(levels)))), ["a"]);
      }
    });

    // --- errors ---

    test("an error has the class, name, message and code of the wire", async () => {
      const error = await fails(values.get("nope"), "NotFound");
      assert.ok(error instanceof errors.FeathersError);
      assert.equal(error.message, "No record found for id 'nope'");
      assert.deepEqual([error.code, error.className], [404, "not-found"]);
      const refused = await fails(values.find(q({ $foo: 1 })), "BadRequest");
      assert.equal(refused.message, "Invalid query parameter $foo");
      assert.deepEqual([refused.code, refused.className], [400, "bad-request"]);
    });

    // --- events ---

    test("every change is told to others, and reads and failures are not", async () => {
      await values.create({ _id: "a", n: 1 });
      await values.find();
      await values.get("a");
      await fails(values.get("nope"), "NotFound");
      await fails(values.create({ _id: "a" }), "Conflict");
      await fails(values.patch("nope", { n: 1 }), "NotFound");
      await values.patch(null, { n: 1 }, q({ n: 99 }));
      await values.patch("a", { n: 2 });
      await values.update("a", { n: 3 });
      await values.remove("a");
      assert.deepEqual(await witness.wait(4), [
        ["created", { _id: "a", n: 1 }],
        ["patched", { _id: "a", n: 2 }],
        ["updated", { _id: "a", n: 3 }],
        ["removed", { _id: "a", n: 3 }],
      ]);
    });

    test("bulk and multi calls tell of each record", async () => {
      await values.create([{ _id: "a" }, { _id: "b" }]);
      await values.patch(null, { n: 1 });
      await values.remove(null);
      assert.deepEqual(await witness.wait(6), [
        ["created", { _id: "a" }],
        ["created", { _id: "b" }],
        ["patched", { _id: "a", n: 1 }],
        ["patched", { _id: "b", n: 1 }],
        ["removed", { _id: "a", n: 1 }],
        ["removed", { _id: "b", n: 1 }],
      ]);
    });

    test("an event bears the record as the method returned it", async () => {
      await values.create({ _id: "a", name: "x", pos: 1 }, q({ $select: ["name"] }));
      await values.patch("a", { pos: 2 }, q({ $select: ["pos"] }));
      assert.deepEqual(await witness.wait(2), [
        ["created", { _id: "a", name: "x" }],
        ["patched", { _id: "a", pos: 2 }],
      ]);
    });

    test("the caller hears of its own changes", async (context) => {
      if (over === "fetch") {
        return context.skip("fetch hears nothing");
      }
      const own = new Witness(client);
      await values.create({ _id: "a" });
      await values.remove("a");
      assert.deepEqual(await own.wait(2), [["created", { _id: "a" }], ["removed", { _id: "a" }]]);
    });

    test("nothing is replayed to late clients", async (context) => {
      if (over === "fetch") {
        return context.skip("fetch hears nothing");
      }
      await values.create({ _id: "a" });
      const late = await open(over);
      const heard = new Witness(late);
      await values.create({ _id: "b" });
      assert.deepEqual(await heard.wait(1), [["created", { _id: "b" }]]);
      late.close();
    });

    // --- many at a time ---

    test("a hundred calls in flight are all answered, and tell of all they did", async () => {
      const many = [...Array(100).keys()].map(String);
      const made = await Promise.all(many.map((_id) => values.create({ _id })));
      assert.deepEqual(ids(made), many);
      const events = await witness.wait(100);
      assert.deepEqual(new Set(events.map(([, { _id }]) => _id)), new Set(many));
      assert.deepEqual(ids(await Promise.all(many.map((id) => values.get(id)))), many);
    });

    test("calls of one socket start in the order sent", async (context) => {
      if (over === "fetch") {
        return context.skip("requests of their own have no order");
      }
      await values.create({ _id: "a" });
      const sent = [...Array(50).keys()];
      await Promise.all(sent.map((n) => values.patch("a", { n })));
      const events = await witness.wait(51);
      assert.deepEqual(events.slice(1).map(([, { n }]) => n), sent);
      assert.deepEqual(await values.get("a"), { _id: "a", n: 49 });
    });

    test("every client hears the same in the same order, and last what is stored", async () => {
      const mine = over === "fetch" ? await open("polling") : client;
      const own = new Witness(mine);
      await values.create({ _id: "a" });
      const writers = [values, other.values, mine.values];
      await Promise.all(writers.flatMap((by, w) => [...Array(20).keys()].map((n) => by.patch("a", { w, n }))));
      const heard = await witness.wait(61);
      assert.deepEqual(await own.wait(61), heard);
      assert.deepEqual(heard[60], ["patched", await values.get("a")]);
      if (mine !== client) {
        mine.close();
      }
    });

    test("a large record travels", async () => {
      const value = "x☃".repeat(500_000);
      const record = await values.create({ _id: "a", value });
      assert.equal(record.value, value);
      const [[, heard]] = await witness.wait(1);
      assert.equal(heard.value, value);
    });
  });
}

/** Forget what was heard, once the events of the cleaning are in. */
async function settled(client) {
  for (const name of ["created", "updated", "patched", "removed"]) {
    client.values.removeAllListeners(name);
  }
  await client.values.find(); // its ack comes after the events of what was done before
  return new Witness(client);
}
