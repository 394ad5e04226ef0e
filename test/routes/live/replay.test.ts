import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { formatTimestamp } from "../../../src/domain/timestamp.ts";
import type { TestRecord } from "../../../dev/make-batch.ts";
import { LiveClient, type LiveGateway, type Message, openLiveGateway } from "./live-gateway.ts";

const startMs = Date.UTC(2025, 6, 18, 20, 42, 34);
const timeOf = (second: number): string => formatTimestamp(startMs + second * 1000);
const record = (uuid: string, second: number, more: Partial<TestRecord> = {}): TestRecord => ({
  uuid,
  timeMs: startMs + second * 1000,
  metrics: { temperature: second % 100, power_draw: second },
  ...more,
});

let gateway: LiveGateway;
const clients: LiveClient[] = [];

beforeAll(async () => void (gateway = await openLiveGateway({ settings: { wsReplayMaxRecords: 3000 } })));
afterEach(() => clients.splice(0).forEach((client) => client.close()));
afterAll(() => gateway.close());

async function connect(): Promise<LiveClient> {
  const client = await LiveClient.open(gateway);
  clients.push(client);
  return client;
}

/** The second of each update of a GPU, such as `12`, or `12 r` if the update is from the history. */
function secondsOf(messages: readonly Message[], uuid: string): string[] {
  return messages
    .filter((message) => message["gpu_uuid"] === uuid)
    .map(({ timestamp, replay }) => {
      const second = (Date.parse(timestamp as string) - startMs) / 1000;
      return replay === true ? `${second} r` : `${second}`;
    });
}

const textOf = ({ gpu_uuid: uuid, timestamp }: Message): string => `${String(uuid)} ${String(timestamp)}`;

const untilReplayed = (client: LiveClient): Promise<void> =>
  client.until(() => client.messages.some(({ type }) => type === "replayed"));

test("with since, the history from that instant comes first, then `replayed`, then live records", async () => {
  await gateway.store(...[1, 2, 3].flatMap((second) => [record("GPU-a", second), record("GPU-b", second)]));
  const client = await connect();
  client.send({
    type: "subscribe",
    id: "x",
    since: timeOf(2),
    filters: { gpu_uuid: "GPU-a", metrics: ["power_draw"] },
  });
  await untilReplayed(client);
  await gateway.store(record("GPU-a", 4));
  await gateway.publish(record("GPU-a", 4));
  const update = { type: "telemetry_update", gpu_uuid: "GPU-a", id: "x" };
  await client.until(() => client.messages.length === 5);
  expect(client.messages.slice(1)).toEqual([
    { ...update, timestamp: timeOf(2), data: { power_draw: 2 }, replay: true },
    { ...update, timestamp: timeOf(3), data: { power_draw: 3 }, replay: true },
    { type: "replayed", id: "x", count: 2 },
    { ...update, timestamp: timeOf(4), data: { power_draw: 4 } },
  ]);
});

test("the filters also select the records of the history", async () => {
  const workload = { container: "", pod: "", namespace: "replay-ml" };
  await gateway.store(
    record("GPU-c", 1, { hostname: "replay-host" }),
    record("GPU-d", 1, { clusterId: "replay-cluster" }),
    record("GPU-e", 1, { workload }),
    record("GPU-e", 2),
  );
  const filters = [
    { hostname: "replay-host" },
    { cluster: "replay-cluster" },
    { namespace: "replay-ml" },
    { gpu_uuids: ["GPU-c", "GPU-e", "GPU-unknown"] },
    { gpu_uuids: ["GPU-c", "GPU-e"], hostname: "replay-host" },
  ];
  const received: unknown[] = [];
  for (const each of filters) {
    const client = await connect();
    client.send({ type: "subscribe", since: timeOf(0), filters: each });
    await untilReplayed(client);
    received.push(client.messages.flatMap((message) => (message.type === "telemetry_update" ? [textOf(message)] : [])));
  }
  expect(received).toEqual([
    [`GPU-c ${timeOf(1)}`],
    [`GPU-d ${timeOf(1)}`],
    [`GPU-e ${timeOf(1)}`],
    [`GPU-c ${timeOf(1)}`, `GPU-e ${timeOf(1)}`, `GPU-e ${timeOf(2)}`],
    [`GPU-c ${timeOf(1)}`],
  ]);
});

test("a replay stops at WS_REPLAY_MAX_RECORDS, and reports that it is truncated", async () => {
  const seconds = Array.from({ length: 3001 }, (_, second) => second);
  await gateway.store(...seconds.map((second) => record("GPU-long", second)));
  const client = await connect();
  client.send({ type: "subscribe", since: timeOf(0), filters: { gpu_uuid: "GPU-long" } });
  await untilReplayed(client);
  expect(client.messages.at(-1)).toEqual({ type: "replayed", id: "1", count: 3000, truncated: true });
  expect(secondsOf(client.messages, "GPU-long")).toEqual(seconds.slice(0, 3000).map((second) => `${second} r`));
});

