import { expect, test } from "bun:test";
import fc from "fast-check";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { RecordCursor } from "../../src/domain/building/record-cursor.ts";
import type { Gpu, Workload } from "../../src/domain/gpu.ts";
import { metricIndexOf } from "../../src/domain/metrics.ts";
import { validateBatch } from "../../src/domain/schema/validate-batch.ts";
import { splitBatch } from "../../src/domain/split-batch.ts";
import type { HotFollower } from "../../src/pipeline/hot/hot-tier.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { decodeBatch, encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { type MergedRecord, mergedRecords, recordsIn } from "../support/merged-records.ts";

/** One sample, as a row has it. */
interface Sample {
  readonly gpu: Gpu;
  readonly timeMs: number;
  readonly workload: Workload;
  /** A name of the catalogue, of another metric or of a series. */
  readonly name: string;
  readonly value: number;
}

const startMs = Date.UTC(2025, 6, 18);
const names = [
  ...["temperature", "gpu_utilization", "xid_errors", "my_metric", "__proto__"],
  ...['xid_errors{xid="31"}', 'xid_errors{xid="45"}', 'xid_errors{vgpu="a",xid="45"}', 'xid_errors{vgpu="b",xid="45"}'],
  ...['xid_errors{window_size_in_ms="1",xid="31"}', 'xid_errors{vgpu="a",window_size_in_ms="2",xid="31"}'],
  ...['gpu_health_status{health_watch="MEM"}', 'gpu_health_status{health_watch="NVLINK"}', 'other{nvlink="1"}'],
];
const pods = fc.constantFrom("", "a", "b");

/** @param hosts the hosts that may report a GPU at an instant */
function samplesWith(hosts: (uuid: string, second: number) => readonly string[]): fc.Arbitrary<Sample[]> {
  const sample = fc
    .record({
      uuid: fc.constantFrom("GPU-1", "GPU-2", "GPU-1:mig:3:1g.10gb"),
      second: fc.integer({ min: 0, max: 3 }),
      host: fc.nat(),
      gpuId: fc.integer({ min: 0, max: 1 }),
      modelName: fc.constantFrom("", "H100", "H200"),
      driverVersion: fc.constantFrom("", "", "535", "550"),
      properties: fc.dictionary(fc.constantFrom("job", "rack", "__proto__"), fc.constantFrom("", "x", "y"), {
        maxKeys: 2,
      }),
      workload: fc.record({ container: pods, pod: pods, namespace: pods }),
      name: fc.constantFrom(...names),
      value: fc.integer({ min: 0, max: 20 }),
    })
    .map(({ uuid, second, host, gpuId, modelName, driverVersion, properties, workload, name, value }): Sample => {
      const possible = hosts(uuid, second);
      const hostname = possible[host % possible.length] as string;
      const gpu = { uuid, clusterId: "c", hostname, gpuId, device: "", modelName, driverVersion, properties };
      return { gpu, timeMs: startMs + second * 1000, workload, name, value };
    });
  return fc.array(sample, { maxLength: 60 });
}

const anyHost = samplesWith(() => ["host-a", "host-b", "host-c"]);
/** Some GPUs move, but none is on two hosts at the same time. */
const oneHost = samplesWith((uuid, second) => [uuid.length > 5 && second > 1 ? "host-b" : "host-a"]);

function batchOf(
  samples: readonly Sample[],
  placeOf = (sample: Sample): number => samples.indexOf(sample),
): RecordBatch {
  const builder = new BatchBuilder("Hostname");
  for (const each of samples) {
    const { gpu, timeMs, workload, name, value } = each;
    builder.count("rows");
    builder.moveTo(placeOf(each) + 2, placeOf(each));
    const record = builder.record(builder.gpuIndex(gpu), timeMs, builder.workloadIndex(workload));
    const index = metricIndexOf(name);
    if (index === undefined) builder.setCustom(record, name, value);
    else builder.set(record, index, value);
  }
  return builder.build();
}

/** The batches of samples in another order. */
const shuffledBatches = (samples: readonly Sample[]): fc.Arbitrary<RecordBatch[]> =>
  fc
    .tuple(
      fc.shuffledSubarray([...samples], { minLength: samples.length }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: samples.length, maxLength: samples.length }),
    )
    .map(([shuffled, sizes]) => {
      const left = [...shuffled];
      return sizes.flatMap((size) => (left.length === 0 ? [] : [batchOf(left.splice(0, size))]));
    });

function sorted(records: Iterable<MergedRecord>): MergedRecord[] {
  const keyOf = ({ gpu, timeMs }: MergedRecord): string => `${gpu.uuid} ${timeMs}`;
  return [...records]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((record) => ({
      ...record,
      metrics: new Map([...record.metrics].sort()),
      custom: new Map([...record.custom].sort()),
      gpu: { ...record.gpu, properties: Object.fromEntries(Object.entries(record.gpu.properties).sort()) },
    }));
}

