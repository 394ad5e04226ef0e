import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  type LiveMessage,
  type LiveOptions,
  liveTelemetry,
  SubscriptionRefused,
  type TelemetryUpdateMessage,
} from "gpu-telemetry-client";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { until } from "../../dev/until.ts";

let gateway: LiveGateway;
beforeAll(async () => void (gateway = await openLiveGateway()));
afterAll(() => gateway.close());

const at = (second: number): number => Date.UTC(2025, 6, 18) + second * 1000;
const record = (uuid: string, second: number) => ({ uuid, timeMs: at(second), metrics: { temperature: second } });

test("delivers the newest records of the selected GPUs", async () => {
  const received: TelemetryUpdateMessage[] = [];
  const messages: LiveMessage[] = [];
  const live = liveTelemetry({
    baseUrl: `http://127.0.0.1:${gateway.port}`,
    filters: { gpu_uuid: "GPU-a", metrics: ["temperature"] },
    onUpdate: (update) => void received.push(update),
    onMessage: (message) => void messages.push(message),
  });
  await until(() => messages.some(({ type }) => type === "subscribed"));
  await gateway.publish(record("GPU-a", 1), record("GPU-b", 1));
  await until(() => received.length > 0);
  live.close();
  expect(received).toMatchObject([{ gpu_uuid: "GPU-a", timestamp: "2025-07-18T00:00:01Z", data: { temperature: 1 } }]);
});

test("reconnects after a disconnection, and fetches the missed records", async () => {
  await gateway.store(record("GPU-r", 1));
  const proxy = await openProxy(gateway.port);
  const breaks: string[] = [];
  const received: number[] = [];
  const live = liveTelemetry({
    baseUrl: `http://127.0.0.1:${proxy.port}`,
    filters: { gpu_uuid: "GPU-r" },
    since: new Date(at(0)).toISOString(),
    retryMs: 50,
    onBreak: (reason) => void breaks.push(reason),
    onUpdate: ({ data }) => void received.push(data.temperature ?? NaN),
  });
  await until(() => received.length > 0);
  await gateway.store(record("GPU-r", 2));
  proxy.cut();
  await until(() => received.includes(2));
  live.close();
  await proxy.close();
  expect(breaks.length).toBeGreaterThan(0);
  expect([...new Set(received)]).toEqual([1, 2]);
});

test("after a break, no record of a GPU that is behind the others is missed, and no record of a silent GPU is replayed", async () => {
  const proxy = await openProxy(gateway.port);
  const filters = { gpu_uuids: ["GPU-ahead", "GPU-behind", "GPU-silent"] };
  const received: string[] = [];
  const messages: LiveMessage[] = [];
  const live = liveTelemetry({
    ...{ baseUrl: `http://127.0.0.1:${proxy.port}`, filters, retryMs: 50 },
    onMessage: (message) => void messages.push(message),
    onUpdate: ({ gpu_uuid, data }) => void received.push(`${gpu_uuid} ${data.temperature}`),
  });
  const isSubscribed = (times: number) => messages.filter(({ type }) => type === "subscribed").length === times;
  await until(() => isSubscribed(1));
  const before = [record("GPU-silent", 1000), record("GPU-behind", 1990), record("GPU-ahead", 2000)];
  await gateway.store(record("GPU-silent", 1100), ...before);
  await gateway.publish(...before);
  await until(() => received.length === 3);
  proxy.cut();
  await gateway.store(record("GPU-behind", 1995), record("GPU-ahead", 2001));
  await until(() => messages.some(({ type }) => type === "replayed"));
  live.close();
  await proxy.close();
  const missed = ["GPU-behind 1995", "GPU-ahead 2001"];
  expect(received.slice(3)).toEqual(expect.arrayContaining(missed));
  // each active GPU's newest record from before the break may come again, but no record of the silent GPU may come
  const again = ["GPU-behind 1990", "GPU-ahead 2000"];
  expect(received.slice(3).filter((each) => ![...missed, ...again].includes(each))).toEqual([]);
});

test("an interrupted replay starts over, because it may have delivered no record of some GPUs", async () => {
  const gpus = ["GPU-h1", "GPU-h2"];
  const received: string[] = [];
  const requested: string[] = [];
  const server = scriptedServer(({ send, close, message, connection }) => {
    requested.push(String(message["since"]));
    send({ type: "subscribed", id: "1", topic: "telemetry", filters: {}, gpus: 2 });
    if (connection === 1) {
      send(update("GPU-h1", 50, { replay: true }));
      return close();
    }
    for (const uuid of gpus) for (const second of [10, 50]) send(update(uuid, second, { replay: true }));
    send({ type: "replayed", id: "1", count: 4 });
    if (connection === 2) close();
  });
  const live = liveTelemetry({
    ...{ baseUrl: server.url, since: "2025-07-18T00:00:05Z", retryMs: 10 },
    onUpdate: ({ gpu_uuid, timestamp }) => void received.push(`${gpu_uuid} ${timestamp.slice(17, 19)}`),
  });
  await until(() => requested.length === 3);
  live.close();
  await server.stop();
  expect(received.slice(0, 4)).toEqual(["GPU-h1 50", "GPU-h1 50", "GPU-h2 10", "GPU-h2 50"]);
  expect(requested).toEqual(["2025-07-18T00:00:05Z", "2025-07-18T00:00:05Z", "2025-07-18T00:00:50.000Z"]);
});

