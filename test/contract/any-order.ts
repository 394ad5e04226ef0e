import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { type Attributes, type Gpu, noWorkload, type Workload } from "../../src/domain/gpu.ts";
import { metricIndexOf } from "../../src/domain/metrics.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { HotTier } from "../../src/pipeline/hot/hot-tier.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { FleetMembers } from "../../src/routes/fleet/fleet-members.ts";
import type { FleetMember } from "../../src/routes/fleet/fleet.ts";
import { until } from "../../dev/until.ts";
import { messageOf } from "../../dev/make-batch.ts";
import { Follower } from "../support/hot-records.ts";
import { type MergedRecord, mergedRecords } from "../support/merged-records.ts";

/** One value, as a row has it. */
interface Row {
  readonly gpu: Gpu;
  readonly timeMs: number;
  readonly workload: Workload;
  /** The name of a metric or of a series; empty for a row without a value, which only describes its GPU. */
  readonly name: string;
  readonly value: number;
  /** The batch that the row is in. */
  readonly batch: number;
}

const startMs = Date.UTC(2025, 6, 18);
const names = [
  ...["temperature", "power_draw", "xid_errors", "my_metric", "__proto__"],
  ...['xid_errors{xid="31"}', 'xid_errors{xid="45"}', 'xid_errors{vgpu="a",xid="45"}', 'xid_errors{vgpu="b",xid="45"}'],
  ...['xid_errors{window_size_in_ms="1",xid="31"}', 'xid_errors{vgpu="a",window_size_in_ms="2",xid="31"}'],
  ...['gpu_health_status{health_watch="MEM"}', 'gpu_health_status{health_watch="NVLINK"}', 'other{nvlink="1"}'],
];
const pods = fc.constantFrom("", "a", "b");

const arbitraryRow = fc
  .record({
    device: fc.constantFrom("GPU-1", "GPU-2", "GPU-1:mig:3:1g.10gb"),
    second: fc.nat({ max: 5 }),
    hostname: fc.constantFrom("host-a", "host-a", "host-a", "host-b"),
    gpuId: fc.constantFrom(0, 0, 1),
    modelName: fc.constantFrom("", "H100", "H200"),
    driverVersion: fc.constantFrom("", "", "535", "550"),
    properties: fc.dictionary(fc.constantFrom("job", "rack", "__proto__"), fc.constantFrom("x", "y"), { maxKeys: 2 }),
    workload: fc.record({ container: pods, pod: pods, namespace: pods }),
    name: fc.constantFrom("", ...names),
    value: fc.nat({ max: 20 }),
    batch: fc.nat({ max: 7 }),
  })
  .map(({ device, second, hostname, modelName, driverVersion, properties, ...row }): Row => {
    // in the hot tier, a row without a value adds nothing to the index of a record of its instant: docs/hot-tier.md
    const gpuId = row.name === "" ? 0 : row.gpuId;
    const place = { clusterId: "c", hostname, gpuId, device: `nvidia${gpuId}` };
    const gpu = { uuid: device, ...place, modelName, driverVersion, properties };
    const workload = row.name === "" ? noWorkload : row.workload;
    return { ...row, workload, gpu, timeMs: startMs + second * 1000 };
  });

function batchOf(rows: readonly Row[], run: string): RecordBatch {
  const builder = new BatchBuilder();
  for (const { gpu, timeMs, workload, name, value } of rows) {
    // a cluster of its own: the slots of the hot tier would belong to the GPUs of other runs
    const gpuIndex = builder.gpuIndex({ ...gpu, uuid: run + gpu.uuid, clusterId: run });
    const record = builder.record(gpuIndex, timeMs, builder.workloadIndex(workload));
    const metricIndex = metricIndexOf(name);
    if (name === "") builder.describe(record);
    else if (metricIndex === undefined) builder.setCustom(record, name, value);
    else builder.set(record, metricIndex, value);
    builder.count("rows");
  }
  return builder.build();
}

/** The records of a GPU, each with the attributes that hold at its instant: a field that a record leaves open has the text of the
 *  last record that has one. */
