import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import net from "node:net";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { until } from "../../dev/until.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { type AbusedOptions, openAbusedGateway } from "./abused-gateway.ts";

// Clients that cost as much as they can, and an honest client that has another key and the same address. What counts is the order
// in which they are served.

setDefaultTimeout(30_000);

let store: OpenStore;
type Abused = Awaited<ReturnType<typeof openAbusedGateway>>;
const opened: Abused[] = [];
const sockets: (WebSocket | net.Socket)[] = [];

beforeAll(async () => {
  store = await openMemoryStore();
  const records = Array.from({ length: 4000 }, (_, index) => ({
    uuid: `GPU-${index % 10}`,
    hostname: "host-0",
    timeMs: Date.UTC(2025, 6, 18) + Math.floor(index / 10) * 1000,
    metrics: { temperature: 30 },
  }));
  await store.store.ingest(messageOf("fleet", makeBatch(records)));
}, 60_000);
afterEach(async () => {
  for (const socket of sockets.splice(0))
    if (socket instanceof WebSocket) socket.close();
    else socket.destroy();
  await Promise.all(opened.splice(0).map((gateway) => gateway.close()));
});
afterAll(() => store.close());

async function open(options?: AbusedOptions): Promise<Abused> {
  const gateway = await openAbusedGateway(store, options);
  opened.push(gateway);
  return gateway;
}

async function openSockets(gateway: Abused, count: number): Promise<WebSocket[]> {
  const found = await Promise.all(Array.from({ length: count }, () => gateway.socket(gateway.abuser)));
  const open = found.flatMap((socket) => socket ?? []);
  sockets.push(...open);
  return open;
}

async function openHonest(gateway: Abused): Promise<WebSocket> {
  const socket = await gateway.socket(gateway.honest);
  if (socket === undefined) throw new Error("the honest client's socket was refused");
  sockets.push(socket);
  return socket;
}

/** Sends a message. @returns the next message that comes */
async function answerTo(socket: WebSocket, message: object): Promise<Record<string, unknown>> {
  const answer = new Promise<MessageEvent>((resolve) => (socket.onmessage = resolve));
  socket.send(JSON.stringify(message));
  return JSON.parse((await answer).data as string) as Record<string, unknown>;
}

const window = "start_time=2025-07-18T00:00:00Z&end_time=2025-07-18T01:00:00Z";
const aggregates = (groupBy: string) => `/api/v1/telemetry/aggregates?group_by=${groupBy}&${window}`;
const history = "/api/v1/gpus/GPU-1/telemetry?limit=10";

test("beside a flood of aggregates, light questions are answered, and an honest aggregate need not wait", async () => {
  const gateway = await open();
  const { abuser, honest, kept } = gateway;
  const flood = Array.from({ length: 60 }, () => gateway.status(abuser, aggregates("gpu")));
  await until(() => kept.length === 2);
  for (let count = 0; count < 5; count += 1) expect(await gateway.status(honest, history)).toBe(200);
  const own = gateway.status(honest, aggregates("host"));
  await until(() => kept.length === 3);
  expect(kept.map(({ groupBy }) => groupBy)).toEqual(["gpu", "gpu", "host"]);
  kept[2]?.letGo();
  expect(await own).toBe(200);
  for (let at = 0; at < 60; at += 1) {
    await until(() => kept.length > at);
    kept[at]?.letGo();
  }
  kept.at(-1)?.letGo();
  expect(new Set(await Promise.all(flood))).toEqual(new Set([200]));
});

test("a flood of several clients fills every connection, and an honest client is the next to be served", async () => {
  const gateway = await open({ limits: { heavyPerClient: 4 } });
  const { abuser, honest, kept } = gateway;
  const flood = Array.from({ length: 20 }, () => gateway.status(abuser, aggregates("gpu")));
  await until(() => kept.length === 4);
  const own = gateway.status(honest, aggregates("host"));
  await until(async () => (await gateway.metric('telemetry_queries_waiting{weight="heavy"}')) === 17);
  for (const { letGo } of kept.slice(0, 2)) letGo();
  await until(() => kept.length === 6);
  expect(kept.slice(4).map(({ groupBy }) => groupBy)).toContain("host");
  for (let at = 0; at < 21; at += 1) {
    await until(() => kept.length > at);
    kept[at]?.letGo();
  }
  expect(await own).toBe(200);
  await Promise.all(flood);
});

test("clients that hang up leave no question behind them, whether it waited or was being answered", async () => {
  const gateway = await open();
  const { abuser, kept } = gateway;
  const leave = new AbortController();
  const flood = Array.from({ length: 40 }, () =>
    gateway.status(abuser, aggregates("gpu"), { signal: leave.signal }).catch(() => "left"),
  );
  await until(() => kept.length === 2);
  leave.abort();
  expect(new Set(await Promise.all(flood))).toEqual(new Set(["left"]));
  await until(async () => (await gateway.metric('telemetry_queries_running{weight="heavy"}')) === 0);
  expect(await gateway.metric('telemetry_queries_waiting{weight="heavy"}')).toBe(0);
});

