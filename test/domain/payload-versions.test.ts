import { expect, test } from "bun:test";
import { makeBatch } from "../../dev/make-batch.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import { UndecodablePayload } from "../../src/domain/errors.ts";
import type { Gpu, Workload } from "../../src/domain/gpu.ts";
import { fromPayloadV1, toPayloadV1 } from "../../src/domain/schema/columns-v1.ts";
import type { PayloadV1 } from "../../src/domain/schema/payload-v1.ts";
import type { SourceReading } from "../../src/domain/reading.ts";
import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { recordsIn } from "../support/merged-records.ts";

const timeMs = Date.UTC(2025, 6, 18);
const gpuOf = (hostname: string): Gpu => ({
  ...{
    uuid: "GPU-1",
    clusterId: "c",
    hostname,
    gpuId: 0,
    device: "",
    modelName: "",
    driverVersion: "",
    properties: {},
  },
});
const podOf = (pod: string): Workload => ({ container: "", pod, namespace: "ml" });

function batchOf(
  ...records: { readonly second: number; readonly host?: string; readonly pods?: string[] }[]
): RecordBatch {
  const builder = new BatchBuilder();
  for (const { second, host = "a", pods = [] } of records) {
    const gpu = builder.gpuIndex(gpuOf(host));
    const record = builder.record(gpu, timeMs + second * 1000, 0);
    for (const pod of pods) builder.record(gpu, timeMs + second * 1000, builder.workloadIndex(podOf(pod)));
    builder.set(record, 0, second);
  }
  return builder.build();
}

/** The fields of payloads that were written before GPUs could have several workloads or attributes in a batch. */
const earlierFields = ["columns", "custom", "gpuSteps", "gpus", "records", "rejected", "tally", "timeStepsMs"];
const earlierCounts = ["blankLines", "duplicates", "missing", "repeatedHeaders", "rows", "samples"];

test("a batch with one workload per record and one set of attributes per GPU has only the fields of earlier versions", () => {
  const payload = toPayloadV1(batchOf({ second: 0, pods: ["p"] }, { second: 1 }));
  expect(Object.keys(payload).sort()).toEqual([...earlierFields, "workloadIndexes", "workloads"].sort());
  expect(Object.keys(payload.tally).sort()).toEqual(earlierCounts);
  expect(payload.workloads).toEqual([{ container: "", pod: "", namespace: "" }, podOf("p")]);
  expect(payload.workloadIndexes).toEqual([1, 0]);
});

const laterFields = ["sharing", "sharingIndexes", "variants", "variantIndexes"];

/** The payload without the fields that a process of an earlier version ignores. */
function asEarlier(payload: PayloadV1): PayloadV1 {
  const known = Object.entries(payload).filter(([name]) => !laterFields.includes(name));
  return Object.fromEntries(known) as PayloadV1;
}

test("a process of an earlier version reads the first of several workloads, and the newest attributes of a GPU", () => {
  const batch = batchOf(
    { second: 0, host: "old", pods: ["x", "y"] },
    { second: 2, host: "new" },
    { second: 1, host: "old" },
  );
  const payload = toPayloadV1(batch);
  expect(fromPayloadV1(payload)).toEqual(batch);
  const earlier = fromPayloadV1(asEarlier(payload));
  expect(payload.gpus.map(({ hostname }) => hostname)).toEqual(["new"]);
  expect(recordsIn(earlier).map(({ gpu, occupants }) => [gpu.hostname, occupants])).toEqual([
    ["new", ["ml/x/"]],
    ["new", []],
    ["new", []],
  ]);
  expect(recordsIn(batch).map(({ gpu, occupants }) => [gpu.hostname, occupants])).toEqual([
    ["old", ["ml/x/", "ml/y/"]],
    ["new", []],
    ["old", []],
  ]);
});

test("payloads of earlier versions are read: unused and repeated workloads, no count of conflicts", () => {
  const { tally, ...payload } = toPayloadV1(
    batchOf({ second: 0, pods: ["p"] }, { second: 1, pods: ["p"] }, { second: 2 }),
  );
  const workloads = [...payload.workloads, podOf("unused"), podOf("p")];
  const earlier = { ...payload, workloads, workloadIndexes: [1, 3, 0], tally };
  const bytes = new TextEncoder().encode(JSON.stringify(earlier));
  const batch = decodeBatch({ payload: bytes, encoding: "json", schemaVersion: "v1" });
  expect(recordsIn(batch).map(({ occupants }) => occupants)).toEqual([["ml/p/"], ["ml/p/"], []]);
  expect(batch.tally).toMatchObject({ rows: 0, samples: 3, conflicts: 0 });
});

