import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type LiveMessage, liveTelemetry, type TelemetryUpdateMessage } from "gpu-telemetry-client";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";
import { until } from "../support/until.ts";

let gateway: LiveGateway;
beforeAll(async () => void (gateway = await openLiveGateway()));
afterAll(() => gateway.close());

const at = (second: number): number => Date.UTC(2025, 6, 18) + second * 1000;
const record = (uuid: string, second: number) => ({ uuid, timeMs: at(second), metrics: { temperature: second } });

test("tells the newest records of those that are asked for", async () => {
  const told: TelemetryUpdateMessage[] = [];
  const messages: LiveMessage[] = [];
  const live = liveTelemetry({
    baseUrl: `http://127.0.0.1:${gateway.port}`,
    filters: { gpu_uuid: "GPU-a", metrics: ["temperature"] },
    onUpdate: (update) => void told.push(update),
    onMessage: (message) => void messages.push(message),
  });
  await until(() => messages.some(({ type }) => type === "subscribed"));
  await gateway.tell(record("GPU-a", 1), record("GPU-b", 1));
  await until(() => told.length > 0);
  live.close();
  expect(told).toMatchObject([{ gpu_uuid: "GPU-a", timestamp: "2025-07-18T00:00:01Z", data: { temperature: 1 } }]);
});

test("connects again after a break, and gets what came meanwhile", async () => {
  await gateway.store(record("GPU-r", 1));
  const way = await openWay(gateway.port);
  const breaks: string[] = [];
  const told: number[] = [];
  const live = liveTelemetry({
    baseUrl: `http://127.0.0.1:${way.port}`,
    filters: { gpu_uuid: "GPU-r" },
    since: new Date(at(0)).toISOString(),
    retryMs: 50,
    onBreak: (reason) => void breaks.push(reason),
    onUpdate: ({ data }) => void told.push(data.temperature ?? NaN),
  });
  await until(() => told.length > 0);
  await gateway.store(record("GPU-r", 2));
  way.cut();
  await until(() => told.includes(2));
  live.close();
  await way.close();
  expect(breaks.length).toBeGreaterThan(0);
  expect([...new Set(told)]).toEqual([1, 2]);
});

/** A way to the gateway that can be cut. */
async function openWay(to: number) {
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
