// The genuine Feathers server: its memory adapter behind its Socket.IO transport, each change told to every client.

import { once } from "node:events";

import { feathers } from "@feathersjs/feathers";
import { memory } from "@feathersjs/memory";
import socketio from "@feathersjs/socketio";

const app = feathers();
app.configure(socketio());
app.use("values", memory({ id: "_id", multi: true }));
app.on("connection", (connection) => app.channel("all").join(connection));
app.publish(() => app.channel("all"));
const server = await app.listen(0, "127.0.0.1");
if (!server.listening) await once(server, "listening");
console.log(server.address().port);
