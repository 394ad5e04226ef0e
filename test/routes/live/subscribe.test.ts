import { heapStats } from "bun:jsc";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { metricNames } from "../../../src/domain/metrics.ts";
import type { TestRecord } from "../../../dev/make-batch.ts";
import { LiveClient, type LiveGateway, type Message, openLiveGateway } from "./live-gateway.ts";

const startMs = Date.UTC(2025, 6, 18, 20, 42, 34);

const record = (uuid: string, second: number, more: Partial<TestRecord> = {}): TestRecord => ({
  uuid,
  timeMs: startMs + second * 1000,
  metrics: { gpu_utilization: 85.5, temperature: 72.3, power_draw: 320.1, sm_clock_mhz: 1980 },
  ...more,
});

const documentedGpu = "GPU-75ca836f-12a0-9fbe-13a2-17733a5f68e4";

let gateway: LiveGateway;
let serial = 0;
const clients: LiveClient[] = [];

beforeAll(async () => void (gateway = await openLiveGateway()));
afterAll(async () => {
  clients.forEach((client) => client.close());
  await gateway.close();
});

async function connect(): Promise<LiveClient> {
  const client = await LiveClient.open(gateway);
  clients.push(client);
  return client;
}

/** GPUs that no other test uses. */
function freshGpus(count: number): string[] {
  serial += 1;
  return Array.from({ length: count }, (_, index) => `GPU-${serial}-${index}`);
}

const gpusOf = (messages: readonly Message[]): unknown[] => messages.map((message) => message["gpu_uuid"]);

test("the documented subscription gets the documented update, word for word", async () => {
  const client = await connect();
  const answer = await client.ask({
    type: "subscribe",
    topic: "telemetry",
    filters: { gpu_uuid: documentedGpu, metrics: ["gpu_utilization", "temperature", "power_draw"] },
  });
  expect(answer).toEqual({
    type: "subscribed",
    id: "1",
    topic: "telemetry",
    filters: { gpu_uuid: documentedGpu, metrics: ["gpu_utilization", "temperature", "power_draw"] },
    gpus: 0,
  });
  await gateway.publish(record(documentedGpu, 0));
  expect(JSON.stringify(await client.next())).toBe(
    JSON.stringify({
      type: "telemetry_update",
      timestamp: "2025-07-18T20:42:34Z",
      gpu_uuid: documentedGpu,
      data: { gpu_utilization: 85.5, temperature: 72.3, power_draw: 320.1 },
    }),
  );
});

test("a metric that a record lacks is left out, and a record without any requested metric is not sent", async () => {
  const [gpu] = freshGpus(1) as [string];
  const client = await connect();
  await client.ask({ type: "subscribe", filters: { gpu_uuid: gpu, metrics: ["temperature", "power_draw"] } });
  await gateway.publish(record(gpu, 1, { metrics: { gpu_utilization: 1 } }));
  await gateway.publish(record(gpu, 2, { metrics: { power_draw: 100 } }));
  expect((await client.next())["data"]).toEqual({ power_draw: 100 });
});

test("without a metrics filter, an update has all metrics of the record, including those outside the catalogue", async () => {
  const [gpu] = freshGpus(1) as [string];
  const client = await connect();
  await client.ask({ type: "subscribe", filters: { gpu_uuid: gpu } });
  await gateway.publish(record(gpu, 1, { metrics: { temperature: 40, DCGM_FI_DEV_FAN_SPEED: 33 } }));
  expect((await client.next())["data"]).toEqual({ temperature: 40, custom: { DCGM_FI_DEV_FAN_SPEED: 33 } });
});

test("a record is sent again when more of its metrics arrive, but only to subscriptions that requested them", async () => {
  const [gpu] = freshGpus(1) as [string];
  const client = await connect();
  await client.ask({ type: "subscribe", id: "all", filters: { gpu_uuid: gpu } });
  await client.ask({ type: "subscribe", id: "one", filters: { gpu_uuid: gpu, metrics: ["temperature"] } });
  await gateway.publish(record(gpu, 1, { metrics: { temperature: 40 } }));
  await gateway.publish(record(gpu, 1, { metrics: { power_draw: 100 } }));
  await client.settle();
  const received = client.messages.filter(({ type }) => type === "telemetry_update");
  expect(received.map(({ id, data }) => [id, data])).toEqual([
    ["all", { temperature: 40 }],
    ["one", { temperature: 40 }],
    ["all", { temperature: 40, power_draw: 100 }],
  ]);
});

test("a record is sent if it matches all filters; gpu_uuid and gpu_uuids are one filter, and either may match", async () => {
  const [a, b, c] = freshGpus(3) as [string, string, string];
  const client = await connect();
  const host = `host-${a}`;
  const cluster = `cluster-${a}`;
  const namespace = `ml-${a}`;
  const requested: Record<string, object> = {
    gpu: { gpu_uuid: a },
    gpus: { gpu_uuids: [a, b, b] },
    both: { gpu_uuid: a, gpu_uuids: [c] },
    host: { hostname: host },
    cluster: { cluster },
    clusterId: { cluster_id: cluster },
    sameCluster: { cluster, cluster_id: cluster },
    namespace: { namespace },
    none: { hostname: host, namespace },
    gpuOfCluster: { gpu_uuids: [a, c], cluster },
  };
  for (const [id, filters] of Object.entries(requested)) await client.ask({ type: "subscribe", id, filters });
  await gateway.publish(
    record(a, 1, { hostname: host }),
    record(b, 1, { workload: { container: "", pod: "", namespace } }),
    record(c, 1, { clusterId: cluster }),
  );
  await client.settle();
  const received = Object.keys(requested).map((id) => [
    id,
    gpusOf(client.messages.filter((message) => message.type === "telemetry_update" && message["id"] === id)),
  ]);
  expect(Object.fromEntries(received)).toEqual({
    gpu: [a],
    gpus: [a, b],
    both: [a, c],
    host: [a],
    cluster: [c],
    clusterId: [c],
    sameCluster: [c],
    namespace: [b],
    none: [],
    gpuOfCluster: [c],
  });
});

