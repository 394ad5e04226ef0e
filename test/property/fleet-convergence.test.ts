import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import { systemClock } from "../../src/kit/clock.ts";
import type { ContestedGpu } from "../../src/domain/query.ts";
import type { Gpu } from "../../src/domain/gpu.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import type { HotTier } from "../../src/pipeline/hot/hot-tier.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { FleetAnswers } from "../../src/routes/answers/fleet-answers.ts";
import { hotBatch, type HotRecord, t0 } from "../support/hot-records.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { randomFrom } from "../support/random.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// Parts of records, late records and duplicates arrive in any order and through any collector. Every gateway must reach the
// content of a gateway that reads only the store.

const log = unshownLog();
const metricNames = ["temperature", "power_draw", "gpu_utilization", "memory_used_mb", "a_metric_of_our_own"];
const seconds = 12;
let etcd: ProvidedEtcd;
const namespace = `convergence-${crypto.randomUUID()}`;
const clients: NamespacedEtcdClient[] = [];
beforeAll(async () => void (etcd = await provideEtcd()), 300_000);
afterAll(async () => {
  await clients[0]?.removeAll();
  for (const client of clients) client.close();
  await etcd.stop();
});

function openTier(): HotTier {
  const client = new NamespacedEtcdClient(etcd, namespace);
  clients.push(client);
  const onRefused = (reason: Error): never => {
    throw reason;
  };
  const options = { client, topic: defaultTopic, clock: systemClock, windowSeconds: 60 };
  return new EtcdHotTier({ ...options, onCoalesced: () => undefined, onRefused });
}

/** A GPU's attributes at a second: some boards move to another slot, free or occupied, and some drivers change. */
function gpuAtSecond(index: number, second: number): Gpu {
  const hasMoved = index % 5 === 0 && second >= 4 + (index % 3);
  const slot = hasMoved ? (index + 7) % 24 : index;
  // the last four are instances of two GPUs that nothing else reports
  const uuid = index < 16 ? `GPU-${index}` : `GPU-of-instances-${index % 2}:mig:${index}:1g.10gb`;
  return {
    ...{ uuid, clusterId: "c", hostname: `host-${slot % 4}`, gpuId: Math.floor(slot / 4) },
    ...{ device: `nvidia${slot}`, modelName: "H100", driverVersion: index % 3 === 0 && second > 6 ? "540" : "535" },
    properties: { serial: String(index), since: String(Math.floor(second / 5)) },
  };
}

/** The GPU as a cloned machine reports it; its name sorts before that of the machine, or after it. */
function cloneOf(gpu: Gpu): Pick<HotRecord, "gpu"> {
  const hostname = gpu.gpuId % 2 === 0 ? "a-clone" : "z-clone";
  return { gpu: { ...gpu, hostname, properties: { serial: "clone", rack: hostname } } };
}

/** The batches of a run, in the order of arrival: parts of records, each of which arrives up to five seconds late. */
function makeBatches(random: () => number): HotRecord[][] {
  const parts: HotRecord[] = [];
  for (let index = 0; index < 20; index += 1) {
    for (let second = 0; second < seconds - (index % 4); second += 1) {
      const timeMs = t0 + second * 1000;
      for (const [metricIndex, name] of metricNames.entries()) {
        if (random() < 0.2) continue;
        const value = index * 1000 + second * 10 + metricIndex;
        const gpu = gpuAtSecond(index, second);
        parts.push({ gpu, timeMs, metrics: { [name]: value } });
        if (index % 6 === 0 && random() < 0.3) parts.push({ ...cloneOf(gpu), timeMs, metrics: { [name]: value + 5 } });
      }
    }
  }
  // later records without values: the board has been moved, but its newest record with values is that of the earlier place
  for (const index of [1, 3, 5, 10, 15, 17]) {
    const gpu = gpuAtSecond((index + 5) % 16, seconds);
    parts.push({ gpu: { ...gpu, uuid: gpuAtSecond(index, 0).uuid }, timeMs: t0 + seconds * 1000, metrics: {} });
  }
  const batches: HotRecord[][] = [];
  parts.sort((a, b) => a.timeMs - b.timeMs || a.gpu.gpuId - b.gpu.gpuId);
  const arrivals = parts.map((part) => ({ part, arrivalMs: part.timeMs + random() * 5000 }));
  arrivals.sort((a, b) => a.arrivalMs - b.arrivalMs);
  while (arrivals.length > 0) batches.push(arrivals.splice(0, 1 + Math.floor(random() * 40)).map(({ part }) => part));
  return batches.map((batch) => batch.sort((a, b) => a.timeMs - b.timeMs));
}

async function ingest(
  { store }: OpenStore,
  records: readonly HotRecord[],
  id: string,
): Promise<readonly ContestedGpu[]> {
  const from = { offset: Number(id), line: Number(id) };
  const source = { sourceId: "s", from, to: { offset: from.offset + 1, line: from.line + 1 } };
  const message = { messageId: id, idempotencyKey: id, source, batch: hotBatch(records) };
  return (await store.ingest(message)).contested;
}

async function openGateway(hotTier: HotTier, { queries }: OpenStore): Promise<FleetProjection> {
  const fleet = new FleetProjection({ hotTier, store: queries.fleet, clock: systemClock, log });
  await fleet.start();
  return fleet;
}

/** The answers that a gateway gives from memory: all GPUs, and their newest records. */
function contentOf(fleet: FleetProjection): string {
  const answers = new FleetAnswers(fleet);
  return `${answers.gpuList({})}\n${answers.latestList({ limit: 10_000 })}`.replaceAll("},{", "},\n{");
}

async function untilEqual(gateways: readonly FleetProjection[], expected: string): Promise<void> {
  const isSame = (): boolean => gateways.every((fleet) => contentOf(fleet) === expected);
  // if the time is up, the expectations below show the differences
  await until(isSame, { timeoutMs: 60_000 }).catch(() => undefined);
  for (const fleet of gateways) expect(contentOf(fleet)).toBe(expected);
}

test.each([1, 2, 3, 4, 5, 6])(
  "gateways that start at different times agree with each other and with the store (seed %i)",
  async (seed) => {
    const random = randomFrom(seed);
    const collectors = [openTier(), openTier()];
    await clients[0]?.removeAll();
    const opened = await openMemoryStore();
    const gateways = [await openGateway(openTier(), opened)];
    const batches = makeBatches(random);
    const deliver = async (collector: HotTier): Promise<void> => {
      for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
        const id = String(batches.length);
        const contested = await ingest(opened, batch, id);
        const isRedelivered = random() < 0.3;
        await collector.write(hotBatch(batch), contested);
        if (isRedelivered) {
          const other = collectors[Math.floor(random() * 2)] as HotTier;
          await other.write(hotBatch(batch), await ingest(opened, batch, id));
        }
        if (gateways.length === 1 && random() < 0.05) gateways.push(await openGateway(openTier(), opened));
      }
    };
    batches.reverse();
    await Promise.all([...collectors, ...collectors].map(deliver));
    gateways.push(await openGateway(openTier(), opened));
    const storeOnlyGateway = await openGateway(new MemoryHotTier({ onCoalesced: () => undefined }), opened);
    const expected = contentOf(storeOnlyGateway);
    expect(expected.split("\n")).toHaveLength(2 + 20 + 20); // GPUs that only instances report, devices, records
    await untilEqual(gateways, expected);
    await Promise.all([...gateways, storeOnlyGateway].map((fleet) => fleet.stop(AbortSignal.abort())));
    await opened.close();
  },
  // seconds; on a busy machine, a minute
  180_000,
);
