import net from "node:net";
import { expect, test } from "bun:test";
import { until } from "../../../dev/until.ts";
import { textFrame, textsIn, upgradeRequest } from "../../../dev/web-socket-frames.ts";
import { type Answer, before, errorOf, fakeGateway, rawClient } from "./fake-gateway.ts";

// WebSockets through a balancer.

const socketTo = (gateway: Answer) => before(fakeGateway(gateway));
const upgraded: Answer = (request, server) => {
  const asked = request.headers.get("sec-websocket-protocol")?.split(", ").at(-1);
  const headers: Record<string, string> = asked === undefined ? {} : { "sec-websocket-protocol": asked };
  return server.upgrade(request, { data: undefined, headers }) ? undefined : new Response("", { status: 426 });
};
const closed = (socket: WebSocket): Promise<[number, string]> =>
  new Promise((resolve) => (socket.onclose = ({ code, reason }) => resolve([code, reason])));
const nextMessage = (socket: WebSocket): Promise<unknown> =>
  new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)));

test("a WebSocket passes with its subprotocol, texts, bytes, and the gateway's close code", async () => {
  const { url, backends } = await socketTo(upgraded);
  const socket = new WebSocket(`${url}/ws`, ["one", "graphql-transport-ws"]);
  expect(await nextMessage(socket)).toBe("early");
  expect(socket.protocol).toBe("graphql-transport-ws");
  expect(backends.list()[0]?.open).toBe(1);
  socket.send("text");
  expect(await nextMessage(socket)).toBe("text");
  socket.binaryType = "arraybuffer";
  socket.send(new Uint8Array([1, 2]));
  expect(new Uint8Array((await nextMessage(socket)) as ArrayBuffer)).toEqual(new Uint8Array([1, 2]));
  const closing = closed(socket);
  socket.send("close");
  expect(await closing).toEqual([4001, "as asked"]);
  expect(backends.list()[0]?.open).toBe(0);
});

test("a long message is compressed on its way to a client that offers it, and arrives whole", async () => {
  const { url } = await socketTo(upgraded);
  const long = "0123456789".repeat(1000);
  const received: Buffer[] = [];
  const client = net.connect(Number(new URL(url).port), "127.0.0.1");
  client.on("data", (bytes: Buffer) => received.push(bytes));
  client.write(upgradeRequest.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"));
  const frames = () => {
    const all = Buffer.concat(received);
    return textsIn(all.subarray(all.indexOf("\r\n\r\n") + 4));
  };
  await until(() => received.length > 0 && frames().length > 0);
  client.write(textFrame(long));
  await until(() => frames().length > 1);
  client.end();
  expect(frames()).toEqual([
    { isDeflated: false, text: "early" },
    { isDeflated: true, text: long },
  ]);
  expect(Buffer.concat(received).length).toBeLessThan(1000);
});

test("when a gateway dies, or the balancer stops, clients of WebSockets are told to connect again", async () => {
  const gateway = fakeGateway(upgraded);
  const balancer = await before(gateway, fakeGateway(upgraded));
  const sockets = Array.from({ length: 10 }, () => new WebSocket(`${balancer.url}/ws`));
  await Promise.all(sockets.map(nextMessage));
  const codes: number[] = [];
  for (const socket of sockets) socket.onclose = ({ code }) => codes.push(code);
  await gateway.stop();
  await until(() => codes.length > 0);
  await balancer.stop();
  await until(() => codes.length === sockets.length);
  // 1001 is what this gateway itself says when it stops
  expect(new Set(codes)).toEqual(new Set([1001, 1012]));
});

test("a handshake that the gateways refuse gets their error, or no_room", async () => {
  const handshake = {
    headers: {
      ...{ connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" },
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    },
  };
  const missing = await socketTo(() => Response.json({ error: { code: "not_found" } }, { status: 404 }));
  expect(await errorOf(await fetch(`${missing.url}/nothing`, handshake))).toEqual([404, "not_found"]);
  const full = await socketTo(({ headers }) => new Response("", { status: headers.has("upgrade") ? 503 : 426 }));
  expect(await errorOf(await fetch(`${full.url}/ws`, handshake))).toEqual([503, "no_room"]);
});

test("a client of a WebSocket that reads nothing is disconnected before much waits for it", async () => {
  const { url } = await socketTo(upgraded);
  const client = await rawClient(url);
  client.write(
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await Bun.sleep(300);
  client.pause();
  client.write(new Uint8Array([0x81, 0x85, 0, 0, 0, 0, ...Buffer.from("flood")]));
  await until(async () => {
    const { backends } = (await (await fetch(`${url}/balancer/status`)).json()) as { backends: [{ open: number }] };
    return backends[0].open === 0;
  });
  client.end();
});