test("each record that arrives during or after a replay is sent once, whether the history has it or not", async () => {
  const seconds = Array.from({ length: 600 }, (_, second) => second);
  await gateway.store(...seconds.map((second) => record("GPU-m", second)));
  const storeAndPublish = async (second: number): Promise<void> => {
    await gateway.store(record("GPU-m", second));
    await gateway.publish(record("GPU-m", second));
  };
  const pages = { read: 0 };
  gateway.around.read = async (read) => {
    pages.read += 1;
    await storeAndPublish(pages.read * 1000); // on this page of the history, or on the next
    await gateway.store(record("GPU-m", pages.read * 1000 + 1)); // in the history before it is published
    await read();
    await gateway.publish(record("GPU-m", pages.read * 1000 + 1));
    await storeAndPublish(pages.read * 1000 + 2); // on the next page, or stored after the last page was read
  };
  const client = await connect();
  client.send({ type: "subscribe", since: timeOf(0), filters: { gpu_uuid: "GPU-m" } });
  await untilReplayed(client);
  gateway.around.read = (read) => read();
  await gateway.store(record("GPU-m", 9000));
  await gateway.publish(record("GPU-m", 9000));
  await client.until(() => client.messages.at(-1)?.["timestamp"] === timeOf(9000));
  expect(pages.read).toBe(2);
  const late = [1000, 1001, 1002, 2000, 2001].map((second) => `${second} r`);
  expect(secondsOf(client.messages, "GPU-m")).toEqual([
    ...seconds.map((second) => `${second} r`),
    ...late,
    "2002",
    "9000",
  ]);
});

test("while records arrive, each is sent once and in order, from the history or live", async () => {
  const gpus = ["GPU-x", "GPU-y", "GPU-z"];
  const historySeconds = 400;
  for (let round = 0; round < 8; round += 1) {
    const roundGpus = gpus.map((gpu) => `${gpu}-${round}`);
    // each round has its own cluster, because the records of all rounds would exceed the limit of one replay
    const clusterId = `cluster-${round}`;
    const seconds = Array.from({ length: historySeconds }, (_, second) => second);
    await gateway.store(...seconds.flatMap((second) => roundGpus.map((gpu) => record(gpu, second, { clusterId }))));
    const lastSecond = historySeconds + 60;
    // stores each record before it publishes the record, as the collector does, and sometimes waits after a step
    const produce = async (gpu: string): Promise<void> => {
      for (let second = historySeconds; second < lastSecond; second += 1) {
        await gateway.store(record(gpu, second, { clusterId }));
        if (Math.random() < 0.5) await Bun.sleep(Math.random() * 4);
        await gateway.publish(record(gpu, second, { clusterId }));
        if (Math.random() < 0.5) await Bun.sleep(Math.random() * 4);
      }
    };
    const producing = Promise.all(roundGpus.map(produce));
    const requested = {
      gpus: { gpu_uuids: roundGpus },
      cluster: { cluster: clusterId },
      one: { gpu_uuid: roundGpus[0] },
    };
    const listening = Object.values(requested).map(async (filters) => {
      await Bun.sleep(Math.random() * 100);
      const client = await connect();
      const since = filters === requested.cluster ? timeOf(historySeconds - 100) : timeOf(0);
      client.send({ type: "subscribe", since, filters });
      return client;
    });
    const [ofGpus, ofCluster, ofOne] = (await Promise.all(listening)) as [LiveClient, LiveClient, LiveClient];
    await producing;
    const hasLast = (client: LiveClient, gpu: string): boolean =>
      secondsOf(client.messages, gpu)
        .at(-1)
        ?.startsWith(`${lastSecond - 1}`) === true;
    const replayMark = / r$/;
    const expected = Array.from({ length: lastSecond }, (_, second) => String(second));
    for (const [client, gpu, first] of [
      ...roundGpus.map((each) => [ofGpus, each, 0] as const),
      ...roundGpus.map((each) => [ofCluster, each, historySeconds - 100] as const),
      [ofOne, roundGpus[0] as string, 0] as const,
    ]) {
      await client.until(() => hasLast(client, gpu));
      await client.settle();
      const received = secondsOf(client.messages, gpu);
      expect(received.map((each) => each.replace(replayMark, ""))).toEqual(expected.slice(first));
    }
  }
}, 60_000);

test("a store that does not answer is reported, and the subscription still receives live records", async () => {
  const ownGateway = await openLiveGateway();
  const client = await LiveClient.open(ownGateway);
  await ownGateway.closeStore();
  await client.ask({ type: "subscribe", id: "x", since: timeOf(0) });
  await ownGateway.publish(record("GPU-q", 1));
  await client.until(() => client.messages.length === 4);
  expect(client.messages).toMatchObject([
    { type: "subscribed", id: "x" },
    { type: "error", code: "store_unavailable", id: "x" },
    { type: "replayed", count: 0, truncated: true },
    { type: "telemetry_update", gpu_uuid: "GPU-q" },
  ]);
  client.close();
  await ownGateway.close();
});