test("a record of a GPU without an identity, which earlier versions accepted, is rejected and not stored", () => {
  const payload = toPayloadV1(batchOf({ second: 0 }, { second: 1 }));
  const [gpu] = payload.gpus as [Gpu];
  const earlier = { ...payload, gpus: [gpu, { ...gpu, uuid: "[N/A]" }], gpuSteps: [0, 1] };
  const bytes = new TextEncoder().encode(JSON.stringify(earlier));
  const { recordCount, rejected } = decodeBatch({ payload: bytes, encoding: "json", schemaVersion: "v1" });
  expect(recordCount).toBe(1);
  expect(rejected).toMatchObject([{ reason: "missing_field", field: "uuid", value: "[N/A]" }]);
});

test.each([
  { sharing: [[1, 9]], sharingIndexes: [1, 0] },
  { sharing: [], sharingIndexes: [1, 0] },
  { variants: [], variantIndexes: [3, 0] },
  { variants: [gpuOf("b")], variantIndexes: [0, 0], gpuSteps: [1, -1] },
  { variants: [gpuOf("b")], variantIndexes: [1, 0], gpuSteps: [1, -1] },
  { variants: [{ ...gpuOf("b"), uuid: "GPU-2" }], variantIndexes: [1, 0] },
  { gpuSteps: [1, -1] },
  { gpuSteps: [-1, 1] },
])("a record whose index no dictionary has is rejected: %j", (change) => {
  const payload = { ...toPayloadV1(batchOf({ second: 0, pods: ["p"] }, { second: 1 })), ...change };
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  const { recordCount, rejected } = decodeBatch({ payload: bytes, encoding: "json", schemaVersion: "v1" });
  expect([recordCount, rejected.map(({ reason }) => reason)]).toEqual([1, ["invalid_record"]]);
});

const reading: SourceReading = { timeMs, intervalMs: 15_000, outcome: "read", count: 1 };
const fleet = makeBatch(["a", "b", "c"].map((uuid) => ({ uuid, timeMs, metrics: { temperature: 1 } })));

test.each([
  [
    ["c", "a"],
    [0, 2],
    ["a", "c"],
  ],
  [["c", "b", "a"], "all", ["a", "b", "c"]],
  [["in another part"], [], []],
] as const)("a reading says which devices are frozen: %j is sent as %j", (frozenDevices, sent, read) => {
  const payload = toPayloadV1({ ...fleet, reading: { ...reading, frozen: frozenDevices.length, frozenDevices } });
  expect(payload.reading).toEqual({ ...reading, frozen: frozenDevices.length, frozenDevices: sent } as never);
  expect(fromPayloadV1(payload).reading?.frozenDevices).toEqual(read);
});

test("a reading without frozen devices, and one of an earlier version that only counts them, are read as they are", () => {
  for (const each of [reading, { ...reading, frozen: 2 }]) {
    const payload = toPayloadV1({ ...fleet, reading: each });
    expect(payload.reading).toEqual({ ...reading, ...each } as never);
    expect(fromPayloadV1(payload).reading).toEqual(each);
  }
});

test.each([
  [
    { reading: { ...reading, frozen: 1, frozenDevices: [1] } },
    "the GPU at index 1 is frozen, but the number of GPUs is 1",
  ],
  [{ custom: [{ record: 2, metric: "fan", value: 1 }] }, "fan has a value at index 2, but the number of records is 2"],
  [
    { columns: [{ metric: "power_draw", at: [0, 2], same: 1 }] },
    "power_draw has a value at index 2, but the number of records is 2",
  ],
  [{ columns: [1, 2].map((same) => ({ metric: "power_draw", same })) }, "power_draw has two columns"],
])("a payload with values that no record can have is refused: %j", (change, reason) => {
  const payload = { ...toPayloadV1(batchOf({ second: 0 }, { second: 1 })), ...change };
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  const decoding = (): unknown => decodeBatch({ payload: bytes, encoding: "json", schemaVersion: "v1" });
  expect(decoding).toThrow(new UndecodablePayload(`payload of schema v1 contradicts itself: ${reason}`));
});