test("every metric of the catalogue can be requested", async () => {
  const client = await connect();
  const answer = await client.ask({ type: "subscribe", filters: { metrics: metricNames } });
  expect(answer.type).toBe("subscribed");
});

test("the newest record of each GPU is sent first, marked as a snapshot; then live records follow", async () => {
  const [a, b, c] = freshGpus(3) as [string, string, string];
  await gateway.publish(record(a, 1), record(b, 1), record(a, 2));
  const client = await connect();
  const filters = { gpu_uuids: [a, b, c], metrics: ["temperature"] };
  expect(await client.ask({ type: "subscribe", id: "x", filters })).toMatchObject({ id: "x", gpus: 2 });
  const snapshot = await client.take(2);
  await gateway.publish(record(b, 3));
  const data = { temperature: 72.3 };
  const update = { type: "telemetry_update", data, id: "x" };
  expect(snapshot).toEqual([
    { ...update, gpu_uuid: a, timestamp: "2025-07-18T20:42:36Z", snapshot: true },
    { ...update, gpu_uuid: b, timestamp: "2025-07-18T20:42:35Z", snapshot: true },
  ]);
  expect(await client.next()).toEqual({ ...update, gpu_uuid: b, timestamp: "2025-07-18T20:42:37Z" });
});

test("with snapshot: false, only live records are sent", async () => {
  const [gpu] = freshGpus(1) as [string];
  await gateway.publish(record(gpu, 1));
  const client = await connect();
  await client.ask({ type: "subscribe", snapshot: false, filters: { gpu_uuid: gpu } });
  await gateway.publish(record(gpu, 2));
  expect(await client.next()).toMatchObject({ timestamp: "2025-07-18T20:42:36Z" });
  expect(client.messages).toHaveLength(2);
});

test("an unsubscribe is acknowledged, and no more records follow; without an id, it ends all subscriptions", async () => {
  const [a, b] = freshGpus(2) as [string, string];
  const client = await connect();
  await client.ask({ type: "subscribe", id: "a", filters: { gpu_uuid: a } });
  expect(await client.ask({ type: "subscribe", filters: { gpu_uuid: a } })).toMatchObject({ id: "1" });
  expect(await client.ask({ type: "subscribe", filters: { gpu_uuid: b } })).toMatchObject({ id: "2" });
  expect(await client.ask({ type: "unsubscribe", id: "1" })).toEqual({ type: "unsubscribed", id: "1" });
  await gateway.publish(record(a, 1));
  expect(await client.next()).toMatchObject({ id: "a", gpu_uuid: a });
  client.send({ type: "unsubscribe", topic: "telemetry" });
  expect(await client.take(2)).toEqual([
    { type: "unsubscribed", id: "a" },
    { type: "unsubscribed", id: "2" },
  ]);
  await gateway.publish(record(a, 2), record(b, 2));
  await client.settle();
  expect(client.messages.at(-1)).toMatchObject({ type: "pong" });
  expect(client.messages).toHaveLength(8);
});

test("a ping is answered", async () => {
  const client = await connect();
  expect(await client.ask({ type: "ping" })).toEqual({ type: "pong" });
  expect(await client.ask({ type: "ping", id: "7" })).toEqual({ type: "pong", id: "7" });
});

test("a closed connection ends its subscriptions", async () => {
  const client = await LiveClient.open(gateway);
  await client.ask({ type: "subscribe" });
  const before = await gateway.instrument("telemetry_websocket_subscriptions");
  client.close();
  await client.closed;
  const other = await connect();
  await other.ask({ type: "ping" });
  expect(await gateway.instrument("telemetry_websocket_subscriptions")).toBe(before - 1);
});

test("thousands of ended subscriptions and hundreds of closed connections do not accumulate in memory", async () => {
  const client = await connect();
  const subscribeOften = async (times: number): Promise<void> => {
    for (let index = 0; index < times; index += 1) {
      serial += 1;
      const id = `often ${serial}`;
      const filters = {
        gpu_uuids: [documentedGpu, id],
        hostname: id,
        metrics: ["temperature", "power_draw"].slice(index % 2),
      };
      client.send({ type: "subscribe", id, filters, ...(index % 10 === 0 ? { since: "2025-07-18T20:42:34Z" } : {}) });
      client.send({ type: "unsubscribe", id });
    }
    await client.settle();
  };
  const connectOften = async (times: number): Promise<void> => {
    for (let index = 0; index < times; index += 1) {
      const other = await LiveClient.open(gateway);
      await other.ask({ type: "subscribe" });
      other.close();
      await other.closed;
    }
  };
  const objectsAfter = async (times: number): Promise<number> => {
    await subscribeOften(times);
    await connectOften(times / 10);
    client.messages.length = 0;
    await Bun.sleep(300); // until interrupted replays have ended
    Bun.gc(true);
    return heapStats().objectCount;
  };
  const before = await objectsAfter(2000);
  const after = await objectsAfter(4000);
  expect(after - before).toBeLessThan(2000);
}, 30_000);
