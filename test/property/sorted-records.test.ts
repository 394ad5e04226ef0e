import { expect, test } from "bun:test";
import fc from "fast-check";
import { sortedRecords } from "../../src/pipeline/store/sql/sorted-records.ts";
import { makeBatch } from "../../dev/make-batch.ts";

const gpuCount = 5;
const record = fc.record({
  uuid: fc.integer({ min: 0, max: gpuCount - 1 }).map((gpu) => `GPU-${gpu}`),
  timeMs: fc.integer({ min: 0, max: 20 }).map((second) => Date.UTC(2025, 0, 1) + second * 1000),
  metrics: fc.constant({ temperature: 28 }),
});
const keysOfGpus = fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: gpuCount, maxLength: gpuCount });

test("sortedRecords returns the index of each record once, sorted by the key of the record's GPU, then by time", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), keysOfGpus, (records, gpuKeys) => {
      const batch = makeBatch(records);
      const keys = Float64Array.from(gpuKeys.slice(0, batch.gpus.length));
      const sortKeysOf = (index: number) => [keys[batch.gpuIndexes[index] as number], batch.timesMs[index]] as const;
      const expected = Array.from({ length: batch.recordCount }, (_, index) => index).sort((a, b) => {
        const [[keyA = 0, timeA = 0], [keyB = 0, timeB = 0]] = [sortKeysOf(a), sortKeysOf(b)];
        return keyA - keyB || timeA - timeB;
      });
      expect(Array.from(sortedRecords(batch, keys))).toEqual(expected);
    }),
  );
});
