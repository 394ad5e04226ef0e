import { afterEach, expect, test } from "bun:test";
import net from "node:net";
import { until } from "../../../dev/until.ts";
import { textFrame } from "../../../dev/web-socket-frames.ts";
import { type LiveGateway, openLiveGateway } from "../live/live-gateway.ts";

// Clients that subscribe and do not read. Only a bounded number of bytes waits for such a client, and it does not lose the newest
// records.

const query = "subscription { telemetry { uuid temperature custom { name } } }";
const gpus = Array.from({ length: 20 }, (_, index) => `GPU-${index}`);
const seconds = 1000;
const startMs = Date.UTC(2025, 6, 18);

let gateway: LiveGateway | undefined;
let socket: net.Socket | undefined;
afterEach(async () => {
  socket?.destroy();
  await gateway?.close();
});

/** Publishes records of about 2 KB each, 40 MB in all: more than any socket buffers. */
async function flood(to: LiveGateway): Promise<void> {
  const name = `a name outside the catalogue ${"x".repeat(2000)}`;
  for (let second = 1; second <= seconds; second += 1) {
    const metrics = { temperature: second === seconds ? 99 : 1, [name]: second };
    await to.publish(...gpus.map((uuid) => ({ uuid, timeMs: startMs + second * 1000, metrics })));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function openPaused(port: number, sent: readonly (string | Buffer)[]): Promise<net.Socket> {
  const client = net.connect(port, "127.0.0.1");
  client.on("error", () => undefined);
  client.pause();
  await new Promise<void>((resolve) => client.once("connect", resolve));
  for (const each of sent) client.write(each);
  return client;
}

const body = JSON.stringify({ query });
const asEvents =
  `POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${body.length}\r\n\r\n${body}`;
const upgrade =
  "GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
const bySocket = [
  upgrade,
  textFrame(JSON.stringify({ type: "connection_init" })),
  textFrame(JSON.stringify({ id: "1", type: "subscribe", payload: { query } })),
];

const transports: [name: string, sent: readonly (string | Buffer)[]][] = [
  ["events over HTTP", [asEvents]],
  ["a WebSocket", bySocket],
];

test.each(transports)(
  "%s: a client that reads late gets the newest record of each GPU, without most of the older ones",
  async (_, sent) => {
    gateway = await openLiveGateway();
    const client = await openPaused(gateway.port, sent);
    socket = client;
    const openGateway = gateway;
    await until(async () => (await openGateway.instrument("telemetry_graphql_subscriptions")) === 1);
    await flood(gateway);
    const newest = new Set<string>();
    let bytes = 0;
    let tail = "";
    client.on("data", (data: Buffer) => {
      bytes += data.length;
      const text = tail + data.toString("latin1");
      for (const [, uuid] of text.matchAll(/"uuid":"(GPU-\d+)","temperature":99/g)) newest.add(uuid as string);
      tail = text.slice(-100);
    });
    client.resume();
    await until(() => newest.size === gpus.length);
    // 40 MB were published
    expect(bytes).toBeLessThan(10_000_000);
  },
  30_000,
);
