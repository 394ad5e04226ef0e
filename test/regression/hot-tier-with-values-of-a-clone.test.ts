import { afterEach, expect, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { makeBatch, type TestRecord } from "../../dev/make-batch.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { Collector } from "../../src/pipeline/collect/collector.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { silentListener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// A cloned machine reports a GPU of another machine. The records of one host are rejected, wherever they are in the input. The
// gateway once showed them all the same, because the collector wrote the whole batch to the hot tier.

const log = unshownLog();
const clock = systemClock;
const t0 = Date.UTC(2026, 2, 1, 10);
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Row = Omit<TestRecord, "uuid" | "timeMs"> & { readonly at: number };

const first: Row = { at: 0, hostname: "ha", metrics: { temperature: 1 }, properties: { serial: "S0" } };
const clone: Row = { at: 1, hostname: "hb", metrics: { temperature: 9 }, properties: { serial: "S-CLONE" } };
const kept: Row = { at: 1, hostname: "ha", metrics: { temperature: 3 }, properties: {} };
const later: Row = { ...kept, at: 2 };

test.each([
  ["before the record that is kept", [first, clone, kept], { temperature: 3 }, 1],
  ["after it", [first, kept, clone], { temperature: 3 }, 1],
  ["after a later record", [first, kept, later, clone], { temperature: 3 }, 2],
  ["before a later record and the one that is kept", [first, clone, later, kept], { temperature: 3 }, 2],
  ["after a record that only describes the GPU", [first, { ...kept, metrics: {} }, clone], { temperature: 1 }, 0],
  ["before a record that only describes the GPU", [first, clone, { ...kept, metrics: {} }], { temperature: 1 }, 0],
] as const)("labels and values of a clone that arrive %s are not shown", async (_, rows, metrics, at) => {
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const { store, queries, close } = await openMemoryStore();
  closing.push(close);
  const openFleet = async (tier: MemoryHotTier): Promise<FleetProjection> => {
    const fleet = new FleetProjection({ hotTier: tier, store: queries.fleet, clock, log });
    await fleet.start();
    closing.push(() => fleet.stop(AbortSignal.abort()));
    return fleet;
  };
  const fleet = await openFleet(hotTier);
  const queue = new MemoryQueue({ topic: "t", clock, capacityMessages: 10, leaseSeconds: 5, maxAttempts: 1 });
  const collector = new Collector({
    ...{ admit: () => Promise.resolve(), consumerId: "c", queue, store, hotTier, workers: 1, leaseSeconds: 5 },
    ...{ drainOnStop: false, clock, log, listener: silentListener },
  });
  await collector.start();
  closing.push(() => queue.close());
  closing.push(() => collector.stop(AbortSignal.abort()));
  for (const [number, { at: second, ...row }] of rows.entries()) {
    const batch = makeBatch([{ ...row, uuid: "GPU-1", timeMs: t0 + second * 1000 }]);
    const source = { sourceId: "s", from: { offset: number, line: 1 }, to: { offset: number + 1, line: 2 } };
    const message = { ...encodeBatch(batch), idempotencyKey: String(number), traceId: "t", count: 1, source };
    await queue.publish([message], { signal: new AbortController().signal });
  }
  await until(async () => {
    const { readyMessages, inFlightMessages, deadMessages } = await queue.stats();
    return readyMessages + inFlightMessages + deadMessages === 0;
  });
  const [member] = fleet.members();
  expect(member).toMatchObject({
    gpu: { hostname: "ha", properties: { serial: "S0" }, firstSeenAtMs: t0 },
    record: { timeMs: t0 + at * 1000, metrics },
  });
  // a gateway that has only the store shows the same
  const [stored] = (await openFleet(new MemoryHotTier({ onCoalesced: () => undefined }))).members();
  expect(stored).toEqual(member as NonNullable<typeof member>);
});