test("a subscription that the gateway refuses ends with the reason", async () => {
  const filters = { metrics: ["heat"] } as unknown as LiveOptions["filters"];
  const breaks: string[] = [];
  const live = liveTelemetry({
    baseUrl: `http://127.0.0.1:${gateway.port}`,
    ...(filters === undefined ? {} : { filters }),
    onUpdate: () => undefined,
    onBreak: (reason) => void breaks.push(reason),
  });
  const refused = await live.ended.catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(SubscriptionRefused);
  expect(refused).toMatchObject({ code: "invalid_field" });
  expect((refused as Error).message).toStartWith('filters.metrics[0]="heat" is not usable');
  expect(breaks).toEqual([]);
});

test("a connection that is dead but was never closed is replaced", async () => {
  const server = scriptedServer(({ send, message }) => {
    if (message["type"] === "subscribe")
      send({ type: "subscribed", id: "1", topic: "telemetry", filters: {}, gpus: 0 });
  });
  const breaks: string[] = [];
  const live = liveTelemetry({
    ...{ baseUrl: server.url, silenceMs: 100, retryMs: 10 },
    onUpdate: () => undefined,
    onBreak: (reason) => void breaks.push(reason),
  });
  await until(() => breaks.length === 2);
  live.close();
  await server.stop();
  expect(breaks[0]).toEndWith("was silent for 100 ms");
});

test("a quiet connection that answers pings stays open", async () => {
  const breaks: string[] = [];
  let pongs = 0;
  const live = liveTelemetry({
    ...{ baseUrl: `http://127.0.0.1:${gateway.port}`, filters: { gpu_uuid: "GPU-none" }, silenceMs: 50 },
    connect: (url) => {
      const socket = new WebSocket(url);
      socket.addEventListener("message", ({ data }) => void (pongs += String(data).includes('"pong"') ? 1 : 0));
      return socket;
    },
    onUpdate: () => undefined,
    onBreak: (reason) => void breaks.push(reason),
  });
  // the client sends two pings in each silenceMs
  await until(() => pongs > 10);
  live.close();
  await live.ended;
  expect(breaks).toEqual([]);
});

test("waits longer after each failed attempt, even if the server is not a gateway", async () => {
  const server = scriptedServer(({ sendText }) => sendText("hello"));
  const waits: number[] = [];
  const reasons: string[] = [];
  const live = liveTelemetry({
    ...{ baseUrl: server.url, retryMs: 8 },
    onUpdate: () => undefined,
    onBreak: (reason, retryInMs) => void [reasons.push(reason), waits.push(retryInMs)],
  });
  await until(() => waits.length === 6);
  live.close();
  await server.stop();
  expect(reasons[0]).toEndWith("is not a gateway: it sent hello");
  for (const [at, wait] of waits.entries()) {
    expect(wait).toBeGreaterThanOrEqual(4 * 2 ** at);
    expect(wait).toBeLessThanOrEqual(8 * 2 ** at);
  }
});

function update(gpu_uuid: string, second: number, more: object): object {
  const timestamp = `2025-07-18T00:00:${second}Z`;
  return { type: "telemetry_update", timestamp, gpu_uuid, data: { temperature: second }, ...more };
}

/** A WebSocket server whose answers the test chooses.
 *  @param onMessage called for each message of a client; `connection` is the number of the connection, from 1 */
function scriptedServer(
  onMessage: (incoming: {
    readonly message: Record<string, unknown>;
    readonly connection: number;
    send(message: object): void;
    sendText(text: string): void;
    close(): void;
  }) => void,
) {
  let connections = 0;
  const server = Bun.serve<{ connection: number }, never>({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => {
      connections += 1;
      return self.upgrade(request, { data: { connection: connections } })
        ? undefined
        : new Response("", { status: 426 });
    },
    websocket: {
      message: (socket, text) =>
        onMessage({
          message: JSON.parse(String(text)) as Record<string, unknown>,
          connection: socket.data.connection,
          send: (message) => void socket.send(JSON.stringify(message)),
          sendText: (answer) => void socket.send(answer),
          close: () => socket.close(),
        }),
    },
  });
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) };
}

/** A TCP proxy in front of the gateway; `cut` ends all connections through the proxy. */
async function openProxy(to: number) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to, "127.0.0.1");
    for (const socket of [client, upstream]) sockets.add(socket.on("error", () => undefined));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  const close = async (): Promise<void> => {
    cut();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, cut, close };
}
