import { afterAll, beforeAll, expect, test } from "bun:test";
import pino from "pino";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { decodePayload } from "../../src/pipeline/queue/batch-codec.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { AnswerMemory } from "../../src/pipeline/source/exporter/answer-memory.ts";
import { StaticDiscovery } from "../../src/pipeline/source/exporter/discovery/static-discovery.ts";
import { ExporterSource } from "../../src/pipeline/source/exporter/exporter-source.ts";
import { ExporterTargets } from "../../src/pipeline/source/exporter/exporter-targets.ts";
import { ScrapeClient } from "../../src/pipeline/source/exporter/scrape-client.ts";
import { EtcdLiveAssignment } from "../../src/pipeline/stream/assignment/etcd-live-assignment.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { BatchPublisher } from "../../src/pipeline/stream/batch-publisher.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { Streamer } from "../../src/pipeline/stream/streamer.ts";
import { TargetStream } from "../../src/pipeline/stream/target-stream.ts";
import { dcgmText, exposition, startExporter } from "../pipeline/exporter/exporter-server.ts";
import { LineReader } from "../pipeline/exporter/line-reader.ts";

const log = pino({ level: "silent" });
const never = new AbortController().signal;
const topic = `targets-${crypto.randomUUID().slice(0, 8)}`;
const intervalMs = 300;
let etcd: ProvidedEtcd;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await etcd.stop();
});

const openQueue = (): EtcdQueue =>
  new EtcdQueue({ client, clock, log, leaseSeconds: 5, maxAttempts: 3, capacityMessages: 1000, topic });

/** A streamer as a process of its own would have it. */
function openStreamer(name: string, addresses: readonly string[]) {
  const security = { tls: {}, insecure: false, authorization: () => Promise.resolve(undefined) };
  const scraper = new ScrapeClient({ timeoutMs: 200, maxBytes: 1e6, memory: new AnswerMemory(1e8), security });
  const openReader = (): LineReader => new LineReader();
  const targets = new ExporterTargets({
    discoveries: [new StaticDiscovery(addresses, "lab")],
    open: (target) =>
      new ExporterSource(target, { client: scraper, openReader, clock, intervalMs, streamer: name, log }),
  });
  const queue = openQueue();
  const retries = new StreamRetries({ clock, listener, log });
  const bucket = new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock });
  const backPressure = new BackPressure({ lowMessages: 500, highMessages: 900, clock });
  const publisher = new BatchPublisher({ queue, bucket, backPressure, messageMaxBytes: 1e6, clock, listener, retries });
  const assignment = new EtcdLiveAssignment({ client, topic, clock, streamerId: name, leaseSeconds: 5 });
  const stream = new TargetStream({ targets, assignment, publisher, retries, log });
  const sourceError = (): string | undefined => targets.error;
  const streamer = new Streamer({ name, stream, publisher, retries, sourceError, log });
  return {
    targets,
    stream,
    start: () => streamer.start(),
    stop: async () => {
      await streamer.stop(AbortSignal.timeout(5000));
      await queue.close();
      scraper.close();
    },
  };
}

/** Claims and acknowledges all ready messages. @returns "GPU at time" of each record */
async function recordsIn(queue: EtcdQueue): Promise<string[]> {
  const records: string[] = [];
  while ((await queue.stats()).readyMessages > 0) {
    for (const delivery of await queue.claim({ consumerId: "test", maxMessages: 32, signal: never })) {
      const { gpus, gpuIndexes, timesMs } = decodePayload({ ...delivery.envelope, payload: delivery.payload });
      timesMs.forEach((timeMs, index) => records.push(`${gpus[gpuIndexes[index] as number]?.uuid} at ${timeMs}`));
      await queue.acknowledge([delivery]);
    }
  }
  return records;
}

test("two streamers share exporters: each target is read by one, and by the other when that one stops, no scrape twice", async () => {
  const exporters = Array.from({ length: 6 }, (_, index) => startExporter(exposition(dcgmText(`h${index}`, 300))));
  const addresses = exporters.map(({ address }) => address);
  const [first, second] = [openStreamer("first", addresses), openStreamer("second", addresses)];
  const queue = openQueue();
  await first.start();
  await until(() => first.targets.states().every(({ scrapes }) => scrapes >= 2));
  await second.start();
  await until(() => second.targets.states().length === 6);
  expect([first.stream.share, second.stream.share]).toEqual([6, 0]);
  expect(second.targets.states().map(({ state }) => state)).toEqual(new Array(6).fill("waiting"));
  await first.stop();
  await until(() => second.targets.states().every(({ state, scrapes }) => state === "up" && scrapes >= 2));
  expect([first.stream.share, second.stream.share]).toEqual([0, 6]);
  await second.stop();
  const records = await recordsIn(queue);
  expect(new Set(records).size).toBe(records.length);
  expect(records.length).toBeGreaterThanOrEqual(6 * 2 * 4);
  await queue.close();
  await Promise.all(exporters.map((exporter) => exporter.close()));
});
