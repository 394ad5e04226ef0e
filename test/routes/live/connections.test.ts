import { afterEach, expect, test } from "bun:test";
import type net from "node:net";
import { until } from "../../../dev/until.ts";
import type { TestRecord } from "../../../dev/make-batch.ts";
import { textFrame } from "../../../dev/web-socket-frames.ts";
import { LiveClient, type LiveGateway, openLiveGateway, openSilentClient } from "./live-gateway.ts";

const startMs = Date.UTC(2025, 6, 18);
/** A record of about 2 KB, so that sockets fall behind soon. */
const record = (uuid: string, second: number): TestRecord => ({
  uuid,
  timeMs: startMs + second * 1000,
  metrics: { temperature: second % 100, [`a name outside the catalogue ${"x".repeat(2000)}`]: second },
});

const gateways: LiveGateway[] = [];
const silent: net.Socket[] = [];

afterEach(async () => {
  silent.splice(0).forEach((socket) => socket.destroy());
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

async function open(settings: NonNullable<Parameters<typeof openLiveGateway>[0]>["settings"] = {}) {
  const gateway = await openLiveGateway({ settings });
  gateways.push(gateway);
  return gateway;
}

async function openSilent(gateway: LiveGateway, filters: object = {}): Promise<net.Socket> {
  const socket = await openSilentClient(gateway.port, [{ type: "subscribe", filters }]);
  silent.push(socket);
  return socket;
}

/** Publishes a record of each GPU for every second.
 *  @param seconds the first second, and the second after the last */
async function flood(gateway: LiveGateway, gpus: readonly string[], seconds: readonly [number, number]): Promise<void> {
  for (let second = seconds[0]; second < seconds[1]; second += 1) {
    await gateway.publish(...gpus.map((gpu) => record(gpu, second)));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const gpus = Array.from({ length: 20 }, (_, index) => `GPU-${index}`);

test("a client that reads again after a pause gets new records, and the number of records that it missed", async () => {
  const gateway = await open();
  const reader = await LiveClient.open(gateway);
  await reader.ask({ type: "subscribe", filters: { gpu_uuid: "GPU-0" } });
  const socket = await openSilent(gateway);
  await until(async () => (await gateway.instrument("telemetry_websocket_subscriptions")) === 2);
  await flood(gateway, gpus, [0, 500]);
  expect(await gateway.instrument("telemetry_websocket_behind_connections")).toBe(1);
  const skipped = await gateway.instrument("telemetry_websocket_skipped_records_total");
  expect(skipped).toBeGreaterThan(1000);
  let text = "";
  socket.on("data", (data: Buffer) => (text += data.toString("latin1")));
  socket.resume();
  await until(async () => (await gateway.instrument("telemetry_websocket_behind_connections")) === 0);
  await flood(gateway, gpus, [500, 501]);
  await until(async () => text.includes('08:20Z","gpu_uuid":"GPU-19"'));
  const counts = [...text.matchAll(/\{"type":"skipped","id":"1","count":(\d+)\}/g)].map(([, count]) => Number(count));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(skipped);
  const received = [...text.matchAll(/"timestamp":"([^"]+)","gpu_uuid":"GPU-7"/g)].map(([, timestamp]) => timestamp);
  expect(received).toEqual(received.toSorted());
  expect(new Set(received).size).toBe(received.length);
  const updates = [...text.matchAll(/"type":"telemetry_update"/g)].length;
  expect(updates + skipped).toBe(501 * gpus.length);
  await reader.settle();
  expect(reader.messages.filter(({ type }) => type === "telemetry_update")).toHaveLength(501);
  reader.close();
}, 30_000);

test("a client that reads nothing for too long is closed with 1013", async () => {
  const gateway = await open({ wsStallTimeoutMs: 300 });
  const socket = await openSilent(gateway);
  await until(async () => (await gateway.instrument("telemetry_websocket_subscriptions")) === 1);
  await flood(gateway, gpus, [0, 300]);
  await until(async () => (await gateway.instrument("telemetry_websocket_connections")) === 0);
  let last = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => (last = Buffer.concat([last, data]).subarray(-100)));
  socket.resume();
  await new Promise((resolve) => socket.once("end", resolve));
  expect(last.includes(Buffer.concat([Buffer.from([1013 >> 8, 1013 & 0xff]), Buffer.from("nothing was read")]))).toBe(
    true,
  );
}, 30_000);

test("a client that sends requests and never reads the answers is closed", async () => {
  const gateway = await open();
  const request = { type: "subscribe", filters: { metrics: ["x".repeat(200)] } };
  const socket = await openSilentClient(gateway.port, []);
  silent.push(socket);
  await until(async () => (await gateway.instrument("telemetry_websocket_connections")) === 1);
  const sending = (async () => {
    const frames = Buffer.concat(Array.from({ length: 500 }, () => textFrame(JSON.stringify(request))));
    for (let round = 0; round < 100 && !socket.destroyed; round += 1) {
      socket.write(frames);
      await Bun.sleep(5);
    }
  })();
  await until(async () => (await gateway.instrument("telemetry_websocket_closed_total")) === 1);
  await sending;
  expect(await gateway.instrument("telemetry_websocket_connections")).toBe(0);
}, 30_000);

test("a client that reads gets a complete snapshot, even one larger than any buffer, and then the next record of each GPU", async () => {
  const gateway = await open();
  const fleet = Array.from({ length: 4000 }, (_, index) => `GPU-${index}`);
  await gateway.publish(...fleet.map((gpu) => record(gpu, 1)));
  const client = await LiveClient.open(gateway);
  await client.ask({ type: "subscribe" });
  await client.until(() => client.messages.length > fleet.length);
  await gateway.publish(...fleet.map((gpu) => record(gpu, 2)));
  await client.until(() => client.messages.length > 2 * fleet.length);
  const received = client.messages.slice(1).map((message) => [message["gpu_uuid"], message["snapshot"] === true]);
  expect(received.toSorted()).toEqual(
    fleet
      .flatMap((gpu) => [
        [gpu, true],
        [gpu, false],
      ])
      .toSorted(),
  );
  client.close();
}, 30_000);

test("if 50 of 200 clients never read, they cost little memory, and the other 150 miss no record", async () => {
  const gateway = await open();
  const readers = await Promise.all(Array.from({ length: 150 }, () => LiveClient.open(gateway)));
  await Promise.all(
    readers.map((reader, index) => reader.ask({ type: "subscribe", filters: { gpu_uuid: `GPU-${index % 20}` } })),
  );
  for (let index = 0; index < 50; index += 1) await openSilent(gateway);
  await until(async () => (await gateway.instrument("telemetry_websocket_subscriptions")) === 200);
  await flood(gateway, gpus, [0, 200]); // fills the kernel's buffers
  Bun.gc(true);
  const before = process.memoryUsage.rss();
  await flood(gateway, gpus, [200, 600]); // 16 MB for each client that does not read
  expect(await gateway.instrument("telemetry_websocket_behind_connections")).toBe(50);
  // freed memory returns to the system with a delay; the memory of messages that are kept would not return
  await until(() => {
    Bun.gc(true);
    return (process.memoryUsage.rss() - before) / 1024 / 1024 < 150;
  });
  for (const [index, reader] of readers.entries()) {
    await reader.settle();
    const received = reader.messages.filter(({ type }) => type === "telemetry_update");
    expect([index, received.length]).toEqual([index, 600]);
    reader.close();
  }
}, 60_000);

test("a connection beyond WS_MAX_CONNECTIONS is refused with 503 until another connection has closed", async () => {
  const gateway = await open({ wsMaxConnections: 2 });
  const [first, second] = [await LiveClient.open(gateway), await LiveClient.open(gateway)];
  const response = await fetch(`http://localhost:${gateway.port}/ws`, { headers: { upgrade: "websocket" } });
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  expect(await response.json()).toMatchObject({
    error: { code: "no_room", message: "There are 2 connections already, as many as WS_MAX_CONNECTIONS allows" },
  });
  first.close();
  await until(async () => (await gateway.instrument("telemetry_websocket_connections")) === 1);
  const third = await LiveClient.open(gateway);
  expect(await third.ask({ type: "ping" })).toEqual({ type: "pong" });
  second.close();
  third.close();
});

test("when the gateway stops, its connections are closed with 1012 and new connections are refused", async () => {
  const gateway = await open();
  const client = await LiveClient.open(gateway);
  await client.ask({ type: "subscribe" });
  await openSilent(gateway);
  await until(async () => (await gateway.instrument("telemetry_websocket_connections")) === 2);
  gateway.stopping.abort();
  expect(await client.closed).toEqual({ code: 1012, reason: "this gateway is stopping; connect again" });
  const response = await fetch(`http://localhost:${gateway.port}/ws`, { headers: { upgrade: "websocket" } });
  expect([response.status, await response.json()]).toMatchObject([503, { error: { code: "no_room" } }]);
  expect(await gateway.instrument("telemetry_websocket_connections")).toBe(0);
});

test("a silent connection is pinged, and closed if it does not answer the ping", async () => {
  const gateway = await open({ wsIdleTimeoutMs: 8000 });
  const client = await LiveClient.open(gateway);
  const socket = await openSilentClient(gateway.port);
  silent.push(socket);
  let received = Buffer.alloc(0);
  socket.on("data", (data: Buffer) => (received = Buffer.concat([received, data])));
  socket.resume();
  await new Promise((resolve) => socket.once("end", resolve));
  expect(received.subarray(received.indexOf("\r\n\r\n") + 4)).toEqual(Buffer.from([0x89, 0x00]));
  expect(await client.ask({ type: "ping" })).toEqual({ type: "pong" });
  client.close();
}, 30_000);
