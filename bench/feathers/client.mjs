// The official client patches one record: calls one by one, then many in flight. `node client.mjs URL BYTES SECONDS WINDOW`

import { once } from "node:events";

import feathers from "@feathersjs/client";
import { io } from "socket.io-client";

const [url, bytes, seconds, window] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const socket = io(url, { transports: ["websocket"], forceNew: true, reconnection: false });
const app = feathers().configure(feathers.socketio(socket, { timeout: 60_000 }));
const values = app.service("values");
await once(socket, "connect");

let heard = 0;
let last = null;
values.on("patched", (record) => {
  heard += 1;
  last = record.n;
});

const letters = "abcdefghijklmnopqrstuvwxyz<>=\"é ";
const text = (n) => {
  const start = String(n).padStart(9, "0");
  return start + letters.repeat(Math.ceil(bytes / letters.length)).slice(0, bytes - start.length);
};
const { _id } = await values.create({ name: "bench", type: "html", pos: 0, value: text(0), n: 0 });
let sent = 0;
const patch = () => {
  sent += 1;
  return values.patch(_id, { value: text(sent), n: sent });
};

for (let at = 0; at < 100; at += 1) await patch(); // both sides warm up

const single = [];
for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
  const began = performance.now();
  await patch();
  single.push(performance.now() - began);
}

const flow = [];
const before = sent;
const began = performance.now();
const end = began + seconds * 1000;
const lane = async () => {
  while (performance.now() < end) {
    const start = performance.now();
    await patch();
    flow.push(performance.now() - start);
  }
};
await Promise.all(Array.from({ length: window }, lane));
const took = (performance.now() - began) / 1000;

const stored = await values.get(_id);
const quantile = (times, q) => times.sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * q))];
console.log(
  JSON.stringify({
    id: _id,
    sent,
    heard,
    right: heard === sent && last === sent && stored.n === sent && stored.value === text(sent),
    calls: single.length,
    p50: quantile(single, 0.5),
    p99: quantile(single, 0.99),
    rate: (sent - before) / took,
    flow_p50: quantile(flow, 0.5),
    flow_p99: quantile(flow, 0.99),
  }),
);
socket.disconnect();
