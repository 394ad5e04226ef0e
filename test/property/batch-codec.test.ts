import { expect, test } from "bun:test";
import fc from "fast-check";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { NeedsNewerVersion, UndecodablePayload } from "../../src/domain/errors.ts";
import { toPayloadV1 } from "../../src/domain/schema/columns-v1.ts";
import { validateBatch } from "../../src/domain/schema/validate-batch.ts";
import { decodeBatch, decodePayload, encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { makeBatch, type TestRecord } from "../../dev/make-batch.ts";

// JSON has no -0: `+ 0` makes it 0
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const record: fc.Arbitrary<TestRecord> = fc.record({
  uuid: fc.constantFrom("GPU-a", "GPU-b", "GPU-c"),
  timeMs: fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2099, 0, 1) }),
  metrics: fc.dictionary(fc.constantFrom("temperature", "power_draw", "sm_clock_mhz", "unheard_of"), finite, {
    minKeys: 1,
  }),
  workload: fc.record({ container: fc.string(), pod: fc.string(), namespace: fc.string() }),
});

/** Plain arrays: in a typed array, NaN (a missing value) is not equal to itself. */
function comparable(batch: RecordBatch): unknown {
  return { ...batch, columns: Array.from(batch.columns, ([metric, values]) => [metric, Array.from(values)]) };
}

test("the codec restores a batch exactly", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 50 }), (records) => {
      const batch = makeBatch(records);
      expect(comparable(decodePayload(encodeBatch(batch)))).toEqual(comparable(batch));
    }),
  );
});

test("decoding a payload with a damaged byte throws no error other than UndecodablePayload", () => {
  const encoded = encodeBatch(
    makeBatch([{ uuid: "GPU-a", timeMs: Date.UTC(2025, 0, 1), metrics: { temperature: 28 } }]),
  );
  fc.assert(
    fc.property(fc.nat(encoded.payload.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const payload = encoded.payload.slice();
      payload[at] = (payload[at] as number) ^ flip;
      try {
        decodeBatch({ ...encoded, payload });
      } catch (error) {
        expect(error).toBeInstanceOf(UndecodablePayload);
      }
    }),
  );
});

test("an unknown encoding or schema version is refused, and the error names it", () => {
  const encoded = encodeBatch(makeBatch([]));
  expect(() => decodePayload({ ...encoded, schemaVersion: "x9" })).toThrow('"x9" is not supported');
  for (const newer of ["v2beta1", "v2", "v10"])
    expect(() => decodePayload({ ...encoded, schemaVersion: newer })).toThrow(NeedsNewerVersion);
  for (const none of ["v0", "v1beta2", "v2alpha", "2", ""])
    expect(() => decodePayload({ ...encoded, schemaVersion: none })).toThrow(UndecodablePayload);
  expect(() => decodePayload({ ...encoded, encoding: "xml" })).toThrow('"xml" is not supported');
});

test("columns that contradict each other are refused", () => {
  const encode = (change: object) => {
    const good = toPayloadV1(
      makeBatch([{ uuid: "GPU-a", timeMs: Date.UTC(2025, 0, 1), metrics: { temperature: 28 } }]),
    );
    return new TextEncoder().encode(JSON.stringify({ ...good, ...change }));
  };
  const refusal = (change: object): unknown => {
    try {
      return decodeBatch({ payload: encode(change), encoding: "json", schemaVersion: "v1" });
    } catch (error) {
      return error;
    }
  };
  expect(refusal({ gpuSteps: [] })).toMatchObject({
    code: "undecodable_payload",
    message: "payload of schema v1 contradicts itself: the length of gpuSteps is 0, but the number of records is 1",
  });
  for (const column of [
    { metric: "temperature", at: [7], same: 28 },
    { metric: "temperature", at: [0], values: [] },
  ]) {
    expect(refusal({ columns: [column] })).toMatchObject({ code: "undecodable_payload", retryable: false });
  }
});

test("a frame that would decompress to more than 64 MiB is refused", () => {
  const payload = Bun.zstdCompressSync(new Uint8Array(64 * 1024 ** 2 + 1), { level: 1 });
  expect(() => decodeBatch({ payload, encoding: "json+zstd", schemaVersion: "v1" })).toThrow(
    /decompresses to 67108865 bytes; at most 67108864 are decoded/,
  );
});

test("the long form v1beta1 is migrated: good samples merge into records, a bad one is rejected alone", () => {
  const sample = { timestamp: "2025-07-18T20:42:34Z", gpu_id: 4, uuid: "GPU-a", hostname: "host" };
  const samples = [
    { ...sample, metric_name: "DCGM_FI_DEV_GPU_TEMP", value: 28 },
    { ...sample, metric_name: "DCGM_FI_DEV_POWER_USAGE", value: "73.136" },
    { ...sample, metric_name: "DCGM_FI_DEV_GPU_UTIL", value: 808334905 },
    { ...sample, metric_name: "DCGM_FI_DEV_SM_CLOCK", value: null },
  ];
  const payload = new TextEncoder().encode(JSON.stringify({ cluster_id: "c", samples }));
  const batch = decodePayload({ payload, encoding: "json", schemaVersion: "v1beta1" });
  expect(batch.recordCount).toBe(1);
  expect(batch.columns.get("temperature")?.[0]).toBe(28);
  expect(batch.columns.get("power_draw")?.[0]).toBe(73.136);
  expect(batch.tally).toMatchObject({ rows: 4, samples: 2, missing: 1 });
  expect(batch.rejected).toMatchObject([{ reason: "value_out_of_range", value: "808334905" }]);
});

test("decoding rejects a record that cannot be stored, and keeps the others", () => {
  const timeMs = Date.UTC(2025, 0, 1);
  const good = makeBatch([{ uuid: "GPU-a", timeMs, metrics: { temperature: 28 } }]);
  expect(validateBatch(good)).toBe(good);
  const mixed = makeBatch([
    { uuid: "GPU-a", timeMs, metrics: { temperature: 28 } },
    { uuid: "GPU-b", timeMs, metrics: { temperature: 345 } },
    { uuid: "GPU-c", timeMs: 0, metrics: { temperature: 30 } },
  ]);
  const checked = validateBatch(mixed);
  expect(checked.recordCount).toBe(1);
  expect(checked.rejected.map(({ reason }) => reason).sort()).toEqual(["timestamp_out_of_range", "value_out_of_range"]);
  expect(comparable(decodeBatch(encodeBatch(mixed)))).toEqual(comparable(checked));
});