test("a GraphQL request with 25 aggregates is 25 questions in turn, not 25 connections", async () => {
  const gateway = await open();
  const { abuser, honest, kept } = gateway;
  const field = `aggregates(groupBy: gpu, startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T01:00:00Z") { rows { timestamp } }`;
  const query = `{ ${Array.from({ length: 25 }, (_, index) => `a${index}: ${field}`).join(" ")} }`;
  const headers = { "content-type": "application/json" };
  const bomb = gateway.status(abuser, "/graphql", { method: "POST", headers, body: JSON.stringify({ query }) });
  await until(() => kept.length === 2);
  const own = gateway.status(honest, aggregates("host"));
  await until(() => kept.length === 3);
  for (let at = 0; at < 26; at += 1) {
    await until(() => kept.length > at);
    expect(kept.length - at).toBeLessThanOrEqual(3);
    kept[at]?.letGo();
  }
  expect([await own, await bomb]).toEqual([200, 200]);
});

test("a GraphQL request whose questions could not all wait is refused as a whole, with one error", async () => {
  const gateway = await open();
  const field = `aggregates(groupBy: gpu, startTime: "2025-07-18T00:00:00Z", endTime: "2025-07-18T01:00:00Z") { rows { timestamp } }`;
  const query = `{ ${Array.from({ length: 25 }, (_, index) => `a${index}: ${field}`).join(" ")} }`;
  const headers = { "content-type": "application/json" };
  const leaving = new AbortController();
  const post = (signal?: AbortSignal) =>
    gateway.request(gateway.abuser, "/graphql", {
      ...{ method: "POST", headers, body: JSON.stringify({ query }) },
      ...(signal && { signal }),
    });
  const bombs = Array.from({ length: 4 }, () => post(leaving.signal).catch(() => undefined));
  // two of the hundred are being answered
  await until(async () => (await gateway.metric('telemetry_queries_waiting{weight="heavy"}')) === 98);
  const refused = (await (await post()).json()) as { data?: unknown; errors: { extensions: object }[] };
  expect([refused.data ?? undefined, refused.errors.length]).toEqual([undefined, 1]);
  expect(refused.errors[0]?.extensions).toMatchObject({
    code: "TOO_MANY_REQUESTS",
    details: { reason: "queue_waiting" },
  });
  leaving.abort();
  await Promise.all(bombs);
});

test("GraphQL bombs are refused before the store is asked, and an honest operation is answered", async () => {
  const gateway = await open();
  const nested =
    "{ clusters { hosts { gpus { telemetry(limit: 10000) { gpu { telemetry(limit: 10000) { uuid } } } } } } }";
  const ask = async (who: Abused["honest"], query: string): Promise<string> => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ query });
    return (await gateway.request(who, "/graphql", { method: "POST", headers, body })).text();
  };
  const bombs = Array.from({ length: 30 }, (_, index) =>
    ask(gateway.abuser, index % 2 === 0 ? nested : `{ ${"gpus { uuid } ".repeat(600)} }`),
  );
  const own = ask(gateway.honest, "{ clusters { id } }");
  for (const text of await Promise.all(bombs)) expect(text).toContain("OPERATION_TOO_LARGE");
  expect(await own).toContain('{"data":{"clusters":[{"id":');
  expect(await gateway.metric('telemetry_client_rows_total{client="read"}')).toBe(0);
});

test("a flood of sockets leaves room for an honest one, and its own room is free again once they close", async () => {
  const gateway = await open();
  const first = await openSockets(gateway, 30);
  expect(first.length).toBe(5);
  expect(await answerTo(await openHonest(gateway), { type: "ping" })).toEqual({ type: "pong" });
  for (const socket of first) socket.close();
  await until(async () => (await gateway.metric('telemetry_client_held{client="read",kind="sockets"}')) === 0);
  expect((await openSockets(gateway, 5)).length).toBe(5);
  expect(await gateway.metric('telemetry_client_refused_total{client="read",reason="sockets"}')).toBe(25);
});

test("a flood of messages is refused, then its socket is closed; an honest client's messages are answered", async () => {
  const gateway = await open({ rateLimitPerSecond: 50 });
  const own = await openHonest(gateway);
  const [socket] = await openSockets(gateway, 1);
  const closed = new Promise<number>((resolve) => ((socket as WebSocket).onclose = ({ code }) => resolve(code)));
  for (let count = 0; count < 1000; count += 1) socket?.send('{"type":"ping"}');
  expect(await answerTo(own, { type: "ping" })).toEqual({ type: "pong" });
  expect(await closed).toBe(1013);
  expect(await answerTo(own, { type: "ping" })).toEqual({ type: "pong" });
});

