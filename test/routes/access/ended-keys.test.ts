import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import net from "node:net";
import { createClient } from "graphql-ws";
import { until } from "../../../dev/until.ts";
import { gatewayOver, openFleetStore, fleet, type FleetRecord, type TestGateway } from "../gateway.ts";
import { securedParts } from "./secured-gateway.ts";
import { listening } from "../../support/listening.ts";

// What a key has open ends when the key does, and tickets open one connection. Over real sockets.

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let secured: ReturnType<typeof securedParts>;
let gateway: TestGateway;
let origin: string;
/** More than an export reads at a time. */
const rows = 5000;
const first = fleet[0] as FleetRecord;
beforeAll(async () => {
  const records = Array.from({ length: rows }, (_, index) => ({ ...first, timeMs: first.timeMs + index * 1000 }));
  stored = await openFleetStore(records);
  secured = securedParts(stored);
  gateway = gatewayOver(stored, secured.parts);
  origin = `127.0.0.1:${await listening(gateway)}`;
}, 60_000);
afterAll(async () => {
  await gateway.app.stop(true);
  await stored.close();
});
const sockets: WebSocket[] = [];
afterEach(() => sockets.splice(0).forEach((socket) => socket.close()));

/** Resolves to whether the socket opened. */
async function opened(socket: WebSocket): Promise<boolean> {
  sockets.push(socket);
  return new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
}
const closed = (socket: WebSocket): Promise<CloseEvent> => new Promise((resolve) => (socket.onclose = resolve));
const revoke = (id: string): Promise<unknown> => secured.parts.administration.keys.revoke(id);
const bunSocket = (path: string, headers: Record<string, string>, protocols: string[] = []): WebSocket =>
  new WebSocket(`ws://${origin}${path}`, { headers, protocols });
async function ticketOf(headers: Record<string, string>): Promise<string> {
  const answer = await fetch(`http://${origin}/api/v1/tickets`, { method: "POST", headers });
  return ((await answer.json()) as { data: { ticket: string } }).data.ticket;
}

test("a socket over /ws needs a key; it ends with code 1008 when the key is revoked, and others go on", async () => {
  const [one, other] = [await secured.create("read"), await secured.create("read")];
  expect(await opened(bunSocket("/ws", {}))).toBe(false);
  const [ending, going] = [bunSocket("/ws", one.headers), bunSocket("/ws", other.headers)];
  expect([await opened(ending), await opened(going)]).toEqual([true, true]);
  const end = closed(ending);
  await revoke(one.id);
  expect(await end).toMatchObject({ code: 1008, reason: "the key was revoked or has expired" });
  const pong = new Promise<MessageEvent>((resolve) => (going.onmessage = resolve));
  going.send('{"type":"ping"}');
  expect((await pong).data).toBe('{"type":"pong"}');
});

test("a key without the scope read may ping, and is refused the subscription by name", async () => {
  const { headers } = await secured.create("operate");
  const socket = bunSocket("/ws", headers);
  expect(await opened(socket)).toBe(true);
  const message = new Promise<MessageEvent>((resolve) => (socket.onmessage = resolve));
  socket.send('{"type":"subscribe","id":"a"}');
  expect(JSON.parse((await message).data as string)).toMatchObject({
    ...{ type: "error", code: "forbidden", id: "a" },
    details: { needed: "read", scopes: ["operate"] },
  });
});

test("a ticket opens one socket, once, for the key that asked for it; it opens nothing after that, and no other path", async () => {
  const { id, headers } = await secured.create("read");
  const ticket = await ticketOf(headers);
  const get = await fetch(`http://${origin}/api/v1/gpus?ticket=${ticket}`);
  expect(get.status).toBe(401);
  const socket = new WebSocket(`ws://${origin}/ws?ticket=${ticket}`);
  expect(await opened(socket)).toBe(true);
  for (const used of [ticket, "x".repeat(43), "%27"]) {
    expect(await opened(new WebSocket(`ws://${origin}/ws?ticket=${used}`))).toBe(false);
  }
  const end = closed(socket);
  const unused = await ticketOf(headers);
  await revoke(id);
  expect((await end).code).toBe(1008);
  expect(await opened(new WebSocket(`ws://${origin}/ws?ticket=${unused}`))).toBe(false);
});

test("a GraphQL socket by ticket ends with code 4403 when its key is revoked, and so does its subscription", async () => {
  const { id, headers } = await secured.create("read");
  const ticket = await ticketOf(headers);
  let close: CloseEvent | undefined;
  const client = createClient({
    url: `ws://${origin}/graphql?ticket=${ticket}`,
    retryAttempts: 0,
    on: { closed: (event) => void (close = event as CloseEvent) },
  });
  const errors: unknown[] = [];
  const started = new Promise<void>((resolve) => client.on("connected", () => resolve()));
  client.subscribe(
    { query: "subscription { telemetry { uuid } }" },
    { next: () => undefined, error: (error) => void errors.push(error), complete: () => undefined },
  );
  await started;
  await revoke(id);
  await until(() => close !== undefined);
  expect(close?.code).toBe(4403);
  await until(async () => (await metricOf("telemetry_graphql_subscriptions")) === 0);
});

async function metricOf(name: string): Promise<number> {
  const { headers } = await secured.create("read");
  const text = await (await fetch(`http://${origin}/metrics`, { headers })).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}

test("a subscription as events over HTTP ends when its key is revoked", async () => {
  const { id, headers } = await secured.create("read");
  const query = encodeURIComponent("subscription { telemetry { uuid } }");
  const answer = await fetch(`http://${origin}/graphql?query=${query}`, {
    headers: { ...headers, accept: "text/event-stream" },
  });
  expect(answer.status).toBe(200);
  await until(async () => (await metricOf("telemetry_graphql_subscriptions")) === 1);
  await revoke(id);
  await until(async () => (await metricOf("telemetry_graphql_subscriptions")) === 0);
  expect(await answer.text()).not.toContain("uuid");
});

test("an export breaks off when its key is revoked, although its reader takes nothing, and reads no more of the store", async () => {
  const { id, headers } = await secured.create("read");
  const accept = "application/x-ndjson";
  const path = "/api/v1/telemetry?start_time=2025-01-01T00:00:00Z";
  const answer = await gateway.get(path, { headers: { ...headers, accept } });
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  expect((await reader.read()).done).toBe(false);
  await revoke(id);
  await expect(reader.read()).rejects.toThrow("the key was revoked or has expired");
  const whole = await secured.create("read");
  const text = await (await gateway.get(path, { headers: { ...whole.headers, accept } })).text();
  expect(text.trim().split("\n")).toHaveLength(rows);
});

test("two Authorization headers on the wire are refused", async () => {
  const { text } = await secured.create("read");
  for (const pair of [
    [text, "no"],
    ["no", text],
    [text, text],
  ]) {
    const socket = net.connect(Number(origin.split(":")[1]), "127.0.0.1");
    const lines = pair.map((key) => `authorization: Bearer ${key}\r\n`).join("");
    socket.write(`GET /api/v1/gpus HTTP/1.1\r\nhost: ${origin}\r\nconnection: close\r\n${lines}\r\n`);
    const data = await new Promise<Buffer>((resolve) => socket.once("data", (chunk) => resolve(Buffer.from(chunk))));
    socket.destroy();
    expect([pair.indexOf("no"), data.toString().slice(0, 12)]).toEqual([pair.indexOf("no"), "HTTP/1.1 401"]);
  }
});