function withAttributes(records: readonly MergedRecord[]): { readonly record: MergedRecord; readonly gpu: Gpu }[] {
  let last: Gpu | undefined;
  return records
    .toSorted((a, b) => a.timeMs - b.timeMs)
    .map((record) => {
      const { gpu } = record;
      const properties = new Map([...Object.entries(last?.properties ?? {}), ...Object.entries(gpu.properties)]);
      last = {
        ...gpu,
        device: gpu.device || (last?.device ?? ""),
        modelName: gpu.modelName || (last?.modelName ?? ""),
        driverVersion: gpu.driverVersion || (last?.driverVersion ?? ""),
        properties: Object.fromEntries([...properties].sort(([a], [b]) => (a < b ? -1 : 1))),
      };
      return { record, gpu: last };
    });
}

/** A text for comparison: `toEqual` does not see a property `__proto__`. */
function textOfGpu({ hostname, gpuId, device, modelName, driverVersion, properties }: Attributes): string {
  const entries = Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([hostname, gpuId, device, modelName, driverVersion, entries]);
}

const textOfWorkload = ({ namespace, pod, container }: Workload): string => [namespace, pod, container].join("/");

function textOfValues(values: Iterable<readonly [string, number]>): string {
  return JSON.stringify([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The instants at which a text changes. */
function changesOf<Element>(elements: readonly Element[], spanOf: (element: Element) => readonly [number, string]) {
  const spans = elements.map(spanOf);
  return spans.filter(([, text], index) => spans[index - 1]?.[1] !== text);
}

/** What the store has of a device, and what it should have, as texts. */
async function storedDevice({ queries }: OpenStore, uuid: string): Promise<unknown> {
  const filter = { gpus: { uuids: [uuid] }, range: allTime, limit: 1000 };
  const { elements } = await queries.history.records(filter);
  const { attributes, workloads } = await queries.fleet.changes({ uuid, range: allTime });
  const gpus = await queries.fleet.gpus({ uuids: [uuid] });
  return {
    records: elements.map(({ timeMs, gpu, metrics, custom, occupants }) => [
      timeMs,
      textOfGpu(gpu),
      textOfValues(Object.entries(metrics)),
      textOfValues(Object.entries(custom)),
      occupants.map(textOfWorkload),
    ]),
    attributes: attributes.map((span) => [span.fromMs, textOfGpu(span)]),
    workloads: workloads.map(({ fromMs, occupants }) => [fromMs, occupants.map(textOfWorkload).join(" ")]),
    newest: gpus.map(textOfGpu),
  };
}

function expectedDevice(records: readonly MergedRecord[]): unknown {
  const placed = withAttributes(records);
  return {
    records: placed.map(({ record: { timeMs, metrics, custom, occupants }, gpu }) => [
      timeMs,
      textOfGpu(gpu),
      textOfValues(metrics),
      textOfValues(custom),
      occupants,
    ]),
    attributes: changesOf(placed, ({ record, gpu }) => [record.timeMs, textOfGpu(gpu)]),
    workloads: changesOf(placed, ({ record }) => [record.timeMs, record.occupants.join(" ")]),
    newest: placed.slice(-1).map(({ gpu }) => textOfGpu(gpu)),
  };
}

/** The number of values that differ from the greatest one of their device, instant and series. Of several hosts, the one whose
 *  name sorts first counts. The plain value of a metric with labelled series follows from them. */
function conflictsIn(rows: readonly Row[]): number {
  const records = [...Map.groupBy(rows, ({ gpu, timeMs }) => `${gpu.uuid} ${timeMs}`).values()];
  return records.reduce((sum, ofRecord) => {
    const host = ofRecord.map(({ gpu }) => gpu.hostname).sort()[0];
    const kept = ofRecord.filter(({ gpu }) => gpu.hostname === host);
    const isFolded = (name: string): boolean =>
      metricIndexOf(name) !== undefined && kept.some((row) => row.name.startsWith(`${name}{`));
    const counted = [...Map.groupBy(kept, ({ name }) => name)].filter(([name]) => name !== "" && !isFolded(name));
    const distinct = counted.map(([, ofSeries]) => new Set(ofSeries.map(({ value }) => value)).size - 1);
    return sum + distinct.reduce((a, b) => a + b, 0);
  }, 0);
}

/** A device with its newest record, as a text. */
function memberText(member: FleetMember | undefined): string {
  if (member === undefined) return "none";
  const { gpu, record } = member;
  const { timeMs, metrics, custom, occupants } = record ?? { metrics: {}, custom: {}, occupants: [] };
  const place = record === undefined ? [] : [record.gpu.hostname, record.gpu.gpuId, record.gpu.device];
  return JSON.stringify([
    place,
    ...[textOfGpu(gpu), gpu.firstSeenAtMs, gpu.lastSeenAtMs, timeMs, textOfValues(Object.entries(metrics))],
    ...[textOfValues(Object.entries(custom)), occupants.map(textOfWorkload)],
  ]);
}

/** Devices as a gateway shows them that has only the store. */
async function storedMembers({ queries: { fleet } }: OpenStore, uuids: readonly string[]): Promise<FleetMembers> {
  const members = new FleetMembers();
  members.mergeStored(await fleet.gpus({ uuids }), await fleet.latest({ uuids }));
  return members;
}

/** A hot tier of two collectors. */
interface OpenTiers {
  readonly tiers: readonly [HotTier, HotTier];
  readonly close: () => Promise<void>;
}

function oneMemoryTier(): Promise<OpenTiers> {
  const tier = new MemoryHotTier({ onCoalesced: () => undefined });
  return Promise.resolve({ tiers: [tier, tier], close: () => Promise.resolve() });
}

interface AnyOrderOptions {
  readonly open: () => Promise<OpenStore>;
  readonly another: () => Promise<OpenStore>;
  readonly openTiers?: () => Promise<OpenTiers>;
  readonly runs: number;
}

/** The contract that a store does not depend on the order in which rows arrive, nor on how they are spread over batches and
 *  collectors.
 *  @param another opens the same store once more
 *  @param openTiers opens a hot tier for each of two collectors; without it, both use one hot tier in memory */
export function exerciseAnyOrder(
  name: string,
  { open, another, openTiers = oneMemoryTier, runs }: AnyOrderOptions,
): void {
  describe(`${name} does not depend on the order of arrival`, () => {
    let stores: readonly OpenStore[];
    let tiers: OpenTiers;
    beforeAll(async () => void (stores = [await open(), await another()]));
    beforeAll(async () => void (tiers = await openTiers()));
    afterAll(async () => void (await Promise.all(stores.map(({ close }) => close()))));
    afterAll(() => tiers.close());

    test("rows of devices, series, workloads and hosts in any order and in any batches give one store and history", async () => {
      let count = 0;
      const rows = fc.array(arbitraryRow, { minLength: 1, maxLength: 60 });
      const batchNumbers = fc.subarray([0, 1, 2, 3, 4, 5, 6, 7]);
      const property = fc.asyncProperty(rows, fc.boolean(), batchNumbers, async (all, isAtOnce, redelivered) => {
        count += 1;
        const run = `any-order-${count}-`;
        const follower = new Follower(tiers.tiers[0]);
        const batches = [...Map.groupBy(all, ({ batch }) => batch)];
        const ingest = async ([number, ofBatch]: (typeof batches)[number]): Promise<void> => {
          const batch = batchOf(ofBatch, run);
          const [first, second] = number % 2 === 0 ? [0, 1] : [1, 0];
          const storeOnce = (at: number) => stores[at]?.store.ingest(messageOf(`${run}${number}`, batch));
          let result = await storeOnce(first);
          // as if the first collector had died before it wrote to the hot tier
          if (redelivered.includes(number)) result = await storeOnce(second);
          await tiers.tiers[first]?.write(batch, result?.contested);
        };
        if (isAtOnce) await Promise.all(batches.map(ingest));
        else for (const each of batches) await ingest(each);
        const expected = mergedRecords(all.map((row) => batchOf([row], run)));
        const byUuid = Map.groupBy(expected.values(), ({ gpu }) => gpu.uuid);
        const stored = await storedMembers(stores[0] as OpenStore, [...byUuid.keys()]);
        for (const [uuid, records] of byUuid) {
          expect(await storedDevice(stores[0] as OpenStore, uuid)).toEqual(expectedDevice(records));
          const expectedMember = memberText(stored.get(uuid));
          // if the time is up, the expectation below shows the difference
          const isExpected = (): boolean => memberText(follower.members.get(uuid)) === expectedMember;
          await until(isExpected).catch(() => undefined);
          expect(memberText(follower.members.get(uuid))).toBe(expectedMember);
        }
        await follower.stop();
        const totals = await Promise.all(
          batches.map(([number]) => (stores[0] as OpenStore).store.progressOf(`${run}${number}`)),
        );
        expect(totals.reduce((sum, { totals: { conflicts } }) => sum + conflicts, 0)).toBe(conflictsIn(all));
      });
      await fc.assert(property, { numRuns: runs, endOnFailure: true });
      // seconds; on a busy machine, a minute
    }, 180_000);
  });
}