test("a flood of subscriptions over several sockets ends at the client's number; an honest client subscribes", async () => {
  const gateway = await open();
  const codes: unknown[] = [];
  for (const socket of await openSockets(gateway, 2)) {
    for (let index = 0; index < 6; index += 1) {
      const answer = await answerTo(socket, {
        type: "subscribe",
        id: `${index}`,
        filters: { hostname: `host-${index + 1}` },
      });
      codes.push(answer["type"] === "error" ? answer["code"] : answer["type"]);
    }
  }
  expect(codes).toEqual([...Array<string>(5).fill("subscribed"), ...Array<string>(7).fill("too_many_requests")]);
  expect(await answerTo(await openHonest(gateway), { type: "subscribe" })).toMatchObject({
    type: "subscribed",
    gpus: 10,
  });
});

test("exports that are not read take no room of an honest one", async () => {
  const gateway = await open();
  const { abuser, honest } = gateway;
  const csv = { headers: { accept: "text/csv" } };
  const path = `/api/v1/telemetry?${window}`;
  const flood = await Promise.all(Array.from({ length: 10 }, () => gateway.request(abuser, path, csv)));
  expect(flood.map(({ status }) => status).filter((status) => status === 429).length).toBeGreaterThanOrEqual(5);
  const text = await (await gateway.request(honest, path, csv)).text();
  expect(text.trimEnd().split("\n").length).toBe(4001);
  await Promise.all(flood.map(({ body }) => body?.cancel()));
  await until(async () => (await gateway.metric('telemetry_client_held{client="read",kind="exports"}')) === 0);
});

test("connections that never finish their request keep no other one waiting", async () => {
  const gateway = await open();
  for (let count = 0; count < 300; count += 1) {
    const socket = net.connect(gateway.port, "127.0.0.1");
    socket.on("error", () => undefined).write("GET /api/v1/gpus HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    sockets.push(socket);
  }
  expect(await gateway.status(gateway.honest, history)).toBe(200);
});

test("an abuser that has used up its rows or its requests leaves those of an honest client behind the same proxy", async () => {
  const gateway = await open({ limits: { rowsPerMinute: 100 }, rateLimitPerSecond: 20 });
  const { abuser, honest } = gateway;
  const path = `/api/v1/telemetry?limit=90&${window}`;
  expect(await gateway.status(abuser, path)).toBe(200);
  // the time that the first one took may have used up all of them
  await gateway.status(abuser, path);
  const flood = await Promise.all(Array.from({ length: 40 }, () => gateway.status(abuser, path)));
  expect(new Set(flood)).toEqual(new Set([429]));
  expect(await gateway.status(honest, path)).toBe(200);
});

test("of more questions at a time than may wait, those that do not wait are refused, and no other fails", async () => {
  const gateway = await open();
  const statuses: number[] = [];
  const ofHonest = Array.from({ length: 2 }, () => gateway.status(gateway.honest, aggregates("host")));
  const flood = Array.from({ length: 140 }, async () => {
    statuses.push(await gateway.status(gateway.abuser, aggregates("gpu")));
  });
  // 100 may wait, and the store keeps those that it is asked, of both clients as many as it is asked at a time
  await until(() => statuses.length >= 30);
  expect(new Set(statuses)).toEqual(new Set([429]));
  await until(() => {
    for (const { letGo } of gateway.kept.splice(0)) letGo();
    return statuses.length === 140;
  });
  await Promise.all(flood);
  expect(await Promise.all(ofHonest)).toEqual([200, 200]);
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(100);
  expect(new Set(statuses)).toEqual(new Set([200, 429]));
});

test("after floods of every kind, memory comes back", async () => {
  const gateway = await open({ rateLimitPerSecond: 500 });
  const flood = async (): Promise<void> => {
    const requests = Array.from({ length: 40 }, () => gateway.status(gateway.abuser, "/api/v1/gpus"));
    const left = Array.from({ length: 20 }, () =>
      gateway.status(gateway.abuser, aggregates("gpu"), { signal: AbortSignal.timeout(50) }).catch(() => 0),
    );
    await Promise.all([...requests, ...left, openSockets(gateway, 20)]);
    for (const socket of sockets.splice(0)) (socket as WebSocket).close();
  };
  const rssMebibytes = (): number => {
    Bun.gc(true);
    return process.memoryUsage.rss() / 1024 ** 2;
  };
  for (let round = 0; round < 3; round += 1) await flood();
  const before = rssMebibytes();
  for (let round = 0; round < 12; round += 1) await flood();
  // what a round leaves behind would show twelve times; the allocator itself keeps some
  expect(rssMebibytes() - before).toBeLessThan(60);
  await until(async () => (await gateway.metric('telemetry_queries_running{weight="heavy"}')) === 0);
});