test("a batch does not depend on the order of its samples: records, counts, conflicts and the rows of other hosts", () => {
  fc.assert(
    fc.property(
      anyHost.chain((samples) =>
        fc.tuple(fc.constant(samples), fc.shuffledSubarray(samples, { minLength: samples.length })),
      ),
      ([samples, shuffled]) => {
        const placeOf = (sample: Sample): number => samples.indexOf(sample);
        const [batch, other] = [batchOf(samples, placeOf), batchOf(shuffled, placeOf)];
        expect(sorted(recordsIn(other))).toEqual(sorted(recordsIn(batch)));
        expect(other.tally).toEqual(batch.tally);
        expect(other.rejected).toEqual(batch.rejected);
        const { rows, samples: stored, duplicates, conflicts } = batch.tally;
        expect(stored + duplicates + conflicts + batch.rejected.length).toBe(rows);
      },
    ),
    { numRuns: 500 },
  );
});

test("a batch has the records that batches of one sample give when merged; the codec and the split keep them", () => {
  fc.assert(
    fc.property(anyHost, (samples) => {
      const batch = batchOf(samples);
      const expected = sorted(mergedRecords(samples.map((each) => batchOf([each]))).values());
      expect(sorted(recordsIn(batch))).toEqual(expected);
      expect(validateBatch(batch)).toBe(batch);
      const decoded = decodeBatch(encodeBatch(batch));
      expect(sorted(recordsIn(decoded))).toEqual(expected);
      expect(decoded.tally).toEqual(batch.tally);
      const halves = splitBatch(decoded) ?? [decoded];
      expect(sorted(halves.flatMap((half) => recordsIn(half)))).toEqual(expected);
      const count = (name: "samples" | "conflicts" | "duplicates"): number =>
        halves.reduce((sum, { tally }) => sum + tally[name], 0);
      expect([count("samples"), count("conflicts"), count("duplicates")]).toEqual([
        batch.tally.samples,
        batch.tally.conflicts,
        batch.tally.duplicates,
      ]);
    }),
    { numRuns: 300 },
  );
});

test("batches of any size and in any order have the records of one sample a batch", () => {
  fc.assert(
    fc.property(
      anyHost.chain((samples) => fc.tuple(fc.constant(samples), shuffledBatches(samples))),
      ([samples, batches]) => {
        const alone = mergedRecords(samples.map((each) => batchOf([each])));
        expect(sorted(mergedRecords(batches).values())).toEqual(sorted(alone.values()));
      },
    ),
    { numRuns: 300 },
  );
});

test("cursors that several builders share find the records that searches find, batch by batch", () => {
  fc.assert(
    fc.property(anyHost, fc.array(fc.nat({ max: 4 }), { minLength: 60, maxLength: 60 }), (samples, choices) => {
      // few objects that are used again and again, as those of a file's rows are
      const devices = samples.slice(0, 5);
      const cursors = devices.map(({ gpu, workload }) => new RecordCursor(gpu, workload));
      const [searching, first, second] = [new BatchBuilder(), new BatchBuilder(), new BatchBuilder()];
      for (const [index, { timeMs, value }] of samples.entries()) {
        const device = (choices[index] ?? 0) % devices.length;
        const { gpu, workload } = devices[device] as Sample;
        const cursor = cursors[device] as RecordCursor;
        const found = searching.record(searching.gpuIndex(gpu), timeMs, searching.workloadIndex(workload));
        searching.set(found, 0, value);
        for (const builder of [first, second]) builder.set(builder.recordAt(cursor, timeMs), 0, value);
        if (value > 15) expect([first.build(), second.build()]).toEqual(Array(2).fill(searching.build()));
      }
      expect([first.build(), second.build()]).toEqual(Array(2).fill(searching.build()));
    }),
    { numRuns: 300 },
  );
});

/** What a gateway that follows a hot tier knows after these batches. */
async function hotContent(batches: readonly RecordBatch[]): Promise<unknown> {
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  for (const batch of batches) await hotTier.write(batch);
  let content: Parameters<HotFollower["onChanges"]>[0] = { gpus: [], records: [] };
  const ignore = (): void => undefined;
  hotTier.follow({ onChanges: (changes) => (content = changes), onFollowing: ignore, onInterrupted: ignore });
  return {
    gpus: content.gpus
      .map((state) => ({ ...state, openSinceMs: [...state.openSinceMs].sort() }))
      .sort((a, b) => (a.gpu.uuid < b.gpu.uuid ? -1 : 1)),
    records: content.records.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1)),
  };
}

test("batches of any size and order leave the same hot tier as batches of one sample in order of time", async () => {
  await fc.assert(
    fc.asyncProperty(
      oneHost.chain((samples) => fc.tuple(fc.constant(samples), shuffledBatches(samples))),
      async ([samples, batches]) => {
        const inOrder = samples.toSorted((a, b) => a.timeMs - b.timeMs).map((each) => batchOf([each]));
        const expected = await hotContent(inOrder);
        expect(await hotContent(batches)).toEqual(expected);
        expect(await hotContent([...batches, ...batches.toReversed()])).toEqual(expected);
      },
    ),
    { numRuns: 300 },
  );
});
