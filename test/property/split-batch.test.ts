import { expect, test } from "bun:test";
import fc from "fast-check";
import { type InputTally, type RecordBatch, type RejectedInput, rejectReasons } from "../../src/domain/batch.ts";
import { noOccupants, noWorkload } from "../../src/domain/gpu.ts";
import { validateBatch } from "../../src/domain/schema/validate-batch.ts";
import type { SeriesEnd } from "../../src/domain/series-end.ts";
import { splitBatch } from "../../src/domain/split-batch.ts";
import { decodePayload, encodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { makeBatch, type TestRecord } from "../../dev/make-batch.ts";

const record: fc.Arbitrary<TestRecord> = fc.record({
  uuid: fc.constantFrom("GPU-a", "GPU-b", "GPU-c", "GPU-d"),
  timeMs: fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2025, 0, 1) + 20 }),
  metrics: fc.dictionary(
    fc.constantFrom("temperature", "power_draw", "sm_clock_mhz", "unknown_a", "unknown_b"),
    fc.integer({ min: 0, max: 90 }),
    { minKeys: 1 },
  ),
  workload: fc.constantFrom(noWorkload, ...["a", "b"].map((pod) => ({ pod, container: "c", namespace: "n" }))),
});
const rejection: fc.Arbitrary<RejectedInput> = fc.record({
  line: fc.nat(),
  byte: fc.nat(),
  reason: fc.constantFrom(...rejectReasons),
  field: fc.string(),
  value: fc.string(),
  message: fc.string(),
  raw: fc.string(),
});
const instant = fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2025, 0, 1) + 20 });
const end: fc.Arbitrary<SeriesEnd> = fc.record(
  {
    uuid: fc.constantFrom("GPU-a", "GPU-b"),
    timeMs: instant,
    sinceMs: instant,
    series: fc.uniqueArray(fc.constantFrom("temperature", "unknown_a"), { minLength: 1 }),
  },
  { requiredKeys: ["uuid", "timeMs", "series"] },
);
const batches = fc
  .record({
    ends: fc.array(end, { maxLength: 9 }),
    records: fc.array(record, { maxLength: 40 }),
    rejected: fc.array(rejection, { maxLength: 12 }),
    counts: fc.record({ missing: fc.nat(), duplicates: fc.nat(), blankLines: fc.nat(), repeatedHeaders: fc.nat() }),
  })
  .map(({ records, rejected, counts, ends }): RecordBatch => {
    const batch = makeBatch(records, rejected);
    return { ...batch, tally: { ...batch.tally, ...counts }, ...(ends.length > 0 && { ends }) };
  });

function splitToTheEnd(batch: RecordBatch): RecordBatch[] {
  return splitBatch(batch)?.flatMap(splitToTheEnd) ?? [batch];
}

/** The combined content of batches, independent of their dictionaries. */
function contentOf(parts: readonly RecordBatch[]): unknown {
  const records = parts.flatMap((batch) =>
    Array.from(batch.timesMs, (timeMs, index) => ({
      timeMs,
      gpu: batch.gpus[batch.gpuIndexes[index] as number],
      occupants: batch.occupants[batch.occupantsIndexes[index] as number],
      values: [...batch.columns].flatMap(([metric, values]) =>
        Number.isNaN(values[index]) ? [] : [[metric, values[index]]],
      ),
      custom: batch.custom.flatMap((custom) => (custom.record === index ? [[custom.metric, custom.value]] : [])),
    })),
  );
  const sum = (count: keyof InputTally): number => parts.reduce((total, { tally }) => total + tally[count], 0);
  const counts = (["rows", "samples", "missing", "duplicates", "blankLines", "repeatedHeaders"] as const).map(sum);
  const ends = parts.flatMap((part) => part.ends ?? []);
  return { records, rejected: parts.flatMap(({ rejected }) => rejected), ends, counts };
}

/** A batch in a form for `toEqual`: in typed arrays, `toEqual` does not accept NaN (a missing value) as equal to NaN. */
function comparable(batch: RecordBatch): unknown {
  return { ...batch, columns: Array.from(batch.columns, ([metric, values]) => [metric, Array.from(values)]) };
}

test("a completely split batch keeps its content, in parts of at most one record or rejected input", () => {
  fc.assert(
    fc.property(batches, (batch) => {
      const parts = splitToTheEnd(batch);
      expect(contentOf(parts)).toEqual(contentOf([batch]));
      for (const part of parts) expect(part.recordCount + part.rejected.length).toBeLessThanOrEqual(1);
    }),
    { numRuns: 500 },
  );
});

test("each part is a valid batch that the codec restores, and has only noWorkload and what its records use", () => {
  fc.assert(
    fc.property(batches, (batch) => {
      for (const part of [...(splitBatch(batch) ?? []), ...splitToTheEnd(batch)]) {
        expect(validateBatch(part)).toBe(part);
        expect(comparable(decodePayload(encodeBatch(part)))).toEqual(comparable(part));
        if (part === batch) continue;
        expect(part.gpus).toHaveLength(new Set(part.gpuIndexes).size);
        expect(part.occupants[0]).toEqual(noOccupants);
        expect(part.occupants).toHaveLength(new Set([0, ...part.occupantsIndexes]).size);
        for (const values of part.columns.values()) expect(values.some((value) => !Number.isNaN(value))).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});

test("the halves differ by at most one record, and splitting the batch again gives the same halves", () => {
  fc.assert(
    fc.property(batches, (batch) => {
      const [first, second] = splitBatch(batch) ?? [];
      if (first === undefined || second === undefined) return expect(splitToTheEnd(batch)).toEqual([batch]);
      expect(Math.abs(first.recordCount - second.recordCount)).toBeLessThanOrEqual(1);
      expect([first, second].map(comparable)).toEqual((splitBatch(batch) ?? []).map(comparable));
    }),
  );
});

test("a batch can be split if it has at least two elements, of which each is a record or a rejected input", () => {
  const one = { uuid: "GPU-a", timeMs: Date.UTC(2025, 0, 1), metrics: { temperature: 28 } };
  const rejected: RejectedInput = {
    line: 2,
    byte: 9,
    reason: "nul_byte",
    field: "f",
    value: "v",
    message: "m",
    raw: "r",
  };
  expect(splitBatch(makeBatch([one]))).toBeUndefined();
  expect(splitBatch(makeBatch([], [rejected]))).toBeUndefined();
  expect(splitBatch(makeBatch([]))).toBeUndefined();
  const halves = splitBatch(makeBatch([one], [rejected])) ?? [];
  expect(halves.map(({ recordCount, rejected: { length } }) => [recordCount, length])).toEqual([
    [1, 0],
    [0, 1],
  ]);
});
