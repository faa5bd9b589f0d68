// The other services through the official clients: they speak what `values` speaks.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Witness, errors, fails, open, transports, url } from "./clients.js";

const q = (query) => ({ query });

for (const over of transports) {
  describe(`the other services over ${over}`, () => {
    let client, runs, made;

    before(async () => {
      client = await open(over);
      runs = client.service("runs");
      made = await runs.create({ project: `project of ${over}`, name: "first", config: { lr: 0.1 } });
      await runs.create({ project: `project of ${over}`, name: "second", config: { lr: 0.2 } });
    });
    after(() => client.close());

    test("runs are found by query, and got, and changed", async () => {
      const project = `project of ${over}`;
      const found = await runs.find(q({ project, "config.lr": { $gte: 0.1 }, $sort: { name: -1 }, $select: ["name"] }));
      assert.deepEqual(
        found.map(({ name }) => name),
        ["second", "first"],
      );
      assert.deepEqual(Object.keys(found[0]).sort(), ["_id", "name"]);
      assert.equal((await runs.get(made._id)).config.lr, 0.1);
      assert.deepEqual((await runs.patch(made._id, { tags: ["good"] })).tags, ["good"]);
      assert.deepEqual((await runs.find(q({ tags: "good", project }))).map(({ _id }) => _id), [made._id]);
      await fails(runs.get("nope"), "NotFound");
      await fails(runs.find(q({ $foo: 1 })), "BadRequest");
    });

    test("projects and findings are for reading", async () => {
      const projects = client.service("projects");
      assert.equal((await projects.get(`project of ${over}`)).runs, 2);
      assert.deepEqual(await client.service("findings").find(q({ run: made._id })), []);
      for (const service of [projects, client.service("findings")]) {
        await fails(service.create({ a: 1 }), "MethodNotAllowed");
        await fails(service.remove("a"), "MethodNotAllowed");
      }
    });

    test("the cells of a run are a service of their own, with events", async () => {
      const path = `runs/${made._id}/cells`;
      const cells = client.service(path);
      const listener = await open("websocket");
      const witness = new Witness({ values: listener.service(path) });
      const cell = await cells.create({ name: "x", type: "html", value: "" });
      assert.equal(cell.run, made._id);
      assert.deepEqual(await cells.find(), [cell]);
      assert.deepEqual(await client.service("values").find(q({ run: made._id })), [cell]);
      assert.deepEqual(await cells.patch(cell._id, { pos: 2 }), { ...cell, pos: 2 });
      assert.deepEqual(await cells.remove(null), [{ ...cell, pos: 2 }]);
      assert.deepEqual(await witness.wait(3), [
        ["created", cell],
        ["patched", { ...cell, pos: 2 }],
        ["removed", { ...cell, pos: 2 }],
      ]);
      listener.close();
      const error = await fails(client.service("runs/nope/cells").find(), "NotFound");
      assert.ok(error instanceof errors.NotFound);
    });
  });
}

for (const over of ["websocket", "polling", "upgrade"]) {
  test(`a client with Socket.IO's version 3 over ${over} calls, hears and is refused`, async () => {
    const client = await open(over, url, { old: true });
    const witness = new Witness(client);
    const id = `old over ${over}`;
    assert.deepEqual(await client.values.create({ _id: id, n: 1 }), { _id: id, n: 1 });
    assert.deepEqual(await client.values.patch(id, { n: 2 }), { _id: id, n: 2 });
    assert.deepEqual(await client.values.find(q({ _id: id, $select: ["n"] })), [{ _id: id, n: 2 }]);
    await fails(client.values.create({ _id: id }), "Conflict");
    assert.deepEqual(await client.values.remove(id), { _id: id, n: 2 });
    assert.deepEqual(
      (await witness.wait(3)).map(([event]) => event),
      ["created", "patched", "removed"],
    );
    client.close();
  });
}
